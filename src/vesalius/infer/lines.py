"""Lines: samples along one axis of a field, found among those that there are, a stretch at a time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from torch import Tensor, arange, float64, lerp

from vesalius.prepare.geometry import Undo


@dataclass(frozen=True)
class Line:
    """How `n_out` samples along an axis are found among `n_in`: linear between two for `order` 1, the nearest for 0.

    `step` is how many of the outer samples one of the inner is, where the first ones coincide; None where edges do.
    """

    n_in: int
    n_out: int
    order: int = 1
    step: float | None = None

    @property
    def same(self) -> bool:
        """Whether samples stay where they are."""
        return self.n_in == self.n_out and self.step in (None, 1.0)

    def at(self, k: Any) -> Any:
        """Return where the `k`-th of the samples to be found lies among those that there are."""
        return (k + 0.5) * self.n_in / self.n_out - 0.5 if self.step is None else k / self.step

    def ready(self, have: int) -> int:
        """Return how many of the samples need only the first `have` that there are."""
        return int(np.searchsorted(np.floor(self.at(np.arange(self.n_out))) + 1, have))

    def rows(self, field: Tensor, axis: int, start: int, stop: int, offset: int) -> Tensor:
        """Return samples `[start, stop)` along an axis of `(K, z, y, x)`; `field` has those from `offset` on.

        Edges are repeated.
        """
        dim, last = axis + 1, self.n_in - 1
        if self.same:
            return field.narrow(dim, start - offset, stop - start)
        centre = self.at(arange(start, stop, dtype=float64))
        if self.order == 0:
            nearest = (centre + 0.5).floor().long().clamp(0, last) - offset
            return field.index_select(dim, nearest.to(field.device))
        left = centre.floor()
        share = (centre - left).to(field).view([-1 if k == dim else 1 for k in range(4)])
        i = (left.long().clamp(0, last) - offset).to(field.device)
        j = ((left.long() + 1).clamp(0, last) - offset).to(field.device)
        return lerp(field.index_select(dim, i), field.index_select(dim, j), share)


def lines_of(undo: Undo) -> tuple[Line, Line, Line]:
    """Return how a prepared field is brought back along each axis."""
    z, y, x = (
        Line(undo.inner[k], undo.seen[k], undo.back[k], None if undo.steps is None else undo.steps[k])
        for k in range(3)
    )
    return z, y, x
