"""Tile by tile, blended into densities in bounded memory: fields whose sums over the image are counts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, ClassVar

import numpy as np
from torch import Tensor

from vesalius.core.image import Array
from vesalius.infer.runs.contract import Members, Told
from vesalius.infer.runs.dense import Dense, telling
from vesalius.infer.tiles import Piece
from vesalius.prepare.batch import Example
from vesalius.prepare.geometry import Undo
from vesalius.prepare.mass import COUNTS, DENSITY, Backward, within

SAMPLING = "patches"


class Density(Dense):
    """As `dense`, but what comes back to the image's grid keeps its sum, and raw answers about cases are sums alone.

    `answer` gives `counts` `(1, K)` and `density` `(K, Z, Y, X)` on the native grid, as what lies in each voxel; `raw`
    gives the counts alone, `(1, K)`, so that those of all cases can be kept for calibration.
    """

    held_out: ClassVar[bool] = True

    def answer(self, members: Members, example: Example, undo: Undo, *, told: Told | None = None) -> Any:
        """Return `counts` `(1, K)` and `density` `(K, Z, Y, X)`, float32 on the native grid."""
        pieces = self._stream(members, example, undo)
        if told is not None:
            pieces = telling(pieces, undo.shape, told)
        return _gathered(pieces, undo)

    def raw(self, members: Members, examples: Sequence[Example]) -> Iterator[Any]:
        """Return the sums of each case's fields within its image, `(1, K)`."""
        for example in examples:
            yield self._sums(members, example)[None]

    def decodable(self, members: Members, raw: Tensor, undo: Undo) -> Any:
        """Return the same as `answer`, of fields over the whole prepared image, `(K, Z, Y, X)`."""
        return _gathered(iter([(0, 0, raw.shape[1], raw.detach().float())]), undo)

    def _sums(self, members: Members, example: Example) -> Array:
        inner = within(example)
        total: Array = np.zeros(0)
        for axis, start, stop, raw in self._stream(members, example):
            a, b = max(start, inner[axis].start), min(stop, inner[axis].stop)
            where: list[slice] = [slice(None), *inner]
            where[axis + 1] = slice(max(a - start, 0), max(b - start, 0))
            found = raw[tuple(where)].double().sum(dim=(1, 2, 3)).cpu().numpy()
            total = found if not len(total) else total + found
        return total


def _gathered(pieces: Iterator[Piece], undo: Undo) -> dict[str, Array]:
    home = Backward(undo)
    for axis, start, _, raw in pieces:
        home.add(axis, start, raw.cpu().numpy())
    return {COUNTS: home.counts()[None], DENSITY: home.native()}


RUN = Density()
