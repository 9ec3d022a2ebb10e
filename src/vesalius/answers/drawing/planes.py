"""A plane on matplotlib axes in index coordinates: voxel k reaches from k to k + 1, as boxes and points count."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from vesalius.core.image import Array


def extent(plane: Array) -> tuple[float, float, float, float]:
    """Return what `imshow` takes as `extent`, so that pixel k of a plane `(Y, X, …)` reaches from k to k + 1."""
    return (0.0, float(plane.shape[1]), float(plane.shape[0]), 0.0)


def fit(axes: Any, plane: Array) -> None:
    """Show a plane `(Y, X, …)` to its edges, its first row on top, and nothing beside it."""
    left, right, bottom, top = extent(plane)
    axes.set_xlim(left, right)
    axes.set_ylim(bottom, top)


def boundaries(axes: Any, ids: Array, colours: Mapping[int, str], *, width: float = 1.2) -> None:
    """Draw the edge of each thing of a plane of ids `(Y, X)` in its colour, along the edges of its pixels.

    Where two things touch, the edge has the colour of the one to the left or above. Ids without a colour are not drawn.
    """
    from matplotlib.collections import LineCollection

    padded = np.pad(ids, 1)
    segments: dict[str, list[Array]] = {}
    for axis in (0, 1):
        one = padded[:-1] if axis == 0 else padded[:, :-1]
        other = padded[1:] if axis == 0 else padded[:, 1:]
        rows, columns = np.nonzero(one != other)
        owners = np.where(one[rows, columns] != 0, one[rows, columns], other[rows, columns])
        y, x = (rows, columns - 1) if axis == 0 else (rows - 1, columns)
        ends = (y, x + 1) if axis == 0 else (y + 1, x)
        lines = np.stack([np.stack([x, y], axis=1), np.stack([ends[1], ends[0]], axis=1)], axis=1)
        for owner in np.unique(owners).tolist():
            if owner in colours:
                segments.setdefault(colours[owner], []).append(lines[owners == owner])
    for colour, found in segments.items():
        axes.add_collection(LineCollection(list(np.concatenate(found)), colors=[colour], linewidths=width))


def outline(axes: Any, bits: Array, colour: str, *, width: float = 1.4, style: str = "solid") -> None:
    """Draw the outline of what is set in `bits` `(Y, X)` along the edges of its pixels, closed at the plane's own."""
    padded = np.pad(np.asarray(bits, dtype=np.float64), 1)
    rows, columns = (
        np.arange(n) - 0.5 for n in padded.shape
    )  # the middles of pixels; the first lies outside
    axes.contour(columns, rows, padded, levels=[0.5], colors=[colour], linewidths=width, linestyles=style)
