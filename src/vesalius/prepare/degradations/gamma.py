"""Gamma: values between the lowest and the highest raised to a power, which darkens or lightens what lies between."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from vesalius.core.image import Array, Image
from vesalius.prepare.degradations.contract import Degradation


class Gamma(Degradation):
    """Raise the value's place between lowest (0) and highest (1) to a power; above 1 darkens."""

    unit: ClassVar[str] = "as the power"
    clean: ClassVar[float] = 1.0
    amounts: ClassVar[tuple[float, ...]] = (1.5, 2.0, 3.0)
    least: ClassVar[float] = 0.05
    most: ClassVar[float] = 20.0

    def make(self, x: Array, amount: float, generator: np.random.Generator, *, image: Image) -> Array:
        """Return the darkened image."""
        found: Array = np.clip(x, 0.0, 1.0) ** amount
        return found


DEGRADATION = Gamma()
