"""Units of time in the names of columns: `time_ms`, `days`, `visit (months)`, `months_since_baseline`."""

from __future__ import annotations

import re

SECONDS: dict[str, float] = {
    "us": 1e-6, "ms": 1e-3, "s": 1.0, "min": 60.0, "h": 3_600.0, "days": 86_400.0, "weeks": 7 * 86_400.0,
    "months": 365.25 / 12 * 86_400.0, "years": 365.25 * 86_400.0,
}  # fmt: skip
_SPELT: dict[str, str] = {
    "us": "us", "usec": "us", "microseconds": "us", "microsecond": "us",
    "ms": "ms", "msec": "ms", "msecs": "ms", "millis": "ms", "milliseconds": "ms", "millisecond": "ms",
    "s": "s", "sec": "s", "secs": "s", "second": "s", "seconds": "s",
    "min": "min", "mins": "min", "minute": "min", "minutes": "min",
    "h": "h", "hr": "h", "hrs": "h", "hour": "h", "hours": "h",
    "d": "days", "day": "days", "days": "days", "week": "weeks", "weeks": "weeks", "wk": "weeks", "wks": "weeks",
    "month": "months", "months": "months", "mo": "months", "year": "years", "years": "years", "yr": "years",
    "yrs": "years",
}  # fmt: skip


def unit_in(column: str) -> str | None:
    """Return the unit that a column of times is called by, a name of `SECONDS`; None where its name says none.

    The unit is the last word of the name, or stands in brackets: `time_s`, `days`, `visit (months)`; or the first,
    before a word such as `since`: `months_since_baseline`.
    """
    words = [w for w in re.split(r"[^a-zA-Z]+", re.sub(r"([a-z])([A-Z])", r"\1 \2", column.strip())) if w]
    plain = [w.casefold() for w in words]
    if not plain:
        return None
    if plain[-1] in _SPELT:
        return _SPELT[plain[-1]]
    if len(plain) > 1 and plain[0] in _SPELT and plain[1] in ("since", "from", "after", "to", "post"):
        return _SPELT[plain[0]]
    return None
