"""Where an image meets the model's grid: axes, linear resampling, padding, and the way back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from vesalius.exports.script.images import Array, Image, Refused, Size


@dataclass(frozen=True)
class Layout:
    """native `(Z, Y, X)` → transposed by `order` → flipped along `flips` → resampled to `inner` → padded to `shape`.

    `before` is how much is padded before the first voxel along each axis.
    """

    order: tuple[int, ...]
    flips: tuple[int, ...]
    turned: Size
    inner: Size
    before: Size
    shape: Size


def canonical_axes(affine: Array | None) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Return the transposition and the flips of `(Z, Y, X)` to the nearest LPS axes; nothing is rotated.

    After them X runs to the patient's left, Y to the back, Z to the head.
    """
    if affine is None:
        return (0, 1, 2), ()
    direction = affine[:3, :3] / np.linalg.norm(affine[:3, :3], axis=0)
    best, chosen = -1.0, (0, 1, 2)
    for candidate in ((0, 1, 2), (0, 2, 1), (1, 0, 2), (1, 2, 0), (2, 0, 1), (2, 1, 0)):
        score = float(sum(abs(direction[w, i]) for w, i in enumerate(candidate)))
        if score > best + 1e-9:
            best, chosen = score, candidate
    order = tuple(2 - chosen[2 - axis] for axis in range(3))
    flips = tuple(axis for axis in range(3) if direction[2 - axis, chosen[2 - axis]] < 0)
    return order, flips


def layout_of(image: Image, plan: dict[str, Any]) -> Layout:
    """Return how one image meets the model's grid.

    Sampling `whole`: scaled to fit `size`, its proportions kept, and padded around. Sampling `patches`: resampled to
    `spacing_mm`, and padded up to `size` where it is smaller.
    """
    native = image.array.shape[-3:]
    order, flips = canonical_axes(image.affine if plan["canonical"] else None)
    turned = (int(native[order[0]]), int(native[order[1]]), int(native[order[2]]))
    size, spacing = plan["size"], plan["spacing_mm"]
    scaled = [float(n) for n in turned]
    if spacing is not None:
        if image.spacing_mm is None:
            raise Refused("the model works in millimetres and the image says no spacing")
        zyx = image.spacing_mm[::-1]
        own = (zyx[order[2]], zyx[order[1]], zyx[order[0]])
        scaled = [n * own[2 - a] / spacing[2 - a] for a, n in enumerate(turned)]
    whole = plan["sampling"] == "whole"
    if whole:
        factor = min(
            (s / n for s, n in zip(size, scaled, strict=True) if n > 0 and (s > 1 or n > 1)), default=1.0
        )
        scaled = [n * factor if size[a] > 1 else 1.0 for a, n in enumerate(scaled)]
    rounded = [max(1, round(n)) for n in scaled]
    if whole:
        rounded = [min(n, m) for n, m in zip(rounded, size, strict=True)]
    inner = (rounded[0], rounded[1], rounded[2])
    shape = [max(n, m) for n, m in zip(inner, size, strict=True)]
    before = [(m - n) // 2 for n, m in zip(inner, shape, strict=True)]
    return Layout(
        order, flips, turned, inner, (before[0], before[1], before[2]), (shape[0], shape[1], shape[2])
    )


def turn(array: Array, layout: Layout) -> Array:
    """Transpose and flip the last three axes."""
    lead = array.ndim - 3
    array = array.transpose((*range(lead), *(lead + a for a in layout.order)))
    return np.flip(array, tuple(lead + a for a in layout.flips)) if layout.flips else array


def turn_back(array: Array, layout: Layout) -> Array:
    """Undo `turn`."""
    lead = array.ndim - 3
    if layout.flips:
        array = np.flip(array, tuple(lead + a for a in layout.flips))
    return array.transpose((*range(lead), *(lead + int(a) for a in np.argsort(layout.order))))


def lerp_matrix(n_out: int, n_in: int) -> tuple[Array, Array]:
    """Return columns `(n_out, K)` and weights `(n_out, K)` float32 of linear interpolation over the same extent.

    Sample i lies at (i + 0.5) / n. When shrinking, the triangle widens so that no sample is skipped. Rows sum to one.
    """
    scale = n_in / n_out
    centre = (np.arange(n_out) + 0.5) * scale - 0.5
    radius = max(scale, 1.0)
    reach = int(np.ceil(radius))
    columns = np.floor(centre)[:, None].astype(np.int64) + np.arange(-reach, reach + 1)[None, :]
    weights = np.clip(1.0 - np.abs(columns - centre[:, None]) / radius, 0.0, None)
    weights = (weights / weights.sum(axis=1, keepdims=True)).astype(np.float32)
    return np.clip(columns, 0, n_in - 1), weights


def resample(array: Array, shape: Size) -> Array:
    """Resample the last three axes to `shape`, one axis after the other; float32."""
    array = array.astype(np.float32, copy=False)
    lead = array.ndim - 3
    for axis, n in enumerate(shape):
        if array.shape[lead + axis] == n:
            continue
        columns, weights = lerp_matrix(n, array.shape[lead + axis])
        moved = np.moveaxis(array, lead + axis, 0)
        out = np.zeros((n, *moved.shape[1:]), np.float32)
        for k in range(columns.shape[1]):
            out += moved[columns[:, k]] * weights[:, k].reshape(-1, *(1,) * (moved.ndim - 1))
        array = np.moveaxis(out, 0, lead + axis)
    return array


def pad(array: Array, layout: Layout) -> Array:
    """Pad the last three axes with zeros, from `inner` to `shape`."""
    if layout.inner == layout.shape:
        return np.ascontiguousarray(array)
    widths = [(0, 0)] * (array.ndim - 3)
    widths += [(b, s - n - b) for b, n, s in zip(layout.before, layout.inner, layout.shape, strict=True)]
    return np.pad(array, widths)


def unpadded(field: Array, layout: Layout) -> Array:
    """Return a field `(K, Z, Y, X)` on the padded grid without what was padded."""
    where = tuple(slice(b, b + n) for b, n in zip(layout.before, layout.inner, strict=True))
    return field[(slice(None), *where)]


def enlarged(field: Array, axis: int, start: int, stop: int, n_out: int) -> Array:
    """Return rows `start` to `stop` of `n_out` along a spatial axis, by linear interpolation; edges are repeated."""
    dim, n_in = axis + 1, field.shape[axis + 1]
    if n_in == n_out:
        return field.take(range(start, stop), axis=dim)
    centre = (np.arange(start, stop) + 0.5) * n_in / n_out - 0.5
    left = np.floor(centre)
    share = (centre - left).astype(np.float32).reshape([-1 if k == dim else 1 for k in range(field.ndim)])
    low = field.take(np.clip(left.astype(np.int64), 0, n_in - 1), axis=dim)
    high = field.take(np.clip(left.astype(np.int64) + 1, 0, n_in - 1), axis=dim)
    return np.asarray(low + share * (high - low))
