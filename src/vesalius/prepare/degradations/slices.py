"""Slices: only every so many of a volume are there; those between are interpolated."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from vesalius.core.image import Array, Image
from vesalius.prepare.degradations.contract import Degradation


class Slices(Degradation):
    """Keep every n-th slice from the first on; others are interpolated linearly, and the end repeats the last."""

    unit: ClassVar[str] = "slices, of which one is there"
    clean: ClassVar[float] = 1.0
    amounts: ClassVar[tuple[float, ...]] = (2.0, 3.0, 5.0)
    least: ClassVar[float] = 1.0
    most: ClassVar[float] = 64.0
    planes: ClassVar[bool] = True

    def make(self, x: Array, amount: float, generator: np.random.Generator, *, image: Image) -> Array:
        """Return the volume with interpolated slices."""
        step, last = max(1, round(amount)), x.shape[1] - 1
        place = np.minimum(
            np.arange(x.shape[1]) / step, last // step
        )  # in kept slices; none is kept after the last
        before = np.floor(place).astype(int)
        after = np.minimum(before + 1, last // step)
        share = (place - before)[:, None, None]
        found: Array = x[:, before * step] * (1 - share) + x[:, after * step] * share
        return found


DEGRADATION = Slices()
