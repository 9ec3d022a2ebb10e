"""Outlines: things in a picture as polygons or run lengths, as COCO files have them, drawn as a mask of ids."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from vesalius.core.errors import DataError
from vesalius.core.image import Array, Image

LARGEST = 1 << 28  # pixels of a picture that outlines are drawn on


@dataclass(frozen=True, slots=True)
class Outline:
    """One thing: its number from 1 on, and where it is.

    Each of `polygons` is `(x0, y0, x1, y1, …)` in pixels, of which pixel k reaches from k to k + 1; the thing is all of
    them together. `runs` are lengths of stretches, outside and inside by turns, down the columns from the first on.
    """

    id: int
    polygons: tuple[tuple[float, ...], ...] = ()
    runs: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Outlines:
    """All things of one picture of `size` `(rows, columns)`, drawn when they are asked for."""

    size: tuple[int, int]
    things: tuple[Outline, ...]

    def image(self) -> Image:
        """Return the ids `(1, 1, Y, X)`, 0 where nothing is; where things overlap, the later one hides the earlier.

        A pixel belongs to a polygon where its middle lies inside. Raises DataError.
        """
        rows, columns = self.size
        if rows < 1 or columns < 1 or rows * columns > LARGEST:
            raise DataError("outlines on a picture of no such size", found=f"{rows} × {columns}")
        highest = max((thing.id for thing in self.things), default=0)
        ids = np.zeros((rows, columns), dtype=np.min_scalar_type(max(highest, 1)))
        for thing in self.things:
            if thing.id < 1:
                raise DataError("ids of things count from 1", found=str(thing.id))
            ids[inside(thing, self.size)] = thing.id
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


def runs_of(text: str) -> tuple[int, ...]:
    """Return the run lengths that COCO's compressed text holds. Raises DataError for other text.

    A number is written in groups of five bits, the lowest first, each as a character from `0` on; bit 6 says that more
    follow, and from the third number on it is a difference to the last but one (Lin et al. 2014, `maskApi.c`).
    """
    runs: list[int] = []
    value = shift = 0
    for sign in text:
        bits = ord(sign) - 48
        if not 0 <= bits < 64:
            raise DataError("not a text of run lengths", found=repr(text[:20]))
        value |= (bits & 31) << shift
        shift += 5
        if bits & 32:
            continue
        if bits & 16:
            value -= 1 << shift
        runs.append(value + (runs[-2] if len(runs) > 2 else 0))
        value = shift = 0
    if shift or any(n < 0 for n in runs):
        raise DataError("a text of run lengths that breaks off", found=repr(text[-20:]))
    return tuple(runs)


def runs_in(bits: Array) -> tuple[int, ...]:
    """Return where bits `(Y, X)` are set, as run lengths down the columns: the inverse of drawing them."""
    flat = np.asarray(bits, dtype=bool).T.ravel()
    edges = np.flatnonzero(np.diff(flat)) + 1
    ends: Sequence[int] = [0, *edges.tolist(), len(flat)]
    runs = np.diff(ends).tolist()
    return tuple([0, *runs] if len(flat) and flat[0] else runs)
