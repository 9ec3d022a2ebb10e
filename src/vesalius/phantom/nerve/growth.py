"""How a cup grows over a patient's visits, and when it has grown so far that the disease is said to have begun.

A cup is its height over the disc's. Healthy ones differ from 0.2 to 0.55, and onset is when a patient's own has grown
by `GROWN`: the last visit alone does not tell how far it has. How fast it grows differs, too, so that the earlier
visits say how long the rest will take.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vesalius.core.image import Array

YEAR_DAYS = 365.25
WITHIN_DAYS = 730  # of the last visit: the onset that is asked for
GROWN = 0.2  # of the cup's share, from which on the disease is said to have begun
HEALTHY = (0.2, 0.55)
SOON = 0.4  # of the patients: their onset is within two years of the last visit
SLOW = 0.5  # of the others: their cup grows, too, but their onset is later
LATER_YEARS = (2.3, 8.0)
RATE, RATE_SPREAD, RATES = (
    0.075,
    0.45,
    (0.03, 0.16),
)  # a year: the median, the spread of its logarithm, and the ends
VISITS = (4, 7)
APART_YEARS = (0.45, 1.15)
MISSED = 0.2  # of the visits between the first and the last
AGE, PRESSURE = (62.0, 9.0), (17.5, 3.3)  # mean and spread, in years and mmHg, of those without onset soon
OLDER, HIGHER = 2.5, 1.6  # of those whose onset is soon


@dataclass(frozen=True, eq=False)
class Growth:
    """A patient's course: `days` of the visits from the first on, `(V,)`, and the cup's true share then, `cups`.

    `rate` is its growth a year, 0 where it does not grow, `begins_days` when it begins to grow and `onset_days` when it
    has grown by `GROWN`; both count from the first visit and are None where it never grows.
    """

    days: tuple[int, ...]
    cups: tuple[float, ...]
    healthy: float
    rate: float
    begins_days: float | None
    onset_days: float | None
    ages: tuple[float, ...]
    pressures: tuple[float, ...]

    @property
    def soon(self) -> bool:
        """Return whether onset is within two years after the last visit."""
        return self.onset_days is not None and self.onset_days - self.days[-1] <= WITHIN_DAYS


def draw_growth(random: np.random.Generator) -> Growth:
    """Return a patient's course: at none of the visits has the disease begun."""
    soon = bool(random.random() < SOON)
    grows = soon or bool(random.random() < SLOW)
    days = _days(random)
    healthy = round(float(random.uniform(*HEALTHY)), 4)
    rate = round(float(np.clip(RATE * np.exp(random.normal(0, RATE_SPREAD)), *RATES)), 5)
    waits = (
        float(random.uniform(20, WITHIN_DAYS)) if soon else YEAR_DAYS * float(random.uniform(*LATER_YEARS))
    )
    onset = round(days[-1] + waits, 1)
    begins = round(onset - GROWN / rate * YEAR_DAYS, 1)
    grown = np.maximum(np.array(days) - begins, 0) * rate / YEAR_DAYS if grows else np.zeros(len(days))
    age = random.normal(AGE[0] + OLDER * soon, AGE[1])
    pressure = random.normal(PRESSURE[0] + HIGHER * soon, PRESSURE[1])
    measured = np.clip(pressure + random.normal(0, 1.5, len(days)), 8, 40)
    return Growth(
        days,
        tuple(round(float(v), 4) for v in healthy + grown),
        healthy,
        rate if grows else 0.0,
        begins if grows else None,
        onset if grows else None,
        tuple(round(float(np.clip(age, 40, 88)) + d / YEAR_DAYS, 1) for d in days),
        tuple(round(float(v)) for v in measured),
    )


def _days(random: np.random.Generator) -> tuple[int, ...]:
    """Return the days of the visits: uneven, with gaps where one was missed."""
    many = int(random.integers(VISITS[0], VISITS[1] + 1))
    apart: Array = YEAR_DAYS * random.uniform(*APART_YEARS, many - 1)
    days = np.rint(np.concatenate([[0.0], np.cumsum(apart)])).astype(int)
    kept = random.random(many) >= MISSED
    kept[0] = kept[-1] = True
    return tuple(int(d) for d in days[kept])
