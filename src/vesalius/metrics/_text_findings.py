"""What a text says of findings, held against what is true: right, invented, missed, of a wrong side or size."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from itertools import product

from vesalius.core.finding import Finding, Side

NEAR = 0.2  # how far a size may be off, as a share of the true one
SAID = ("present", "uncertain")  # of a text: a reader who is told "possible" looks for it, too
_TINY = 1e-9


@dataclass(frozen=True, slots=True)
class Claim:
    """All that is said of one finding on one side: its size, its places, its changes, and the sentences that say so.

    `sizes_mm` are of one thing, within 20 % of one another: what is of another size is another claim. `unsure` says
    that it is only said to be possible.
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

    @property
    def sided(self) -> bool | None:
        """Whether the claim names a side, be it the right one or not; None where the true finding has none."""
        return None if self.true.side is None else self.said.side is not None


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
    side, at last those on different sides, which makes the side wrong; each time first those of one size, then those of
    which one has no size, at last those of different sizes. A finding on both sides is one on each. A truth without a
    side is met by claims on either, one without a size by those of any. What a truth calls uncertain is neither asked
    for nor taken for invented. A sentence is untrue where no truth agrees with it, whatever others say of that finding.
    """
    open_names = {f.name for f in true if f.status == "uncertain"}
    truths = claims(f for f in true if f.status == "present" and f.change != "gone")
    told = [f for f in said if f.status in SAID and f.change != "gone"]
    pairs, left, untold = _paired(claims(told), truths)
    invented = [
        c for c in left if c.name not in open_names and not any(_agree(c, p.true) for p in pairs)
    ]  # what agrees with a truth that is met already only says it again
    missed = [t for t in untold if not any(_states(p.said, t) for p in pairs)]
    absent = [f for f in said if f.status == "absent" or (f.status == "present" and f.change == "gone")]
    denied = [
        replace(t, sentences=tuple(f.sentence for f in absent if _denies(f, t) and f.sentence is not None))
        for t in missed
        if any(_denies(f, t) for f in absent)
    ]
    wrong = {s for t in denied for s in t.sentences}
    for one in told:
        untrue = not all(any(_agree(c, t) for t in truths) for c in _stated(one))
        if one.sentence is not None and untrue and one.name not in open_names:
            wrong.add(one.sentence)
    spoken = frozenset(f.sentence for f in said if f.sentence is not None)
    return Held(tuple(pairs), tuple(invented), tuple(missed), tuple(denied), frozenset(wrong), spoken)


def claims(findings: Iterable[Finding]) -> list[Claim]:
    """Return what is said of each finding, on each side and of each size, in the order of names, sides and sizes.

    What names no side says again what others of its name say on one, and what names no size what those on its side
    say, so that neither is a claim beside them. Of another size it is another claim. Where it may say several of them
    again, nobody knows of which its place and its change are.
    """
    found: list[Claim] = []
    every = [claim for one in findings for claim in _stated(one)]
    for one in sorted(every, key=lambda c: (c.side is None, not c.sizes_mm, c.sizes_mm)):
        again = _said_before(found, one)
        for k in again:
            found[k] = _merged(found[k], one, whole=len(again) == 1)
        if not again:
            found.append(one)
    return sorted(found, key=lambda c: (c.name, c.side or "", c.sizes_mm))


def _stated(one: Finding) -> list[Claim]:
    """Return what a finding alone claims, on each of its sides."""
    sides: tuple[Side | None, ...] = ("left", "right") if one.side == "both" else (one.side,)
    return [
        Claim(
            one.name,
            side,
            sizes_mm=() if one.size_mm is None else (one.size_mm,),
            places=frozenset({one.place} if one.place else ()),
            changes=frozenset({one.change} if one.change else ()),
            sentences=() if one.sentence is None else (one.sentence,),
            unsure=one.status == "uncertain",
        )
        for side in sides
    ]


def _said_before(found: Sequence[Claim], one: Claim) -> list[int]:
    """Return the places of the claims that one may say again; of its side and size, as far as it names them."""
    own = [k for k, c in enumerate(found) if c.name == one.name and one.side in (None, c.side)]
    if not one.sizes_mm:
        return own
    alike = [k for k in own if found[k].sizes_mm and _one_size(found[k], one)]
    bare = [k for k in own if not found[k].sizes_mm]
    return alike or (bare if len(bare) == 1 else [])


def _one_size(one: Claim, other: Claim) -> bool:
    """Return whether all sizes of two claims are within 20 % of one another."""
    return all(near(min(a, b), max(a, b)) for a in one.sizes_mm for b in other.sizes_mm)


def _merged(old: Claim, one: Claim, *, whole: bool) -> Claim:
    """Return a claim with what is said of it again; without `whole` only the sentences, and whether it is unsure."""
    merged = replace(
        old,
        sentences=tuple(dict.fromkeys((*old.sentences, *one.sentences))),
        unsure=old.unsure and one.unsure,
    )
    if not whole:
        return merged
    sizes = tuple(dict.fromkeys((*old.sizes_mm, *one.sizes_mm)))
    return replace(merged, sizes_mm=sizes, places=old.places | one.places, changes=old.changes | one.changes)


def _paired(said: Sequence[Claim], true: Sequence[Claim]) -> tuple[list[Pair], list[Claim], list[Claim]]:
    """Return the pairs, and the claims and the truths that have none."""
    left, missed, pairs = list(said), list(true), []
    for side, size in product((True, None, False), repeat=2):
        for claim in list(left):
            pair = next(
                (
                    p
                    for p in (_pair(claim, t) for t in missed if t.name == claim.name)
                    if _side(p) is side and p.size is size
                ),
                None,
            )
            if pair is not None:
                pairs.append(pair)
                left.remove(claim)
                missed.remove(pair.true)
    return pairs, left, missed


def _side(pair: Pair) -> bool | None:
    """Return whether both are on one side, which they are, too, where neither names one; None where only one does."""
    return True if pair.said.side == pair.true.side else pair.side


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


def _agree(said: Claim, true: Claim) -> bool:
    """Return whether a claim is of a true finding's name, and of its side and size as far as both name them."""
    return said.name == true.name and _pair(said, true).right


def _states(said: Claim, true: Claim) -> bool:
    """Return whether a claim agrees with a true finding, and names its side and size where that has them."""
    whole = (true.side is None or said.side is not None) and (not true.sizes_mm or bool(said.sizes_mm))
    return whole and _agree(said, true)


def near(said_mm: float, true_mm: float) -> bool:
    """Return whether a size is within 20 % of the true one."""
    return abs(said_mm - true_mm) <= NEAR * true_mm + _TINY


def _denies(said: Finding, true: Claim) -> bool:
    """Return whether a sentence that denies a finding denies this true one."""
    sided = said.side in (None, "both") or true.side is None or said.side == true.side
    return said.name == true.name and sided
