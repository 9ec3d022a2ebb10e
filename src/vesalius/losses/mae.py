"""Mean absolute error: for numbers of which some are far off; its best constant is the median."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from torch import Tensor

from vesalius.losses._targets import NumberLoss

NAMES = {"mae": "mean absolute error, for numbers of which some are far off"}
TARGETS = ("number", "measures", "clean")


def make(
    name: str,
    *,
    weights: Sequence[float] | None,
    smoothing: float,
    multilabel: bool,
    options: Mapping[str, Any],
) -> AbsoluteError:
    """Return the one loss of this file; `smoothing` and `multilabel` mean nothing to it."""
    return AbsoluteError(weights, smoothing, multilabel)


class AbsoluteError(NumberLoss):
    """|x - y|, the mean over samples and outputs."""

    def each(self, error: Tensor) -> Tensor:
        """Return the absolute values."""
        return error.abs()
