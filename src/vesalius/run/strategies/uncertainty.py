"""What the model is least sure of, by entropy or by margin (Lewis and Gale 1994; Settles 2009)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from vesalius.run.strategies.contract import UNSURE, Pool, Strategy, Taking, ranks

NAMES = {
    "uncertainty": "what the model is least sure of: the entropy of its answer, or the width of its interval",
    "uncertainty-margin": "what the model is least sure of: how near its two likeliest answers are",
}


class Uncertainty(Strategy):
    """The most unsure first; equal ones in an order that is drawn, so that the pool's own order decides nothing."""

    needs = (UNSURE,)

    def named(self, name: str) -> Strategy:
        """Return the strategy with the measure of its name."""
        other = super().named(name)
        other.by = int(name.endswith("-margin"))
        return other

    def choose(self, pool: Pool, count: int, generator: np.random.Generator) -> Sequence[int]:
        """Return the most unsure cases."""
        unsure = ranks(pool.unsure if pool.unsure is not None else np.zeros(len(pool)))
        order = np.lexsort((generator.permutation(len(pool)), -unsure))
        return Taking(pool).first(order, count)


STRATEGY = Uncertainty()
