"""Dice of cases of several scorecards together, with the interval of a bootstrap over the cases."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from vesalius.core.scorecard import Scorecard

DRAWS = 2000


@dataclass(frozen=True)
class Mean:
    """A mean over cases with its 95 % interval."""

    value: float
    low: float
    high: float
    n: int

    def told(self) -> str:
        """Return it in words."""
        return f"{self.value:.4f} [{self.low:.4f}, {self.high:.4f}], n {self.n}"


def dice(card: Scorecard) -> dict[str, float]:
    """Return each case's mean Dice over its labels, without the cases where it is not defined."""
    found = {}
    for case in card.cases:
        each = [
            v for k, v in case.items() if k.startswith("dice/") and isinstance(v, float) and np.isfinite(v)
        ]
        if each:
            found[str(case["case"])] = float(np.mean(each))
    return found


def mean(values: Mapping[str, float]) -> Mean:
    """Return the mean over cases. Raises RuntimeError where there is none."""
    if not values:
        raise RuntimeError("no case has a Dice")
    held = np.array(list(values.values()))
    rng = np.random.default_rng(0)
    drawn = held[rng.integers(len(held), size=(DRAWS, len(held)))].mean(axis=1)
    low, high = np.quantile(drawn, (0.025, 0.975))
    return Mean(float(held.mean()), float(low), float(high), len(held))
