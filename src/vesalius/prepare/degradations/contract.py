"""The contract of a degradation: one file in `prepare/degradations/`, found by its name."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from typing import ClassVar

import numpy as np

from vesalius.core.channels import are_colours
from vesalius.core.errors import DataError
from vesalius.core.image import Array, Image


class Degradation(ABC):
    """One way in which an image gets worse. Instances hold nothing; a file ends in `DEGRADATION = …`.

    `unit` says in words what an amount is counted in, `clean` the amount that changes nothing, and `amounts` those that
    are tried unasked, the mildest first. `least` and `most` bound what may be asked for. `planes` says that an image
    needs several planes. An image stays on its grid, so that what is known of its places stays true.
    """

    unit: ClassVar[str]
    clean: ClassVar[float]
    amounts: ClassVar[tuple[float, ...]]
    least: ClassVar[float]
    most: ClassVar[float]
    planes: ClassVar[bool] = False

    @abstractmethod
    def make(self, x: Array, amount: float, generator: np.random.Generator, *, image: Image) -> Array:
        """Return `x` `(C, Z, Y, X)` float64 made worse, of the same shape.

        Each channel of `x` is between 0 and 1, its lowest and its highest value in `image`, whose unit and spacing may
        be asked for. Values beyond that are cut off afterwards.
        """

    def assert_fits(self, image: Image) -> None:
        """Raise DataError for an image that cannot be made worse in this way."""
        if self.planes and image.is_2d:
            raise DataError("slices can be missing from a volume alone", found="an image of one plane")

    def assert_amount(self, amount: float, name: str) -> None:
        """Raise DataError for an amount that is out of bounds."""
        if not math.isfinite(amount) or not self.least <= amount <= self.most:
            raise DataError(
                f"'{name}' takes an amount from {self.least:g} to {self.most:g} {self.unit}",
                found=f"{amount:g}",
            )

    def worse(self, image: Image, amount: float, generator: np.random.Generator) -> Array:
        """Return the array `(C, Z, Y, X)` of an image made worse, in the image's own type and within its own ends.

        Colours are scaled together, other channels each by itself.
        """
        x = image.array.astype(np.float64)
        axes = None if are_colours(image.channels) else (1, 2, 3)
        low, high = x.min(axis=axes, keepdims=True), x.max(axis=axes, keepdims=True)
        reach = np.where(high > low, high - low, 1.0)
        made = self.make((x - low) / reach, amount, generator, image=image)
        out = np.clip(made, 0.0, 1.0) * reach + low
        whole = np.issubdtype(image.array.dtype, np.integer)
        found: Array = (np.rint(out) if whole else out).astype(image.array.dtype)
        return found
