"""Piecewise: a large image resampled some planes at a time, into an array that lies in a scratch file."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from vesalius.core import scratch
from vesalius.core.image import Array
from vesalius.core.plan import DataPlan
from vesalius.prepare import geometry
from vesalius.prepare.geometry import Undo, inner_slices, lerp_weights


def suits(array: Array, undo: Undo, plan: DataPlan) -> bool:
    """Return whether a seen image `(C, Z, Y, X)` is so large that it is prepared so, and planned so that it can be."""
    if array.ndim != 4 or not scratch.wanted(4 * array.shape[0] * math.prod(undo.shape)):
        return False
    same = undo.inner == array.shape[1:]  # then it does not matter how, or in which order, it is resampled
    plain = same or (plan.resample is None and not plan.normalise_first)
    stepped = plan.harmonise is not None and len(plan.harmonise.steps) > 0
    return plain and not stepped and not any(n.masked for n in plan.normalise)


def finished(array: Array, undo: Undo, normalise: Callable[[Array], Array]) -> Array:
    """Return a seen image `(C, Z, Y, X)` resampled, normalised and padded with zeros, float32.

    The values are those of the whole, resampled and normalised at once. `normalise` changes what it is given.
    """
    whole = scratch.zeros((array.shape[0], *undo.shape), np.float32)
    inner = whole[(slice(None), *inner_slices(undo))]
    _resample(array, inner)
    made = normalise(inner)
    if not np.may_share_memory(made, inner):
        inner[...] = made
    scratch.let_go(whole)
    return whole


def _resample(array: Array, out: Array) -> None:
    """Fill `out` `(C, Z, Y, X)` with an image on another grid over the same extent, as `geometry.resample` does."""
    n_in, n_out = array.shape[1], out.shape[1]
    weights = None if n_in == n_out else lerp_weights(n_out, n_in)
    for rows in scratch.in_chunks(out, axis=1):
        if weights is None:
            found = array[:, rows].astype(np.float32)
        else:
            some = weights[rows]
            low, high = int(some.indices.min()), int(some.indices.max()) + 1
            part = array[:, low:high].astype(np.float32)
            flat = part.transpose(1, 0, 2, 3).reshape(high - low, -1)
            found = np.asarray(some[:, low:high] @ np.ascontiguousarray(flat))
            found = found.reshape(rows.stop - rows.start, array.shape[0], *array.shape[2:]).swapaxes(0, 1)
        out[:, rows] = geometry.resample(found, (rows.stop - rows.start, out.shape[2], out.shape[3]))
        scratch.let_go(array)
