"""Outlines drawn: polygons and run lengths of things in a picture as one mask of ids."""

from __future__ import annotations

import math

import numpy as np

from vesalius.core.errors import DataError
from vesalius.core.image import Array, Image
from vesalius.core.outlines import Outline, Outlines

LARGEST = 1 << 28  # pixels of a picture that outlines are drawn on


def drawn(outlines: Outlines) -> Image:
    """Return the ids `(1, 1, Y, X)`, 0 where nothing is; where things overlap, the later one hides the earlier.

    A pixel belongs to a polygon where its middle lies inside. Raises DataError.
    """
    rows, columns = outlines.size
    if rows < 1 or columns < 1 or rows * columns > LARGEST:
        raise DataError("outlines on a picture of no such size", found=f"{rows} × {columns}")
    highest = max((thing.id for thing in outlines.things), default=0)
    ids = np.zeros((rows, columns), dtype=np.min_scalar_type(max(highest, 1)))
    for thing in outlines.things:
        if thing.id < 1:
            raise DataError("ids of things count from 1", found=str(thing.id))
        ids[inside(thing, outlines.size)] = thing.id
    return Image(ids[None, None])


def inside(thing: Outline, size: tuple[int, int]) -> Array:
    """Return where a thing is, `(Y, X)` of bits. Raises DataError for an outline that cannot be drawn."""
    from skimage.draw import polygon

    bits = np.zeros(size, dtype=bool)
    if thing.runs:
        if min(thing.runs) < 0 or sum(thing.runs) != bits.size:
            raise DataError(
                f"the runs of thing {thing.id} do not fill its picture",
                found=f"{sum(thing.runs)} pixels, where the picture has {bits.size}",
            )
        bits |= np.repeat(np.arange(len(thing.runs)) % 2 == 1, thing.runs).reshape(size[::-1]).T
    for points in thing.polygons:
        if len(points) < 6 or len(points) % 2 or not all(map(math.isfinite, points)):
            raise DataError(
                f"a polygon of thing {thing.id} is not one",
                found=f"{len(points)} numbers",
                hint="x and y of three points at least",
            )
        x, y = np.asarray(points[::2]) - 0.5, np.asarray(points[1::2]) - 0.5
        bits[polygon(y, x, shape=size)] = True  # type: ignore[no-untyped-call]
    return bits
