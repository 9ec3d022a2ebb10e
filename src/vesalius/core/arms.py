"""What is expected of one case under each of several arms, and what an arm changes: what an answer says of it."""

from __future__ import annotations

from dataclasses import dataclass

from vesalius.core.image import Array
from vesalius.core.treatment import Treatment


@dataclass(frozen=True, eq=False)
class Expected:
    """What is expected under one arm: a step curve over `days` `(T,)` with its band, and figures of it.

    `at` is the chance to be free of the event at the horizon with its band, `mean_days` the mean time without it until
    then. `median_days` is None where the curve does not fall to one half.
    """

    arm: str
    days: Array
    survival: Array
    low: Array | None
    high: Array | None
    at: tuple[float, float | None, float | None]
    mean_days: float
    median_days: float | None


@dataclass(frozen=True)
class Gained:
    """What an arm changes beside the control: of survival at the horizon, and of the mean time without the event.

    Each is a number with its bounds; these are None where the model gives none.
    """

    arm: str
    control: str
    survival: tuple[float, float | None, float | None]
    days: tuple[float, float | None, float | None]


@dataclass(frozen=True, eq=False)
class UnderArms:
    """What an answer says of several arms; the first one is the control. `share` is that of its bands and bounds.

    `risk` is the log of the case's hazard over that of the average training case, `rank` the share of training cases
    whose risk is lower.
    """

    treatment: Treatment
    called: str
    expected: tuple[Expected, ...]
    gains: tuple[Gained, ...]
    share: float | None
    risk: float | None
    rank: float | None
