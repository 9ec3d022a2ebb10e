"""What a bundle learned from, and what of an image differs from it: the modality and the unit, or what lies outside.

A record follows from statistics of training cases alone: modalities, units and body parts as they were declared (with
None where a case declares none), and ranges from the 0.5th to the 99.5th percentile of the cases. It names no patient
and no file.
Two modalities or units that are both declared and differ are a mismatch; what lies outside of a range, widened by a
tolerance, is only said.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from vesalius.core.histogram import Histogram
from vesalius.core.image import Triple
from vesalius.core.statistics import Statistics, columns
from vesalius.core.tally import Tally
from vesalius.core.words import counted

Range = tuple[float, float]
UNKNOWN = "unknown"
UNLIKE = "unlike the training cases: "  # begins the remark of an answer whose case raised an alarm

_SIZE, _SPACING = 1.5, 1.25  # factors by which a range of sizes, and one of spacings, is widened
_ABSOLUTE, _RELATIVE = 0.25, 4.0  # shares of the reach of intensities by which their ranges are widened
_MOST_CODES = 32
SIZE_AXES, SPACING_AXES = ("z", "y", "x"), ("x", "y", "z")


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


def statistics(seen: Sequence[Seen]) -> Statistics:
    """Return the statistics of what is seen of some images, for `summary`."""
    return Statistics(
        {
            "modality": Tally.of(s.modality for s in seen),
            "unit": Tally.of(s.unit for s in seen),
            "body_part": Tally.of(s.body_part for s in seen),
            "sequence": Tally.of(s.sequence for s in seen),
            "size": columns((s.size for s in seen), SIZE_AXES),
            "spacing_mm": columns((s.spacing_mm for s in seen if s.spacing_mm is not None), SPACING_AXES),
            "darkest": Histogram.of(s.darkest for s in seen if s.darkest is not None),
            "brightest": Histogram.of(s.brightest for s in seen if s.brightest is not None),
        }
    )


def summary(seen: Statistics, *, absolute: bool) -> Learned:
    """Return the record of some training cases, one at least, whose values were read."""
    cases = seen.part("modality", Tally).n
    slices = seen.part("size", Statistics).part("z", Histogram)
    spacing = seen.part("spacing_mm", Statistics)
    return Learned(
        cases=cases,
        modalities=_declared(seen.part("modality", Tally)),
        units=_declared(seen.part("unit", Tally)),
        body_parts=_declared(seen.part("body_part", Tally)),
        flat=slices.high == 1 if slices.high == 1 or slices.low > 1 else None,
        size=_each(seen.part("size", Statistics), SIZE_AXES),
        spacing_mm=_each(spacing, SPACING_AXES) if spacing.part("x", Histogram).n == cases else None,
        darkest=_range(seen.part("darkest", Histogram)),
        brightest=_range(seen.part("brightest", Histogram)),
        absolute=absolute,
        sequences=_declared(seen.part("sequence", Tally)),
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


def _declared(said: Tally) -> tuple[str | None, ...]:
    words = [None if word is None else str(word) for word in said]
    found = sorted(words, key=lambda s: (s is None, s or ""))
    return tuple(found) if len(found) <= _MOST_CODES else (None,)


def _each(axes: Statistics, names: Sequence[str]) -> tuple[Range, Range, Range]:
    a, b, c = (_range(axes.part(name, Histogram)) for name in names)
    return a, b, c


def _range(values: Histogram) -> Range:
    """From the 0.5th to the 99.5th percentile, between ranks."""
    return round(_between(values, 0.005), 6), round(_between(values, 0.995), 6)


def _between(values: Histogram, share: float) -> float:
    """Return a quantile as the first bundles have it, which is not rounded as `Histogram.quantile` rounds."""
    rank = share * (values.n - 1)
    low = math.floor(rank)
    below, above = values.ranked(low), values.ranked(min(low + 1, values.n - 1))
    return below + (rank - low) * (above - below)
