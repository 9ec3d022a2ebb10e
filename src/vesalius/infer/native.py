"""A streamed field brought back to the native grid, and turned into values there a few rows at a time."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping

import numpy as np
import torch
from torch import Tensor

from vesalius.core.image import Array
from vesalius.infer import tiles
from vesalius.infer.columns import Column, Span
from vesalius.infer.lines import Line, lines_of
from vesalius.infer.tiles import Piece
from vesalius.prepare.geometry import Undo, inner_slices, unseen

Values = Tensor | Mapping[str, Tensor]  # of each point `(z, y, x)`: one field, or several by name
Point = Callable[[Tensor], Values]
ONLY = ""  # the name of a field that has none


def by_name(values: Values) -> Mapping[str, Tensor]:
    """Return fields by name; one that has no name is called `ONLY`."""
    return values if isinstance(values, Mapping) else {ONLY: values}


def to_native(pieces: Iterable[Piece], undo: Undo, point: Point) -> Array | dict[str, Array]:
    """Bring a streamed field back to the native grid and turn it into values there, a stretch at a time.

    Interpolation and `point` (an arg-max) happen together on a few rows, so that neither the field at native
    resolution nor at the network's exists whole. Returns `(Z, Y, X)` of the native image: uint8 or int16 for
    integers, float32 otherwise; where `point` gives several fields, one of these for each name.
    """
    home = Home(undo, point)
    home.take(pieces)
    return home.values()


def nbytes(undo: Undo, point: Point, channels: int) -> int:
    """Return how many bytes the values of a field of so many channels take on the native grid."""
    found = by_name(point(torch.zeros((channels, 1, 1, 1))))
    return math.prod(undo.native) * sum(np.dtype(_kind(one, channels)).itemsize for one in found.values())


class Home:
    """The native grid of one image, which is filled column by column; `point` turns a field into values.

    A stretch that is interpolated and turned has about `chunk` bytes. `labels` is how many values a point may have,
    where that is not the number of the field's channels.
    """

    def __init__(
        self, undo: Undo, point: Point, *, chunk: int | None = None, labels: int | None = None
    ) -> None:
        self._undo, self._point, self._chunk = undo, point, chunk or tiles.CHUNK_BYTES
        self._labels = labels
        self._out: dict[str, Array] = {}
        self._alone = False

    def take(self, pieces: Iterable[Piece], column: Column | None = None) -> None:
        """Fill in what a column's pieces say, or those of the whole field."""
        undo, held, lines = self._undo, None, lines_of(self._undo)
        held_from = done = 0
        inner, across = list(inner_slices(undo)), [slice(0, n) for n in undo.seen]
        first = [0, 0, 0]  # the row of the image at which a piece begins, on each axis
        for axis, start, stop, raw in pieces:
            low, high = inner_slices(undo)[axis].start, inner_slices(undo)[axis].stop
            a, b = max(start, low), min(stop, high)
            if a >= b:
                continue
            if column is not None and held is None:
                for k in column.across:
                    span = column.spans[k]
                    inner[k], first[k], across[k] = _part(undo, span, k)
                if any(s.start >= s.stop for s in across):
                    return  # no native row is nearest to this column's
            inner[axis] = slice(a - start, b - start)
            piece = raw[(slice(None), *inner)]
            held = piece if held is None else torch.cat([held, piece], dim=axis + 1)
            n_in, n_out = undo.inner[axis], undo.seen[axis]
            ready = n_out if b - low == n_in else lines[axis].ready(b - low)
            size = [s.stop - s.start for k, s in enumerate(across) if k != axis]
            rows = max(1, self._chunk // (4 * held.shape[0] * max(1, size[0] * size[1])))
            while done < ready:
                upto = min(ready, done + rows)
                field = lines[axis].rows(held, axis, done, upto, held_from)
                across[axis] = slice(done, upto)
                for k in range(3):
                    if k != axis:
                        field = lines[k].rows(field, k, across[k].start, across[k].stop, first[k])
                self._put(field, (across[0], across[1], across[2]))
                done = upto
            keep = int(np.floor(lines[axis].at(done))) if done < n_out else n_in
            drop = max(0, min(keep, b - low - 1) - held_from)
            held = held.narrow(axis + 1, drop, held.shape[axis + 1] - drop).clone()
            held_from += drop

    def values(self) -> Array | dict[str, Array]:
        """Return the values on the native grid. Raises ValueError where there are none."""
        if not self._out:
            raise ValueError("an empty field")
        home = {n: unseen(array, self._undo) for n, array in self._out.items()}
        return home[ONLY] if self._alone else home

    def _put(self, field: Tensor, place: tuple[slice, slice, slice]) -> None:
        values = self._point(field)
        self._alone = not isinstance(values, Mapping)
        for name, found in by_name(values).items():
            if name not in self._out:
                self._out[name] = np.zeros(
                    self._undo.seen, dtype=_kind(found, self._labels or field.shape[0])
                )
            self._out[name][place] = found.cpu().numpy()


def _part(undo: Undo, span: Span, k: int) -> tuple[slice, int, slice]:
    """Return which rows of a column's piece lie in the image, the first of them there, and the native rows it fills."""
    before, n_in, line = undo.before[k], undo.inner[k], lines_of(undo)[k]
    low, end = max(span.low, before), min(span.end, before + n_in)
    last = span.end >= before + n_in
    filled = slice(
        _filled(span.start - before, line) if span.start > before else 0,
        line.n_out if last else _filled(end - before, line),
    )
    return slice(low - span.low, end - span.low), low - before, filled


def _filled(have: int, line: Line) -> int:
    """Return how many output rows are filled by what ends with the first `have` input rows."""
    return have if line.same else line.ready(have)


def _kind(values: Tensor, channels: int) -> type[np.generic]:
    if values.is_floating_point():
        return np.float32
    return np.uint8 if channels <= 256 else np.int16
