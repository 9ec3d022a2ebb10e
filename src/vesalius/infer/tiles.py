"""A dense field from overlapping tiles, streamed along the longest axis so that it never exists whole."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import torch
from torch import Tensor

from vesalius.core.image import Array
from vesalius.core.scratch import let_go
from vesalius.infer import columns
from vesalius.infer.borders import Borders
from vesalius.infer.lines import lines_of
from vesalius.infer.slab import Piece as Piece
from vesalius.infer.slab import finished, shift
from vesalius.prepare.geometry import Undo

Size = tuple[int, int, int]
Forward = Callable[[Tensor], Tensor]
CHUNK_BYTES = 64 << 20
EVEN, NNUNET = columns.EVEN, "nnunet"  # how tiles lie and count (see `InferPlan.tiling`)
MONAI, CONSTANT = "monai", "monai-constant"


def starts(n: int, tile: int, overlap: float, *, tiling: str = EVEN) -> list[int]:
    """Return where tiles begin along an axis of `n`: evenly spread, at least `overlap` of a tile in common.

    As nnU-Net has it a step is not a whole number of voxels before it is rounded, so that a voxel less may be common;
    as MONAI has it all steps are alike but for the last.
    """
    if n <= tile:
        return [0]
    if tiling == NNUNET:
        count = int(np.ceil((n - tile) / (tile * (1 - overlap)))) + 1
        return [int(np.round((n - tile) / (count - 1) * k)) for k in range(count)]
    step = max(1, int(tile * (1 - overlap)))
    if tiling in (MONAI, CONSTANT):
        return [min(k * step, n - tile) for k in range(-(-(n - tile) // step) + 1)]
    count = -(-(n - tile) // step) + 1
    return [round(k * (n - tile) / (count - 1)) for k in range(count)]


def around(shape: Size, size: Size, where: Array | None) -> tuple[Size, Size]:
    """Return `(start, size)` of the tile whose middle is nearest to that of the bits `where`, or of the image.

    Where the bits surround their own middle, as a ring does, it is the one of them nearest to it.
    """
    middle = np.array(shape) / 2
    places = np.argwhere(where) if where is not None else np.empty((0, 3))
    if len(places):
        middle = places[np.argmin(((places - places.mean(axis=0)) ** 2).sum(axis=1))] + 0.5
    start = [
        int(np.clip(round(m - t / 2), 0, max(n - t, 0))) for m, t, n in zip(middle, size, shape, strict=True)
    ]
    return (start[0], start[1], start[2]), size


def shares(shape: Size, size: Size, overlap: float, *, tiling: str = EVEN) -> Callable[[Size], Tensor]:
    """Return a function from where a tile begins to how much each of its points counts in the blend, `(z, y, x)`.

    Over all tiles of an array of that shape these make one at each of its points.
    """
    places = [starts(n, t, overlap, tiling=tiling) for n, t in zip(shape, size, strict=True)]
    ramps = [gaussian(t, tiling=tiling) for t in size]
    totals = [_total(ramp, at, n) for ramp, at, n in zip(ramps, places, shape, strict=True)]

    def share(start: Size) -> Tensor:
        z, y, x = (
            ramp / total[s : s + len(ramp)] for ramp, total, s in zip(ramps, totals, start, strict=True)
        )
        return z[:, None, None] * y[None, :, None] * x[None, None, :]

    return share


def gaussian(n: int, *, tiling: str = EVEN) -> Tensor:
    """Return the weight along one axis of a tile: a Gaussian of sigma n/8, never below a thousandth of its peak.

    As nnU-Net has it the peak is at the voxel n // 2, and nothing is raised; as MONAI has it all of a tile is raised at
    once (see `window_of`), or counts alike.
    """
    if n == 1 or tiling == CONSTANT:
        return torch.ones(n)
    if tiling == NNUNET:
        at = torch.arange(n, dtype=torch.float64) - n // 2
        return torch.exp(-0.5 * (at / (n / 8)) ** 2).float()
    x = torch.arange(n, dtype=torch.float32) - (n - 1) / 2
    ramp = torch.exp(-0.5 * (x / (n / 8)) ** 2)
    return ramp if tiling == MONAI else ramp.clamp_min(1e-3)


def window_of(size: Size, *, tiling: str = EVEN) -> Tensor:
    """Return the weight of each point of a tile, `(z, y, x)`."""
    z, y, x = (gaussian(t, tiling=tiling) for t in size)
    window = z[:, None, None] * y[None, :, None] * x[None, None, :]
    return window.clamp_min(max(float(window.min()), 1e-3)) if tiling == MONAI else window


def stream(
    array: Array,
    *,
    size: Size,
    overlap: float,
    tiling: str = EVEN,
    batch: int,
    forward: Forward,
    device: torch.device,
    before: Callable[[Sequence[Size]], None] | None = None,
) -> Iterator[Piece]:
    """Blend tiles of `array` `(C, Z, Y, X)`; yields `(axis, start, stop, raw)` as stretches are finished.

    `before` is told where the tiles begin that `forward` is given next.

    `raw` is `(K, z, y, x)` on `device`, whole in two axes and `[start, stop)` along `axis`, the longest one.
    The Gaussian is a product of three, so its sum over a grid of tiles is too: no weight volume is kept.
    """
    asking = Asking(array, grid_of(array, size, overlap, tiling=tiling), batch, forward, device, before)
    (column,) = columns.whole(asking.grid).columns()
    yield from blend(asking, column)


def grid_of(
    array: Array, size: Size, overlap: float, undo: Undo | None = None, *, tiling: str = EVEN
) -> columns.Grid:
    """Return how tiles lie on a prepared image `(C, Z, Y, X)`; with `undo`, whether its axes are then interpolated."""
    _, nz, ny, nx = array.shape
    z, y, x = (tuple(starts(n, t, overlap, tiling=tiling)) for n, t in zip((nz, ny, nx), size, strict=True))
    grid = columns.Grid((nz, ny, nx), size, (z, y, x), tiling=tiling)
    if undo is None:
        return grid
    lerped = [not line.same for line in lines_of(undo)]
    grown = math.prod(undo.seen[k] / undo.inner[k] for k in range(3) if k != grid.axis)
    return replace(grid, interpolated=(lerped[0], lerped[1], lerped[2]), grown=grown)


@dataclass(eq=False)
class Asking:
    """Tiles of one prepared image `(C, Z, Y, X)` and the model that they are given to, `batch` at a time.

    What was said of the first tiles is kept until they are asked about. A tile that is asked about again is given to
    `again`, where that is another one: nobody who watches the model sees it twice.
    """

    array: Array
    grid: columns.Grid
    batch: int
    forward: Forward
    device: torch.device
    before: Callable[[Sequence[Size]], None] | None = None
    first: tuple[list[Size], Tensor] | None = None
    channels: int = 0  # of the field, once somebody asked
    again: Forward | None = None
    asked: set[Size] = field(default_factory=set)

    def ask_first(self) -> int:
        """Ask about the first tiles, and return how many channels the field has."""
        (column,) = columns.whole(self.grid).columns()
        group = next(_batches(_tiles(self.grid, column, 0), self.batch))
        self.first = group, self.raw(group)
        self.channels = int(self.first[1].shape[1])
        return self.channels

    def raw(self, group: list[Size]) -> Tensor:
        """Return what the model says of tiles that begin there, `(B, K, z, y, x)`."""
        if self.first is not None and self.first[0] == group:
            raw, self.first = self.first[1], None
            return raw
        old = [at for at in group if at in self.asked] if self.again is not None else []
        new = [at for at in group if at not in old]
        self.asked.update(new)
        if not old or self.again is None:
            return self._given(group, self.forward)
        found: dict[Size, Tensor] = dict(zip(old, self._given(old, self.again), strict=True))
        if new:
            found.update(zip(new, self._given(new, self.forward), strict=True))
        return torch.stack([found[at] for at in group])

    def _given(self, group: Sequence[Size], forward: Forward) -> Tensor:
        stacked = np.stack([self.array[(slice(None), *_cut(at, self.grid.size))] for at in group])
        let_go(self.array)
        if self.before is not None:
            self.before(group)
        return forward(torch.from_numpy(stacked).to(self.device)).float()


def blend(
    asking: Asking, column: columns.Column, *, borders: Borders | None = None, chunk: int | None = None
) -> Iterator[Piece]:
    """Blend one column, as `stream` does; `raw` has the rows from `low` to `end` of its spans across `axis`.

    What reaches over its borders is taken from and handed to `borders`. A stretch has about `chunk` bytes.
    """
    grid, axis = asking.grid, column.axis
    window = window_of(grid.size, tiling=grid.tiling).to(asking.device)
    weigh = _weights(grid, column, window)
    slab: Tensor | None = None
    along = grid.places[axis]
    inside = [slice(0, s.end - s.low) for s in column.spans]
    for i, s in enumerate(along):
        for group in _batches(_tiles(grid, column, i), asking.batch):
            raw = asking.raw(group)
            if slab is None:
                extent = [span.high - span.low for span in column.spans]
                extent[axis] = grid.size[axis]
                slab = torch.zeros((raw.shape[1], *extent), device=asking.device)
            for start, tile in zip(group, raw, strict=True):
                there, own = _within(column, start, grid.size)
                slab[(slice(None), *there)].addcmul_(tile[(slice(None), *own)], window[own])
            del raw, tile
        if slab is None:
            raise ValueError("no tiles")
        stop = along[i + 1] if i + 1 < len(along) else grid.shape[axis]
        if borders is not None:
            borders.take(column, slab, (s, stop))
            borders.hand(column, slab, (s, stop))
        inside[axis] = slice(None)
        yield from finished(slab[(slice(None), *inside)], weigh, axis, s, stop, chunk or CHUNK_BYTES)
        shift(slab, axis + 1, stop - s)
    if borders is not None:
        borders.done(column)


def _tiles(grid: columns.Grid, column: columns.Column, i: int) -> list[Size]:
    """Return where a column's tiles begin whose place along its axis is the `i`-th."""
    z, y, x = (grid.places[k][span.first : span.last] for k, span in enumerate(column.spans))
    only = grid.places[column.axis][i]
    return [at for at in itertools.product(z, y, x) if at[column.axis] == only]


def _within(
    column: columns.Column, start: Size, size: Size
) -> tuple[tuple[slice, ...], tuple[slice, slice, slice]]:
    """Return which part of a column's slab a tile lies in, and which part of the tile that is."""
    there, own = [], []
    for k, (a, t, span) in enumerate(zip(start, size, column.spans, strict=True)):
        low, high = (a, a + t) if k == column.axis else (max(a, span.low), min(a + t, span.high))
        origin = a if k == column.axis else span.low
        there.append(slice(low - origin, high - origin))
        own.append(slice(low - a, high - a))
    return tuple(there), (own[0], own[1], own[2])


def _total(ramp: Tensor, at: Sequence[int], n: int) -> Tensor:
    """Return the sum of the weights along an axis of `n`, of tiles that begin at `at`."""
    total = torch.zeros(n)
    for s in at:
        total[s : s + len(ramp)] += ramp
    return total


def _weights(grid: columns.Grid, column: columns.Column, window: Tensor) -> Callable[[int, int], Tensor]:
    """Return what gives the sum of the weights of a column's finished rows `[low, high)` along its axis.

    A window that is a product of three has sums that are one; MONAI's is none, and is added up tile by tile.
    """
    ends = [(span.low, span.end) for span in column.spans]
    if grid.tiling != MONAI:
        ramps = [gaussian(t, tiling=grid.tiling) for t in grid.size]
        totals = [_total(ramp, at, n) for ramp, at, n in zip(ramps, grid.places, grid.shape, strict=True)]

    def weigh(low: int, high: int) -> Tensor:
        there = [(low, high) if k == column.axis else pair for k, pair in enumerate(ends)]
        if grid.tiling != MONAI:
            z, y, x = (total[a:b] for total, (a, b) in zip(totals, there, strict=True))
            return (z[:, None, None] * y[None, :, None] * x[None, None, :]).to(window.device)
        found = torch.zeros([b - a for a, b in there], device=window.device)
        for at in itertools.product(*grid.places):
            cut = [(max(s, a), min(s + t, b)) for s, t, (a, b) in zip(at, grid.size, there, strict=True)]
            if all(a < b for a, b in cut):
                place = tuple(slice(a - t, b - t) for (a, b), (t, _) in zip(cut, there, strict=True))
                found[place] += window[tuple(slice(a - s, b - s) for (a, b), s in zip(cut, at, strict=True))]
        return found

    return weigh


def _cut(at: Size, size: Size) -> tuple[slice, slice, slice]:
    z, y, x = (slice(a, a + s) for a, s in zip(at, size, strict=True))
    return z, y, x


def _batches(items: list[Size], n: int) -> Iterator[list[Size]]:
    for k in range(0, len(items), n):
        yield items[k : k + n]
