"""Points that are the same made one, in the order in which they first come."""

from __future__ import annotations

import numpy as np

from vesalius.core.image import Array


def merged(points: Array) -> tuple[Array, Array]:
    """Return the different rows of points `(N, 3)`, and which of them each row is, `(N,)`."""
    clean = np.ascontiguousarray(points + 0.0)  # −0 is 0
    rows = clean.view(np.dtype((np.void, clean.dtype.itemsize * 3))).reshape(-1)
    _, first, back = np.unique(rows, return_index=True, return_inverse=True)
    rank = np.empty(len(first), np.int64)
    order = np.argsort(first)
    rank[order] = np.arange(len(first))
    return clean[first[order]], rank[back.reshape(-1)]
