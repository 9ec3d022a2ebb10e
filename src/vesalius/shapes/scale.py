"""Scale: which colour a number at a point of a surface has."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from vesalius.core.errors import DataError
from vesalius.core.image import Array
from vesalius.core.palette import rgb

RISING = ("#440154", "#472d7b", "#3b528b", "#2c728e", "#21918c", "#28ae80", "#5ec962", "#addc30", "#fde725")
"""Viridis at nine places (Smith and van der Walt 2015): even in lightness, and read with every colour vision."""
SIGNED = ("#1f4fbf", "#7fa6e8", "#e4e4e4", "#f0a45c", "#c24a00")
"""Blue below zero, orange above, as fields of two signs have them elsewhere."""
UNKNOWN = "#9a9a9a"


@dataclass(frozen=True, kw_only=True)
class Scale:
    """A quantity, its unit, and the lowest and highest value that have colours of their own.

    Values beyond have the colours of the ends. Where `low` is below 0 the scale has two signs, and 0 is grey between
    blue and orange. Raises DataError where the limits are no numbers or in the wrong order.
    """

    name: str
    unit: str
    low: float
    high: float

    def __post_init__(self) -> None:
        if not (np.isfinite([self.low, self.high]).all() and self.low < self.high):
            raise DataError("a scale of colours needs two limits", found=f"{self.low} to {self.high}")

    @property
    def signed(self) -> bool:
        """Whether it has two signs."""
        return self.low < 0

    def colours(self, values: Array) -> Array:
        """Return the colours of numbers `(N,)` as `(N, 3)` from 0 to 255; grey where a number is not known (NaN)."""
        held = np.asarray(values, dtype=np.float64)
        steps: tuple[str, ...]
        if self.signed:
            most = max(-self.low, self.high)
            part, steps = (np.clip(held / most, -1, 1) + 1) / 2, SIGNED
        else:
            part, steps = np.clip((held - self.low) / (self.high - self.low), 0, 1), RISING
        known = np.isfinite(held)
        at = np.linspace(0, 1, len(steps))
        table = np.array([rgb(step) for step in steps], dtype=np.float64)
        found = np.stack([np.interp(np.where(known, part, 0), at, table[:, k]) for k in range(3)], axis=-1)
        found[~known] = rgb(UNKNOWN)
        return found

    def beyond(self, values: Array) -> tuple[bool, bool]:
        """Return whether numbers lie below the lowest and above the highest."""
        held = np.asarray(values, dtype=np.float64)
        slack = 1e-6 * (self.high - self.low)
        return bool((held < self.low - slack).any()), bool((held > self.high + slack).any())


def scale_of(values: Sequence[Array], name: str, unit: str) -> Scale:
    """Return the scale that holds all numbers at the vertices of surfaces: from 0, or as far below it as above.

    Its end is the 99th percentile, rounded up to two digits, so that one spike does not make all else one colour.
    Raises DataError where there is no number.
    """
    held = (
        np.concatenate([np.asarray(x, dtype=np.float64).ravel() for x in values]) if values else np.zeros(0)
    )
    held = held[np.isfinite(held)]
    if not held.size:
        raise DataError(f"there is no number to be shown as a colour: {name}")
    most = float(np.percentile(np.abs(held), 99)) or float(np.abs(held).max()) or 1.0
    digit = 10.0 ** (np.floor(np.log10(most)) - 1)
    high = float(np.ceil(most / digit - 1e-9) * digit)
    return Scale(name=name, unit=unit, low=-high if float(held.min()) < 0 else 0.0, high=high)
