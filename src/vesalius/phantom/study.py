"""Study: one synthetic patient, whole and in memory; nothing is read and nothing is written."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np

from vesalius.core.case import Box, Case, Event
from vesalius.core.errors import DataError, GeometryError, UnknownName
from vesalius.core.image import Array, Image
from vesalius.phantom.acquisition import Acquisition, draw_acquisition, scan, voxel_points
from vesalius.phantom.anatomy import draw_anatomy
from vesalius.phantom.experts import Drawing, draw_masks
from vesalius.phantom.lesions import Lesion, draw_lesions, draw_on
from vesalius.phantom.person import Diagnosis, Person, diagnosis_of, draw_person
from vesalius.phantom.report import Finding, findings_of, write_report
from vesalius.phantom.streams import stream
from vesalius.phantom.survival import ASSIGNMENTS, Assignment, Outcome, draw_outcome
from vesalius.phantom.tissue import LESION, ORGANS, Canvas, Densities, draw_densities, draw_tissue

Shape = tuple[int, int, int]
SIZES: Mapping[str, Shape] = {"small": (32, 64, 64), "full": (120, 256, 256)}
LABELS: Mapping[str, int] = {**ORGANS, "lesion": LESION}


@dataclass(frozen=True, eq=False)
class Study:
    """An abdominal CT whose truth is known.

    `image` (Z, Y, X) int16 in HU; `affine` maps the index (x, y, z) to LPS mm; `organs` (Z, Y, X) uint8 by
    ORGANS, where the liver includes its lesions; `lesions` (Z, Y, X) uint8, k + 1 where `lesion_facts[k]` is;
    `boxes[k]` encloses it.
    """

    id: str
    patient: str
    seed: int
    index: int
    image: Array
    affine: Array
    organs: Array
    lesions: Array
    boxes: tuple[Box, ...]
    diagnosis: Diagnosis
    person: Person
    lesion_facts: tuple[Lesion, ...]
    densities: Densities
    acquisition: Acquisition
    outcome: Outcome
    findings: tuple[Finding, ...]
    report: Mapping[str, str]

    @property
    def labels(self) -> Array:
        """The label map that is written: organs, with every lesion's voxels as LABELS['lesion']."""
        return np.where(self.lesions > 0, np.uint8(LESION), self.organs)

    @property
    def covariates(self) -> dict[str, float | str | None]:
        """What is known before the treatment's effect: age, sex, BMI, stage, marker, treatment."""
        return {
            "age": self.person.age_years,
            "sex": self.person.sex,
            "bmi": self.person.bmi,
            "tumour_stage": float(self.outcome.stage),
            "marker": self.outcome.marker,
            "treatment": float(self.outcome.treated),
        }

    @cached_property
    def experts(self) -> tuple[Drawing, ...]:
        """Liver and lesions as three readers of known skill draw them; made when first asked for."""
        return draw_masks(
            stream(self.seed, self.index, "experts"),
            self.organs == ORGANS["liver"],
            self.lesions,
            spacing_mm=self.acquisition.spacing_mm,
            diagnosis=self.diagnosis,
        )

    @property
    def report_text(self) -> str:
        """The report in one string, each section led by its name."""
        return " ".join(f"{name.upper()}: {text}" for name, text in self.report.items())

    def as_image(self) -> Image:
        """The CT as an Image in HU."""
        return Image(self.image[None], affine=self.affine, unit="HU", modality="CT")

    def as_mask(self) -> Image:
        """The label map as an Image."""
        return Image(self.labels[None], affine=self.affine)

    def as_case(self) -> Case:
        """A Case that holds its pixels: targets `class`, `mask`, `boxes` and `survival`."""
        return Case(
            self.id,
            {"image": self.as_image()},
            patient=self.patient,
            targets={
                "class": self.diagnosis,
                "mask": self.as_mask(),
                "boxes": self.boxes,
                "survival": Event(self.outcome.time_days, self.outcome.event),
            },
            covariates=self.covariates,
            report=self.report_text,
        )

    @property
    def key_slice(self) -> int:
        """The axial index that shows the finding: most of the first lesion, or else most of the liver."""
        shown = self.lesions == 1 if self.lesion_facts else self.organs == ORGANS["liver"]
        return int(np.argmax(shown.sum(axis=(1, 2))))


def shape_of(size: Literal["small", "full"] | Shape) -> Shape:
    """The grid `(Z, Y, X)` of a named size, or the one given. Raises UnknownName or GeometryError."""
    if isinstance(size, str):
        if size not in SIZES:
            raise UnknownName("phantom size", size, SIZES)
        return SIZES[size]
    if len(size) != 3 or not all(8 <= n <= 1024 for n in size):
        raise GeometryError("a phantom's grid is (Z, Y, X) with 8 to 1024 voxels each", found=str(size))
    return int(size[0]), int(size[1]), int(size[2])


def patient(
    index: int,
    seed: int = 0,
    *,
    size: Literal["small", "full"] | Shape = "small",
    assignment: Assignment = "randomised",
) -> Study:
    """Synthetic patient number `index`, the same for the same seed, size and assignment.

    Raises UnknownName or GeometryError for a size or an assignment that does not exist, DataError for a negative
    index or seed.
    """
    shape = shape_of(size)
    if index < 0 or seed < 0:
        raise DataError("a phantom's index and seed are not negative", found=f"{index} and {seed}")
    if assignment not in ASSIGNMENTS:
        raise UnknownName("treatment assignment", assignment, ASSIGNMENTS)
    person = draw_person(stream(seed, index, "person"))
    shaping = stream(seed, index, "anatomy")
    anatomy = draw_anatomy(shaping, person)
    densities = draw_densities(shaping, person)
    diagnosis = diagnosis_of(seed, index)
    facts = draw_lesions(stream(seed, index, "lesions"), anatomy, densities.liver, diagnosis)
    scanning = stream(seed, index, "acquisition")
    acquisition = draw_acquisition(scanning, shape, anatomy)
    points = voxel_points(acquisition)
    canvas = Canvas(anatomy.atlas(points), 0.9 * float(np.mean(acquisition.spacing_mm)))
    draw_tissue(canvas, anatomy, densities)
    lesions = draw_on(canvas, points, facts, canvas.labels == ORGANS["liver"])
    findings = findings_of(facts, anatomy)
    outcome = draw_outcome(stream(seed, index, "outcome"), person, lesions=facts, assignment=assignment)
    return Study(
        id=f"case-{index:04d}",
        patient=f"P{index:04d}",
        seed=seed,
        index=index,
        image=scan(scanning, canvas.hu, acquisition),
        affine=acquisition.affine,
        organs=canvas.labels,
        lesions=lesions,
        boxes=tuple(_box(lesions == k + 1, one.kind) for k, one in enumerate(facts)),
        diagnosis=diagnosis,
        person=person,
        lesion_facts=facts,
        densities=densities,
        acquisition=acquisition,
        outcome=outcome,
        findings=findings,
        report=write_report(
            stream(seed, index, "report"),
            person,
            diagnosis=diagnosis,
            findings=findings,
            liver_hu=densities.liver,
            aorta_mm=anatomy.aorta_mm * anatomy.scale,
        ),
    )


def _box(mask: Array, label: str) -> Box:
    """The tightest box around a mask, `(z, y, x)`, high excluded."""
    where = np.argwhere(mask)
    low, high = where.min(axis=0), where.max(axis=0) + 1
    return Box(
        (float(low[0]), float(low[1]), float(low[2])), (float(high[0]), float(high[1]), float(high[2])), label
    )
