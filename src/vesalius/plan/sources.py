"""What a cohort brings beside one picture a case: measured, summed up, and in numbers for a plan.

Frames of images with a time axis, earlier visits, time courses, texts, and images on grids of their own. What the
summary of a cohort (`plan/summary.py`) holds of them:

    times      frames and seconds between them, of images with a time axis
    visits     earlier visits of each case, and the days between two of one patient
    courses    by name: rows, columns, the time between rows, the share of empty cells
    texts      in how many cases each is
    apart      by the role of an image: its size, channels, and whether it fits on the reference's grid
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from vesalius.core import grids
from vesalius.core.case import Case, role_of
from vesalius.core.course import Course
from vesalius.core.histogram import Histogram
from vesalius.core.image import Image
from vesalius.core.learned import SIZE_AXES
from vesalius.core.statistics import Statistics, columns
from vesalius.core.tally import Tally
from vesalius.prepare.geometry import same_grid
from vesalius.prepare.seen import canonical


@dataclass(frozen=True, slots=True)
class ImageFacts:
    """One image of a case beside its reference: its size `(Z, Y, X)` in canonical axes, channels, and grid.

    `own_grid` says that it cannot be a channel beside the reference: it lies on another grid and nothing says that both
    are registered, or it has other channels or frames. `fault` is what is wrong for a task that must stack them, in one
    line, where their sizes differ and nothing is known to resample by.
    """

    name: str
    shape: tuple[int, int, int]
    channels: int
    grey: bool
    own_grid: bool
    fault: str = ""


@dataclass(frozen=True, slots=True)
class CourseFacts:
    """One time course of a case: its rows and columns, the median seconds between rows, the share of empty cells."""

    name: str
    rows: int
    names: tuple[str, ...]
    columns: int
    interval_s: float | None
    missing: float
    tree: bool


@dataclass(frozen=True, slots=True)
class SourceFacts:
    """What one case brings beside one picture; `frames` and `interval_s` are of its image with the most frames."""

    beside: tuple[ImageFacts, ...] = ()
    courses: tuple[CourseFacts, ...] = ()
    frames: int = 1
    interval_s: float | None = None


REPORT = "report"  # what a case's own report is called as a source
NOTHING = SourceFacts()


@dataclass(frozen=True, slots=True)
class TimePrint:
    """Images with a time axis: in how many `cases`, how many `frames` (median, and most), and their median interval.

    `interval_s` is in seconds between two frames, None where no image says how far its frames lie apart.
    """

    cases: int
    frames: int
    frames_max: int
    interval_s: float | None = None


@dataclass(frozen=True, slots=True)
class VisitPrint:
    """Earlier visits: how many `cases` have some, how many a case has (median, and most), and how far apart they are.

    `median` and `most` count earlier visits alone, so that a case without any counts 0. `days` is the median number of
    days from a visit to the next of the same patient.
    """

    cases: int
    median: float
    most: int
    days: float


@dataclass(frozen=True, slots=True)
class CoursePrint:
    """Time courses of one name: in how many `cases`, the `columns` of one, and its `length` in rows (median, and most).

    `names` are those of the columns, in the order of the first case, empty where nobody says them. `interval_s` is the
    median time from a row to the next, None where no times are known. `missing` is the share of cells that hold no
    number. `tree` says that the rows are the nodes of trees.
    """

    cases: int
    columns: int
    length: int
    length_max: int
    names: tuple[str, ...] = ()
    interval_s: float | None = None
    missing: float = 0.0
    tree: bool = False


@dataclass(frozen=True, slots=True)
class ApartPrint:
    """An image that is not a channel of the reference's grid, that some cases lack, or of which a case has several.

    `cases` is how many have it, `shape` its median shape `(Z, Y, X)` and `shape_max` its largest sides in canonical
    axes, `channels` how many channels it has at most, `grey` whether it is grey in all cases. `own_grid` says that its
    grid or its channels are others than the reference's in some case, `differs` in how many; where it is False the
    image is only missing in some. `most` is how many a case has at most of those under this role (`view` of `view#1`,
    `view#2` …), which have no order.
    """

    cases: int
    shape: tuple[int, int, int]
    shape_max: tuple[int, int, int]
    channels: int = 1
    grey: bool = True
    own_grid: bool = True
    differs: int = 0
    most: int = 1


def measured(
    case: Case, reference: Image | None, beside: Mapping[str, Image], courses: Mapping[str, Course]
) -> SourceFacts:
    """Return what a decoded case brings beside one picture; `beside` are its images that are not the reference."""
    moving = [i for i in (reference, *beside.values()) if i is not None and i.times_s and len(i.times_s) > 1]
    longest = max(moving, key=lambda image: len(image.times_s or ()), default=None)
    times = longest.times_s if longest is not None and longest.times_s is not None else (0.0,)
    return SourceFacts(
        beside=tuple(_beside(case, name, image, reference) for name, image in beside.items()),
        courses=tuple(_course(name, course) for name, course in courses.items()),
        frames=len(times),
        interval_s=float(np.median(np.diff(times))) if len(times) > 1 else None,
    )


def image_facts(name: str, image: Image) -> ImageFacts:
    """Return what one image is like by itself."""
    shape, _ = canonical(image)
    channels = int(image.array.shape[-4])
    array = image.array
    grey = channels == 1 or (image.in_colour and bool((array == array[..., :1, :, :, :]).all()))
    return ImageFacts(name, shape, channels, grey, False)


def _beside(case: Case, name: str, image: Image, reference: Image | None) -> ImageFacts:
    found = image_facts(name, image)
    if reference is None:
        return found
    uid = image.source.frame_of_reference_uid
    shared = case.registered or (uid is not None and uid == reference.source.frame_of_reference_uid)
    placed = image.affine is not None and reference.affine is not None
    fits = same_grid(image, reference) or (shared and placed)
    alike = image.array.shape[-4] == reference.array.shape[-4] and image.times_s == reference.times_s
    fault = ""
    if image.shape != reference.shape and not placed:
        words = grids.difference(image, reference)
        fault = (
            f"'{name}' and '{case.reference}' differ in shape ({words}) and have no geometry to resample by"
        )
    return ImageFacts(name, found.shape, found.channels, found.grey, not (fits and alike), fault)


def _course(name: str, course: Course) -> CourseFacts:
    rows, width = course.values.shape
    gaps = np.diff(course.times_s)
    timed = course.timed and len(gaps) and not course.parents
    return CourseFacts(
        name=name,
        rows=rows,
        names=course.names,
        columns=width,
        interval_s=float(np.median(gaps)) if timed else None,
        missing=float(np.isnan(course.values).mean()),
        tree=bool(course.parents),
    )


def summed(
    cases: Sequence[Case], found: Mapping[str, tuple[SourceFacts, ImageFacts | None]]
) -> dict[str, Statistics | Tally]:
    """Return the parts of a summary about some cases; `found` has of each its facts, and those of its reference."""
    every = [found[c.id][0] for c in cases if c.id in found]
    moving = [f for f in every if f.frames > 1]
    before = [[v.days_before for v in c.earlier] for c in cases]
    gaps = [float(g) for days in before for g in -np.diff([*days, 0.0])]
    courses: dict[str, list[CourseFacts]] = {}
    for one in (c for f in every for c in f.courses):
        courses.setdefault(one.name, []).append(one)
    return {
        "times": Statistics(
            {
                "frames": Histogram.of(f.frames for f in moving),
                "interval_s": Histogram.of(f.interval_s for f in moving if f.interval_s is not None),
            }
        ),
        "visits": Statistics({"count": Histogram.of(map(len, before)), "days": Histogram.of(gaps)}),
        "courses": Statistics({name: _of_courses(held) for name, held in courses.items()}),
        "texts": Tally.of_each(_texts(cases)),
        "apart": Statistics(_of_images(cases, found)),
    }


def _texts(cases: Sequence[Case]) -> list[Mapping[str, str]]:
    """Return the texts that a model sees of cases: those that were named, or reports where no case has anything else.

    Where some have images, a report is what was said of these, and enters no model unasked.
    """
    if any(c.images or c.courses or c.texts for c in cases):
        return [c.texts for c in cases]
    return [{REPORT: c.report} if c.report else {} for c in cases]


def _of_courses(held: Sequence[CourseFacts]) -> Statistics:
    return Statistics(
        {
            "rows": Histogram.of(c.rows for c in held),
            "columns": Tally.of((c.columns, c.names, c.tree) for c in held),
            "interval_s": Histogram.of(c.interval_s for c in held if c.interval_s is not None),
            "missing": Histogram.of(c.missing for c in held),
        }
    )


def _of_images(
    cases: Sequence[Case], found: Mapping[str, tuple[SourceFacts, ImageFacts | None]]
) -> dict[str, Statistics]:
    """Return statistics of each image by its role, where cases have several images or not the same; else nothing."""
    rows: dict[str, list[ImageFacts]] = {}
    counts: dict[str, list[int]] = {}
    differs: Counter[str] = Counter()
    for case in cases:
        if case.id not in found:
            continue
        facts, own = found[case.id]
        every = [*([own] if own is not None else []), *facts.beside]
        held: Counter[str] = Counter()
        for one in every:
            role = role_of(one.name)
            rows.setdefault(role, []).append(one)
            held[role] += 1
        for role, n in held.items():
            counts.setdefault(role, []).append(n)
        differs.update({role_of(one.name) for one in every if one.own_grid or role_of(one.name) != one.name})
    if len(rows) < 2 and all(role_of(one.name) == one.name for held_ in rows.values() for one in held_):
        rows = {}
    return {
        role: Statistics(
            {
                "count": Histogram.of(counts[role]),
                "size": columns([one.shape for one in each], SIZE_AXES),
                "channels": Histogram.of(one.channels for one in each),
                "grey": Tally.of(one.grey for one in each),
                "differs": Tally(len(counts[role]), {True: differs[role]} if differs[role] else {}),
            }
        )
        for role, each in rows.items()
    }


def times_print(found: Statistics) -> TimePrint | None:
    """Return what is known of images with a time axis; None where there are none, or nobody looked."""
    part = found.parts.get("times")
    if not isinstance(part, Statistics) or not part.part("frames", Histogram).n:
        return None
    frames, gaps = part.part("frames", Histogram), part.part("interval_s", Histogram)
    return TimePrint(
        frames.n, round(frames.median()), int(frames.high), round(gaps.median(), 6) if gaps.n else None
    )


def visits_print(found: Statistics) -> VisitPrint | None:
    """Return what is known of earlier visits; None where no case has any."""
    part = found.parts.get("visits")
    if not isinstance(part, Statistics) or not part.part("days", Histogram).n:
        return None
    count, days = part.part("count", Histogram), part.part("days", Histogram)
    return VisitPrint(count.n - count.count(0), count.median(), int(count.high), round(days.median(), 4))


def courses_print(found: Statistics) -> dict[str, CoursePrint]:
    """Return what is known of the time courses of each name."""
    part = found.parts.get("courses")
    return (
        {n: _printed(c) for n, c in part.parts.items() if isinstance(c, Statistics)}
        if isinstance(part, Statistics)
        else {}
    )


def _printed(one: Statistics) -> CoursePrint:
    rows, gaps = one.part("rows", Histogram), one.part("interval_s", Histogram)
    kind = next(iter(one.part("columns", Tally)))
    width, names, tree = kind if isinstance(kind, tuple) else (0, (), False)
    missing = one.part("missing", Histogram)
    return CoursePrint(
        cases=rows.n,
        columns=int(width),
        length=round(rows.median()),
        length_max=int(rows.high),
        names=tuple(map(str, names)),
        interval_s=round(gaps.median(), 6) if gaps.n else None,
        missing=round(sum(b * n for b, n in zip(missing.bins, missing.counts, strict=True)) / rows.n, 4),
        tree=bool(tree),
    )


def texts_print(found: Statistics) -> dict[str, int]:
    """Return in how many cases each text is."""
    part = found.parts.get("texts")
    return {str(name): n for name, n in part.counts.items()} if isinstance(part, Tally) else {}


def apart_print(found: Statistics, cases: int) -> dict[str, ApartPrint]:
    """Return the images that are no channels of the reference, that some of so many cases lack, or without order."""
    part = found.parts.get("apart")
    made: dict[str, ApartPrint] = {}
    for role, one in part.parts.items() if isinstance(part, Statistics) else ():
        if not isinstance(one, Statistics):
            continue
        count, size = one.part("count", Histogram), one.part("size", Statistics)
        differs = one.part("differs", Tally)[True]
        if not differs and count.n >= cases:
            continue
        axes = [size.part(axis, Histogram) for axis in SIZE_AXES]
        made[role] = ApartPrint(
            cases=count.n,
            shape=(round(axes[0].median()), round(axes[1].median()), round(axes[2].median())),
            shape_max=(int(axes[0].high), int(axes[1].high), int(axes[2].high)),
            channels=int(one.part("channels", Histogram).high),
            grey=not one.part("grey", Tally)[False],
            own_grid=bool(differs),
            differs=differs,
            most=int(count.high),
        )
    return made
