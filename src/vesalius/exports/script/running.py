"""The models asked: whole images, or overlapping tiles blended by a Gaussian; mirror images and members joined."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from vesalius.exports.script.images import Array, Size

AXES = {"z": -3, "y": -2, "x": -1}
Model = Callable[[Array], Array]  # (B, C, Z, Y, X) → (B, …)


def seen_from_all_sides(model: Model, batch: Array, mirror: Sequence[str], *, field: bool) -> Array:
    """Return the mean of what a model says of a batch and of its planned mirror images; fields are turned back."""
    axes = [AXES[a] for a in mirror]
    total, n = model(batch), 1
    for k in range(1, 2 ** len(axes)):
        chosen = tuple(a for i, a in enumerate(axes) if k >> i & 1)
        if any(batch.shape[a] == 1 for a in chosen):
            continue
        raw = model(np.ascontiguousarray(np.flip(batch, chosen)))
        total, n = total + (np.flip(raw, chosen) if field else raw), n + 1
    return total / n if n > 1 else total


def whole(models: Sequence[Model], array: Array, plan: dict[str, Any]) -> Array:
    """Return what each member says of one image `(C, Z, Y, X)`, `(M, …)`."""
    return np.stack([seen_from_all_sides(m, array[None], plan["mirror"], field=False)[0] for m in models])


def starts(n: int, tile: int, overlap: float) -> list[int]:
    """Return where tiles begin along an axis: evenly spread, at least `overlap` of a tile in common."""
    if n <= tile:
        return [0]
    count = -(-(n - tile) // max(1, int(tile * (1 - overlap)))) + 1
    return [round(k * (n - tile) / (count - 1)) for k in range(count)]


def gaussian(n: int) -> Array:
    """Return the weight along one axis of a tile: a Gaussian of sigma n/8, never below a thousandth of its peak."""
    if n == 1:
        return np.ones(1, np.float32)
    x = np.arange(n, dtype=np.float32) - (n - 1) / 2
    return np.asarray(np.maximum(np.exp(-0.5 * (x / (n / 8)) ** 2), 1e-3), np.float32)


def tiled(models: Sequence[Model], array: Array, plan: dict[str, Any]) -> Array:
    """Return the members' mean field `(K, Z, Y, X)` of an image, from tiles that a Gaussian blends."""
    shape, size = array.shape[1:], tuple(plan["tile"])
    places = [starts(n, t, plan["overlap"]) for n, t in zip(shape, size, strict=True)]
    z, y, x = (gaussian(t) for t in size)
    window = z[:, None, None] * y[None, :, None] * x[None, None, :]
    total: Array | None = None
    weight = np.zeros(shape, np.float32)
    corners: list[Size] = [(a, b, c) for a, b, c in itertools.product(*places)]
    for k in range(0, len(corners), plan["batch"]):
        group = corners[k : k + plan["batch"]]
        cuts = [tuple(slice(s, s + t) for s, t in zip(corner, size, strict=True)) for corner in group]
        batch = np.stack([array[(slice(None), *cut)] for cut in cuts])
        raw = seen_from_all_sides(models[0], batch, plan["mirror"], field=True)
        for model in models[1:]:
            raw = raw + seen_from_all_sides(model, batch, plan["mirror"], field=True)
        raw = raw / np.float32(len(models))
        for cut, tile in zip(cuts, raw, strict=True):
            if total is None:
                total = np.zeros((tile.shape[0], *shape), np.float32)
            total[(slice(None), *cut)] += tile * window
            weight[cut] += window
    if total is None:
        raise ValueError("an image without tiles")
    return total / weight
