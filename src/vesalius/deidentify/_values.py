"""Replacement values: a dummy for each VR, and dates shifted by whole days."""

from __future__ import annotations

import re
from datetime import date, timedelta
from typing import Any

TEXT = "REMOVED"
DUMMIES: dict[str, object] = {
    "AE": TEXT,
    "AS": "000Y",
    "CS": TEXT,
    "DA": "19000101",
    "DS": "0",
    "DT": "19000101000000",
    "FD": 0.0,
    "FL": 0.0,
    "IS": "0",
    "LO": TEXT,
    "LT": TEXT,
    "PN": TEXT,
    "SH": TEXT,
    "SL": 0,
    "SS": 0,
    "ST": TEXT,
    "SV": 0,
    "TM": "000000",
    "UC": TEXT,
    "UL": 0,
    "UR": "urn:removed",
    "US": 0,
    "UT": TEXT,
    "UV": 0,
    "AT": 0,
}
_BYTES = ("OB", "OD", "OF", "OL", "OV", "OW", "UN")
_DATE = re.compile(r"(\d{4})[.]?(\d{2})[.]?(\d{2})(?:[\d.:]*(?:[+-]\d{4})?)")
_TIME = re.compile(r"[\d.: ]*")


def dummy(vr: str) -> object:
    """Return a non-empty value that is valid for a VR; eight zero bytes for bulk data."""
    return b"\0" * 8 if vr in _BYTES else DUMMIES.get(vr, TEXT)


def shifted(text: str, days: int) -> str | None:
    """Return a DA or DT value `days` later, its time of day and offset unchanged; None if it is not a full date.

    A date that is given to the month or the year only is not moved but dropped (None): it cannot keep an interval.
    """
    text = text.strip()
    found = _DATE.fullmatch(text)
    if found is None:
        return None
    try:
        moved = date(*(int(part) for part in found.groups())) + timedelta(days=days)
    except (ValueError, OverflowError):
        return None
    return f"{moved:%Y%m%d}".zfill(8) + text[found.end(3) :]


def is_moment(vr: str, text: str) -> bool:
    """Return whether a text is a date or time and nothing else; queries' ranges and dates cut short are."""
    if vr == "TM":
        return _TIME.fullmatch(text) is not None
    return re.fullmatch(r"[\d.: +-]*", text) is not None


def is_offset(text: str) -> bool:
    """Return whether a text is an offset from UTC."""
    return re.fullmatch(r"\s*(?:[+-]\d{4})?\s*", text) is not None


def are_uids(value: Any) -> bool:
    """Return whether a UI value, one or many, is UIDs and nothing else."""
    values = [value] if isinstance(value, str) or value is None else value
    return all(re.fullmatch(r"[\d.]*", str(v or "").strip(" \0")) for v in values)


def age(text: str) -> str:
    """Return an AS value with everyone above 89 years made 90: such an age alone identifies. Drop other text."""
    found = re.fullmatch(r"\s*(\d{1,3})([DWMY])\s*", text)
    if found is None:
        return ""
    return "090Y" if found[2] == "Y" and int(found[1]) > 89 else text
