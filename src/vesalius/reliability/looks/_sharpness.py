"""How sharp planes are along their rows and their columns, as two looks share it."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from vesalius.reliability.looks.contract import Sight

TINY = 1e-9


@dataclass(frozen=True, slots=True)
class Sharpness:
    """Logarithms of what is fine to what is coarse: `fine` in all, `x` along a row, `y` along a column."""

    fine: float
    x: float
    y: float


def sharpness(sight: Sight) -> Sharpness | None:
    """Return the sharpness of a case's planes; None where they are flat, or too small to tell.

    What is fine is left once a Gaussian of 1 pixel is taken away, what is coarse lies between 2 and 4 pixels. Their
    ratio does not change with contrast or brightness.
    """
    low, high = sight.span
    if high <= low or min(sight.planes.shape[1:]) < 16:
        return None
    planes = np.clip((sight.planes - low) / (high - low), -0.5, 1.5)
    one, two, four = (ndimage.gaussian_filter(planes, (0, s, s)) for s in (1, 2, 4))
    rest = planes - one
    coarse = math.log(float(np.square(two - four).mean()) + TINY)
    fine, x, y = (
        math.log(float(np.square(a).mean()) + TINY) - coarse
        for a in (rest, np.diff(rest, axis=2), np.diff(rest, axis=1))
    )
    return Sharpness(fine, x, y)
