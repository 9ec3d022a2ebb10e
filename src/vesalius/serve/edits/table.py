"""Edited reports as a table: a cohort's images with the newest text that a person saved of each, to learn from.

A service keeps no image and no file's name, so the images come from a cohort and are known by their files' bytes. A
report with what identifies people stays out. Of several models' reports of one image the newest edit counts.
"""

from __future__ import annotations

import csv
import io
import warnings
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pydicom
from pydicom.valuerep import PersonName

from vesalius import formats
from vesalius.core.case import Case, Ref
from vesalius.core.cohort import Cohort
from vesalius.core.disk import write_text
from vesalius.core.errors import DataError, VesaliusError
from vesalius.core.file_names import FileNames
from vesalius.core.image_digest import image_digest
from vesalius.deidentify.texts import scrubbed
from vesalius.dicom.damage import DAMAGE
from vesalius.run.cells import image_cells
from vesalius.serve.edits.kept import KeptEdit
from vesalius.serve.edits.store import edits_in
from vesalius.texts.sections import joined

COLUMNS = ("case", "patient", "split", "report", "author", "edited_at", "verified", "version")
_NAMES = ("PatientName", "OtherPatientNames", "PatientBirthName", "PatientMotherBirthName")
_NUMBERS = ("PatientID", "OtherPatientIDs")
_MORE = "OtherPatientIDsSequence"
_GONE = "[removed]"


@dataclass(frozen=True, slots=True)
class Exported:
    """What was written: how many cases have an edited report, and which were left out, each with its reason.

    `elsewhere` is how many edited reports are of images that the cohort does not have.
    """

    path: Path
    cases: int
    left_out: tuple[tuple[str, str], ...]
    elsewhere: int


def export_edits(folder: Path, cohort: Cohort, out: Path, *, verified_only: bool = False) -> Exported:
    """Write the newest edit of each image of a cohort as a table that is itself read as a cohort, with its reports.

    `folder` is that of `vesalius serve --edits`. An image that no path names alone, such as an item of an array, is
    copied into `images` beside the table. Raises DataError where no image of the cohort has an edit, FormatError and
    OutputError.
    """
    newest: dict[str, KeptEdit] = {}
    for one in edits_in(folder):
        if one.edit.verified or not verified_only:
            newest[one.image] = max(newest.get(one.image, one), one, key=lambda e: e.edit.at)
    rows: list[tuple[dict[str, Any], dict[str, str]]] = []
    left_out: list[tuple[str, str]] = []
    met: set[str] = set()
    named = FileNames(case.id for case in cohort.cases)
    for case in cohort.cases:
        digest = image_digest(case)
        if digest is None or digest not in newest:
            continue
        met.add(digest)
        try:
            row = _row(case, newest[digest])
            rows.append((row, _cells(case, out.parent, named[case.id])))
        except VesaliusError as error:
            left_out.append((case.id, str(error)))
    if not rows:
        found = left_out[0][1] if left_out else f"{len(newest)} edited reports, {len(cohort.cases)} cases"
        hint = "the images that were uploaded, byte for byte"
        raise DataError("no case has an edited report that can be learned from", found=found, hint=hint)
    text = io.StringIO()
    images = list(dict.fromkeys(name for _, cells in rows for name in cells))
    heads = {name: "image" if len(images) == 1 else f"image {name}" for name in images}  # so are several read
    sheet = csv.DictWriter(text, (*COLUMNS[:3], *heads.values(), *COLUMNS[3:]), lineterminator="\n")
    sheet.writeheader()
    sheet.writerows(row | {heads[name]: cell for name, cell in cells.items()} for row, cells in rows)
    write_text(out, text.getvalue())
    return Exported(out, len(rows), tuple(left_out), len(newest.keys() - met))


def _row(case: Case, kept: KeptEdit) -> dict[str, Any]:
    report = joined({title: text for title, text in kept.sections.items() if text.strip()})
    _check(report, case)
    return {
        "case": case.id,
        "patient": case.patient,
        "split": case.split,
        "report": report,
        "author": kept.edit.author,
        "edited_at": kept.edit.at,
        "verified": "yes" if kept.edit.verified else "no",
        "version": kept.edit.version,
    }


def _cells(case: Case, folder: Path, name: str) -> dict[str, str]:
    """Return what a table in a folder calls each of a case's images, the reference first: a whole series of several
    files below the folder by its UID, which keeps its headers.
    """
    first = {n: case.images[n] for n in (case.reference,) if n is not None and n in case.images}
    images = {**first, **case.images}
    series = {n: uid for n, item in images.items() if isinstance(item, Ref) and (uid := _uid(item, folder))}
    others = replace(case, images={n: item for n, item in images.items() if n not in series})
    cells = series | image_cells(folder, others, name)
    return {n: cells[n] for n in images}


def _uid(item: Ref, folder: Path) -> str:
    """Return the UID by which a table in a folder names a series; "" where it names none."""
    whole = len(item.paths) > 1 and item.member is None and item.index is None and not item.part
    below = all(path.resolve().is_relative_to(folder.resolve()) for path in item.paths)
    return str(_head(item.paths[0]).get("SeriesInstanceUID") or "") if whole and below else ""


def _check(report: str, case: Case) -> None:
    """Raise DataError for a report that names its patient, or that holds what looks as if it identified somebody."""
    heads = [_head(item.paths[0]) for item in case.images.values() if isinstance(item, Ref)]
    names = [name for head in heads for name in _values(head, _NAMES)]
    ids = [case.patient or "", *(value for head in heads for value in _values(head, _NUMBERS))]
    numbers = [value for value in ids if any(c.isdigit() for c in value)]
    names += [value for value in ids if value and value not in numbers]
    if scrubbed(report, names, numbers=numbers).count(_GONE) > report.count(_GONE):
        raise DataError(
            "its report names the patient or somebody with a title, or holds a date, a long number or an address",
            hint="save it again without",
        )


def _head(path: Path) -> Any:
    """Return what a DICOM file says of its patient and series; nothing of another file.

    Raises DataError for a DICOM file whose header cannot be read: whom its report may name cannot be known.
    """
    try:
        if formats.by_content(path) != "dicom":
            return {}
    except VesaliusError:
        return {}
    try:
        with warnings.catch_warnings(action="ignore"):
            tags = [*_NAMES, *_NUMBERS, _MORE, "SeriesInstanceUID"]
            return pydicom.dcmread(path, stop_before_pixels=True, specific_tags=tags, force=True)
    except DAMAGE as error:
        raise DataError("its header cannot be read: whom its report names cannot be known") from error


def _values(head: Any, keywords: Iterable[str]) -> Iterator[str]:
    for item in (head, *(head.get(_MORE) or ())):
        for keyword in keywords:
            value = item.get(keyword)
            several = isinstance(value, Iterable) and not isinstance(value, (str, bytes, PersonName))
            yield from (str(one) for one in (value if several else [value]) if one)
