"""The body of an image: what is not zero in some channel, with its holes filled, and the box around it."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from vesalius.core.image import Array

Size = tuple[int, int, int]


def body_of(array: Array) -> Array:
    """Return where some channel of `(C, Z, Y, X)` is not zero, or surrounded by such voxels; bool `(Z, Y, X)`."""
    filled: Array = ndimage.binary_fill_holes((array != 0).any(axis=0))
    return filled


def box_of(body: Array) -> tuple[Size, Size]:
    """Return the first corner and the size `(z, y, x)` of the box around what is True; all where nothing is."""
    low, size = [], []
    for axis in range(3):
        there = np.flatnonzero(body.any(axis=tuple(a for a in range(3) if a != axis)))
        low.append(int(there[0]) if len(there) else 0)
        size.append(int(there[-1]) + 1 - low[-1] if len(there) else body.shape[axis])
    return (low[0], low[1], low[2]), (size[0], size[1], size[2])
