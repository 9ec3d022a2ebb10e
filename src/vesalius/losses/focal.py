"""Focal loss: cross-entropy that fades on what is easy (Lin et al. 2017)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from vesalius.losses._targets import UNKNOWN, Loss, bits, full_precision, hard, is_soft, weighted_mean
from vesalius.losses.cross_entropy import share_of

NAMES = {"focal": "cross-entropy that fades on easy samples, for rare classes"}
TARGETS = ("class", "ordinal", "multilabel", "mask")
OPTIONS = {"gamma": 2.0}
LIMITS = {"gamma": {"ge": 0}}


def make(
    name: str,
    *,
    weights: Sequence[float] | None,
    smoothing: float,
    multilabel: bool,
    options: Mapping[str, Any],
) -> Focal:
    """Return the one loss of this file."""
    return Focal(weights, smoothing, multilabel, gamma=float(options["gamma"]))


class Focal(Loss):
    """-Σ y (1 - p)^γ log p, the mean over what is known; γ = 0 is cross-entropy. Soft targets are summed over."""

    def __init__(
        self, weights: Sequence[float] | None, smoothing: float, multilabel: bool, *, gamma: float
    ) -> None:
        super().__init__(weights, smoothing, multilabel)
        self.gamma = gamma

    def forward(self, logits: Tensor, target: Tensor, weight: Tensor | None = None) -> Tensor:
        """Return the loss `()` of `logits` `(B, K, …)`, `target` and `weight` as `losses.build` says."""
        logits = full_precision(logits)
        factors = self.class_weights(logits)
        if self.multilabel:
            return self._overlapping(logits, bits(logits, target), factors, weight)
        log_p = F.log_softmax(logits, dim=1)
        if is_soft(logits, target) or self.smoothing:
            if is_soft(logits, target):
                soft, known = target.to(logits.dtype), torch.ones_like(log_p[:, 0])
            else:
                target = hard(logits, target)
                known = (target != UNKNOWN).to(logits.dtype)
                soft = F.one_hot(target.clamp_min(0), logits.shape[1]).movedim(-1, 1).to(logits.dtype)
            smooth = soft * (1 - self.smoothing) + self.smoothing / logits.shape[1]
            terms = -smooth * self._fade(log_p.exp()) * log_p  # (B, K, …)
            if factors is None:
                return weighted_mean(terms.sum(1) * known, known, weight)
            share = torch.einsum("bk...,k->b...", soft, factors)
            return weighted_mean(torch.einsum("bk...,k->b...", terms, factors) * known, share * known, weight)
        target = hard(logits, target)
        share = share_of(target, factors, logits.dtype)
        chosen = log_p.gather(1, target.clamp_min(0).unsqueeze(1)).squeeze(1)
        return weighted_mean(-self._fade(chosen.exp()) * chosen * share, share, weight)

    def _fade(self, p: Tensor) -> Tensor:
        return (1 - p).clamp_min(0) ** self.gamma

    def _overlapping(
        self, logits: Tensor, target: Tensor, factors: Tensor | None, weight: Tensor | None
    ) -> Tensor:
        known = (target >= 0).to(logits.dtype)
        smooth = target.clamp_min(0) * (1 - self.smoothing) + self.smoothing / 2
        p = logits.sigmoid()
        positive = -smooth * self._fade(p) * F.logsigmoid(logits)
        negative = -(1 - smooth) * self._fade(1 - p) * F.logsigmoid(-logits)
        if factors is not None:
            positive = positive * factors.reshape(-1, *(1,) * (logits.dim() - 2))
        return weighted_mean(((positive + negative) * known).sum(1), known.sum(1), weight)
