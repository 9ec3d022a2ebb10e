"""Another tool's survival in a table: a risk a case, or the chance to be free of the event after some times."""

from __future__ import annotations

import itertools
import re

import numpy as np

from vesalius.answers.foreign.tables import Row
from vesalius.core.answers.curve import Curve
from vesalius.core.errors import DataError
from vesalius.core.horizons import days_of
from vesalius.core.image import Array

RISK = ("risk", "log_hazard", "linear_predictor", "risk_score")  # the higher, the sooner
_SURVIVAL = re.compile(r"(?:survival|surv)[ _@(]+(\d+(?:\.\d+)?)[ _]*([a-z]*)\)?")
BETWEEN = 20  # points of the straight line between two times
SLACK = 1e-6


def curve_of(row: Row) -> Curve:
    """Return a row's risk and survival. Raises DataError where it has neither, or what cannot be a chance.

    `survival_365` is of a day, `survival_1_year` of a year. Between the times of a table the curve is a straight line,
    which begins at one; after the last of them nothing is told.
    """
    lower = row.columns()
    risks = [lower[name] for name in RISK if name in lower and lower[name] != row.key]
    at = {days: lower[name] for name in lower if (days := _days(name)) is not None}
    if not risks and not at:
        raise DataError(
            f"{row.table} has neither a risk nor survival after some time",
            found=", ".join(row.cells),
            hint="a column 'risk', the higher the sooner, or 'survival_365', 'survival_730' … in days",
        )
    risk = _finite(row, risks[0]) if risks else None
    times, line = _line(row, at)
    return Curve(times_days=times, survival={"all": line}, risk=risk, case_id=row.case)


def _days(name: str) -> float | None:
    """Return the days that a column of survival is about; None for another column."""
    found = _SURVIVAL.fullmatch(name)
    return None if found is None else days_of(f"{found[1]} {found[2]}".strip())


def _line(row: Row, at: dict[float, str]) -> tuple[Array, Array]:
    """Return times and survival `(T,)` along straight lines. Raises DataError for what is no chance, or rises."""
    days = sorted(at)
    chances = [_finite(row, at[day]) for day in days]
    for day, chance in zip(days, chances, strict=True):
        if not -SLACK <= chance <= 1 + SLACK:
            raise DataError(
                f"{row.table}: the survival of case {row.case} is not a chance from 0 to 1",
                found=f"{chance:g} in '{at[day]}'",
            )
    rising = np.flatnonzero(np.diff([1.0, *chances]) > SLACK)
    if len(rising):
        raise DataError(
            f"{row.table}: the survival of case {row.case} rises with time",
            found=f"{chances[rising[0]]:g} in '{at[days[rising[0]]]}'",
            hint="columns hold the chance to be free of the event, not to have had it",
        )
    if not days:
        return np.zeros(0), np.zeros(0)
    corners = np.array([0.0, *days])
    spread = [np.linspace(a, b, BETWEEN, endpoint=False)[1:] for a, b in itertools.pairwise(corners)]
    times = np.unique(np.concatenate([corners[1:], *spread]))
    return times, np.interp(times, corners, [1.0, *chances])


def _finite(row: Row, column: str) -> float:
    number = row.number(column)
    if not np.isfinite(number):
        raise DataError(
            f"{row.table}: case {row.case} has no finite number in '{column}'", found=f"{number:g}"
        )
    return number
