"""How alike two images are where they are laid over one another: the mutual information of their values."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import map_coordinates

from vesalius.core.image import Array
from vesalius.prepare.aligning.contract import Field
from vesalius.prepare.geometry import resample

BINS = 32
LEAST = 0.2  # of the points that must lie in both images, or nothing is known


class Pyramid:
    """An image at several sizes, each as coarse as is asked for and no finer than it is."""

    def __init__(self, field: Field) -> None:
        self.field = field

    def at(self, longest: int) -> Field:
        """Return the image with voxels of which `longest` make its longest side, nearly as large in all axes."""
        shape = np.array(self.field.array.shape)
        spacing = self.field.spacing[::-1]
        size = float((shape * spacing)[1:].max() if self.field.flat else (shape * spacing).max()) / longest
        wanted = [int(max(1, min(n, np.ceil(n * s / size)))) for n, s in zip(shape, spacing, strict=True)]
        if tuple(wanted) == self.field.array.shape:
            return self.field
        smaller = resample(self.field.array[None], (wanted[0], wanted[1], wanted[2]))[0]
        ratio = (shape / wanted)[::-1]
        affine = self.field.affine @ np.diag([*ratio, 1.0])
        affine[:3, 3] = self.field.affine[:3, :3] @ ((ratio - 1) / 2) + self.field.affine[:3, 3]
        return Field(smaller, affine)


@dataclass(frozen=True, eq=False)
class Points:
    """Random places `(3, N)` of an image, in its affine's unit, its values there `(N,)`, and the span of all of it.

    They lie between voxels, so that no registration is the better for laying one grid upon the other.
    """

    places: Array
    values: Array
    span: tuple[float, float]

    @classmethod
    def of(cls, field: Field, count: int, seed: int) -> Points:
        """Draw them."""
        high = np.maximum(np.array(field.array.shape) - 1, 0)
        index = np.random.default_rng(seed).random((3, count)) * high[:, None]
        values = map_coordinates(field.array, index, order=1, mode="nearest")
        places = field.affine[:3, :3] @ index[::-1] + field.affine[:3, 3:4]
        return cls(np.asarray(places), np.asarray(values), field.span)


def seen_at(field: Field, places: Array) -> tuple[Array, Array]:
    """Return an image's values at places `(3, N)`, and which of these lie in it."""
    inverse = np.linalg.inv(field.affine)
    index = (inverse[:3, :3] @ places + inverse[:3, 3:4])[::-1]
    if field.flat:
        index[0] = 0.0
    limit = np.array(field.array.shape)[:, None] - 0.5
    inside = ((index >= -0.5) & (index <= limit)).all(axis=0)
    return np.asarray(map_coordinates(field.array, index, order=1, mode="nearest")), np.asarray(inside)


def mutual_information(points: Points, moving: Field, matrix: Array) -> float:
    """Return the normalised mutual information of values at points and of those that a registration lays upon them.

    It is (H(A) + H(B)) / H(A, B), from 1 for images that say nothing of one another to 2 (Studholme, Hill and Hawkes
    1999); 0 where too few of the points lie in both.
    """
    other, inside = seen_at(moving, matrix[:3, :3] @ points.places + matrix[:3, 3:4])
    if inside.mean() < LEAST:
        return 0.0
    a, b = _binned(points.values[inside], points.span), _binned(other[inside], moving.span)
    low = b.astype(np.int64)
    part = b - low
    first = np.rint(a).astype(np.int64) * (BINS + 1)
    joint = np.bincount(first + low, 1 - part, (BINS + 1) ** 2)
    joint += np.bincount(first + np.minimum(low + 1, BINS), part, (BINS + 1) ** 2)
    joint = joint.reshape(BINS + 1, BINS + 1) / joint.sum()
    whole = _entropy(joint.ravel())
    return (_entropy(joint.sum(axis=0)) + _entropy(joint.sum(axis=1))) / whole if whole > 0 else 0.0


def overlap(points: Points, moving: Field, matrix: Array) -> float:
    """Return which share of the points lies in the other image, too."""
    return float(seen_at(moving, matrix[:3, :3] @ points.places + matrix[:3, 3:4])[1].mean())


def _binned(values: Array, span: tuple[float, float]) -> Array:
    """Return values as places among BINS, of which the first and the last hold what lies beyond."""
    low, high = span
    return np.asarray(np.clip((values - low) / max(high - low, 1e-12), 0.0, 1.0) * BINS)


def _entropy(p: Array) -> float:
    p = p[p > 0]
    return float(-(p * np.log(p)).sum())
