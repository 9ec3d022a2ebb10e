"""CT of two thighs: each femur's share of a voxel, compact bone, trabeculae, marrow, muscle and fat, with noise."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from vesalius.core.image import Array
from vesalius.phantom.common.fields import correlated_noise
from vesalius.phantom.femora import parameters as law
from vesalius.phantom.femora.bone import Femur
from vesalius.phantom.femora.lack import Lack
from vesalius.phantom.femora.pair import Pair, Side


@dataclass(frozen=True, eq=False)
class Half:
    """One side of the field `(Z, Y, X/2)`: shares of voxels that are bone, HU of bone, and what is missing of it."""

    bone: Array
    hu: Array
    missing: Array


def grid_of(planes: int) -> Array:
    """Return the centres `(3, Z, Y, X)` float32 of cubes in mm around the field's middle; X is even."""
    voxel = law.FIELD_MM[2] / planes
    x, y = (2 * round(side / voxel / 2) for side in law.FIELD_MM[:2])
    lines = [((np.arange(n) - (n - 1) / 2) * voxel).astype(np.float32) for n in (planes, y, x)]
    gz, gy, gx = np.meshgrid(*lines, indexing="ij")
    return np.stack([gx, gy, gz])


def half_of(femur: Femur, side: Side, points: Array, lack: Lack | None, *, voxel_mm: float) -> Half:
    """Return one side; `lack` is what it lacks, or None."""
    own = side.in_bone(points)
    depth = femur.depth(own)
    missing = np.zeros_like(depth)
    height = own[2]
    if lack and lack.kind == "fracture":
        above = lack.within(own)  # of an empty slab: minus the distance from the break
        upper = own[2] + lack.slope[0] * own[0] + lack.slope[1] * own[1] > lack.low_mm
        back = lack.moved_back(own)
        lower = np.where(
            back[2] + lack.slope[0] * back[0] + lack.slope[1] * back[1] <= lack.low_mm,
            femur.depth(back),
            -99.0,
        )
        depth = np.maximum(np.where(upper, np.minimum(depth, -above), -99.0), lower).astype(np.float32)
    elif lack:
        missing = _share(lack.within(own), voxel_mm)
    return Half(_share(depth, voxel_mm), _hu(femur, depth, height, voxel_mm), missing)


def _hu(femur: Femur, depth: Array, height: Array, voxel_mm: float) -> Array:
    """Return what bone measures: a compact shell, trabeculae at the ends, marrow in the shaft."""
    cortex = femur.cortex(height)
    within = _share(depth - cortex, voxel_mm)
    shaft = np.clip((cortex - 3.0) / 2.0, 0, 1)
    inner = law.SPONGE + (law.MARROW - law.SPONGE) * shaft
    return np.asarray(law.COMPACT + (inner - law.COMPACT) * within, dtype=np.float32)


def _share(depth: Array, voxel_mm: float) -> Array:
    return np.clip(depth / voxel_mm + 0.5, 0, 1)


def drawn(pair: Pair, lack: Lack | None, points: Array, *, voxel_mm: float) -> tuple[Array, Array, Array]:
    """Return shares of bone, HU of bone and shares that are missing `(Z, Y, X)`, the right side at low x."""
    middle = points.shape[3] // 2
    halves = []
    for name, side, part in (
        ("right", pair.right, slice(0, middle)),
        ("left", pair.left, slice(middle, None)),
    ):
        own = lack if lack and lack.side == name else None
        halves.append(half_of(pair.femur, side, points[..., part], own, voxel_mm=voxel_mm))
    names = ("bone", "hu", "missing")
    bone, hu, missing = (np.concatenate([getattr(h, name) for h in halves], axis=2) for name in names)
    return bone, hu, missing


def seen(
    bone: Array, hu: Array, points: Array, pair: Pair, random: np.random.Generator, *, voxel_mm: float
) -> Array:
    """Return the CT `(Z, Y, X)` int16 in HU; `bone` is the share of each voxel that is bone and not missing."""
    noise, loudness = random.spawn(1)[0], random.uniform(*law.NOISE_HU)
    x, y, z = points
    lean = np.clip((z + 250) / 500, 0, 1)
    middle = (70 + 40 * lean) * (pair.left.place_mm[0] / 132)
    thigh = 1 - np.hypot((np.abs(x) - middle) / (62 + 20 * lean), (y - 4) / (50 + 9 * lean))
    head = _share(thigh * 60, voxel_mm)
    muscle = _share(thigh * 60 - 9, voxel_mm)
    soft = law.FAT + (law.MUSCLE - law.FAT) * muscle
    image = head * soft + (1 - head) * law.AIR
    image = image * (1 - bone) + bone * hu
    image = ndimage.gaussian_filter(image, 0.35)
    image += loudness * correlated_noise(noise, image.shape, sigma_voxels=(0.6, 0.6, 0.6))
    made: Array = np.clip(np.rint(image), -1024, 3071).astype(np.int16)
    return made
