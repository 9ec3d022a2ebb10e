"""Statement: one thing that an answer says of its case, as data, with the figures that it stands on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from vesalius.core.finding import Finding, Side

COUNT = " count"  # what the quantity of a number of things ends in, after the name of the things


@dataclass(frozen=True, slots=True)
class Statement:
    """What an answer says of one finding, or of one measured quantity.

    `because` is what it stands on, in words. `p` is the calibrated probability that the finding is there, None
    where the answer has none. `label` is the answer's own name for it, "" where it is none of its labels. `number`
    and `unit` are of a measured quantity, whose name is the finding's. `part` is the name of the part of the answer
    that says it, "" for the answer itself. `doubted` says why it must not be taken as said; "" where nothing speaks
    against it.
    """

    finding: Finding
    because: str = ""
    p: float | None = None
    number: float | None = None
    unit: str = ""
    part: str = ""
    doubted: str = ""
    label: str = ""


def distinct(statements: Sequence[Statement]) -> list[Statement]:
    """Return statements of which each finding and side stands once, with all that several of them say of it.

    A sentence says on which side, a score how likely: where some have a side, those without one are of each of these.
    Numbers stay as they are. A finding that is doubted by one and not by another is not doubted.
    """
    groups: dict[tuple[str, str], list[Statement]] = {}
    found: list[Statement] = []
    for one in statements:
        if one.number is not None:
            found.append(one)
        else:
            groups.setdefault((one.finding.name.casefold(), one.finding.status), []).append(one)
    for own in groups.values():
        sides: list[Side | None] = [s.finding.side for s in own if s.finding.side is not None]
        found += [
            _one([s for s in own if s.finding.side in (side, None)], side)
            for side in dict.fromkeys(sides or [None])
        ]
    return found


def _one(own: Sequence[Statement], side: Side | None) -> Statement:
    """Return several statements of one finding as one: the first, with what it lacks of the others."""
    first = min(own, key=lambda s: (bool(s.doubted), s.finding.side is None))
    sizes = [s.finding.size_mm for s in own if s.finding.size_mm is not None]
    finding = replace(
        first.finding,
        side=side,
        place=next((s.finding.place for s in own if s.finding.place), ""),
        size_mm=max(sizes, default=None),
        count=next((s.finding.count for s in own if s.finding.count is not None), None),
        change=next((s.finding.change for s in own if s.finding.change is not None), None),
        sentence=None,
    )
    return replace(first, finding=finding, p=next((s.p for s in own if s.p is not None), None))
