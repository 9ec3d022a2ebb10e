"""At random, two in three of them cases in which the model finds something (nnActive: Lüth et al. 2025)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from vesalius.run.strategies.contract import FOUND, Pool, Strategy, Taking

SHARE = 2 / 3


class Foreground(Strategy):
    """Random, but for the share `SHARE`, which is drawn of cases in which something is found.

    Of volumes of which most hold nothing of what is sought, no strategy was found to beat it reliably. Where all cases,
    or none, hold something, it is random.
    """

    needs = (FOUND,)

    def choose(self, pool: Pool, count: int, generator: np.random.Generator) -> Sequence[int]:
        """Return cases in an order that is drawn, two in three of those in which something is found."""
        found = np.nan_to_num(pool.found if pool.found is not None else np.zeros(len(pool))) > 0
        taking = Taking(pool)
        taking.first([k for k in generator.permutation(len(pool)) if found[k]], round(SHARE * count))
        return taking.first(generator.permutation(len(pool)), count)


STRATEGY = Foreground()
