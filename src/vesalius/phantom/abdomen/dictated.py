"""Abdominal CT with dictated reports: lesions of the liver and what is found beside them, and an earlier CT."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from vesalius.core.case import Box
from vesalius.core.errors import GeometryError
from vesalius.core.finding import Change
from vesalius.core.image import Array, Image
from vesalius.phantom.abdomen.acquisition import draw_acquisition, scan, voxel_points
from vesalius.phantom.abdomen.anatomy import Anatomy, draw_anatomy
from vesalius.phantom.abdomen.draw import REMOVED, Shape
from vesalius.phantom.abdomen.incidental import OFTEN, Incidental, draw_incidentals, lay, with_liver
from vesalius.phantom.abdomen.lesions import Lesion, draw_lesions, draw_on
from vesalius.phantom.abdomen.person import Person, diagnosis_of, draw_person
from vesalius.phantom.abdomen.streams import stream as stream_of
from vesalius.phantom.abdomen.tissue import ORGANS, Canvas, Densities, draw_densities, draw_tissue
from vesalius.phantom.abdomen.told import STRUCTURES, Seen, content_of
from vesalius.phantom.common.streams import stream
from vesalius.phantom.reports.asked import Asked
from vesalius.phantom.reports.moment import Moment
from vesalius.phantom.reports.patient import DictatedPatient, Exam

COURSES: Mapping[Change, float] = {"new": 0.3, "unchanged": 0.4, "larger": 0.2, "smaller": 0.1}
STEADY = ("calcification", "steatosis")  # what does not change within a year or two
GONE = {
    "stone": 0.1,
    "effusion": 0.12,
    "lymph node": 0.1,
}  # the share of those absent now that were there before
GROWN: Mapping[Change, float] = {"larger": 0.68, "smaller": 1.25}  # the earlier diameter over that of now
_NAMES, _COURSES, _EARLIER, _DAYS, _FINDING = 100, 101, 102, 103, 120  # purposes of random streams
_OF_EXAM = {"now": (110, 111), "before": (112, 113)}  # noise and words


@dataclass(frozen=True, eq=False)
class _Inside:
    """A patient without a scan: who it is, its anatomy, its lesions and all else that it has or had."""

    index: int
    seed: int
    person: Person
    anatomy: Anatomy
    densities: Densities
    lesions: tuple[Lesion, ...]
    beside: Mapping[str, tuple[Incidental, ...]]


def dictated(index: int, seed: int, asked: Asked, shape: Shape, *, without: str = "") -> DictatedPatient:
    """Return patient number `index` with a CT of `shape` `(Z, Y, X)` and its report, and an earlier one where asked."""
    inside = _draw_inside(index, asked.seed(index, seed), without)
    names = _names(inside)
    name = f"ct-{index:04d}" + (f"-without-{without}" if without else "")
    now = dict.fromkeys(names, 1.0)
    if not asked.has_earlier(index, seed, _EARLIER):
        moments = [Moment("now", name, 0, now, {}, earlier=False)]
    else:
        courses = _courses(stream(inside.seed, index, _COURSES), names)
        before = {n: GROWN.get(c, 1.0) for n, c in courses.items() if c != "new"}
        days = int(stream(inside.seed, index, _DAYS).integers(60, 700))
        moments = [
            Moment("before", f"{name}-1", 0, before, {}, earlier=False),
            Moment("now", name, days, now, courses, earlier=True),
        ]
    return DictatedPatient(
        patient=f"P{index:04d}",
        exams=tuple(_exam(inside, moment, asked, shape) for moment in moments),
        structure_labels=STRUCTURES,
        split=asked.split(index),
        visits=asked.earlier > 0,
    )


def _draw_inside(index: int, seed: int, without: str) -> _Inside:
    person = draw_person(stream_of(seed, index, "person"))
    shaping = stream_of(seed, index, "anatomy")
    anatomy = draw_anatomy(shaping, person)
    densities = draw_densities(shaping, person)
    drawn = draw_lesions(
        stream_of(seed, index, "lesions"), anatomy, densities.liver, diagnosis_of(seed, index)
    )
    left_out = REMOVED[without] if without else ()
    lesions = tuple(one for one in drawn if one.kind not in left_out)
    beside = {kind: draw_incidentals(kind, stream(seed, index, _FINDING + k)) for k, kind in enumerate(OFTEN)}
    return _Inside(index, seed, person, anatomy, densities, lesions, beside)


def _names(inside: _Inside) -> list[str]:
    """Return what is there: the kinds of its lesions, and what lies beside them."""
    drawn = stream(inside.seed, inside.index, _NAMES).random(len(OFTEN))
    kinds = [kind for kind in ("malignant", "cyst") if any(one.kind == kind for one in inside.lesions)]
    return [*kinds, *(name for name, u in zip(OFTEN, drawn, strict=True) if u < OFTEN[name])]


def _courses(random: np.random.Generator, names: list[str]) -> dict[str, Change]:
    """Return how everything went since the earlier scan, by name."""
    went: dict[str, Change] = {}
    for name in ("malignant", "cyst", *OFTEN):
        u, course = random.random(), str(random.choice(list(COURSES), p=list(COURSES.values())))
        if name in names:
            went[name] = "unchanged" if name in STEADY else next(c for c in COURSES if c == course)
        elif u < GONE.get(name, 0.0):
            went[name] = "gone"
    return went


def _exam(inside: _Inside, moment: Moment, asked: Asked, shape: Shape) -> Exam:
    """Return one scan with its report."""
    noise_of, words_of = _OF_EXAM[moment.which]
    random = stream(inside.seed, inside.index, words_of)
    lesions = tuple(
        replace(one, radius_mm=round(one.radius_mm * moment.sizes[one.kind], 3))
        for one in inside.lesions
        if one.kind in moment.sizes
    )
    beside = tuple(
        replace(one, amount=round(one.amount * moment.sizes[name], 1))
        for name in OFTEN
        if name in moment.sizes
        for one in inside.beside[name]
    )
    image, organs, masks = _scanned(inside, lesions, beside, shape, noise_of)
    seen = Seen(lesions, beside, inside.anatomy)
    gone = tuple(inside.beside[n][0] for n, course in moment.courses.items() if course == "gone")
    content, where = content_of(
        seen, inside.person, moment.courses, gone, earlier=moment.earlier, random=random
    )
    hidden = [content.findings[k].name for k, mask in zip(where, masks, strict=True) if not mask.any()]
    if hidden:
        raise GeometryError(
            "the grid is too coarse to show all that is there",
            found=f"{shape} without the {hidden[0]}",
            hint="size=small",
        )
    return Exam(
        id=moment.id,
        days=moment.days,
        image=image,
        structures=organs,
        places=tuple((k, _box(mask, content.findings[k].name)) for k, mask in zip(where, masks, strict=True)),
        marks=_marks(masks, organs.shape),
        content=content,
        written=asked.report(content, random, index=inside.index),
        covariates={"age": inside.person.age_years, "sex": inside.person.sex},
        facts={"liver_hu": with_liver(inside.densities, beside).liver},
    )


def _scanned(
    inside: _Inside, lesions: tuple[Lesion, ...], beside: tuple[Incidental, ...], shape: Shape, noise: int
) -> tuple[Image, Array, list[Array]]:
    """Return the CT, its organs, and a mask of each lesion and of all beside them."""
    acquisition = draw_acquisition(stream_of(inside.seed, inside.index, "acquisition"), shape, inside.anatomy)
    points = voxel_points(acquisition)
    canvas = Canvas(inside.anatomy.atlas(points), 0.9 * float(np.mean(acquisition.spacing_mm)))
    draw_tissue(canvas, inside.anatomy, with_liver(inside.densities, beside))
    liver = canvas.labels == ORGANS["liver"]
    marked = draw_on(canvas, points, lesions, liver)
    masks = [marked == k + 1 for k in range(len(lesions))]
    masks += [lay(canvas, inside.anatomy, one, liver) for one in beside]
    hu = scan(stream(inside.seed, inside.index, noise), canvas.hu, acquisition)
    image = Image(hu[None], affine=acquisition.affine, unit="HU", modality="CT")
    return image, canvas.labels, masks


def _marks(masks: list[Array], shape: tuple[int, ...]) -> Array:
    """Return `(Z, Y, X)` uint8 with k + 1 where mask k is, the small ones over the large."""
    found = np.zeros(shape, np.uint8)
    for k in sorted(range(len(masks)), key=lambda k: -int(masks[k].sum())):
        found[masks[k]] = k + 1
    return found


def _box(mask: Array, label: str) -> Box:
    where = np.argwhere(mask)
    low, high = where.min(axis=0), where.max(axis=0) + 1
    return Box(
        (float(low[0]), float(low[1]), float(low[2])), (float(high[0]), float(high[1]), float(high[2])), label
    )
