"""To whom and where a DICOM series belongs: patient, day of the study, number of the series; never written down.

Clients that may see the study are told; no log, audit line or figure holds it.
"""

from __future__ import annotations

import warnings
from datetime import datetime
from pathlib import Path
from typing import Any

import pydicom

from vesalius.dicom.damage import DAMAGE

UNKNOWN: dict[str, Any] = {"patient": None, "study_date": None, "series_number": None}
_TAGS = ["SpecificCharacterSet", "PatientID", "StudyDate", "SeriesNumber"]


def read_identity(path: Path) -> dict[str, Any]:
    """Return what one file says; None for what it does not say, or not as DICOM writes it (PS3.5 6.2: LO, DA, IS)."""
    try:
        with warnings.catch_warnings(action="ignore"):
            head = pydicom.dcmread(path, stop_before_pixels=True, specific_tags=list(_TAGS), force=True)
    except DAMAGE:
        return dict(UNKNOWN)
    said = {tag: _text(head, tag) for tag in _TAGS[1:]}
    return {
        "patient": said["PatientID"] or None,
        "study_date": _day(said["StudyDate"]),
        "series_number": _number(said["SeriesNumber"]),
    }


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
