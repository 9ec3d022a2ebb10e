"""Abdominal CT with organs, liver lesions, reports, readers' drawings and survival under two or three treatments."""

from __future__ import annotations

from typing import Literal, cast

from vesalius.core.image import Triple
from vesalius.phantom.abdomen.design import Assignment, Design, Entry, Events, Heterogeneity
from vesalius.phantom.abdomen.draw import SIZES, Lesions, Shape, Wanted, draw_patient
from vesalius.phantom.abdomen.files import write
from vesalius.phantom.abdomen.known import Clinic, KnownPatient
from vesalius.phantom.abdomen.later import Later
from vesalius.phantom.abdomen.patient import LABELS, AbdomenPatient
from vesalius.phantom.abdomen.texts import cohort_truth, texts

__all__ = ["LABELS", "SIZES", "AbdomenPatient", "cohort_truth", "later", "patient", "texts", "twin", "write"]

FORMATS = ("nifti", "png", "dicom")
OPTIONS = {
    "size": "small",
    "assignment": "randomised",
    "lesions": "few",
    "arms": 2,
    "heterogeneity": "planted",
    "events": "death",
    "entry": "none",
    "clinic": "full",
    "tables": False,
}
FINDINGS = ("lesion", "cyst", "malignant")

Size = Literal["small", "medium", "full"] | Shape


def patient(
    index: int,
    seed: int = 0,
    *,
    size: Size = "small",
    assignment: Assignment = "randomised",
    lesions: Lesions = "few",
    arms: int = 2,
    heterogeneity: Heterogeneity = "planted",
    events: Events = "death",
    entry: Entry = "none",
    clinic: Clinic = "full",
    tables: bool = False,
) -> KnownPatient:
    """Return synthetic patient number `index`, the same for the same seed and options.

    `size` is small, medium (64 × 128 × 128 voxels of about 3 × 3 × 4 mm), full, or a grid `(Z, Y, X)`; `assignment`
    says how treatment was given: randomised, or confounded by a stated propensity. `lesions` are few and large, or many
    of 5 to 40 mm among vessels that look like them; a cohort with many has a table of their boxes. `arms`,
    `heterogeneity`, `events` and `entry` are those of `Design`. A `bare` clinic is age, sex and arm. With `tables`
    there is no scan, and the rest is as with one; otherwise the patient is an `AbdomenPatient`.

    Raises UnknownName, GeometryError or DataError for an option that does not exist, DataError for a negative index or
    seed.
    """
    wanted = Wanted(Design(assignment, arms, heterogeneity, events, entry), lesions, clinic)
    return draw_patient(index, seed, wanted, size=size, tables=tables)


def twin(
    index: int,
    seed: int = 0,
    *,
    without: Literal["lesion", "cyst", "malignant"],
    size: Size = "small",
    assignment: Assignment = "randomised",
    lesions: Lesions = "few",
    arms: int = 2,
    heterogeneity: Heterogeneity = "planted",
    events: Events = "death",
    entry: Entry = "none",
    clinic: Clinic = "full",
    tables: bool = False,
) -> KnownPatient:
    """Return patient number `index` as they would be without a finding.

    `without` is lesion (all of them), cyst or malignant. Anatomy, densities, grid and noise are the patient's own, so
    that every voxel which the scan's blur does not mix with the lesion is the same to the bit. Whatever follows from
    the lesions changes with them: class, boxes, report, readers' drawings, stage and survival.

    Raises UnknownName for another finding, and what `patient` raises.
    """
    wanted = Wanted(Design(assignment, arms, heterogeneity, events, entry), lesions, clinic, without)
    return draw_patient(index, seed, wanted, size=size, tables=tables)


def later(
    index: int,
    seed: int = 0,
    *,
    growth: float = 1.0,
    days: int = 90,
    shift_mm: Triple = (0.0, 0.0, 0.0),
    turned_deg: Triple = (0.0, 0.0, 0.0),
    size: Size = "small",
    assignment: Assignment = "randomised",
    lesions: Lesions = "few",
) -> AbdomenPatient:
    """Return patient number `index` at a later visit: every lesion `growth` times its volume, of the same shape.

    Anatomy, densities and grid are the patient's own, the noise is another. The patient lies otherwise in the scanner,
    turned by `turned_deg` about x, y and z through its middle and then shifted by `shift_mm`, so that a place p of the
    first scan is found at R p + t in the later one. DICOM files are `days` younger, in a study of their own.

    Raises DataError for a growth or a number of days that cannot be, and what `patient` raises.
    """
    visit = Later(growth, days, shift_mm, turned_deg)
    wanted = Wanted(Design(assignment), lesions, later=visit)
    return cast("AbdomenPatient", draw_patient(index, seed, wanted, size=size))
