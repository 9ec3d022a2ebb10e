"""The quality of a PET image: good, usable or poor, by its noise in the liver, its motion and its scatter."""

from __future__ import annotations

from dataclasses import dataclass

GRADES = ("good", "usable", "poor")


@dataclass(frozen=True)
class Limits:
    """Up to `good` an aspect is good, above `usable` it is poor."""

    good: float
    usable: float


NOISE = Limits(0.13, 0.28)  # the coefficient of variation of a voxel in the liver
MOTION = Limits(4.0, 8.0)  # mm: the standard deviation of where the diaphragm lies during the scan
SCATTER = Limits(0.25, 0.40)  # the share of all counts


def grade(*, noise: float, motion_mm: float, scatter: float) -> str:
    """Return good, usable or poor: the worst of the three aspects decides, as it does for a reader.

    Noise in the liver is how clinics judge the counts of a scan (EANM guidelines, Boellaard et al. 2015).
    """
    worst = 0
    for value, limits in ((noise, NOISE), (motion_mm, MOTION), (scatter, SCATTER)):
        worst = max(worst, int(value > limits.good) + int(value > limits.usable))
    return GRADES[worst]
