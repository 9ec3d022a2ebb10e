"""Outlines: things in a picture as polygons or run lengths, as COCO files have them, not yet drawn."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from vesalius.core.errors import DataError
from vesalius.core.image import Array


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
    """All things of one picture of `size` `(rows, columns)`, drawn when they are asked for (`formats.read_ids`)."""

    size: tuple[int, int]
    things: tuple[Outline, ...]


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
