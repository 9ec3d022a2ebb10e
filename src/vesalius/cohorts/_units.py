"""Units in the names of columns: `age_years`, `volume_ml`, `EF (%)`; nothing is guessed from a name that says none."""

from __future__ import annotations

import re

# after `_`, `-`, `.` or a blank; not `year`, `month` or `min`, which may as well be a date's part and a minimum
_WORDS = {
    "years": "years", "yrs": "years", "months": "months", "weeks": "weeks", "wks": "weeks", "days": "days",
    "hours": "hours", "minutes": "minutes", "seconds": "s", "ms": "ms", "percent": "%", "pct": "%",
    "ml": "ml", "cc": "ml", "cm3": "ml", "mm": "mm", "cm": "cm", "mm2": "mm2", "cm2": "cm2", "mm3": "mm3",
    "kg": "kg", "mg": "mg", "hu": "HU", "gy": "Gy", "mmhg": "mmHg", "bpm": "bpm",
}  # fmt: skip
_IN_BRACKETS = _WORDS | {
    "%": "%", "a": "years", "y": "years", "yr": "years", "year": "years", "month": "months", "week": "weeks",
    "d": "days", "day": "days", "h": "hours", "hour": "hours", "min": "minutes", "sec": "s", "s": "s", "m": "m",
    "g": "g", "l": "l",
}  # fmt: skip
_IN_QUOTIENTS = {
    *_IN_BRACKETS, "m2", "m3", "dl", "ng", "pg", "ug", "\u03bcg", "mmol", "mol", "u", "iu", "mv", "v", "n", "pa", "kpa",
    "kcal",
}  # fmt: skip
_BRACKETS = re.compile(r"[(\[]\s*([^()\[\]]{1,24}?)\s*[)\]]\s*$")


def unit_of(column: str) -> str | None:
    """Return the unit that a column's name ends in, in brackets or after `_`, `-`, `.` or a blank; None without one.

    In brackets a short symbol (`s`, `%`) and a quotient (`ml/min`) are units too; other words there are not.
    """
    name = column.strip()
    if (found := _BRACKETS.search(name)) is not None:
        inside = found[1].replace("²", "2").replace("³", "3")
        parts = re.split(r"[/·*]", inside)
        if len(parts) > 1:
            return inside if all(p.strip().casefold() in _IN_QUOTIENTS for p in parts) else None
        return _IN_BRACKETS.get(inside.casefold())
    if name.endswith("%"):
        return "%"
    *before, last = re.split(r"[ _.\-]+", name)
    return _WORDS.get(last.casefold()) if before else None
