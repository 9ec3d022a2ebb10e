"""The mask to beat: where each label lies on average in the training masks, whatever the image shows."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

import numpy as np

from vesalius.core.answer import Mask
from vesalius.core.cohort import Label
from vesalius.core.errors import DataError
from vesalius.core.image import Array, Image

GRID = 64


def prior(masks: Iterable[Image], labels: Sequence[Label], *, grid: int = GRID) -> Array:
    """How often each voxel of a common grid holds each label: `(K, g, g, g)` float32, `(K, 1, g, g)` in 2-D.

    Every mask is stretched onto the grid by exact area averages, so a label's mean over the grid is its mean
    share of the image. One plane is in memory at a time. Raises DataError without masks.
    """
    total: Array | None = None
    seen = 0
    for mask in masks:
        depth = 1 if mask.is_2d else grid
        if total is None:
            total = np.zeros((len(labels), depth, grid, grid), dtype=np.float64)
        z, y, x = mask.shape
        along_z, along_y, along_x = _average(z, total.shape[1]), _average(y, grid), _average(x, grid)
        for k, label in enumerate(labels):
            for i in range(z):
                bits = mask.array[k, i] != 0 if mask.array.shape[0] > 1 else mask.array[0, i] == label.value
                if bits.any():
                    flat = along_y @ bits.astype(np.float32) @ along_x.T
                    touched = np.flatnonzero(along_z[:, i])
                    total[k, touched] += along_z[touched, i, None, None] * flat
        seen += 1
    if total is None:
        raise DataError("no masks to average")
    return (total / seen).astype(np.float32)


def baseline(prior: Array, reference: Image, labels: Sequence[Label], *, overlapping: bool = False) -> Mask:
    """The training-mean mask on a reference's grid: for each label the voxels that held it most often.

    As many as it has on average, rather than those above one half, which for small or wandering labels are none.
    Where labels exclude one another the more frequent one wins.
    """
    shape = reference.shape
    planes = []
    for one in prior:
        full = one.astype(np.float32)
        for axis, (g, n) in enumerate(zip(one.shape, shape, strict=True)):
            full = np.moveaxis(np.tensordot(_linear(g, n), full, axes=(1, axis)), 0, axis)
        many = round(float(one.mean()) * full.size)
        if many < 1:
            planes.append(np.zeros_like(full))
            continue
        least = np.partition(full.ravel(), full.size - many)[full.size - many]
        planes.append(np.where((full >= least) & (full > 0), full, 0.0))
    stack = np.stack(planes)
    if overlapping:
        array = (stack > 0).astype(np.uint8)
    else:
        values = np.array([label.value for label in labels])
        winner = values[stack.argmax(axis=0)]
        array = np.where(stack.max(axis=0) > 0, winner, 0).astype(np.min_scalar_type(int(values.max())))[None]
    image = Image(
        array,
        affine=reference.affine,
        spacing_mm=reference.spacing_mm,
        spacing_at=reference.spacing_at,
        source=reference.source,
    )
    return replace(Mask(image=image, labels=tuple(labels)), overlapping=overlapping)


def _average(n: int, g: int) -> Array:
    """`(g, n)`: the share of each of n pixels in each of g equal stretches of the axis; rows sum to one."""
    edges = np.linspace(0, n, g + 1)
    low, high = edges[:-1, None], edges[1:, None]
    pixel = np.arange(n)[None]
    overlap = np.clip(np.minimum(high, pixel + 1) - np.maximum(low, pixel), 0, None)
    return np.asarray(overlap * g / n, dtype=np.float32)


def _linear(g: int, n: int) -> Array:
    """`(n, g)`: linear interpolation from g cells to n, centre to centre, held at the ends."""
    at = np.clip((np.arange(n) + 0.5) * g / n - 0.5, 0, g - 1)
    low = np.floor(at).astype(int)
    high = np.minimum(low + 1, g - 1)
    weights = np.zeros((n, g), dtype=np.float32)
    weights[np.arange(n), low] += 1 - (at - low)
    weights[np.arange(n), high] += at - low
    return weights
