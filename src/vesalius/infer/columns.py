"""Columns: a field that is too large for one slab is blended column by column, cut across its longest axis.

A tile that reaches from one column into the next is either asked about once, and what it says beyond the border is kept
in a scratch file until the next column takes it (`infer/borders.py`); or, where the disk has no room, it is asked about
again.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from vesalius.core.words import counted

Size = tuple[int, int, int]
FLOAT = 4  # bytes
EVEN = "even"
ROWS = 6  # of a slab, that are divided, interpolated and decoded at once


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of one axis of the prepared grid.

    Tiles `[first, last)` of that axis are asked about. The slab holds the rows `[low, high)`; `[start, end)` are
    finished here, and `[low, start)` are finished rows of the stretch before, which interpolation needs beside them.
    """

    first: int
    last: int
    low: int
    start: int
    end: int
    high: int


@dataclass(frozen=True, slots=True)
class Column:
    """One column: a span of each axis, that of the field's longest axis being all of it; `at` counts columns."""

    axis: int
    spans: tuple[Span, Span, Span]
    at: tuple[int, int] = (0, 0)

    @property
    def across(self) -> tuple[int, int]:
        """Return the two other axes."""
        a, b = (k for k in range(3) if k != self.axis)
        return a, b


@dataclass(frozen=True, slots=True)
class Grid:
    """Tiles over a prepared image `shape`: where they begin along each axis, and which axes are then interpolated.

    `grown` is how many native points there are for each prepared one, across the longest axis. `tiling` is how tiles
    lie and count (see `InferPlan.tiling`).
    """

    shape: Size
    size: Size
    places: tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...]]
    interpolated: tuple[bool, bool, bool] = (False, False, False)
    grown: float = 1.0
    tiling: str = EVEN

    @property
    def axis(self) -> int:
        """Return the longest axis, along which a field is streamed; the first of several."""
        return self.shape.index(max(self.shape))

    @property
    def tiles(self) -> int:
        """Return how many tiles there are."""
        return math.prod(map(len, self.places))


@dataclass(frozen=True, slots=True)
class Cut:
    """A field cut into columns; `kept` says that what reaches over a border is kept, and not asked about again."""

    grid: Grid
    parts: tuple[int, int]
    kept: bool = False

    @property
    def whole(self) -> bool:
        """Whether nothing is cut."""
        return self.parts == (1, 1)

    def columns(self) -> Iterator[Column]:
        """Yield the columns in the order in which they are blended."""
        axis = self.grid.axis
        a, b = (k for k in range(3) if k != axis)
        along = _spans(self.grid, axis, 1, kept=self.kept)[0]
        rows, others = self._across()
        for (i, one), (j, other) in itertools.product(enumerate(rows), enumerate(others)):
            spans = [along] * 3
            spans[a], spans[b] = one, other
            yield Column(axis, (spans[0], spans[1], spans[2]), (i, j))

    def slab(self, channels: int) -> int:
        """Return the bytes of the largest slab."""
        return self.grid.size[self.grid.axis] * self._row(channels)

    def takes(self, channels: int) -> int:
        """Return the bytes of the largest slab, and of the rows that are worked on beside it."""
        return self.slab(channels) + int(ROWS * self._row(channels) * max(1.0, self.grid.grown))

    def asked(self) -> int:
        """Return how many tiles are asked about, some of them more than once."""
        rows, others = self._across()
        return len(self.grid.places[self.grid.axis]) * sum(
            (r.last - r.first) * (o.last - o.first) for r, o in itertools.product(rows, others)
        )

    def borders(self, channels: int) -> tuple[int, int]:
        """Return the bytes that scratch files hold at most, and those that are written to them in all."""
        if not self.kept:
            return 0, 0
        rows, others = self._across()
        each = FLOAT * channels * self.grid.shape[self.grid.axis]
        below = [_reach(r) * sum(o.end - o.start for o in others) for r in rows[:-1]]
        beside = [_reach(o) * _widest(rows) for o in others[:-1]]
        most = 2 * max(below, default=0) + 2 * max(beside, default=0)
        return each * most, each * (sum(below) + sum(beside) * len(rows))

    def words(self, channels: int) -> str:
        """Return in words how the field is cut and what that costs beside one slab."""
        if self.whole:
            return "blended in one slab"
        shown = f"blended in {counted(math.prod(self.parts), 'column')}"
        if self.kept:
            return f"{shown}; {self.borders(channels)[1] / 2**30:.1f} GiB of their borders pass through scratch files"
        again = self.asked() - self.grid.tiles
        return f"{shown}; {again} of {self.grid.tiles} tiles are asked about again ({again / self.grid.tiles:.0%})"

    def _row(self, channels: int) -> int:
        rows, others = self._across()
        return FLOAT * channels * _widest(rows) * _widest(others)

    def _across(self) -> tuple[list[Span], list[Span]]:
        a, b = (k for k in range(3) if k != self.grid.axis)
        first = _spans(self.grid, a, self.parts[0], kept=self.kept)
        return first, _spans(self.grid, b, self.parts[1], kept=self.kept)


def whole(grid: Grid) -> Cut:
    """Return a field that is not cut."""
    return Cut(grid, (1, 1))


def cut(grid: Grid, channels: int, *, most: int, room: int) -> Cut | None:
    """Return the quickest way to blend a field of so many channels that `takes` at most `most` bytes; None for none.

    `room` is what scratch files may take in bytes: within it borders are kept, and as little of them as can be; else
    as few tiles as can be are asked about again.
    """
    if whole(grid).takes(channels) <= most:
        return whole(grid)
    a, b = (k for k in range(3) if k != grid.axis)
    every = itertools.product(range(1, len(grid.places[a]) + 1), range(1, len(grid.places[b]) + 1))
    parts = list(every)
    kept = [c for c in (Cut(grid, p, kept=True) for p in parts) if c.takes(channels) <= most]
    kept = [c for c in kept if c.borders(channels)[0] <= room]
    if kept:
        return min(kept, key=lambda c: (c.borders(channels)[1], c.parts))
    again = [c for c in (Cut(grid, p) for p in parts) if c.takes(channels) <= most]
    return min(again, key=lambda c: (c.asked(), c.parts), default=None)


def least(grid: Grid, channels: int) -> int:
    """Return the fewest bytes that a field of so many channels can be blended in."""
    a, b = (k for k in range(3) if k != grid.axis)
    finest = (len(grid.places[a]), len(grid.places[b]))
    return min(Cut(grid, finest, kept=kept).takes(channels) for kept in (True, False))


def _spans(grid: Grid, k: int, parts: int, *, kept: bool) -> list[Span]:
    """Return an axis cut into so many spans of about as many tiles each."""
    places, n, tile = grid.places[k], grid.shape[k], grid.size[k]
    beside = 1 if grid.interpolated[k] else 0
    ends = [round(i * len(places) / parts) for i in range(parts + 1)]
    spans = []
    for first, last in itertools.pairwise(ends):
        start = places[first] if first else 0
        end = places[last] if last < len(places) else n
        low = max(0, start - beside)
        if kept:
            spans.append(Span(first, last, low, start, end, min(places[last - 1] + tile, n)))
        else:
            first = next(i for i, s in enumerate(places) if s + tile > low)
            spans.append(Span(first, last, low, start, end, end))
    if parts == 1:  # a tile may be larger than the axis that it is on
        return [Span(0, len(places), 0, 0, n, n)]
    return spans


def reach(span: Span, following: Span) -> slice:
    """Return which rows of a span's slab are handed to the following one."""
    return slice(following.low - span.low, span.high - span.low)


def _reach(span: Span) -> int:
    return span.high - span.end + 1


def _widest(spans: Sequence[Span]) -> int:
    return max(s.high - s.low for s in spans)
