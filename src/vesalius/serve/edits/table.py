"""Edited reports as a table: a cohort's images with the newest text that a person saved of each, to learn from.

A service keeps no image and no file's name, so the images come from a cohort and are known by their files' bytes. A
report that names its patient stays out. Of several models' reports of one image the newest edit counts.
"""

from __future__ import annotations

import csv
import io
import re
import warnings
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pydicom

from vesalius import formats
from vesalius.core.case import Case, Ref
from vesalius.core.cohort import Cohort
from vesalius.core.disk import write_text
from vesalius.core.errors import DataError, VesaliusError
from vesalius.dicom.damage import DAMAGE
from vesalius.serve.edits.kept import KeptEdit, first_image_path, image_digest
from vesalius.serve.edits.store import edits_in
from vesalius.texts.sections import joined

COLUMNS = ("image", "patient", "report", "author", "edited_at", "verified", "version")
_SHORTEST = 3  # letters of a name that is looked for in a text


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

    `folder` is that of `vesalius serve --edits`. Raises DataError where no image of the cohort has an edit, FormatError
    and OutputError.
    """
    newest: dict[str, KeptEdit] = {}
    for one in edits_in(folder):
        if one.edit.verified or not verified_only:
            newest[one.image] = max(newest.get(one.image, one), one, key=lambda e: e.edit.at)
    rows: list[dict[str, Any]] = []
    left_out: list[tuple[str, str]] = []
    met: set[str] = set()
    for case in cohort.cases:
        digest = image_digest(case)
        if digest is None or digest not in newest:
            continue
        met.add(digest)
        try:
            rows.append(_row(case, newest[digest], out))
        except VesaliusError as error:
            left_out.append((case.id, str(error)))
    if not rows:
        found = left_out[0][1] if left_out else f"{len(newest)} edited reports, {len(cohort.cases)} cases"
        hint = "the images that were uploaded, byte for byte"
        raise DataError("no case has an edited report that can be learned from", found=found, hint=hint)
    text = io.StringIO()
    sheet = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    sheet.writeheader()
    sheet.writerows(rows)
    write_text(out, text.getvalue())
    return Exported(out, len(rows), tuple(left_out), len(newest.keys() - met))


def _row(case: Case, kept: KeptEdit, out: Path) -> dict[str, Any]:
    path = first_image_path(case)
    if path is None:
        raise DataError("its image lies in no file")
    report = joined({name: text for name, text in kept.sections.items() if text.strip()})
    head = _head(path)
    named = _names_in(report, [case.patient or "", *_names_of(head)])
    if named:
        raise DataError("its report names the patient", hint="save it again without the name or the id")
    return {
        "image": _named(case, path, head, out),
        "patient": case.patient,
        "report": report,
        "author": kept.edit.author,
        "edited_at": kept.edit.at,
        "verified": "yes" if kept.edit.verified else "no",
        "version": kept.edit.version,
    }


def _named(case: Case, path: Path, head: Any, out: Path) -> str:
    """Return what a table beside `out` calls an image: its path, or the UID of a series of several files."""
    root = out.parent.resolve()
    below = path.resolve().is_relative_to(root)
    files = next(ref.paths for ref in case.images.values() if isinstance(ref, Ref))
    if len(files) > 1:
        uid = str(head.get("SeriesInstanceUID") or "")
        if not below or not uid:
            hint = "a table in the folder of the images, or above it"
            raise DataError("a table names a series of several files only below its own folder", hint=hint)
        return uid
    return path.resolve().relative_to(root).as_posix() if below else str(path.resolve())


def _head(path: Path) -> Any:
    """Return what a DICOM file says of its patient and series; nothing of another file."""
    try:
        if formats.by_content(path) != "dicom":
            return {}
        with warnings.catch_warnings(action="ignore"):
            tags = ["PatientName", "PatientID", "OtherPatientIDs", "SeriesInstanceUID"]
            return pydicom.dcmread(path, stop_before_pixels=True, specific_tags=tags, force=True)
    except VesaliusError:
        return {}
    except DAMAGE:
        return {}


def _names_of(head: Any) -> list[str]:
    name = re.split(r"[\^=\s]+", str(head.get("PatientName") or ""))
    return [*name, str(head.get("PatientID") or "")]


def _names_in(text: str, names: Iterable[str]) -> bool:
    """Return whether a text holds one of these as words of its own."""
    wanted = [re.escape(n.strip()) for n in names if n and len(n.strip()) >= _SHORTEST]
    return (
        bool(wanted) and re.search(rf"(?<!\w)(?:{'|'.join(wanted)})(?!\w)", text, re.IGNORECASE) is not None
    )
