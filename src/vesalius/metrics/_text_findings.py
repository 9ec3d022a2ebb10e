"""What a text says of findings, held against what is true: right, invented, missed, of a wrong side or size."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

from vesalius.core.finding import Finding, Side

NEAR = 0.2  # how far a size may be off, as a share of the true one
SAID = ("present", "uncertain")  # of a text: a reader who is told "possible" looks for it, too
_TINY = 1e-9


@dataclass(frozen=True, slots=True)
class Claim:
    """All that is said of one finding on one side: its sizes, its places, its changes, and the sentences that say so.

    `unsure` says that it is only said to be possible.
    """

    name: str
    side: Side | None
    sizes_mm: tuple[float, ...] = ()
    places: frozenset[str] = frozenset()
    changes: frozenset[str] = frozenset()
    sentences: tuple[int, ...] = ()
    unsure: bool = False


@dataclass(frozen=True, slots=True)
class Pair:
    """A claim and the true finding that it is about; each of the four is None where one of the two does not say it."""

    said: Claim
    true: Claim
    side: bool | None
    size: bool | None
    place: bool | None
    change: bool | None

    @property
    def right(self) -> bool:
        """Whether neither the side nor the size is wrong."""
        return self.side is not False and self.size is not False


@dataclass(frozen=True, slots=True)
class Held:
    """What became of all claims of one text.

    `invented` are claims of what is not there, `missed` true findings that are not claimed, `denied` those of them of
    which the text says that they are absent, with the sentences that say so. `wrong` are the places of sentences that
    say something untrue, `spoken` those of all that say something of a finding.
    """

    pairs: tuple[Pair, ...] = ()
    invented: tuple[Claim, ...] = ()
    missed: tuple[Claim, ...] = ()
    denied: tuple[Claim, ...] = ()
    wrong: frozenset[int] = frozenset()
    spoken: frozenset[int] = field(default_factory=frozenset)


def held(said: Sequence[Finding], true: Sequence[Finding]) -> Held:
    """Hold what a text says against what is true.

    Claims and truths of one name are paired one to one: first those on the same side, then those of which one names no
    side, at last those on different sides, which makes the side wrong. A finding on both sides is one on each. A truth
    without a side is met by claims on either. What a truth calls uncertain is neither asked for nor taken for invented.
    """
    open_names = {f.name for f in true if f.status == "uncertain"}
    truths = claims(f for f in true if f.status == "present" and f.change != "gone")
    said_of = claims(f for f in said if f.status in SAID and f.change != "gone")
    pairs, left, missed = _paired(said_of, truths)
    met = {p.true.name for p in pairs if p.true.side is None}
    invented = [c for c in left if c.name not in open_names and c.name not in met]
    absent = [f for f in said if f.status == "absent" or (f.status == "present" and f.change == "gone")]
    denied = [
        replace(t, sentences=tuple(f.sentence for f in absent if _denies(f, t) and f.sentence is not None))
        for t in missed
        if any(_denies(f, t) for f in absent)
    ]
    wrong = {s for c in (*invented, *(p.said for p in pairs if not p.right)) for s in c.sentences}
    wrong |= {s for t in denied for s in t.sentences}
    spoken = frozenset(f.sentence for f in said if f.sentence is not None)
    return Held(tuple(pairs), tuple(invented), tuple(missed), tuple(denied), frozenset(wrong), spoken)


def claims(findings: Iterable[Finding]) -> list[Claim]:
    """Return what is said of each finding on each side, in the order of their names and sides."""
    found: dict[tuple[str, str], Claim] = {}
    for one in findings:
        sides: tuple[Side | None, ...] = ("left", "right") if one.side == "both" else (one.side,)
        for side in sides:
            key = (one.name, side or "")
            old = found.get(key, Claim(one.name, side, unsure=True))
            found[key] = replace(
                old,
                sizes_mm=tuple(
                    dict.fromkeys((*old.sizes_mm, *((one.size_mm,) if one.size_mm is not None else ())))
                ),
                places=old.places | ({one.place} if one.place else set()),
                changes=old.changes | ({one.change} if one.change else set()),
                sentences=old.sentences + ((one.sentence,) if one.sentence is not None else ()),
                unsure=old.unsure and one.status == "uncertain",
            )
    return [found[key] for key in sorted(found)]


def _paired(said: Sequence[Claim], true: Sequence[Claim]) -> tuple[list[Pair], list[Claim], list[Claim]]:
    """Return the pairs, and the claims and the truths that have none."""
    left, missed, pairs = list(said), list(true), []
    for fits in (_same_side, _one_open, _other_side):
        for claim in list(left):
            truth = next((t for t in missed if t.name == claim.name and fits(claim, t)), None)
            if truth is not None:
                pairs.append(_pair(claim, truth))
                left.remove(claim)
                missed.remove(truth)
    return pairs, left, missed


def _same_side(one: Claim, other: Claim) -> bool:
    return one.side == other.side


def _one_open(one: Claim, other: Claim) -> bool:
    return one.side is None or other.side is None


def _other_side(one: Claim, other: Claim) -> bool:
    return one.side != other.side


def _pair(said: Claim, true: Claim) -> Pair:
    """Return a pair with what both say; each size that is said has to be near one of the true ones."""
    return Pair(
        said,
        true,
        side=None if said.side is None or true.side is None else said.side == true.side,
        size=all(any(near(a, b) for b in true.sizes_mm) for a in said.sizes_mm)
        if said.sizes_mm and true.sizes_mm
        else None,
        place=bool(said.places & true.places) if said.places and true.places else None,
        change=bool(said.changes & true.changes) if said.changes and true.changes else None,
    )


def near(said_mm: float, true_mm: float) -> bool:
    """Return whether a size is within 20 % of the true one."""
    return abs(said_mm - true_mm) <= NEAR * true_mm + _TINY


def _denies(said: Finding, true: Claim) -> bool:
    """Return whether a sentence that denies a finding denies this true one."""
    sided = said.side in (None, "both") or true.side is None or said.side == true.side
    return said.name == true.name and sided
