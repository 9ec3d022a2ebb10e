"""Smooth L1: squared near the truth, absolute far from it (Huber 1964; Girshick 2015), so that odd truths pull less.

l(e) = e² / (2 β)     where |e| < β
       |e| - β / 2    elsewhere
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from vesalius.losses._targets import NumberLoss

NAMES = {"smooth_l1": "squared near the truth and absolute beyond beta, for numbers"}
TARGETS = ("number", "measures", "clean")
OPTIONS = {"beta": 1.0}
LIMITS = {"beta": {"gt": 0}}


def make(
    name: str,
    *,
    weights: Sequence[float] | None,
    smoothing: float,
    multilabel: bool,
    options: Mapping[str, Any],
) -> SmoothL1:
    """Return the one loss of this file; `smoothing` and `multilabel` mean nothing to it."""
    return SmoothL1(weights, smoothing, multilabel, beta=float(options["beta"]))


class SmoothL1(NumberLoss):
    """Half the square over `beta` of errors smaller than `beta`, and of others the absolute value less half of it."""

    def __init__(
        self, weights: Sequence[float] | None, smoothing: float, multilabel: bool, *, beta: float
    ) -> None:
        super().__init__(weights, smoothing, multilabel)
        self.beta = beta

    def each(self, error: Tensor) -> Tensor:
        """Return l(e) of each error."""
        size = error.abs()
        return torch.where(size < self.beta, 0.5 * size**2 / self.beta, size - 0.5 * self.beta)
