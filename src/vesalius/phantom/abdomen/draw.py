"""Drawing a patient: from a seed and an index to an anatomy, its lesions, their scan, report and outcome."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Literal

import numpy as np

from vesalius.core.case import Box
from vesalius.core.errors import DataError, GeometryError, UnknownName
from vesalius.core.image import Array
from vesalius.phantom.abdomen.acquisition import draw_acquisition, scan, voxel_points
from vesalius.phantom.abdomen.anatomy import Anatomy, draw_anatomy
from vesalius.phantom.abdomen.design import Design
from vesalius.phantom.abdomen.known import CLINICS, Clinic, KnownPatient
from vesalius.phantom.abdomen.later import Later
from vesalius.phantom.abdomen.lesions import Kind, Lesion, draw_lesions, draw_on
from vesalius.phantom.abdomen.many import draw_look_alikes, draw_many
from vesalius.phantom.abdomen.patient import AbdomenPatient
from vesalius.phantom.abdomen.person import Diagnosis, diagnosis_of, draw_person
from vesalius.phantom.abdomen.report import findings_of, write_report
from vesalius.phantom.abdomen.streams import stream
from vesalius.phantom.abdomen.survival import draw_outcome
from vesalius.phantom.abdomen.tissue import ORGANS, Canvas, Densities, draw_densities, draw_tissue

Shape = tuple[int, int, int]
SIZES: Mapping[str, Shape] = {"small": (32, 64, 64), "medium": (64, 128, 128), "full": (120, 256, 256)}
Lesions = Literal["few", "many"]
LESIONS: tuple[Lesions, ...] = ("few", "many")
REMOVED: Mapping[str, tuple[Kind, ...]] = {  # the lesions that a twin loses, by finding
    "lesion": ("cyst", "malignant"),
    "cyst": ("cyst",),
    "malignant": ("malignant",),
}


def shape_of(size: Literal["small", "medium", "full"] | Shape) -> Shape:
    """Return the grid `(Z, Y, X)` of a named size, or the one given. Raises UnknownName or GeometryError."""
    if isinstance(size, str):
        if size not in SIZES:
            raise UnknownName("phantom size", size, SIZES)
        return SIZES[size]
    if len(size) != 3 or not all(8 <= n <= 1024 for n in size):
        raise GeometryError("a phantom's grid is (Z, Y, X) with 8 to 1024 voxels each", found=str(size))
    return int(size[0]), int(size[1]), int(size[2])


@dataclass(frozen=True)
class Wanted:
    """What a patient is made with: how the cohort was treated and followed, which lesions, and what the table holds.

    Lesions that `without` names are drawn and then left out, so that the anatomy, the grid and the noise stay. A
    `later` visit has the same anatomy and grid, other noise, and what it says of lesions and of how the patient lies.
    Raises UnknownName for a sort of lesions, a clinic or a finding that does not exist.
    """

    design: Design = field(default_factory=Design)
    lesions: Lesions = "few"
    clinic: Clinic = "full"
    without: str | None = None
    later: Later | None = None

    def __post_init__(self) -> None:
        """Check the names."""
        if self.lesions not in LESIONS:
            raise UnknownName("sort of lesions", self.lesions, LESIONS)
        if self.clinic not in CLINICS:
            raise UnknownName("clinic of the CT phantom", self.clinic, CLINICS)
        if self.without is not None and self.without not in REMOVED:
            raise UnknownName("finding of the CT phantom", self.without, REMOVED)

    @property
    def suffix(self) -> str:
        """Return what a case's id ends in."""
        left_out = f"-without-{self.without}" if self.without else ""
        return left_out + (f"-day-{self.later.days}" if self.later is not None else "")


@dataclass(frozen=True, eq=False)
class Inside:
    """A patient without a scan, and the anatomy and densities that a scan of it shows."""

    known: KnownPatient
    anatomy: Anatomy
    densities: Densities


def draw_inside(index: int, seed: int, wanted: Wanted) -> Inside:
    """Return patient number `index` without a pixel: the person, the lesions, the report and the outcome.

    Raises DataError for a negative index or seed.
    """
    if index < 0 or seed < 0:
        raise DataError("a phantom's index and seed are not negative", found=f"{index} and {seed}")
    person = draw_person(stream(seed, index, "person"))
    shaping = stream(seed, index, "anatomy")
    anatomy = draw_anatomy(shaping, person)
    densities = draw_densities(shaping, person)
    draw = draw_many if wanted.lesions == "many" else draw_lesions
    drawn = draw(stream(seed, index, "lesions"), anatomy, densities.liver, diagnosis_of(seed, index))
    left_out = REMOVED[wanted.without] if wanted.without else ()
    facts = tuple(one for one in drawn if one.kind not in left_out)
    facts = facts if wanted.later is None else wanted.later.grown(facts)
    diagnosis, findings = diagnosed(facts), findings_of(facts, anatomy)
    known = KnownPatient(
        id=f"case-{index:04d}{wanted.suffix}",
        patient=f"P{index:04d}",
        seed=seed,
        index=index,
        diagnosis=diagnosis,
        person=person,
        lesion_facts=facts,
        outcome=draw_outcome(
            stream(seed, index, "outcome"),
            person,
            lesions=facts,
            design=wanted.design,
            further=stream(seed, index, "fates"),
        ),
        findings=findings,
        report=write_report(
            stream(seed, index, "report"),
            person,
            diagnosis=diagnosis,
            findings=findings,
            liver_hu=densities.liver,
            aorta_mm=anatomy.aorta_mm * anatomy.scale,
        ),
        design=wanted.design,
        clinic=wanted.clinic,
        without=wanted.without,
        days=0 if wanted.later is None else wanted.later.days,
    )
    return Inside(known, anatomy, densities)


def draw_patient(
    index: int,
    seed: int,
    wanted: Wanted,
    *,
    size: Literal["small", "medium", "full"] | Shape = "small",
    tables: bool = False,
) -> KnownPatient:
    """Return patient number `index`, with a scan unless `tables` asks for what is known alone.

    Raises UnknownName or GeometryError for a size that does not exist, DataError for a negative index or seed.
    """
    shape = shape_of(size)
    inside = draw_inside(index, seed, wanted)
    return inside.known if tables else scanned(inside, shape, wanted)


def scanned(inside: Inside, shape: Shape, wanted: Wanted) -> AbdomenPatient:
    """Return the patient with a CT of `shape` (Z, Y, X)."""
    known, anatomy, densities = inside.known, inside.anatomy, inside.densities
    seed, index, facts = known.seed, known.index, known.lesion_facts
    scanning = stream(seed, index, "acquisition")
    acquisition = draw_acquisition(scanning, shape, anatomy)
    points = voxel_points(acquisition)
    if wanted.later is not None:
        points, scanning = wanted.later.seen(points), stream(seed, index, "later")
    canvas = Canvas(anatomy.atlas(points), 0.9 * float(np.mean(acquisition.spacing_mm)))
    draw_tissue(canvas, anatomy, densities)
    if wanted.lesions == "many":
        draw_look_alikes(stream(seed, index, "look-alikes"), canvas, anatomy, densities)
    marked = draw_on(canvas, points, facts, canvas.labels == ORGANS["liver"])
    return AbdomenPatient(
        **{one.name: getattr(known, one.name) for one in fields(known)},
        image=scan(scanning, canvas.hu, acquisition),
        affine=acquisition.affine,
        organs=canvas.labels,
        lesions=marked,
        boxes=tuple(_box(marked == k + 1, one.kind) for k, one in enumerate(facts)),
        densities=densities,
        acquisition=acquisition,
    )


def diagnosed(lesions: tuple[Lesion, ...]) -> Diagnosis:
    """Return the class that lesions give: malignant if one of them is, else cyst if there is one, else normal."""
    kinds = {one.kind for one in lesions}
    return "malignant" if "malignant" in kinds else "cyst" if kinds else "normal"


def _box(mask: Array, label: str) -> Box:
    """Return the tightest box around a mask, `(z, y, x)`, high excluded."""
    where = np.argwhere(mask)
    low, high = where.min(axis=0), where.max(axis=0) + 1
    return Box(
        (float(low[0]), float(low[1]), float(low[2])), (float(high[0]), float(high[1]), float(high[2])), label
    )
