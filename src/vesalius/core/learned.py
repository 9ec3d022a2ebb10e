"""What a bundle learned from, and what of an image differs from it: the modality and the unit, or what lies outside.

A record is a summary of training cases alone: modalities, units and body parts as they were declared (with None where a
case declares none), and ranges from the 0.5th to the 99.5th percentile of the cases. It names no patient and no file.
Two modalities or units that are both declared and differ are a mismatch; what lies outside of a range, widened by a
tolerance, is only said.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from vesalius.core.image import Triple
from vesalius.core.words import counted

Range = tuple[float, float]
UNKNOWN = "unknown"
_SIZE, _SPACING = 1.5, 1.25  # factors by which a range of sizes, and one of spacings, is widened
_ABSOLUTE, _RELATIVE = 0.25, 4.0  # shares of the reach of intensities by which their ranges are widened
_MOST_CODES = 32


@dataclass(frozen=True, slots=True)
class Seen:
    """What is seen of one image before it is answered, or learned from.

    `size` is `(Z, Y, X)` and `spacing_mm` `(x, y, z)`, both in canonical axes; `darkest` and `brightest` are the 0.5th
    and the 99.5th percentile of the values. What nobody declares is None, and so are values that were not read.
    """

    size: tuple[int, int, int]
    spacing_mm: Triple | None
    darkest: float | None
    brightest: float | None
    modality: str | None = None
    unit: str | None = None
    body_part: str | None = None
    sequence: str | None = None


@dataclass(frozen=True, slots=True)
class Learned:
    """What the training cases of a bundle were. `absolute` says that intensities are on one scale for all images."""

    cases: int
    modalities: tuple[str | None, ...]
    units: tuple[str | None, ...]
    body_parts: tuple[str | None, ...]
    flat: bool | None  # None where some images are planes and some are volumes
    size: tuple[Range, Range, Range]
    spacing_mm: tuple[Range, Range, Range] | None
    darkest: Range
    brightest: Range
    absolute: bool
    sequences: tuple[str | None, ...] = (None,)

    def json(self) -> dict[str, Any]:
        """Return the record as plain data."""
        return asdict(self)

    @property
    def modality(self) -> str | None:
        """What is declared of all cases, in words; None where that of some is not known."""
        return _together(self.modalities)

    @property
    def unit(self) -> str | None:
        """The unit that is declared of all cases; None where that of some is not known."""
        return _together(self.units)


@dataclass(frozen=True, slots=True)
class Verdict:
    """How an image compares: `mismatch` is refused unless it is accepted, `outside` only said; both are sentences."""

    mismatch: tuple[str, ...] = ()
    outside: tuple[str, ...] = ()


def summary(seen: Sequence[Seen], *, absolute: bool) -> Learned:
    """Return the record of some training cases, one at least, whose values were read."""
    spaced = [s.spacing_mm for s in seen if s.spacing_mm is not None]
    flat = {s.size[0] == 1 for s in seen}
    return Learned(
        cases=len(seen),
        modalities=_declared(s.modality for s in seen),
        units=_declared(s.unit for s in seen),
        body_parts=_declared(s.body_part for s in seen),
        flat=flat.pop() if len(flat) == 1 else None,
        size=_each([s.size for s in seen]),
        spacing_mm=_each(spaced) if len(spaced) == len(seen) else None,
        darkest=_range([s.darkest for s in seen if s.darkest is not None]),
        brightest=_range([s.brightest for s in seen if s.brightest is not None]),
        absolute=absolute,
        sequences=_declared(s.sequence for s in seen),
    )


def parse(data: Mapping[str, Any]) -> Learned:
    """Return a record from its plain data. Raises KeyError, TypeError or ValueError where it is none."""

    def pair(value: Any) -> Range:
        low, high = value
        return float(low), float(high)

    def three(value: Any) -> tuple[Range, Range, Range]:
        a, b, c = value
        return pair(a), pair(b), pair(c)

    def words(value: Any) -> tuple[str | None, ...]:
        return tuple(None if v is None else str(v) for v in value)

    return Learned(
        cases=int(data["cases"]),
        modalities=words(data["modalities"]),
        units=words(data["units"]),
        body_parts=words(data["body_parts"]),
        flat=None if data["flat"] is None else bool(data["flat"]),
        size=three(data["size"]),
        spacing_mm=None if data["spacing_mm"] is None else three(data["spacing_mm"]),
        darkest=pair(data["darkest"]),
        brightest=pair(data["brightest"]),
        absolute=bool(data["absolute"]),
        sequences=words(data.get("sequences", (None,))),
    )


def compare(learned: Learned, seen: Seen) -> Verdict:
    """Return what of an image differs from what was learned from."""
    mismatch = [
        f"{what} {found}, learned from {_listed(known)}"
        for what, found, known in (
            ("modality", seen.modality, learned.modalities),
            ("unit", seen.unit, learned.units),
        )
        if _differs(found, known)
    ]
    outside = [
        f"{what} {found}, learned from {_listed(known)}"
        for what, found, known in (
            ("body part", seen.body_part, learned.body_parts),
            ("sequence", seen.sequence, learned.sequences),
        )
        if _differs(found, known)
    ]
    outside += [*_shape(learned, seen), *_spacing(learned, seen), *_values(learned, seen)]
    return Verdict(tuple(mismatch), tuple(outside))


def _differs(found: str | None, known: Sequence[str | None]) -> bool:
    """Return whether both sides declare something, and not the same."""
    return found is not None and None not in known and found not in known


def lying_outside(marks: int, cases: int) -> str:
    """Return how many of some cases lie outside of what a bundle learned from, in words."""
    verb = "lies" if marks == 1 else "lie"
    return f"{marks} of {counted(cases, 'case')} {verb} outside of what the bundle learned from"


def _shape(learned: Learned, seen: Seen) -> list[str]:
    flat = seen.size[0] == 1
    if learned.flat is not None and flat != learned.flat:
        planes, volumes = "a single plane", "a volume"
        found, known = (planes, "volumes") if flat else (volumes, "single planes")
        return [f"{found}, learned from {known}"]
    strange = any(not _within(n, known, _SIZE) for n, known in zip(seen.size, learned.size, strict=True))
    if not strange:
        return []
    axes = range(1, 3) if flat else range(3)  # (Z, Y, X) is said as columns × rows × slices
    found = "×".join(str(seen.size[a]) for a in reversed(axes))
    return [f"size {found}, learned from {'×'.join(_reach(learned.size[a]) for a in reversed(axes))}"]


def _spacing(learned: Learned, seen: Seen) -> list[str]:
    if learned.spacing_mm is None:
        return []
    axes = range(2) if seen.size[0] == 1 else range(3)
    known = " × ".join(_reach(learned.spacing_mm[a]) for a in axes)
    if seen.spacing_mm is None:
        return [f"no spacing, learned from {known} mm"]
    if all(_within(seen.spacing_mm[a], learned.spacing_mm[a], _SPACING) for a in axes):
        return []
    return [f"spacing {' × '.join(f'{seen.spacing_mm[a]:.3g}' for a in axes)} mm, learned from {known} mm"]


def _values(learned: Learned, seen: Seen) -> list[str]:
    """Return what is said of intensities: their ends, each against that of the training cases."""
    reach = learned.brightest[1] - learned.darkest[0]
    slack = (_ABSOLUTE if learned.absolute else _RELATIVE) * (reach or max(abs(learned.brightest[1]), 1.0))
    unit = f" {learned.unit}" if learned.unit else ""
    return [
        f"{name} values {found:.4g}, learned from {_reach(known)}{unit}"
        for name, found, known in (
            ("darkest", seen.darkest, learned.darkest),
            ("brightest", seen.brightest, learned.brightest),
        )
        if found is not None and not known[0] - slack <= found <= known[1] + slack
    ]


def _within(value: float, known: Range, factor: float) -> bool:
    return known[0] / factor <= value <= known[1] * factor


def _reach(known: Range) -> str:
    low, high = (f"{v:.4g}" for v in known)
    return low if low == high else f"{low} to {high}" if "-" in low + high else f"{low}–{high}"


def _listed(known: Sequence[str | None]) -> str:
    return ", ".join(k for k in known if k is not None)


def _together(known: Sequence[str | None]) -> str | None:
    return _listed(known) if known and None not in known else None


def _declared(said: Any) -> tuple[str | None, ...]:
    found = sorted(set(said), key=lambda s: (s is None, s or ""))
    return tuple(found) if len(found) <= _MOST_CODES else (None,)


def _each(rows: Sequence[Sequence[float]]) -> tuple[Range, Range, Range]:
    z, y, x = (_range([row[k] for row in rows]) for k in range(3))
    return z, y, x


def _range(values: Sequence[float]) -> Range:
    """From the 0.5th to the 99.5th percentile, between ranks."""
    ordered = sorted(float(v) for v in values)
    at: Callable[[float], float] = lambda share: _between(ordered, share * (len(ordered) - 1))  # noqa: E731
    return round(at(0.005), 6), round(at(0.995), 6)


def _between(ordered: Sequence[float], rank: float) -> float:
    low = math.floor(rank)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (rank - low) * (ordered[high] - ordered[low])
