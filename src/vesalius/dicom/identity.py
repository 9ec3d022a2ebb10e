"""To whom and where a DICOM series belongs: patient, birth, day of the study, number of the series; never written down.

Clients that may see the study are told, and two visits are held against one another by it; no log, audit line or figure
holds it.
"""

from __future__ import annotations

import warnings
from datetime import datetime
from pathlib import Path
from typing import Any

import pydicom

from vesalius.core import archive
from vesalius.core.errors import VesaliusError
from vesalius.dicom.damage import DAMAGE

UNKNOWN: dict[str, Any] = {"patient": None, "study_date": None, "series_number": None}
_UNREADABLE: tuple[type[Exception], ...] = (VesaliusError, *DAMAGE)
_TAGS = ["SpecificCharacterSet", "PatientID", "StudyDate", "SeriesNumber", "PatientBirthDate"]


def read_identity(path: Path) -> dict[str, Any]:
    """Return what one file says; None for what it does not say, or not as DICOM writes it (PS3.5 6.2: LO, DA, IS)."""
    said = _read(path)
    return (
        dict(UNKNOWN)
        if said is None
        else {
            "patient": said["PatientID"] or None,
            "study_date": _day(said["StudyDate"]),
            "series_number": _number(said["SeriesNumber"]),
        }
    )


def read_birth(path: Path) -> str | None:
    """Return the patient's day of birth (YYYY-MM-DD) by one file; None where it does not say it."""
    said = _read(path)
    return None if said is None else _day(said["PatientBirthDate"])


def _read(path: Path) -> dict[str, str] | None:
    try:
        with warnings.catch_warnings(action="ignore"), archive.open_file(path) as file:
            head = pydicom.dcmread(file, stop_before_pixels=True, specific_tags=list(_TAGS), force=True)
    except _UNREADABLE:
        return None
    return {tag: _text(head, tag) for tag in _TAGS[1:]}


def _text(head: Any, tag: str) -> str:
    try:
        with warnings.catch_warnings(action="ignore"):
            return "".join(c for c in str(head.get(tag) or "") if c.isprintable()).strip()
    except DAMAGE:
        return ""


def _day(text: str) -> str | None:
    try:
        return datetime.strptime(text.replace(".", ""), "%Y%m%d").date().isoformat()  # as ACR-NEMA wrote it
    except ValueError:
        return None


def _number(text: str) -> int | None:
    try:
        return int(text)
    except ValueError:
        return None
