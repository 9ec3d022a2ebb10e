"""Contrast: less of it, about the mean of the image, or of each channel where these are no colours."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from vesalius.core.channels import are_colours
from vesalius.core.image import Array, Image
from vesalius.prepare.degradations.contract import Degradation


class Contrast(Degradation):
    """Bring each value nearer to the mean of the image or its channel, so that a share of its distance is left."""

    unit: ClassVar[str] = "% of the contrast left"
    clean: ClassVar[float] = 100.0
    amounts: ClassVar[tuple[float, ...]] = (70.0, 50.0, 30.0)
    least: ClassVar[float] = 0.0
    most: ClassVar[float] = 100.0

    def make(self, x: Array, amount: float, generator: np.random.Generator, *, image: Image) -> Array:
        """Return the image with less contrast."""
        mean = x.mean(axis=None if are_colours(image.channels) else (1, 2, 3), keepdims=True)
        found: Array = mean + (x - mean) * amount / 100
        return found


DEGRADATION = Contrast()
