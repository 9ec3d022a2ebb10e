"""Four scanners of heads: each has a gain, a curve, a contrast, a bias field and a noise of its own, as stated."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from scipy import ndimage

from vesalius.core.image import Array
from vesalius.phantom.heads.head import GREY, T1, WHITE, Head


@dataclass(frozen=True)
class Scanner:
    """What a scanner does to the brightness of tissues, in this order.

    `contrast` multiplies grey matter, `gamma` bends brightness between 0 and 1, `bias` is how far the field reaches
    above and below 1 along `axis` (0 for z, 1 for y, 2 for x), `noise` a standard deviation relative to white matter,
    and `gain` the stored value of 1.
    """

    name: str
    gain: float
    gamma: float
    contrast: float
    bias: float
    axis: int
    noise: float

    def truth(self) -> dict[str, Any]:
        """Return the scanner as plain data."""
        return asdict(self)


SCANNERS = (
    Scanner("A", 1000.0, 1.0, 1.0, 0.0, 0, 0.02),
    Scanner("B", 3200.0, 0.75, 1.05, 0.20, 2, 0.03),
    Scanner("C", 450.0, 1.35, 0.97, 0.15, 1, 0.03),
    Scanner("D", 1800.0, 1.1, 0.90, 0.30, 0, 0.05),
)


def weakened(scanner: Scanner, strength: float) -> Scanner:
    """Return a scanner whose differences from the first are so strong as `strength` says, from 0 to 1 and beyond."""
    first = SCANNERS[0]

    def between(one: float, own: float) -> float:
        return float(one * (own / one) ** strength) if one else own * strength

    return Scanner(
        scanner.name,
        between(first.gain, scanner.gain),
        between(first.gamma, scanner.gamma),
        between(first.contrast, scanner.contrast),
        scanner.bias * strength,
        scanner.axis,
        between(first.noise, scanner.noise),
    )


def scanned(head: Head, scanner: Scanner, rng: np.random.Generator) -> Array:
    """Return a head as a scanner stores it, `(Z, Y, X)` int16: blurred by half a voxel, with a field and noise."""
    bright = np.array(T1, np.float32)
    bright[GREY] *= scanner.contrast
    bright = bright**scanner.gamma
    image = ndimage.gaussian_filter(bright[head.tissue], 0.5)
    size = head.tissue.shape[0]
    ramp = np.linspace(-1, 1, size, dtype=np.float32)
    field = 1 + scanner.bias * np.sin(ramp * np.pi / 2) * 0.8 + scanner.bias * 0.4 * (ramp**2 - 1 / 3)
    image = image * field.reshape([-1 if k == scanner.axis else 1 for k in range(3)])
    real = image + rng.normal(0, scanner.noise * bright[WHITE], image.shape)
    other = rng.normal(0, scanner.noise * bright[WHITE], image.shape)
    stored = np.hypot(real, other) * scanner.gain  # magnitude images have Rician noise
    made: Array = np.clip(np.rint(stored), 0, np.iinfo(np.int16).max).astype(np.int16)
    return made
