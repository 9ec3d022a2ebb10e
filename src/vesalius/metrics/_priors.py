"""The mask to beat: where each label lies on average in the training masks, whatever the image shows."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

import numpy as np

from vesalius.core.answers.mask import Mask
from vesalius.core.case import IGNORED
from vesalius.core.cohort import Label
from vesalius.core.errors import DataError
from vesalius.core.image import Array, Image
from vesalius.metrics._surfaces import Box, boxes

GRID = 64


def prior(masks: Iterable[Image], labels: Sequence[Label], *, grid: int = GRID) -> Array:
    """Return how often each voxel of a common grid holds each label: `(K, g, g, g)` float32, `(K, 1, g, g)` in 2-D.

    Every mask is stretched onto the grid by exact area averages, so a label's mean over the grid is its mean
    share of the image. What is IGNORED in a mask counts neither way. One plane is in memory at a time. Raises
    DataError without masks.
    """
    total: Array | None = None
    unknown: Array | None = None
    seen = 0
    for mask in masks:
        depth = 1 if mask.is_2d else grid
        if total is None:
            total = np.zeros((len(labels), depth, grid, grid), dtype=np.float64)
        z, y, x = mask.shape
        along_z, along_y, along_x = _average(z, total.shape[1]), _average(y, grid), _average(x, grid)
        for k, (label, box) in enumerate(zip(labels, boxes(mask.array, labels), strict=True)):
            if box is None:
                continue
            one = mask.array[k if mask.array.shape[0] > 1 else 0]
            for i in range(box[0].start, box[0].stop):
                plane = one[i][box[1:]]
                bits = plane != 0 if mask.array.shape[0] > 1 else plane == label.value
                flat = along_y[:, box[1]] @ bits.astype(np.float32) @ along_x[:, box[2]].T
                touched = np.flatnonzero(along_z[:, i])
                total[k, touched] += along_z[touched, i, None, None] * flat
        seen += 1
        if mask.array.dtype.kind == "i" and (hidden := mask.array[0] == IGNORED).any():
            unknown = np.zeros(total.shape[1:], np.float64) if unknown is None else unknown
            for i, bits in enumerate(hidden):
                touched = np.flatnonzero(along_z[:, i])
                flat = along_y @ bits.astype(np.float32) @ along_x.T
                unknown[touched] += along_z[touched, i, None, None] * flat
    if total is None:
        raise DataError("no masks to average")
    if unknown is None:
        return (total / seen).astype(np.float32)
    known = seen - unknown
    mean: Array = np.divide(total, known, out=np.zeros_like(total), where=known > 1e-6)
    return mean.astype(np.float32)


def baseline(prior: Array, reference: Image, labels: Sequence[Label], *, overlapping: bool = False) -> Mask:
    """Return the training-mean mask on a reference's grid: for each label the voxels that held it most often.

    As many as it has on average, rather than those above one half, which for small or wandering labels are none.
    Where labels exclude one another the more frequent one wins.
    """
    shape = reference.shape
    labels = tuple(labels)
    kind = np.uint8 if overlapping else np.min_scalar_type(max((label.value for label in labels), default=0))
    array = np.zeros((len(labels) if overlapping else 1, *shape), dtype=kind)
    best = np.zeros((1, 1, 1) if overlapping else shape, dtype=np.float32)
    for k, (one, label) in enumerate(zip(prior, labels, strict=True)):
        many = round(float(one.mean()) * array[0].size)
        found = boxes((one > 0)[None].view(np.uint8), (Label(1, "any"),))[0]
        if many < 1 or found is None:
            continue
        box, full = _stretched(one, found, shape)
        many = min(many, full.size)
        least = np.partition(full.ravel(), full.size - many)[full.size - many]
        chosen = (full >= least) & (full > 0)
        if overlapping:
            array[k][box] = chosen
        else:
            chosen &= full > best[box]
            best[box] = np.where(chosen, full, best[box])
            array[0][box] = np.where(chosen, label.value, array[0][box])
    image = Image(
        array,
        affine=reference.affine,
        spacing_mm=reference.spacing_mm,
        spacing_at=reference.spacing_at,
        source=reference.source,
    )
    return replace(Mask(image=image, labels=tuple(labels)), overlapping=overlapping)


def _stretched(one: Array, held: Box, shape: tuple[int, int, int]) -> tuple[Box, Array]:
    """Return the box on a grid of `shape` that the part of a prior within `held` reaches, and its values there."""
    full, reach = one.astype(np.float32), []
    for axis, (g, n, cells) in enumerate(zip(one.shape, shape, held, strict=True)):
        weights = _linear(g, n)
        rows = np.flatnonzero(weights[:, cells].any(axis=1))
        stretch = slice(int(rows[0]), int(rows[-1]) + 1)
        full = np.moveaxis(np.tensordot(weights[stretch], full, axes=(1, axis)), 0, axis)
        reach.append(stretch)
    return tuple(reach), full


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
