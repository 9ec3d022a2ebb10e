"""Mean squared error: for numbers, and for fields of numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from torch import Tensor

from vesalius.core.errors import DataError
from vesalius.losses._targets import Loss, full_precision, weighted_mean

NAMES = {"mse": "mean squared error, for numbers"}
TARGETS = ("number",)
DEFAULT_FOR = {"number": "mse"}


def make(
    name: str,
    *,
    weights: Sequence[float] | None,
    smoothing: float,
    multilabel: bool,
    options: Mapping[str, Any],
) -> SquaredError:
    """The one loss of this file; `smoothing` and `multilabel` mean nothing to it."""
    return SquaredError(weights, smoothing, multilabel)


class SquaredError(Loss):
    """(x - y)², the mean over samples and outputs; `weights` hold one factor an output. NaN targets are unknown."""

    def forward(self, logits: Tensor, target: Tensor, weight: Tensor | None = None) -> Tensor:
        """`logits` `(B, K, …)` or `(B,)`, `target` of the same shape (or without K where K is 1) → `()`."""
        guess = full_precision(logits)
        guess = guess.unsqueeze(1) if guess.dim() == 1 else guess
        if target.dim() == guess.dim() - 1 and guess.shape[1] == 1:
            target = target.unsqueeze(1)
        if target.shape != guess.shape:
            raise DataError(
                "numbers to learn must have the output's shape",
                found=f"{tuple(target.shape)} for {tuple(guess.shape)}",
            )
        target = target.to(guess.dtype)
        known = ~target.isnan()
        factors = self.class_weights(guess)
        share = known.to(guess.dtype)
        if factors is not None:
            share = share * factors.reshape(-1, *(1,) * (guess.dim() - 2))
        error = (guess - target.nan_to_num()) ** 2 * share
        return weighted_mean(error.sum(1), share.sum(1), weight)
