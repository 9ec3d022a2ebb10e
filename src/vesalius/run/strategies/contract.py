"""The contract of a strategy: a pool is given, and the places of the cases to label next are returned, in order.

A file in `run/strategies/` ends in `STRATEGY = …`, and is found by its name. It sees figures alone, no image and no
answer, so that it holds for every task. What may not be taken together, such as two images of one patient, is not its
business: it asks `Taking`, or orders all cases and leaves the choice to `first`.
"""

from __future__ import annotations

import copy
from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from vesalius.core.errors import DataError
from vesalius.core.image import Array

UNSURE, VECTORS, FOUND = "unsure", "vectors", "found"


@dataclass(frozen=True, eq=False)
class Pool:
    """The cases of a pool, N of them, of which some are to be labelled.

    `unsure` `(N,)` is how unsure the model's answers are, the higher the more; `vectors` `(N, F)` are of length 1;
    `found` `(N,)` is the share of each image in which the model finds something; each is None where nothing says it.
    `labelled` `(M, F)` are the vectors of what is labelled already, made as those of the pool. Of the cases of one of
    the `groups` `(N,)` only one is taken.
    """

    unsure: Array | None
    vectors: Array | None
    found: Array | None
    groups: Array
    labelled: Array | None = None

    def __len__(self) -> int:
        return len(self.groups)


class Taking:
    """Takes cases of a pool one by one, so that no two are of one group. `places` are those taken, in order."""

    def __init__(self, pool: Pool) -> None:
        self._groups = pool.groups
        self.open = np.ones(len(pool), dtype=bool)
        self.places: list[int] = []

    def take(self, place: int) -> None:
        """Take a case that is open: no other of its group can be taken then."""
        self.places.append(int(place))
        self.open &= self._groups != self._groups[place]

    def first(self, order: Iterable[int], count: int) -> Sequence[int]:
        """Take the first open cases in an order until `count` are taken in all, and return all places."""
        for place in order:
            if len(self.places) >= count:
                break
            if self.open[place]:
                self.take(int(place))
        return self.places


class Strategy(ABC):
    """A way of choosing. It holds nothing but the name by which it was asked for.

    `needs` are the fields of `Pool` without which it cannot choose. `by` is the place of the measure of how unsure an
    answer is among those of its kind: 0 the usual one, 1 the next.
    """

    needs: ClassVar[tuple[str, ...]] = ()
    by: int = 0
    name: str = ""

    def named(self, name: str) -> Strategy:
        """Return the strategy under one of its registered names; a file of one name needs no more."""
        other = copy.copy(self)
        other.name = name
        return other

    @abstractmethod
    def choose(self, pool: Pool, count: int, generator: np.random.Generator) -> Sequence[int]:
        """Return the places of at most `count` cases, the first to label first; fewer where groups run out."""

    def __call__(self, pool: Pool, count: int, generator: np.random.Generator) -> list[int]:
        """Return `choose` of a pool that has what is needed. Raises DataError where something is lacking."""
        lacking = [name for name in self.needs if getattr(pool, name) is None]
        if lacking:
            raise DataError(
                f"the strategy {self.name} cannot choose", found=f"no {lacking[0]}", hint="--strategy random"
            )
        return list(self.choose(pool, count, generator)) if len(pool) and count > 0 else []


def ranks(values: Array) -> Array:
    """Return the rank of each value from 0 to 1, `(N,)`, equal ones alike; what is not known is 0."""
    held = np.where(np.isfinite(values), values, -np.inf)
    levels, place = np.unique(held, return_inverse=True)
    return np.asarray(place / max(1, len(levels) - 1), dtype=np.float64)


def apart(vectors: Array, centre: Array) -> Array:
    """Return how far vectors `(N, F)` of length 1 are from one, as its squared distance, `(N,)`."""
    return np.asarray(np.maximum(2 - 2 * (vectors @ centre), 0.0))


def nearest_labelled(pool: Pool, most: int = 256) -> Array | None:
    """Return the squared distance of each case to the nearest labelled one, `(N,)`; None where none is labelled."""
    if pool.vectors is None or pool.labelled is None or not len(pool.labelled):
        return None
    found = np.full(len(pool), np.inf)
    for k in range(0, len(pool.labelled), most):  # so that no table of all pairs is in memory
        block = np.maximum(2 - 2 * (pool.vectors @ pool.labelled[k : k + most].T), 0.0)
        found = np.minimum(found, block.min(axis=1))
    return found
