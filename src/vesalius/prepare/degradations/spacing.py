"""Spacing: as many times coarser in each plane, interpolated back onto the same grid."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from vesalius.core.image import Array, Image
from vesalius.prepare.degradations.contract import Degradation


class Spacing(Degradation):
    """Sample each plane on a grid that is so many times coarser, linearly, and interpolate back onto its own grid."""

    unit: ClassVar[str] = "times the spacing in the plane"
    clean: ClassVar[float] = 1.0
    amounts: ClassVar[tuple[float, ...]] = (2.0, 4.0, 8.0)
    least: ClassVar[float] = 1.0
    most: ClassVar[float] = 64.0

    def make(self, x: Array, amount: float, generator: np.random.Generator, *, image: Image) -> Array:
        """Return the coarser image."""
        from scipy.ndimage import zoom

        small = zoom(
            x, [1, 1, *(1 / min(amount, n) for n in x.shape[2:])], order=1, grid_mode=True, mode="nearest"
        )
        scale = [n / m for n, m in zip(x.shape, small.shape, strict=True)]
        found: Array = zoom(small, scale, order=1, grid_mode=True, mode="nearest")
        return found


DEGRADATION = Spacing()
