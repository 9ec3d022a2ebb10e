"""Smooth random fields: a deformation of space, and noise correlated between neighbouring voxels."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from vesalius.core.image import Array


@dataclass(frozen=True, eq=False)
class Deformation:
    """A displacement of space in mm: the sum of W plane waves.

    `amplitude_mm` (W, 3), `wave_per_mm` (W, 3) in radians a millimetre, `phase` (W,).
    """

    amplitude_mm: Array
    wave_per_mm: Array
    phase: Array

    def __call__(self, points: Array) -> Array:
        """Return points `(3, …)` in mm, displaced."""
        moved = points.copy()
        for amplitude, wave, phase in zip(self.amplitude_mm, self.wave_per_mm, self.phase, strict=True):
            angle = wave[0] * points[0] + wave[1] * points[1] + wave[2] * points[2] + phase
            ripple = np.sin(angle.astype(points.dtype))
            for axis in range(3):
                moved[axis] += points.dtype.type(amplitude[axis]) * ripple
        return moved


def draw_deformation(rng: np.random.Generator, *, rms_mm: float = 4.0, waves: int = 4) -> Deformation:
    """Return a deformation with wavelengths from 130 to 300 mm and the given root mean square along each axis."""
    direction = rng.normal(size=(waves, 3))
    direction /= np.linalg.norm(direction, axis=1, keepdims=True)
    wave = direction * (2 * np.pi / rng.uniform(130, 300, size=(waves, 1)))
    amplitude = rng.normal(size=(waves, 3))
    amplitude *= rms_mm * np.sqrt(2) / np.sqrt((amplitude**2).sum(axis=0, keepdims=True))
    return Deformation(amplitude, wave, rng.uniform(0, 2 * np.pi, size=waves))


def correlated_noise(
    rng: np.random.Generator, shape: tuple[int, int, int], *, sigma_voxels: tuple[float, float, float]
) -> Array:
    """Return Gaussian noise `(Z, Y, X)` float32 of mean 0 and variance 1 at every voxel, smooth over `sigma_voxels`.

    White noise through a periodic Gaussian filter, divided by the filter's own norm: the variance is exact
    by construction and not by measuring the draw.
    """
    noise = rng.standard_normal(shape, dtype=np.float32)
    noise = ndimage.gaussian_filter(noise, sigma_voxels, mode="wrap")
    norm = 1.0
    for size, sigma in zip(shape, sigma_voxels, strict=True):
        delta = np.zeros(size)
        delta[size // 2] = 1.0
        norm *= float(np.sqrt((ndimage.gaussian_filter1d(delta, sigma, mode="wrap") ** 2).sum()))
    return np.asarray(noise / np.float32(norm))
