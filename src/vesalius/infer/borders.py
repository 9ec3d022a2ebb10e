"""Borders of columns: sums of tiles that reach into a column that is blended later, kept in scratch files."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from vesalius.core.scratch import Rows
from vesalius.infer.columns import FLOAT, Column, Cut, reach

Region = tuple[slice, slice]  # of the two axes across, in rows of a slab


@dataclass(frozen=True, eq=False)
class _Kept:
    """Rows along the longest axis of one region of a slab, `(K, a, b)` each."""

    rows: Rows
    shape: tuple[int, int, int]


class Borders:
    """What columns hand to the next one beside them and below them. A slab holds weighted sums, not yet divided.

    What lies beyond the border to the next column beside goes there with all rows of the slab; what lies beyond the
    border to the column below goes there without that, and without the rows that came from the column before, which it
    hands on itself. So each sum is handed on once. Close it, so that the files are given back.
    """

    def __init__(self, cut: Cut, channels: int) -> None:
        self._cut, self._channels = cut, channels
        self._columns = {column.at: column for column in cut.columns()}
        self._kept: dict[tuple[tuple[int, int], tuple[int, int]], _Kept] = {}

    def take(self, column: Column, slab: Tensor, rows: tuple[int, int]) -> None:
        """Add to the first rows of a slab, which are `rows` `(start, stop)` of the image, what was kept of them."""
        i, j = column.at
        for giver in ((i, j - 1), (i - 1, j)):
            kept = self._kept.get((giver, column.at))
            if kept is None:
                continue
            _, a, b = kept.shape
            first = 0 if giver[0] == i else self._start(column)
            held = np.empty(kept.shape, np.float32)
            for k, row in enumerate(range(*rows)):
                kept.rows.read(row, held)
                place = _row(column, slab, k, (slice(0, a), slice(first, first + b)))
                place += torch.from_numpy(held).to(slab.device)

    def hand(self, column: Column, slab: Tensor, rows: tuple[int, int]) -> None:
        """Keep what the first rows of a slab, which are `rows` `(start, stop)` of the image, hold of later columns."""
        for taker, region in self._regions(column):
            key = (column.at, taker)
            if key not in self._kept:
                shape = self._channels, *(s.stop - s.start for s in region)
                self._kept[key] = _Kept(Rows(FLOAT * shape[0] * shape[1] * shape[2]), shape)
            for k, row in enumerate(range(*rows)):
                values = _row(column, slab, k, region).contiguous().cpu().numpy()
                self._kept[key].rows.write(row, values)

    def done(self, column: Column) -> None:
        """Give back the files that a column, which is finished, has read."""
        for key in [key for key in self._kept if key[1] == column.at]:
            self._kept.pop(key).rows.close()

    def close(self) -> None:
        """Give all files back."""
        for kept in self._kept.values():
            kept.rows.close()
        self._kept.clear()

    def _regions(self, column: Column) -> list[tuple[tuple[int, int], Region]]:
        """Return which part of a column's slab each later column takes."""
        (i, j), (a, b) = column.at, (column.spans[k] for k in column.across)
        found: list[tuple[tuple[int, int], Region]] = []
        if (i, j + 1) in self._columns:
            beside = self._columns[i, j + 1].spans[column.across[1]]
            found.append(((i, j + 1), (slice(0, a.high - a.low), reach(b, beside))))
        if (i + 1, j) in self._columns:
            below = self._columns[i + 1, j].spans[column.across[0]]
            found.append(((i + 1, j), (reach(a, below), slice(b.start - b.low, b.end - b.low))))
        return [(to, region) for to, region in found if all(s.start < s.stop for s in region)]

    def _start(self, column: Column) -> int:
        span = column.spans[column.across[1]]
        return span.start - span.low


def _row(column: Column, slab: Tensor, k: int, region: Region) -> Tensor:
    """Return the `k`-th row of a slab along the longest axis, a region of it, as `(K, a, b)`; a view."""
    first, second = column.across
    place: list[slice | int] = [slice(None)] * 4
    place[column.axis + 1], place[first + 1], place[second + 1] = k, region[0], region[1]
    return slab[tuple(place)]
