"""Fields of two signs as colours over an image: orange above zero, blue below, the denser the further from it."""

from __future__ import annotations

import numpy as np

from vesalius.core.image import Array

ABOVE, BELOW = (255.0, 140.0, 0.0), (60.0, 130.0, 255.0)
DENSEST = 0.85


def tinted(plane: Array, most: float) -> Array:
    """Return a plane `(Y, X)` as red, green, blue and opacity, `(Y, X, 4)` from 0 to 1; `most` is the densest value.

    Where a field is zero, or says nothing (NaN), the image is seen as it is.
    """
    held = np.nan_to_num(plane)
    dense = np.clip(np.abs(held) / (most or 1.0), 0, 1) * DENSEST
    colour = np.where(held[..., None] >= 0, np.array(ABOVE), np.array(BELOW)) / 255
    return np.concatenate([colour, dense[..., None]], axis=-1)


def one_coloured(plane: Array, most: float, colour: tuple[int, int, int]) -> Array:
    """Return a plane `(Y, X)` of one sign in one colour, the denser the higher, `(Y, X, 4)` from 0 to 1."""
    dense = np.clip(np.nan_to_num(plane) / (most or 1.0), 0, 1) * DENSEST
    flat = np.broadcast_to(np.array(colour) / 255, (*plane.shape, 3))
    return np.concatenate([flat, dense[..., None]], axis=-1)
