"""Edges: where things of a mask of ids touch, so that pictures show them one by one."""

from __future__ import annotations

import numpy as np

from vesalius.core.image import Array


def apart(ids: Array, sorts: Array) -> Array:
    """Return the labels `(Z, Y, X)` with nothing on the first voxel of each place where two things touch in a plane."""
    shown = np.array(sorts)
    for axis in (1, 2):
        first = [slice(None)] * 3
        second = [slice(None)] * 3
        first[axis], second[axis] = slice(None, -1), slice(1, None)
        a, b = ids[tuple(first)], ids[tuple(second)]
        shown[tuple(first)][(a != b) & (a != 0) & (b != 0)] = 0
    return shown
