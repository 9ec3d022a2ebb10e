"""Made-up images out of whole numbers alone, so that they are the same on every machine and in every version.

The numbers come from the raw 64-bit output of PCG64, whose stream numpy keeps for ever; no distribution is drawn from
it, and all arithmetic is of integers. What comes out looks like a smooth picture of something: slow shades, a few
regions with edges, and grain.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

import numpy as np

from vesalius.core.image import Array

T = TypeVar("T")
Size = tuple[int, int, int]
_OCTAVES = ((2, 6), (5, 4), (11, 2))  # cells along the longest axis, and the weight of that octave
_EDGES = 3  # cells along the longest axis of the regions with edges


class Draw:
    """Numbers that follow from a seed; two of them with the same seed give the same."""

    def __init__(self, seed: int) -> None:
        self._bits = np.random.PCG64(np.random.SeedSequence(seed))

    def below(self, n: int) -> int:
        """Return a whole number from 0 to below `n`."""
        return int(self._bits.random_raw()) % n

    def one(self, things: Sequence[T]) -> T:
        """Return one of some things."""
        return things[self.below(len(things))]

    def between(self, low: float, high: float) -> float:
        """Return a number between two, on one of 1,025 places that lie evenly."""
        return low + (high - low) * self.below(1025) / 1024

    def numbers(self, shape: Sequence[int], bits: int = 16) -> Array:
        """Return whole numbers of that many bits in an array of int64."""
        raw: Array = np.asarray(self._bits.random_raw(int(np.prod(shape, dtype=np.int64))))
        return (raw >> np.uint64(64 - bits)).astype(np.int64).reshape(shape)


def field(draw: Draw, shape: Size, levels: int) -> Array:
    """Return a made-up image `(Z, Y, X)` of int64 from 0 to `levels`; how much of that it fills is drawn, too."""
    total = np.zeros(shape, dtype=np.int64)
    for cells, weight in _OCTAVES:
        total += weight * _smooth(draw, shape, cells)
    region = _smooth(draw, shape, _EDGES)
    low, high = int(region.min()), int(region.max())
    for step in (2, 3):  # two heights at which a region begins, each brighter or darker than what is around
        height = draw.below(2**16) * draw.one((-3, 3))
        total += np.where(region > low + (high - low) * step // 5, height, 0)
    total += draw.numbers(shape, 13)
    low, high = int(total.min()), int(total.max())
    bottom, top = draw.below(levels // 4 + 1), levels - draw.below(levels // 4 + 1)
    return np.asarray(bottom + (total - low) * (top - bottom) // max(high - low, 1), dtype=np.int64)


def _smooth(draw: Draw, shape: Size, cells: int) -> Array:
    """Return drawn numbers of 16 bits between which is interpolated; `cells` along the longest axis."""
    longest = max(shape)
    counts = [max(1, cells * n // longest) for n in shape]
    found = draw.numbers([c + 1 for c in counts])
    for axis, (n, count) in enumerate(zip(shape, counts, strict=True)):
        span = max(n - 1, 1)
        at = np.arange(n, dtype=np.int64) * count
        place = np.minimum(at // span, count - 1)
        share = (at - place * span).reshape([-1 if a == axis else 1 for a in range(3)])
        below, above = found.take(place, axis=axis), found.take(place + 1, axis=axis)
        found = (below * (span - share) + above * share) // span
    return found
