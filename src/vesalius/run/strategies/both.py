"""Both: unsure cases that are unlike one another and unlike what is labelled."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from vesalius.run.strategies.contract import (
    UNSURE,
    VECTORS,
    Pool,
    Strategy,
    Taking,
    apart,
    nearest_labelled,
    ranks,
)
from vesalius.run.strategies.coreset import greedy

NAMES = {
    "both": "unsure and unlike: k-centre greedy, each distance times the rank of how unsure the answer is",
    "both-drawn": "unsure and unlike: drawn by k-means++, each distance times how unsure the answer is, as BADGE does",
}
LEAST = 0.05  # of a rank, so that the surest case is not out for good


class Both(Strategy):
    """K-centre greedy whose distances are weighted by how unsure an answer is; with `-drawn` drawn in place of greedy.

    Drawing by squared distance is k-means++ (Arthur and Vassilvitskii 2007), as BADGE draws (Ash et al. 2020); here a
    case's place is its features, and its length how unsure it is, in place of a gradient, which not every task has.
    """

    needs = (UNSURE, VECTORS)

    def choose(self, pool: Pool, count: int, generator: np.random.Generator) -> Sequence[int]:
        """Return unsure cases that are unlike one another."""
        weight = np.maximum(ranks(pool.unsure if pool.unsure is not None else np.zeros(len(pool))), LEAST)
        if not self.name.endswith("-drawn"):
            return greedy(pool, count, weight)
        vectors = pool.vectors if pool.vectors is not None else np.zeros((len(pool), 1))
        taking, far = Taking(pool), nearest_labelled(pool)
        while len(taking.places) < count and taking.open.any():
            chance = np.where(taking.open, weight**2 * (1.0 if far is None else far), 0.0)
            if chance.sum() <= 0:
                chance = taking.open.astype(np.float64)
            place = int(generator.choice(len(pool), p=chance / chance.sum()))
            taking.take(place)
            new = apart(vectors, vectors[place])
            far = new if far is None else np.minimum(far, new)
        return taking.places


STRATEGY = Both()
