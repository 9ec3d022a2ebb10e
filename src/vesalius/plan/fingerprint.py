"""Fingerprint: what a cohort is like, in numbers that follow from a summary of its training cases alone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from vesalius.core.case import role_of
from vesalius.core.cohort import Label, TargetInfo
from vesalius.core.distinct import Distinct
from vesalius.core.errors import DataError
from vesalius.core.histogram import Histogram
from vesalius.core.image import Triple
from vesalius.core.learned import SIZE_AXES, SPACING_AXES
from vesalius.core.statistics import Statistics
from vesalius.core.tally import Tally
from vesalius.plan.facts import shared_channels
from vesalius.plan.sources import (
    ApartPrint,
    CoursePrint,
    TimePrint,
    VisitPrint,
    apart_print,
    courses_print,
    texts_print,
    times_print,
    visits_print,
)
from vesalius.plan.summary import INSIDE
from vesalius.plan.things import ThingPrint, printed
from vesalius.prepare.covariates import Covariate, look_at


@dataclass(frozen=True, slots=True)
class ChannelPrint:
    """The intensities of one channel of all training cases, which may be unlike those of the others.

    `low` and `high` are medians of the 0.5th and the 99.5th percentile; they, the mean and the deviation are those
    where a label is, where `inside`.
    """

    unit: str | None
    bits: int | None
    low: float
    high: float
    mean: float
    sd: float
    inside: bool = False


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """A cohort in numbers. Spacings are `(x, y, z)` in mm; shapes `(Z, Y, X)` in canonical axes, as they are at the
    median spacing where every volume has one. `each` are the channels by themselves, those of the first image first;
    it is empty where not all cases have the same. `width_px` is the median width of a flat mask's thinnest label.
    `things` are those that the target places in the images, None where it places none. `imageless` says that no case
    has an image.

    What a cohort brings beside one picture a case (`plan/sources.py`) is empty or None where it brings none: `times` of
    images with a time axis, `visits` of before, `courses` by name, how many cases have each of the `texts`, and by name
    the images `apart`, whose grid or channels are others than the reference's, or which some cases lack. Where there
    are such, `intensities` are those of each image by its name, of its first channel.
    """

    cases: int
    patients: int
    images: tuple[str, ...]
    channels: int
    grey: bool
    flat: bool
    shape_median: tuple[int, int, int]
    shape_max: tuple[int, int, int]
    spacing_median: Triple | None
    spacing_known: bool
    unit: str | None
    bits: int | None
    low: float
    high: float
    mean: float
    sd: float
    inside: bool
    classes: Mapping[str, int]
    voxels: Mapping[str, float]
    labels: tuple[str, ...]
    sided: bool
    channel_names: tuple[str, ...] = ()
    covariates: Mapping[str, Covariate] = field(default_factory=dict)
    each: tuple[ChannelPrint, ...] = ()
    width_px: float | None = None
    things: ThingPrint | None = None
    imageless: bool = False
    times: TimePrint | None = None
    visits: VisitPrint | None = None
    courses: Mapping[str, CoursePrint] = field(default_factory=dict)
    texts: Mapping[str, int] = field(default_factory=dict)
    apart: Mapping[str, ApartPrint] = field(default_factory=dict)
    intensities: Mapping[str, ChannelPrint] = field(default_factory=dict)

    @property
    def moving(self) -> TimePrint | None:
        """Return what is known of the images that have time; None where none has more than one frame."""
        return self.times if self.times is not None and self.times.frames_max > 1 else None

    def json(self) -> dict[str, Any]:
        """As plain data; what a cohort brings beside one picture a case is said only where it brings it."""
        found = asdict(self)
        rare = ("imageless", "times", "visits", "courses", "texts", "apart", "intensities")
        return {name: value for name, value in found.items() if name not in rare or value}


def fingerprint(found: Statistics, target: TargetInfo | None) -> Fingerprint:
    """Return the fingerprint of the training cases of a summary (`plan/summary.py`).

    `images` are those that share the reference's grid, the reference first, and that all cases have, or should have;
    those that some lack are in `apart`, too. Raises DataError where no image is in all cases and none should be.
    """
    seen = found.part("seen", Statistics)
    measured = seen.part("size", Statistics).part("z", Histogram).n
    apart = apart_print(found, found.part("images", Tally).n)
    images = _images(found, apart)
    channels, names = shared_channels(found.part("channels", Tally).counts, images)  # type: ignore[arg-type]
    spacings = seen.part("spacing_mm", Statistics)
    spacing = _spacing(spacings)
    known = spacings.part("x", Histogram).n == measured
    z, y, x = _sides(found, spacing if known else None)
    unit = _unit(found)
    inside = found.part("inside", Statistics)
    use_inside = inside.part("low", Histogram).n > 0 and unit == "HU"
    low, high, mean, sd = (each.median() for each in (_within(inside) if use_inside else _whole(found)))
    return Fingerprint(
        cases=found.part("images", Tally).n,
        patients=len(found.part("patients", Distinct)),
        images=images,
        channels=channels,
        grey=not found.part("grey", Tally)[False],
        flat=z.high == 1,
        shape_median=(round(z.median()), round(y.median()), round(x.median())),
        shape_max=(int(z.high), int(y.high), int(x.high)),
        spacing_median=spacing,
        spacing_known=known,
        unit=unit,
        bits=_the_one(found.part("bits", Tally)),
        low=low,
        high=high,
        mean=mean,
        sd=sd,
        inside=use_inside,
        classes={str(name): n for name, n in found.part("classes", Tally).counts.items()},
        voxels=_shares(found.part("voxels", Tally), target),
        labels=tuple(x.name for x in target.labels) if target else (),
        sided=sided(target.labels) if target else False,
        channel_names=names,
        covariates=look_at(
            found.part("covariates", Statistics), named=[str(n) for n in found.part("named", Tally)]
        ),
        each=_each(found, images, channels, declared_unit=unit),
        width_px=_width_px(found),
        things=_things(found, spacing if known and z.high > 1 else None),
        imageless=not found.part("images", Tally).counts,
        times=times_print(found),
        visits=visits_print(found),
        courses=courses_print(found),
        texts=texts_print(found),
        apart=apart,
        intensities=_intensities(found) if apart else {},
    )


def _things(found: Statistics, spacing: Triple | None) -> ThingPrint | None:
    held = found.parts.get("things")
    return printed(held, spacing) if isinstance(held, Statistics) else None


def _width_px(found: Statistics) -> float | None:
    widths = found.parts.get("width_px")
    return widths.median() if isinstance(widths, Histogram) and widths.n else None


def _each(
    found: Statistics, images: Sequence[str], channels: int, *, declared_unit: str | None
) -> tuple[ChannelPrint, ...]:
    """Return the channels by themselves; none where some case has not as many, or where it was not measured."""
    if "each" not in found.parts:
        return ()
    each, made = found.part("each", Statistics), []
    for image in images:
        own = each.parts.get(image)
        if not isinstance(own, Statistics) or set(own.parts) != {str(k) for k in range(channels)}:
            return ()
        for k in range(channels):
            made.append(_channel(own.part(str(k), Statistics), declared_unit if len(images) == 1 else None))
    return tuple(made)


def _channel(one: Statistics, declared_unit: str | None = None) -> ChannelPrint:
    """Return one channel's intensities; `declared_unit` is its unit where the images say none."""
    unit = _the_one(one.part("unit", Tally))
    unit = declared_unit if unit is None else unit
    inside = one.part("inside", Statistics)
    there = inside.part("low", Histogram).n > 0 and unit == "HU"
    chosen = inside if there else one.part("values", Statistics)
    low, high, mean, sd = (h.median() for h in _within(chosen))
    return ChannelPrint(unit, _the_one(one.part("bits", Tally)), low, high, mean, sd, there)


def _intensities(found: Statistics) -> dict[str, ChannelPrint]:
    """Return the intensities of the first channel of each image that was measured, by its name or its role."""
    if "each" not in found.parts:
        return {}
    each = found.part("each", Statistics).parts
    made: dict[str, ChannelPrint] = {}
    for name, own in each.items():
        if isinstance(own, Statistics) and role_of(name) not in made:
            made[role_of(name)] = _channel(own.part("0", Statistics))
    return made


def _images(found: Statistics, apart: Mapping[str, ApartPrint]) -> tuple[str, ...]:
    """Return the names of the images that are channels of one grid and in every case, the reference first.

    Those that each case should have are among them although some lack them. Where no case has an image it is the one
    name `image`, as a plan must name one. Raises DataError where cases have images, none in common, and nothing says
    which each should have.
    """
    there = found.part("images", Tally)
    names = Counter({str(name): n for name, n in there.counts.items()})
    if not names:
        return ("image",)
    references = Counter(
        {str(n): k for n, k in found.part("references", Tally).counts.items() if n is not None}
    )
    reference = references.most_common(1)[0][0] if references else None
    own = {role for role, one in apart.items() if one.own_grid}
    part = found.parts.get("expected")
    expected = set(part) if isinstance(part, Tally) else set()
    shared = [n for n, k in names.items() if (k == there.n or n in expected) and role_of(n) not in own]
    if not shared and not own and not expected:
        raise DataError(
            f"the {there.n} cases to learn from have no image in common",
            found=", ".join(f"'{n}' in {k}" for n, k in names.most_common(4)),
            hint="images of the same names in every case; a table can name one column for each",
        )
    if reference is not None and reference not in shared and (not shared or reference in expected):
        shared.append(reference)
    return tuple(sorted(shared, key=lambda n: (n != reference, n)))


def _sides(found: Statistics, spacing: Triple | None) -> list[Histogram]:
    """Return the sizes of the images, `(Z, Y, X)`; of volumes as they are at the median spacing, where all have one.

    How many voxels an extent is then only grows with the extent, so that the order of sizes is that of extents.
    """
    sizes = found.part("seen", Statistics).part("size", Statistics)
    own = [sizes.part(axis, Histogram) for axis in SIZE_AXES]
    if spacing is None or own[0].high == 1 or not min(spacing):
        return own
    extents = found.part("extent_mm", Statistics)

    def at(mm: float) -> Callable[[float], float]:
        return lambda extent: max(round(extent / mm), 1)

    return [
        extents.part(axis, Histogram).mapped(at(mm))
        for axis, mm in zip(SIZE_AXES, reversed(spacing), strict=True)
    ]


def _spacing(axes: Statistics) -> Triple | None:
    """Return the median spacing `(x, y, z)`; None where no image has one."""
    x, y, z = (axes.part(axis, Histogram) for axis in SPACING_AXES)
    if not x.n:
        return None
    return round(x.median(), 6), round(y.median(), 6), round(z.median(), 6)


def _unit(found: Statistics) -> str | None:
    """Return the unit of all images. A CT's values are Hounsfield units, and its author says that it is one."""
    units = found.part("seen", Statistics).part("unit", Tally)
    declared = [row for row in found.part("declared", Tally) if isinstance(row, tuple)]
    computed = [bool(row) and all(str(m).upper().startswith("CT") for m in row) for row in declared]
    if set(units) == {None} and computed and all(computed):
        return "HU"
    unit = _the_one(units)
    return None if unit is None else str(unit)


def _the_one(tally: Tally) -> Any:
    """Return the only value of a tally; None where there are several."""
    return next(iter(tally)) if len(tally) == 1 else None


def _within(inside: Statistics) -> list[Histogram]:
    return [inside.part(name, Histogram) for name in INSIDE]


def _whole(found: Statistics) -> list[Histogram]:
    seen, values = found.part("seen", Statistics), found.part("values", Statistics)
    ends = [seen.part(name, Histogram) for name in ("darkest", "brightest")]
    return [*ends, *(values.part(name, Histogram) for name in INSIDE[2:])]


def _shares(voxels: Tally, target: TargetInfo | None) -> dict[str, float]:
    """Return the share of all voxels that each label of a mask has; empty without masks."""
    total = sum(voxels.counts.values())
    if not total or target is None:
        return {}
    return {x.name: voxels[x.value] / total for x in target.labels}


def sided(labels: Sequence[Label]) -> bool:
    """Return whether any label names a side of the body, so that left and right may not be exchanged."""
    words = {"left", "right", "l", "r", "lt", "rt", "links", "rechts", "gauche", "droite", "sin", "dex"}
    for label in labels:
        parts = "".join(ch if ch.isalnum() else " " for ch in label.name.lower()).split()
        if words & set(parts):
            return True
    return False
