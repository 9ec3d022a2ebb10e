"""Noise: Gaussian, the same everywhere, as a share of the image's reach."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from vesalius.core.image import Array, Image
from vesalius.prepare.degradations.contract import Degradation


class Noise(Degradation):
    """Add independent Gaussian noise to each voxel; its standard deviation is a share of lowest to highest value."""

    unit: ClassVar[str] = "% of the image's reach"
    clean: ClassVar[float] = 0.0
    amounts: ClassVar[tuple[float, ...]] = (5.0, 10.0, 20.0)
    least: ClassVar[float] = 0.0
    most: ClassVar[float] = 100.0

    def make(self, x: Array, amount: float, generator: np.random.Generator, *, image: Image) -> Array:
        """Return the noisy image."""
        return x + generator.normal(0.0, amount / 100, x.shape)


DEGRADATION = Noise()
