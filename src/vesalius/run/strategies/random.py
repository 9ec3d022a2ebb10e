"""At random: what every other strategy has to beat."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from vesalius.run.strategies.contract import Pool, Strategy, Taking


class Random(Strategy):
    """Each case is as likely as any other; of a patient with many images one is taken."""

    def choose(self, pool: Pool, count: int, generator: np.random.Generator) -> Sequence[int]:
        """Return cases in an order that is drawn."""
        return Taking(pool).first(generator.permutation(len(pool)), count)


STRATEGY = Random()
