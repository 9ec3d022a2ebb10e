"""Dates as tables write them; a way that could be read as two days is refused, unless the column itself decides it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime

from vesalius.core.errors import DataError

_YEARS = range(1850, 2151)
_TIME = r"(?:[T ](\d{1,2}):(\d{2})(?::(\d{2})(?:[.,]\d+)?)?(?:Z|[+-]\d{2}:?\d{2})?)?"
_ISO = re.compile(rf"(\d{{4}})[-/.](\d{{1,2}})[-/.](\d{{1,2}}){_TIME}")
_COMPACT = re.compile(r"(\d{4})(\d{2})(\d{2})")
_POINTS = re.compile(rf"(\d{{1,2}})\.(\d{{1,2}})\.(\d{{4}}){_TIME}")
_SLASHES = re.compile(rf"(\d{{1,2}})[/-](\d{{1,2}})[/-](\d{{4}}){_TIME}")
_WORDS = ("%d-%b-%Y", "%d %b %Y", "%d %B %Y", "%b %d, %Y", "%B %d, %Y", "%d-%B-%Y", "%d%b%Y")
HINT = "write dates as 2020-04-03, or days since the first visit"


def are_dates(cells: Sequence[str]) -> bool:
    """Return whether every cell is written as a date, of whatever order of day and month."""
    return bool(cells) and all(_way_of(cell) is not None for cell in cells)


def days_of(cells: Sequence[str], what: str) -> tuple[list[float], str]:
    """Return the day of each cell, counted from the first of all, with parts of a day, and how they were read.

    `2020-04-03`, `20200403`, `03.04.2020` and `3 Apr 2020` can mean one day alone. In `03/04/2020` either number may be
    the month: what the first numbers and the second ones of all cells can be decides, and the way is said. `what`
    names the cells in errors. Raises DataError where several ways are mixed, where both orders would do, and for a day
    that there is not.
    """
    ways = [_way_of(cell) for cell in cells]
    odd = next((c for c, way in zip(cells, ways, strict=True) if way is None), None)
    if odd is not None:
        raise DataError(f"{what}: not a date", found=f"'{odd}'", hint=HINT)
    different = sorted({str(way) for way in ways})
    if len(different) > 1:
        found = " and ".join(f"'{cells[ways.index(way)]}'" for way in different[:2])
        raise DataError(f"{what}: dates are written in several ways", found=found, hint=HINT)
    way = different[0]
    order, said = _order(cells, what) if way == "slashes" else ((0, 1), _SAID[way])
    moments = [_moment(cell, way, order, what) for cell in cells]
    first = min(moments)
    return [(m - first).total_seconds() / 86_400 for m in moments], said


_SAID = {
    "iso": "year-month-day",
    "compact": "year, month and day without a sign between",
    "points": "day.month.year",
    "words": "with the month as a word",
}


def _way_of(cell: str) -> str | None:
    text = cell.strip()
    for way, pattern in (("iso", _ISO), ("points", _POINTS), ("slashes", _SLASHES)):
        if pattern.fullmatch(text):
            return way
    if (found := _COMPACT.fullmatch(text)) is not None:
        year, month, day = map(int, found.groups())
        return "compact" if year in _YEARS and 1 <= month <= 12 and 1 <= day <= 31 else None
    return "words" if _worded(text) is not None else None


def _worded(text: str) -> datetime | None:
    if not re.search(r"[A-Za-z]{3}", text):
        return None
    for form in _WORDS:
        try:
            return datetime.strptime(text, form)
        except ValueError:
            continue
    return None


def _order(cells: Sequence[str], what: str) -> tuple[tuple[int, int], str]:
    """Return which of the two numbers is the day and which the month, and why. Raises DataError where both would do."""
    pairs = [(int(m[1]), int(m[2])) for c in cells if (m := _SLASHES.fullmatch(c.strip()))]
    day_first = any(a > 12 for a, _ in pairs)
    month_first = any(b > 12 for _, b in pairs)
    if day_first == month_first:
        example = next((c for c in cells if len(set(re.findall(r"\d+", c)[:2])) == 2), cells[0])
        why = "both orders occur" if day_first else "either number may be the month"
        raise DataError(f"{what}: day and month cannot be told apart, {why}", found=f"'{example}'", hint=HINT)
    if day_first:
        proof = next(c for c, (a, _) in zip(cells, pairs, strict=True) if a > 12)
        return (0, 1), f"day/month/year, as '{proof}' can be read in no other way"
    proof = next(c for c, (_, b) in zip(cells, pairs, strict=True) if b > 12)
    return (1, 0), f"month/day/year, as '{proof}' can be read in no other way"


def _moment(cell: str, way: str, order: tuple[int, int], what: str) -> datetime:
    text = cell.strip()
    try:
        if way == "words":
            found = _worded(text)
            if found is None or found.year not in _YEARS:
                raise ValueError(text)
            return found
        pattern = {"iso": _ISO, "compact": _COMPACT, "points": _POINTS, "slashes": _SLASHES}[way]
        match = pattern.fullmatch(text)
        parts = [0 if g is None else int(g) for g in (match.groups() if match else ())]
        if way in ("iso", "compact"):
            year, month, day = parts[:3]
        else:
            day, month, year = parts[order[0]], parts[order[1]], parts[2]
        if year not in _YEARS:
            raise ValueError(text)
        hour, minute, second = [*parts[3:6], 0, 0, 0][:3]
        return datetime(year, month, day, hour, minute, second)
    except ValueError:
        raise DataError(f"{what}: there is no such day", found=f"'{cell}'", hint=HINT) from None
