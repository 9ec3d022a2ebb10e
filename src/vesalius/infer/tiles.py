"""A dense field from overlapping tiles, streamed along the longest axis so that it never exists whole."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np
import torch
from torch import Tensor

from vesalius.core.image import Array
from vesalius.infer.lines import Line
from vesalius.prepare.geometry import Undo, inner_slices, unseen

Size = tuple[int, int, int]
Forward = Callable[[Tensor], Tensor]
Piece = tuple[int, int, int, Tensor]  # axis, start, stop, and the field `(K, z, y, x)` between them
Values = Tensor | Mapping[str, Tensor]  # of each point `(z, y, x)`: one field, or several by name
CHUNK_BYTES = 64 << 20
ONLY = ""  # the name of a field that has none
EVEN, NNUNET = "even", "nnunet"  # how tiles lie and count (see `InferPlan.tiling`)
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
    The Gaussian is a product of three, so its sum over a grid of tiles is too: no weight volume is kept. MONAI's is
    none, and its sum is a slab of its own.
    """
    shape = array.shape[1:]
    axis = int(np.argmax(shape))
    places = [starts(n, t, overlap, tiling=tiling) for n, t in zip(shape, size, strict=True)]
    ramps = [gaussian(t, tiling=tiling) for t in size]
    window = window_of(size, tiling=tiling).to(device)
    totals = [_total(ramp, at, n) for ramp, at, n in zip(ramps, places, shape, strict=True)]
    across = [k for k in range(3) if k != axis]
    slab: Tensor | None = None
    sums: Tensor | None = None
    along = places[axis]
    for i, s in enumerate(along):
        others = itertools.product(*(places[k] for k in across))
        tiles = [_ordered(axis, s, across, other) for other in others]
        for group in _batches(tiles, batch):
            stacked = np.stack([array[(slice(None), *_cut(at, size))] for at in group])
            if before is not None:
                before(group)
            raw = forward(torch.from_numpy(stacked).to(device)).float()
            if slab is None:
                extent = list(shape)
                extent[axis] = size[axis]
                slab = torch.zeros((raw.shape[1], *extent), device=device)
                sums = torch.zeros((1, *extent), device=device) if tiling == MONAI else None
            for start, tile in zip(group, raw, strict=True):
                where: list[slice] = [slice(None), *_cut(start, size)]
                where[axis + 1] = slice(0, size[axis])
                slab[tuple(where)].addcmul_(tile, window)
                if sums is not None:
                    sums[tuple(where)] += window
        if slab is None:
            raise ValueError("no tiles")
        stop = along[i + 1] if i + 1 < len(along) else shape[axis]
        yield from _finished(slab, totals, axis, s, stop, sums=sums)
        _shift(slab, axis + 1, stop - s)
        if sums is not None:
            _shift(sums, axis + 1, stop - s)


def _total(ramp: Tensor, at: Sequence[int], n: int) -> Tensor:
    """Return the sum of the weights along an axis of `n`, of tiles that begin at `at`."""
    total = torch.zeros(n)
    for s in at:
        total[s : s + len(ramp)] += ramp
    return total


def _finished(
    slab: Tensor,
    totals: Sequence[Tensor],
    axis: int,
    start: int,
    stop: int,
    *,
    sums: Tensor | None = None,
) -> Iterator[Piece]:
    """Yield the slab's rows `[start, stop)` divided by their weights, a few at a time: no second slab beside it.

    The weights are the product of the `totals` of each axis, or the `sums` of each point `(1, z, y, x)`.
    """
    rows = max(1, CHUNK_BYTES * slab.shape[axis + 1] // (4 * slab.numel()))
    for low in range(start, stop, rows):
        high = min(low + rows, stop)
        if sums is not None:
            weight = sums.narrow(axis + 1, low - start, high - low)[0]
        else:
            z, y, x = (t[low:high] if k == axis else t for k, t in enumerate(totals))
            weight = (z[:, None, None] * y[None, :, None] * x[None, None, :]).to(slab.device)
        yield axis, low, high, slab.narrow(axis + 1, low - start, high - low) / weight


def _shift(slab: Tensor, dim: int, by: int) -> None:
    """Move rows down by `by` in place, in stretches that do not overlap their goal; zeros come after."""
    rest = slab.shape[dim] - by
    for k in range(0, rest, max(by, 1)):
        n = min(by, rest - k)
        slab.narrow(dim, k, n).copy_(slab.narrow(dim, k + by, n))
    slab.narrow(dim, rest, by).zero_()


def _ordered(axis: int, along: int, across: Sequence[int], other: Sequence[int]) -> Size:
    place = [0, 0, 0]
    place[axis] = along
    for k, value in zip(across, other, strict=True):
        place[k] = value
    return place[0], place[1], place[2]


def _cut(at: Size, size: Size) -> tuple[slice, slice, slice]:
    z, y, x = (slice(a, a + s) for a, s in zip(at, size, strict=True))
    return z, y, x


def _batches(items: list[Size], n: int) -> Iterator[list[Size]]:
    for k in range(0, len(items), n):
        yield items[k : k + n]


def by_name(values: Values) -> Mapping[str, Tensor]:
    """Return fields by name; one that has no name is called `ONLY`."""
    return values if isinstance(values, Mapping) else {ONLY: values}


def to_native(
    pieces: Iterator[Piece], undo: Undo, point: Callable[[Tensor], Values]
) -> Array | dict[str, Array]:
    """Bring a streamed field back to the native grid and turn it into values there, a stretch at a time.

    Interpolation and `point` (an arg-max) happen together on a few rows, so that neither the field at native
    resolution nor at the network's exists whole. Returns `(Z, Y, X)` of the native image: uint8 or int16 for
    integers, float32 otherwise; where `point` gives several fields, one of these for each name.
    """
    out: dict[str, Array] = {}
    alone = False
    held: Tensor | None = None
    held_from = 0
    done = 0
    inner = inner_slices(undo)
    for axis, start, stop, raw in pieces:
        low, high = inner[axis].start, inner[axis].stop
        a, b = max(start, low), min(stop, high)
        if a >= b:
            continue
        where: list[slice] = [slice(None), *inner]
        where[axis + 1] = slice(a - start, b - start)
        piece = raw[tuple(where)]
        held = piece if held is None else torch.cat([held, piece], dim=axis + 1)
        n_in, n_out = undo.inner[axis], undo.seen[axis]
        last = b - low == n_in
        lines = [Line(undo.inner[k], undo.seen[k], undo.back[k], _step(undo, k)) for k in range(3)]
        ready = n_out if last else lines[axis].ready(b - low)
        rows = max(1, CHUNK_BYTES // (4 * held.shape[0] * max(1, _plane(undo.seen, axis))))
        while done < ready:
            upto = min(ready, done + rows)
            field = lines[axis].rows(held, axis, done, upto, held_from)
            for other in range(3):
                if other != axis:
                    field = lines[other].rows(field, other, 0, undo.seen[other], 0)
            values = point(field)
            alone = not isinstance(values, Mapping)
            place: list[slice] = [slice(None)] * 3
            place[axis] = slice(done, upto)
            for name, found in by_name(values).items():
                if name not in out:
                    out[name] = np.zeros(undo.seen, dtype=_kind(found, held.shape[0]))
                out[name][tuple(place)] = found.cpu().numpy()
            done = upto
        keep = int(np.floor(lines[axis].at(done))) if done < n_out else n_in
        drop = max(0, min(keep, b - low - 1) - held_from)
        held = held.narrow(axis + 1, drop, held.shape[axis + 1] - drop).clone()
        held_from += drop
    if not out:
        raise ValueError("an empty field")
    home = {name: unseen(array, undo) for name, array in out.items()}
    return home[ONLY] if alone else home


def _kind(values: Tensor, channels: int) -> type[np.generic]:
    if values.is_floating_point():
        return np.float32
    return np.uint8 if channels <= 256 else np.int16


def _plane(shape: Size, axis: int) -> int:
    return int(np.prod([n for k, n in enumerate(shape) if k != axis]))


def _step(undo: Undo, axis: int) -> float | None:
    return None if undo.steps is None else undo.steps[axis]
