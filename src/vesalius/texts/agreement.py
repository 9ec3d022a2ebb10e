"""Agreement: whether what is said of a finding speaks against what is truly there, and why."""

from __future__ import annotations

from collections.abc import Sequence

from vesalius.core.finding import Finding

SIZES_AGREE = 0.2  # of the true size


def contradicts(said: Finding, truth: Sequence[Finding], *, sizes: float = SIZES_AGREE) -> str:
    """Return why a finding that is said is not borne out by what is truly there; "" where nothing speaks against it.

    `truth` is all that is there: a finding that is not among it is not there. What is said to be uncertain is borne
    out by what is there or is itself in doubt, as what is said to be there is; how large it may be is not held against
    it. What is past is contradicted by nothing. A side that is not said, or not known, contradicts nothing; neither
    does a size that differs by at most the share `sizes` of the true one. Of several of a name it is enough that one
    bears it out.
    """
    if said.status == "past":
        return ""
    there = [t for t in truth if t.name == said.name and t.status == "present"]
    if said.status == "absent":
        against = [t for t in there if _same_side(said, t)]
        return f"{against[0]} is there" if against else ""
    doubted = [t for t in truth if t.name == said.name and t.status == "uncertain"]
    if not there:
        return "" if doubted else f"no {said.name} is there"
    if said.status == "uncertain" and any(_same_side(said, t) for t in doubted):
        return ""
    sides = {t.side for t in there}
    sided = [t for t in there if _same_side(said, t)]
    if not sided and not (said.side == "both" and {"left", "right"} <= sides):
        return f"the {said.name} is {_where(there[0])}, not {_where(said)}"
    if said.size_mm is not None and said.status == "present":
        known = [t.size_mm for t in sided if t.size_mm is not None]
        if known and not any(abs(said.size_mm - size) <= sizes * size for size in known):
            nearest = min(known, key=lambda size: abs(size - (said.size_mm or 0.0)))
            return f"the {said.name} measures {nearest:g} mm, not {said.size_mm:g} mm"
    return ""


def _same_side(said: Finding, true: Finding) -> bool:
    """Return whether what is said of a side may be said of where a finding truly is.

    What is on both sides is on the left; what is on the left is not on both. "Absent on both sides" is on neither.
    """
    if said.side is None or true.side is None or said.side == true.side:
        return True
    return true.side == "both" or (said.side == "both" and said.status == "absent")


def _where(finding: Finding) -> str:
    return "on both sides" if finding.side == "both" else f"on the {finding.side}"
