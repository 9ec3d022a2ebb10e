"""Mean squared error: for numbers, and for fields of numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from torch import Tensor

from vesalius.losses._targets import NumberLoss

NAMES = {"mse": "mean squared error, for numbers"}
TARGETS = ("number", "measures", "clean")
DEFAULT_FOR = {"number": "mse"}


def make(
    name: str,
    *,
    weights: Sequence[float] | None,
    smoothing: float,
    multilabel: bool,
    options: Mapping[str, Any],
) -> SquaredError:
    """Return the one loss of this file; `smoothing` and `multilabel` mean nothing to it."""
    return SquaredError(weights, smoothing, multilabel)


class SquaredError(NumberLoss):
    """(x - y)², the mean over samples and outputs."""

    def each(self, error: Tensor) -> Tensor:
        """Return the squares."""
        return error**2
