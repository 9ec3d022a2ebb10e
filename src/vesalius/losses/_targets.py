"""Targets in one form for every loss: hard, soft, overlapping or numbers; what is unknown; and the weighted mean."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from vesalius.core.errors import DataError

UNKNOWN = -1


class Loss(nn.Module):
    """What every loss holds: class weights as a buffer that is not saved, smoothing, and whether labels overlap."""

    weights: Tensor | None

    def __init__(self, weights: Sequence[float] | None, smoothing: float, multilabel: bool) -> None:
        super().__init__()
        held = None if weights is None else torch.tensor(list(weights), dtype=torch.float32)
        self.register_buffer("weights", held, persistent=False)
        self.smoothing = smoothing
        self.multilabel = multilabel

    def class_weights(self, logits: Tensor) -> Tensor | None:
        """Return `(K,)` in the logits' type, or None. Raises DataError when there are not K of them."""
        if self.weights is None:
            return None
        if self.weights.numel() != logits.shape[1]:
            raise DataError(
                "one class weight a class is needed",
                found=f"{self.weights.numel()} weights for {logits.shape[1]} classes",
            )
        return self.weights.to(logits.dtype)


def full_precision(logits: Tensor) -> Tensor:
    """Half types become float32; sums over a volume would not survive them."""
    return logits.float() if logits.dtype in (torch.float16, torch.bfloat16) else logits


def is_soft(logits: Tensor, target: Tensor) -> bool:
    """Return whether a target of exclusive labels is given as probabilities."""
    return target.is_floating_point() and target.shape == logits.shape


def hard(logits: Tensor, target: Tensor) -> Tensor:
    """Return integers `(B, …)`: the channel axis of a `(B, 1, …)` target is dropped. Raises DataError."""
    wanted = (logits.shape[0], *logits.shape[2:])
    if target.shape == (wanted[0], 1, *wanted[1:]):
        target = target[:, 0]
    if target.shape != wanted or target.is_floating_point():
        raise DataError(
            "a target of exclusive labels must be integers of the logits' shape without channels",
            found=f"{target.dtype} {tuple(target.shape)} for logits {tuple(logits.shape)}",
        )
    return target.long()


def bits(logits: Tensor, target: Tensor) -> Tensor:
    """Return overlapping labels `(B, K, …)` in the logits' type, -1 where unknown. Raises DataError."""
    if target.shape != logits.shape:
        raise DataError(
            "a target of overlapping labels must have the logits' shape",
            found=f"{tuple(target.shape)} for logits {tuple(logits.shape)}",
        )
    return target.to(logits.dtype)


def spread(weight: Tensor, like: Tensor) -> Tensor:
    """Return `weight` `(B,)`, `(B, …)` or `(B, 1, …)` so that it broadcasts over `like` `(B, …)`."""
    if weight.dim() == like.dim() + 1 and weight.shape[1] == 1:
        weight = weight[:, 0]
    return weight.to(like.dtype).reshape(weight.shape + (1,) * (like.dim() - weight.dim()))


def weighted_mean(loss: Tensor, share: Tensor, weight: Tensor | None) -> Tensor:
    """Sum of `loss` over the sum of `share`, both `(B, …)` and both times `weight`; zero where nothing counts.

    `loss` holds each element's class weight already, `share` is that weight alone, and zero where unknown.
    """
    if weight is not None:
        factor = spread(weight, loss)
        loss, share = loss * factor, share * factor
    return loss.sum() / share.sum().clamp_min(torch.finfo(loss.dtype).tiny)


class NumberLoss(Loss):
    """A loss of numbers: the mean of `each` over samples and outputs; `weights` hold one factor an output.

    NaN targets are unknown. A subclass says in `each` what one error costs.
    """

    def each(self, error: Tensor) -> Tensor:
        """Return what each error `(B, K, …)` costs, in the same shape."""
        raise NotImplementedError

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
        error = self.each(guess - target.nan_to_num()) * share
        return weighted_mean(error.sum(1), share.sum(1), weight)
