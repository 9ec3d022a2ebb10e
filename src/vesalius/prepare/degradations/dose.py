"""Dose: as much noise as a lower dose adds to what the image has, found from the image itself."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from vesalius.core.errors import DataError
from vesalius.core.image import Array, Image
from vesalius.prepare.degradations.contract import Degradation

_LEAST = 1e-4  # of the reach: noise below it is that of rounding
_KERNEL = np.array([[1, -2, 1], [-2, 4, -2], [1, -2, 1]])  # blind to planes and to straight edges


class Dose(Degradation):
    """Add the noise that is lacking to a share of the dose, for noise whose variance is inverse to the dose.

    The noise that the image has, of standard deviation s, is found in its planes (Immerkær, Computer Vision and Image
    Understanding 64:300, 1996; the median over planes). At a share f of the dose its variance is s² / f, so that
    s² (1/f - 1) is added: the same everywhere in Hounsfield units, and proportional to the value above the lowest,
    with s that of the mean value, elsewhere, as counts have it (Poisson). What is added is independent from voxel to
    voxel, which noise after reconstruction is not; so a lower dose is told better from this than it looks. An image
    without noise of its own is refused: nothing tells what a lower dose would do to it.
    """

    unit: ClassVar[str] = "% of the dose"
    clean: ClassVar[float] = 100.0
    amounts: ClassVar[tuple[float, ...]] = (50.0, 25.0, 10.0)
    least: ClassVar[float] = 0.1
    most: ClassVar[float] = 100.0

    def make(self, x: Array, amount: float, generator: np.random.Generator, *, image: Image) -> Array:
        """Return the image with further noise."""
        out = np.empty_like(x)
        for c, channel in enumerate(x):
            sd = own_noise(channel)
            if sd < _LEAST:
                raise DataError(
                    "the image has no noise of its own, so that nothing tells what a lower dose would do to it",
                    hint="noise, whose amount is stated",
                )
            variance = np.full_like(channel, sd**2)
            if image.unit != "HU":
                variance *= channel / max(float(channel.mean()), 1e-9)
            out[c] = channel + generator.normal(0.0, 1.0, channel.shape) * np.sqrt(
                variance * (100 / amount - 1)
            )
        return out


def own_noise(volume: Array) -> float:
    """Return the standard deviation of the noise in `(Z, Y, X)`: the median over its planes of Immerkær's estimate.

    Planes of fewer than 3 × 3 voxels say nothing, and neither do planes of one value.
    """
    from scipy.signal import convolve2d

    found = []
    for plane in volume:
        if min(plane.shape) >= 3 and plane.min() < plane.max():
            laplace = np.abs(convolve2d(plane, _KERNEL, mode="valid"))
            found.append(float(laplace.mean()) * np.sqrt(np.pi / 2) / 6)
    return float(np.median(found)) if found else 0.0


DEGRADATION = Dose()
