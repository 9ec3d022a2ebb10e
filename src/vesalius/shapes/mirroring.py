"""What a bone lacks, by its own mirror image or its opposite side's: the plain answer others are held against."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage
from scipy.spatial import cKDTree
from scipy.spatial.transform import Rotation

from vesalius.core.errors import DataError
from vesalius.core.image import Array
from vesalius.shapes.fitting import Fitted, moved, refined
from vesalius.shapes.points import Points, points_of
from vesalius.shapes.symmetry import Plane, symmetry_plane

FAR_MM = (8.0, 6.0, 4.0)  # from bone, beyond which something is missing; the first at which something is
BESIDE = 0.6  # voxels from the direction of the next bone, within which there is bone in a direction
SHIFTS_MM = (
    0.0,
    20.0,
    -20.0,
    45.0,
    -45.0,
    80.0,
    -80.0,
)  # along a bone, from which an opposite side's fit begins
RIVAL = 1.15  # times the best residual: a fit elsewhere that is as good


@dataclass(frozen=True, eq=False)
class Completion:
    """The piece that a bone lacks, bits `(Z, Y, X)` that share none with it, and how it was come by.

    `matrix` (4, 4) took the mirrored shape to its place in LPS mm; `plane` is the plane of symmetry, None for an
    opposite side's. `residual_mm` is how far the two lie apart where both are, and `doubt` a sentence, or None.
    """

    implant: Array
    matrix: Array
    plane: Plane | None
    residual_mm: float
    doubt: str | None = None


def mirror_completion(
    defective: Array, affine: Array, *, plane: Plane | None = None, near: Array | None = None
) -> Completion:
    """Return what a skull `(Z, Y, X)` lacks beside its mirror image in its plane of symmetry, laid upon it rigidly.

    Where the hole crosses the plane, its mirror image is a hole, too, and that part stays missing. `plane` is fitted
    where it is not given, near the direction `near` if that is. Raises DataError where nothing is missing, and what
    `symmetry_plane` raises.
    """
    bone, doubt = _bits(defective), None
    if plane is None:
        found = symmetry_plane(bone, affine, near=near)
        plane, doubt = found.plane, found.doubt
    points = points_of(bone, affine)
    fit = refined(points, points, plane.matrix(), kept=0.9)
    implant = open_to_outside(moved(bone, affine, fit.matrix), bone, affine)
    return Completion(implant, fit.matrix, plane, fit.residual_mm, doubt)


def other_side(lacking: Array, healthy: Array, affine: Array) -> Completion:
    """Return what a bone `(Z, Y, X)` lacks beside the mirror image of the opposite side's, `healthy`, on the same grid.

    What is left of the bone is laid upon the mirrored one rigidly, from several places along it. Raises DataError where
    one of them is empty or nothing is missing.
    """
    there, whole = _bits(lacking), _bits(healthy)
    target, points = points_of(whole, affine), points_of(there, affine)
    apart = target.places.mean(axis=0) - points.places.mean(axis=0)
    across = np.array([1.0, 0.0, 0.0]) if abs(apart[0]) >= 0.5 * np.linalg.norm(apart) else apart
    middle = (target.places.mean(axis=0) + points.places.mean(axis=0)) / 2
    flip = Plane.of(middle, across).matrix()
    opposite = target.moved(flip)
    fits = _from_places(points, opposite)
    best, doubt = fits[0], None
    way = np.linalg.inv(best.matrix)
    rivals = [f for f in fits[1:] if np.abs(np.linalg.inv(f.matrix) - way)[:3, 3].max() > 8.0]
    if rivals and rivals[0].residual_mm < RIVAL * max(best.residual_mm, 0.1):
        doubt = "what is left of the bone fits its opposite side in several places alike"
    matrix = way @ flip
    return Completion(
        missing(moved(whole, affine, matrix), there, affine), matrix, None, best.residual_mm, doubt
    )


def _from_places(points: Points, opposite: Points) -> list[Fitted]:
    """Return fits of what is left upon the whole bone from several places along it, the best first."""
    away = opposite.places - opposite.places.mean(axis=0)
    long = np.linalg.eigh(away.T @ away)[1][:, 2]
    tried = []
    for shift in SHIFTS_MM:
        start = np.eye(4)
        start[:3, 3] = shift * long
        tried.append(refined(points.some(700), opposite, start, kept=0.9, rounds=25))
    tried.sort(key=lambda fit: fit.residual_mm)
    return [refined(points, opposite, tried[0].matrix, kept=0.95), *tried[1:]]


def missing(whole: Array, there: Array, affine: Array) -> Array:
    """Return the piece of `whole` that lies far from the bone that is there, in one part; bits `(Z, Y, X)`.

    Where both overlap but for a few mm, the two are the same bone: what is left of `whole` there is no part of the
    piece. Raises DataError where nothing is far.
    """
    steps = np.linalg.norm(affine[:3, :3], axis=0)[::-1]
    far = ndimage.distance_transform_edt(~there, sampling=steps)
    rest = whole & ~there
    core, reach = _core(rest, far, float(steps.max()))
    near = ndimage.distance_transform_edt(~core, sampling=steps) <= 1.25 * reach
    return _with(rest & near, core)


def open_to_outside(whole: Array, there: Array, affine: Array) -> Array:
    """Return the piece of a shell `whole` in whose directions, seen from within, no bone is there; in one part.

    A shell that lies some mm further in or out than the other is no piece of it, however far that is: only what lies
    aside of all bone is. Raises DataError where nothing does.
    """
    rest = whole & ~there
    steps = np.linalg.norm(affine[:3, :3], axis=0)
    bone, held = (np.stack(np.nonzero(bits))[::-1].T @ affine[:3, :3].T for bits in (there, rest))
    middle = (bone.min(axis=0) + bone.max(axis=0)) / 2
    away = held - middle
    reach = np.linalg.norm(away, axis=1)
    ways = (bone - middle) / np.maximum(np.linalg.norm(bone - middle, axis=1, keepdims=True), 1e-6)
    gap, _ = cKDTree(ways).query(away / np.maximum(reach[:, None], 1e-6))
    aside = np.zeros(rest.shape)
    aside[rest] = gap * reach
    core, _ = _core(rest, aside, float(steps.max()))
    inner = _with(rest & (aside > BESIDE * steps.max()), core)
    rim = ndimage.distance_transform_edt(~inner, sampling=steps[::-1]) <= 1.8 * steps.max()
    return _with(rest & rim, core)


def _core(rest: Array, far: Array, voxel_mm: float) -> tuple[Array, float]:
    """Return the largest part of `rest` that lies far away, and how far that is, in mm."""
    for reach in FAR_MM:
        numbered, count = ndimage.label(rest & (far > max(reach, 1.5 * voxel_mm)), np.ones((3, 3, 3), bool))
        if count:
            sizes = np.bincount(numbered.reshape(-1))
            sizes[0] = 0
            return np.asarray(numbered == int(sizes.argmax())), max(reach, 1.5 * voxel_mm)
    raise DataError(
        f"nothing is missing: the completed bone lies nowhere further than {FAR_MM[-1]:g} mm from what is there",
        hint="a bone with a defect, or its plane of symmetry",
    )


def _with(bits: Array, core: Array) -> Array:
    """Return the part of `bits` that most of `core` belongs to."""
    numbered, _ = ndimage.label(bits | core)
    sizes = np.bincount(numbered[core].reshape(-1))
    sizes[0] = 0
    return np.asarray(numbered == int(sizes.argmax()))


def grid_oracle(implant: Array, affine: Array, *, turn_deg: float = 9.0) -> Array:
    """Return a piece `(Z, Y, X)` after it was laid onto a turned grid and back: what a grid alone costs the truth.

    A method that knew the piece exactly, but on a grid of its own with the same voxels, would answer this.
    """
    bits = _bits(implant)
    held = np.stack(np.nonzero(bits))[::-1].mean(axis=1) if bits.any() else np.zeros(3)
    middle = affine[:3, :3] @ held + affine[:3, 3]
    there = np.eye(4)
    axis = np.array([0.36, 0.48, 0.8])
    there[:3, :3] = Rotation.from_rotvec(np.radians(turn_deg) * axis).as_matrix()
    step = affine[:3, :3] @ np.full(3, 0.37)
    there[:3, 3] = middle - there[:3, :3] @ middle + step
    return moved(moved(bits, affine, there), affine, np.linalg.inv(there))


def _bits(mask: Array) -> Array:
    return mask if mask.dtype == bool else mask != 0
