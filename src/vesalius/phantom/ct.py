"""Abdominal CT with organs, liver lesions, reports, readers' drawings and survival under two or three treatments."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal, cast

from vesalius.core.errors import DataError
from vesalius.core.image import Triple
from vesalius.phantom.abdomen import files
from vesalius.phantom.abdomen import texts as written
from vesalius.phantom.abdomen.design import Assignment, Design, Entry, Events, Heterogeneity
from vesalius.phantom.abdomen.dictated import dictated
from vesalius.phantom.abdomen.draw import SIZES, Lesions, Shape, Wanted, draw_patient, shape_of
from vesalius.phantom.abdomen.known import Clinic, KnownPatient
from vesalius.phantom.abdomen.later import Later
from vesalius.phantom.abdomen.patient import LABELS, AbdomenPatient
from vesalius.phantom.abdomen.told import STRUCTURES
from vesalius.phantom.contract import Recipe, Row, SyntheticPatient
from vesalius.phantom.reports import files as reported
from vesalius.phantom.reports.asked import asked_for, assert_unasked
from vesalius.phantom.reports.patient import DictatedPatient

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
    "reports": False,
    "styles": "1,2,3,4,5,6",
    "test_styles": "",
    "wrong_sides": 0.0,
    "earlier": 0.0,
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
    reports: bool = False,
    styles: str | tuple[int, ...] = "1,2,3,4,5,6",
    test_styles: str | tuple[int, ...] = "",
    wrong_sides: float = 0.0,
    earlier: float = 0.0,
) -> KnownPatient | DictatedPatient:
    """Return synthetic patient number `index`, the same for the same seed and options.

    `size` is small, medium (64 × 128 × 128 voxels of about 3 × 3 × 4 mm), full, or a grid `(Z, Y, X)`; `assignment`
    says how treatment was given: randomised, or confounded by a stated propensity. `lesions` are few and large, or many
    of 5 to 40 mm among vessels that look like them; a cohort with many has a table of their boxes. `arms`,
    `heterogeneity`, `events` and `entry` are those of `Design`. A `bare` clinic is age, sex and arm. With `tables`
    there is no scan, and the rest is as with one; otherwise the patient is an `AbdomenPatient`. With `reports` there is
    neither treatment nor survival, but findings beside the liver's and a report by one of several writers, as `Asked`
    has it of the options after it.

    Raises UnknownName, GeometryError or DataError for an option that does not exist, DataError for a negative index or
    seed.
    """
    design = Design(assignment, arms, heterogeneity, events, entry)
    if reports:
        _assert_alone(design, lesions, clinic, tables)
        asked = asked_for(styles, test_styles, wrong_sides, earlier)
        return dictated(_counted(index, seed), seed, asked, shape_of(size))
    assert_unasked(styles, test_styles, wrong_sides, earlier)
    wanted = Wanted(design, lesions, clinic)
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
    reports: bool = False,
    styles: str | tuple[int, ...] = "1,2,3,4,5,6",
    test_styles: str | tuple[int, ...] = "",
    wrong_sides: float = 0.0,
    earlier: float = 0.0,
) -> KnownPatient | DictatedPatient:
    """Return patient number `index` as they would be without a finding.

    `without` is lesion (all of them), cyst or malignant. Anatomy, densities, grid and noise are the patient's own, so
    that every voxel which the scan's blur does not mix with the lesion is the same to the bit. Whatever follows from
    the lesions changes with them: class, boxes, report, readers' drawings, stage and survival.

    Raises UnknownName for another finding, and what `patient` raises.
    """
    design = Design(assignment, arms, heterogeneity, events, entry)
    wanted = Wanted(design, lesions, clinic, without)
    if reports:
        _assert_alone(design, lesions, clinic, tables)
        asked = asked_for(styles, test_styles, wrong_sides, earlier)
        return dictated(_counted(index, seed), seed, asked, shape_of(size), without=without)
    assert_unasked(styles, test_styles, wrong_sides, earlier)
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


def write(root: Path, patient: SyntheticPatient, format: str) -> Row | Sequence[Row]:
    """Write one patient's files and return the row of cohort.csv; with reports a row a study.

    Raises DataError for a format that the patient cannot have.
    """
    if not isinstance(patient, DictatedPatient):
        return files.write(root, cast("KnownPatient", patient), format)
    if format != "nifti":
        raise DataError("a CT with reports is written as nifti", found=format, hint="leave the format out")
    return reported.write(root, patient, format)


def texts(recipe: Recipe, rows: Sequence[Row], truths: Sequence[Row]) -> dict[str, str]:
    """Return the text files of a cohort by their path."""
    if recipe.options["reports"]:
        return reported.texts(recipe, rows, truths, STRUCTURES)
    return written.texts(recipe, rows, truths)


def cohort_truth(recipe: Recipe) -> dict[str, Any]:
    """Return what truth.json says of the cohort as a whole."""
    return reported.cohort_truth(recipe) if recipe.options["reports"] else written.cohort_truth(recipe)


def _assert_alone(design: Design, lesions: Lesions, clinic: Clinic, tables: bool) -> None:
    """Raise DataError for options that a CT with reports has not: nobody would see that they did nothing."""
    if (design, lesions, clinic, tables) != (Design(), "few", "full", False):
        raise DataError(
            "a CT with reports has neither treatments nor survival nor many lesions, and is no table",
            found=f"{design.stated()}, lesions {lesions}, clinic {clinic}, tables {tables}",
            hint="leave the options of `reports=false` out",
        )


def _counted(index: int, seed: int) -> int:
    """Return the index. Raises DataError where it, or the seed, is negative."""
    if index < 0 or seed < 0:
        raise DataError("a phantom's index and seed are not negative", found=f"{index} and {seed}")
    return index
