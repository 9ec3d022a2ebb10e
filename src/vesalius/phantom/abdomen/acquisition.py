"""Acquisition: the oblique, anisotropic grid of a study, and what the scanner adds: blur and noise."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from vesalius.core.image import Array, Triple
from vesalius.phantom.abdomen.anatomy import Anatomy
from vesalius.phantom.common.fields import correlated_noise

COVERAGE_MM = 236.0


@dataclass(frozen=True, eq=False)
class Acquisition:
    """How a study was scanned. `affine` maps the index `(x, y, z)` to LPS mm and is a rotation times spacing.

    `blur_mm` is the point spread's standard deviation in the plane and along the table; `noise_hu` the noise's
    standard deviation at a voxel and `grain_voxels` its correlation, `(z, y, x)`.
    """

    shape: tuple[int, int, int]
    affine: Array
    spacing_mm: Triple
    rotation_deg: Triple
    blur_mm: tuple[float, float]
    noise_hu: float
    grain_voxels: Triple


def draw_acquisition(rng: np.random.Generator, shape: tuple[int, int, int], anatomy: Anatomy) -> Acquisition:
    """Return a grid of `shape` (Z, Y, X) around the abdomen: the field of view follows the patient's width."""
    depth, height, width = shape
    field = 2 * anatomy.half_width_mm + float(rng.uniform(56, 76))
    coverage = COVERAGE_MM * anatomy.scale * float(rng.uniform(0.96, 1.04))
    in_plane = round(field / min(height, width), 4)
    spacing = (in_plane, in_plane, round(coverage / depth, 4))
    degrees = tuple(round(float(d), 3) for d in rng.uniform(1.0, 6.0, 3) * rng.choice((-1.0, 1.0), 3))
    affine = np.eye(4)
    affine[:3, :3] = _rotation(degrees) * np.array(spacing)
    middle = (np.array((width, height, depth)) - 1) / 2
    centre = np.array((rng.uniform(-5, 5), 12 + rng.uniform(-5, 5), -4 + rng.uniform(-4, 4)))
    affine[:3, 3] = np.round(centre - affine[:3, :3] @ middle, 4)
    return Acquisition(
        shape,
        affine,
        spacing,
        (degrees[0], degrees[1], degrees[2]),
        (round(float(rng.uniform(0.6, 1.1)), 3), round(float(rng.uniform(0.8, 1.6)), 3)),
        round(float(rng.uniform(8, 18)), 3),
        (0.45, 0.75, 0.75),
    )


def _rotation(degrees: tuple[float, ...]) -> Array:
    """Rotation about x, then y, then z; determinant +1."""
    (cx, sx), (cy, sy), (cz, sz) = ((np.cos(a), np.sin(a)) for a in np.deg2rad(degrees))
    about_x = np.array([[1, 0, 0], [0, cx, -sx], [0, sx, cx]])
    about_y = np.array([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]])
    about_z = np.array([[cz, -sz, 0], [sz, cz, 0], [0, 0, 1]])
    return np.asarray(about_z @ about_y @ about_x)


def voxel_points(acquisition: Acquisition) -> Array:
    """Return LPS mm of every voxel's centre, `(3, Z, Y, X)` float32."""
    z, y, x = (np.arange(n, dtype=np.float64) for n in acquisition.shape)
    a = acquisition.affine
    points = [
        (a[i, 2] * z + a[i, 3])[:, None, None] + (a[i, 1] * y)[:, None] + (a[i, 0] * x) for i in range(3)
    ]
    return np.stack(points).astype(np.float32)


def scan(rng: np.random.Generator, hu: Array, acquisition: Acquisition) -> Array:
    """Return densities as a scanner shows them, blurred, noisy and rounded: `(Z, Y, X)` int16, −1024 to 3071 HU."""
    x, _, z = acquisition.spacing_mm
    in_plane, through = acquisition.blur_mm
    blurred = ndimage.gaussian_filter(hu, (through / z, in_plane / x, in_plane / x), mode="nearest")
    noise = correlated_noise(rng, acquisition.shape, sigma_voxels=acquisition.grain_voxels)
    noisy = blurred + np.float32(acquisition.noise_hu) * noise
    return np.asarray(np.clip(np.rint(noisy), -1024, 3071).astype(np.int16))
