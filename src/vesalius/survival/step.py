"""Step: a function of time that jumps at certain days and stays as it is between them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vesalius.core.image import Array


@dataclass(frozen=True, eq=False)
class Step:
    """A right-continuous step function: at a jump it has the new value already.

    `times_days` `(K,)`, rising, are where it may jump, and the last of them is as far as the data tell. `values`
    `(K,)` hold from each time on, and `before` ahead of the first. `low` and `high` `(K,)` are its band, where there
    is one.
    """

    times_days: Array
    values: Array
    before: float
    low: Array | None = None
    high: Array | None = None

    @property
    def end_days(self) -> float:
        """Return the last day of which the data tell; 0 without data."""
        return float(self.times_days[-1]) if len(self.times_days) else 0.0

    def at(self, days: Array | float) -> Array:
        """Return the values at these days, in their shape; after the last time it is carried forward."""
        return self._values(np.searchsorted(self.times_days, days, side="right"))

    def left(self, days: Array | float) -> Array:
        """Return the values just before these days (the limits from the left), in their shape."""
        return self._values(np.searchsorted(self.times_days, days, side="left"))

    def _values(self, passed: Array) -> Array:
        return np.asarray(np.concatenate([[self.before], self.values])[passed])
