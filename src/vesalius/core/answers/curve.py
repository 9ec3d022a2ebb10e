"""Curve: survival over time, one curve an arm."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np

from vesalius.core.answers import Answer
from vesalius.core.errors import DataError
from vesalius.core.image import Array
from vesalius.core.shown import some
from vesalius.core.treatment import Treatment

GIVEN = {"stored": "where given"}


ABBREVIATED = {  # what trials call a time to an event
    "os": "overall survival",
    "dfs": "disease-free survival",
    "pfs": "progression-free survival",
    "rfs": "relapse-free survival",
    "efs": "event-free survival",
    "mfs": "metastasis-free survival",
}


@dataclass(frozen=True, eq=False, kw_only=True)
class Curve(Answer):
    """Survival over time, one curve for each arm (a single arm is named 'all').

    A curve is a step function: between two times it stays as it was at the earlier one, and before the first time it is
    one. `low` and `high` are the band around each arm's curve, and `share` is the share of cases whose curve the band
    is meant to hold. `incidence` is how likely each of several causes has ended the time by then, arm by arm: the
    cumulative incidences of an arm and its survival add up to one. `risk` is the log of the case's hazard over that of
    the average training case, under the arm `given`, and `rank` the share of training cases whose risk is lower.
    `given` is the arm that the case had, by which the answer is held against what happened. `event` is what the curve
    waits for, and `treatment` is how arms came about. All of them are None where nobody says.

    Further events of the same case, such as progression beside death, are `parts` by their names.
    """

    times_days: Array  # (T,), rising
    survival: Mapping[str, Array]  # arm → (T,) in [0, 1], not increasing
    low: Mapping[str, Array] | None = field(default=None, metadata=GIVEN)  # arm → (T,)
    high: Mapping[str, Array] | None = field(default=None, metadata=GIVEN)  # arm → (T,)
    share: float | None = field(default=None, metadata=GIVEN)
    incidence: Mapping[str, Mapping[str, Array]] | None = field(
        default=None, metadata=GIVEN
    )  # arm → cause → (T,)
    risk: float | None = field(default=None, metadata=GIVEN)
    rank: float | None = field(default=None, metadata=GIVEN)
    given: str | None = field(default=None, metadata=GIVEN)
    event: str | None = field(default=None, metadata=GIVEN)
    treatment: Treatment | None = field(default=None, metadata=GIVEN)

    @property
    def arm(self) -> str:
        """Return the arm by which the answer is held against what happened: the one given, or else the first."""
        return self.given if self.given is not None else next(iter(self.survival))

    @property
    def called(self) -> str:
        """Return what the curve is the chance of: `survival`, `overall survival`, `survival free of relapse`."""
        if self.event is None or "survival" in self.event.casefold():
            return self.event or "survival"
        if self.event.casefold() in ABBREVIATED:
            return ABBREVIATED[self.event.casefold()]
        return f"survival free of {self.event}"

    def at(self, days: float, arm: str | None = None) -> float:
        """Return the chance to be free of the event after so many days. Raises DataError beyond the curve's end."""
        if not len(self.times_days) or days > self.times_days[-1]:
            end = self.times_days[-1] if len(self.times_days) else 0.0
            raise DataError(f"the curve does not tell of day {days:g}", found=f"it ends at day {end:g}")
        place = int(np.searchsorted(self.times_days, days, side="right")) - 1
        return 1.0 if place < 0 else float(self.survival[arm or self.arm][place])

    def median_days(self, arm: str | None = None) -> float | None:
        """Return the first time at which the curve is at or below one half; None where it does not fall so far."""
        below = np.flatnonzero(np.asarray(self.survival[arm or self.arm]) <= 0.5)
        return float(self.times_days[below[0]]) if len(below) else None

    def restricted_mean_days(self, until_days: float | None = None, arm: str | None = None) -> float:
        """Return the mean time without the event up to a day, by default the last: the area under the curve.

        Raises DataError beyond the curve's end.
        """
        times, curve = np.asarray(self.times_days, np.float64), np.asarray(self.survival[arm or self.arm])
        end = float(times[-1]) if until_days is None else until_days
        if end > times[-1]:
            raise DataError(f"the curve does not tell of day {end:g}", found=f"it ends at day {times[-1]:g}")
        edges = np.concatenate([[0.0], np.minimum(times, end), [end]])
        return float((np.diff(edges) * np.concatenate([[1.0], curve])).sum())

    def _says(self) -> Iterable[str]:
        yield f"arms: {some(self.survival, len(self.survival))}"
        if len(self.times_days):
            yield f"{self.times_days[0]:g} to {self.times_days[-1]:g} days"
