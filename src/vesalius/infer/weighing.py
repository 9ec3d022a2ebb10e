"""Weighing: how much each source counted in answers, overheard from the models while they answer."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
from torch import nn

from vesalius.core.image import Array
from vesalius.core.weighed import Weighed


class Weighing:
    """Gathers the weights of the sources of one case after the other, as the mean over members and mirror images.

    It listens to nets that have `overheard`, a context in which what they see of each batch is put into a list, and
    that name their sources; a model without such a net, or with one source alone, says nothing.
    """

    def __init__(self) -> None:
        self._cases: list[Weighed | None] = []
        self._passes: list[Any] = []
        self._net: Any = None

    @contextmanager
    def over(self, model: nn.Module) -> Iterator[None]:
        """Listen to one model while it is asked about a batch; `told` ends the batch."""
        net = listened(model)
        if net is None:
            yield
            return
        self._net = net
        with net.overheard() as heard:
            yield
        self._passes += heard

    def told(self, rows: int, *, views: int = 1) -> None:
        """Take in what was heard of a batch of so many cases, of each of them in so many views one after the other."""
        passes, self._passes = self._passes, []
        if not passes:
            self._cases += [None] * rows
            return
        there = passes[0].there.cpu().numpy()
        weights = np.mean([p.weights.float().cpu().numpy() for p in passes], axis=0)
        there, weights = there[:rows], weights.reshape(views, rows, -1).mean(axis=0)
        self._cases += [_weighed(self._net, w, t) for w, t in zip(weights, there, strict=True)]

    def of(self, count: int) -> Sequence[Weighed | None]:
        """Return what was heard of each of so many cases, in their order."""
        return self._cases if len(self._cases) == count else [None] * count


def listened(model: nn.Module, *, alone: bool = False) -> Any:
    """Return the net of a model that joins several sources, or `alone` frames of one; None where it has none."""
    found: Iterator[Any] = (m for m in model.modules() if hasattr(m, "overheard"))
    return next((net for net in found if alone or len(net.names) > 1), None)


def _weighed(net: Any, weights: Array, there: Array) -> Weighed:
    names = tuple(net.names)
    given = [n for n, t in zip(names, there, strict=True) if t]
    shares = {n: round(float(w), 6) for n, w, t in zip(names, weights, there, strict=True) if t}
    return Weighed(
        names=names,
        shares=shares if net.weighs else {},
        lacking=tuple(n for n in names if n not in given),
    )
