"""Horizons: times ahead in days, said in words (`1 year`, `120 days`) and read from them; whole years up to a day."""

from __future__ import annotations

import math

from vesalius.core.lapse import SECONDS, unit_in
from vesalius.core.words import counted

YEAR_DAYS = 365.25
YEARS = (1, 2, 3, 5, 10)  # after which survival is usually told


def years_until(end_days: float) -> tuple[float, ...]:
    """Return the days after 1, 2, 3, 5 and 10 years, as far as a time reaches."""
    return tuple(n * YEAR_DAYS for n in YEARS if n * YEAR_DAYS <= end_days)


def named(days: float) -> str:
    """Return a time in words: `1 year`, `3 years`, `120 days`."""
    years = days / YEAR_DAYS
    return counted(round(years), "year") if years and years == round(years) else f"{days:g} days"


def days_of(words: str) -> float | None:
    """Return the days that words tell of: `365`, `365 days`, `3 years`, `18 months`; None for what is no time."""
    number, _, unit = words.strip().partition(" ")
    known = "days" if not unit.strip() else unit_in(unit)
    try:
        days = float(number) * (SECONDS[known] / SECONDS["days"] if known else math.nan)
    except ValueError:
        return None
    return days if math.isfinite(days) and days >= 0 else None
