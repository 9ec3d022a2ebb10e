"""Blur: a Gaussian of so many voxels along each axis."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from vesalius.core.image import Array, Image
from vesalius.prepare.degradations.contract import Degradation


class Blur(Degradation):
    """Convolve with a Gaussian whose deviation is counted in voxels; at the border the image goes on mirrored."""

    unit: ClassVar[str] = "voxels (standard deviation)"
    clean: ClassVar[float] = 0.0
    amounts: ClassVar[tuple[float, ...]] = (1.0, 2.0, 4.0)
    least: ClassVar[float] = 0.0
    most: ClassVar[float] = 64.0

    def make(self, x: Array, amount: float, generator: np.random.Generator, *, image: Image) -> Array:
        """Return the blurred image."""
        from scipy.ndimage import gaussian_filter

        found: Array = gaussian_filter(x, [0.0, *(amount if n > 1 else 0.0 for n in x.shape[1:])])
        return found


DEGRADATION = Blur()
