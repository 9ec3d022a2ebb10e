"""Resampling by splines, as some other tools do it whose models are answered with here (see `ResamplePlan`)."""

from __future__ import annotations

import numpy as np

from vesalius.core.image import Array
from vesalius.core.plan import ResamplePlan

Size = tuple[int, int, int]


def resized(
    array: Array,
    shape: Size,
    how: ResamplePlan,
    *,
    apart: int | None,
    steps: tuple[float, float, float] | None = None,
) -> Array:
    """Return `(C, Z, Y, X)` with its last three axes resampled to `shape`, float32; edges go on as they are.

    Sample `i` lies at `(i + 0.5) / n`. Values stay within those that there were, of each channel or, where an axis is
    resampled `apart`, of each plane across it. It is what nnU-Net 2 does to images (Isensee et al. 2021, Nature Methods
    18), by the same function of scikit-image. With `steps`, how many voxels each new one is, the first samples lie at
    one place, and values are linear between voxels, or the nearest for `order` 0, as MONAI has it.
    """
    if steps is not None:
        return _from_first(array, shape, steps, how.order)
    if array.shape[1:] == shape:
        return array.astype(np.float32, copy=False)
    return np.stack([_channel(one.astype(np.float64), shape, how, apart) for one in array])


def _from_first(array: Array, shape: Size, steps: tuple[float, float, float], order: int) -> Array:
    for axis, (n, step) in enumerate(zip(shape, steps, strict=True), start=1):
        if array.shape[axis] != n or step != 1:
            moved = np.moveaxis(array.astype(np.float64, copy=False), axis, 0)
            array = np.moveaxis(_at(moved, np.arange(n) * step, order), 0, axis)
    return np.ascontiguousarray(array, dtype=np.float32)


def _channel(channel: Array, shape: Size, how: ResamplePlan, apart: int | None) -> Array:
    if apart is None:
        return _spline(channel, shape, how.order).astype(np.float32)
    flat = tuple(n for axis, n in enumerate(shape) if axis != apart)
    planes = [_spline(plane, flat, how.order) for plane in np.moveaxis(channel, apart, 0)]
    stacked = np.stack(planes).astype(np.float32 if how.apart_order == 0 else np.float64)
    return np.ascontiguousarray(np.moveaxis(_along(stacked, shape[apart], how.apart_order), 0, apart))


def _spline(array: Array, shape: tuple[int, ...], order: int) -> Array:
    from skimage.transform import resize

    found: Array = resize(array, shape, order, mode="edge", anti_aliasing=False)  # type: ignore[no-untyped-call]
    return found


def _along(array: Array, n: int, order: int) -> Array:
    """Return an array with `n` samples along its first axis: the nearest ones, or linear ones between two."""
    have = array.shape[0]
    if have == n:
        return array.astype(np.float32, copy=False)
    return _at(array, (have / n) * (np.arange(n) + 0.5) - 0.5, order).astype(np.float32, copy=False)


def _at(array: Array, centre: Array, order: int) -> Array:
    """Return an array's samples at places along its first axis, the nearest or linear between two; edges go on."""
    last = array.shape[0] - 1
    if order == 0:
        nearest: Array = array[np.clip(np.floor(centre + 0.5).astype(np.int64), 0, last)]
        return nearest
    centre = np.clip(centre, 0, last)
    left = np.floor(centre).astype(np.int64)
    share = (centre - left).reshape(-1, *[1] * (array.ndim - 1))
    between: Array = (1 - share) * array[left] + share * array[np.minimum(left + 1, last)]
    return between
