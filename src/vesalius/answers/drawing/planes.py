"""A plane on matplotlib axes in index coordinates: voxel k reaches from k to k + 1, as boxes and points count."""

from __future__ import annotations

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


def outline(axes: Any, bits: Array, colour: str, *, width: float = 1.4, style: str = "solid") -> None:
    """Draw the outline of what is set in `bits` `(Y, X)` along the edges of its pixels, closed at the plane's own."""
    padded = np.pad(np.asarray(bits, dtype=np.float64), 1)
    rows, columns = (
        np.arange(n) - 0.5 for n in padded.shape
    )  # the middles of pixels; the first lies outside
    axes.contour(columns, rows, padded, levels=[0.5], colors=[colour], linewidths=width, linestyles=style)
