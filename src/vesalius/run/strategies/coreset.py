"""Core-set: cases far from all that is labelled or taken, k-centre greedy (Sener and Savarese 2018, alg. 1)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from vesalius.core.image import Array
from vesalius.run.strategies.contract import VECTORS, Pool, Strategy, Taking, apart, nearest_labelled


class CoreSet(Strategy):
    """The farthest from its nearest centre first; centres are what is labelled, and what was taken before.

    Where nothing is labelled it begins with the case nearest to the middle of all. At most twice as far as need be is
    then every case from a centre.
    """

    needs = (VECTORS,)

    def choose(self, pool: Pool, count: int, generator: np.random.Generator) -> Sequence[int]:
        """Return cases by k-centre greedy."""
        return greedy(pool, count, np.ones(len(pool)))


def greedy(pool: Pool, count: int, weight: Array) -> Sequence[int]:
    """Return cases, each time the one whose distance to its nearest centre times its `weight` `(N,)` is largest."""
    vectors = pool.vectors if pool.vectors is not None else np.zeros((len(pool), 1))
    taking, far = Taking(pool), nearest_labelled(pool)
    while len(taking.places) < count and taking.open.any():
        if far is None:
            worth = weight * (1e-9 + vectors @ vectors.mean(axis=0) + 2)  # nearest to the middle
        else:
            worth = weight * far
        place = int(np.argmax(np.where(taking.open, worth, -np.inf)))
        taking.take(place)
        new = apart(vectors, vectors[place])
        far = new if far is None else np.minimum(far, new)
    return taking.places


STRATEGY = CoreSet()
