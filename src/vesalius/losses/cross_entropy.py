"""Cross-entropy: weighted, smoothed, over pictures or voxels; binary a label where labels overlap."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from vesalius.losses._targets import UNKNOWN, Loss, bits, full_precision, hard, is_soft, weighted_mean

NAMES = {"cross_entropy": "cross-entropy; binary, a label at a time, where labels overlap"}
TARGETS = ("class", "ordinal", "multilabel", "mask")
DEFAULT_FOR = {"class": "cross_entropy", "ordinal": "cross_entropy", "multilabel": "cross_entropy"}


def make(
    name: str,
    *,
    weights: Sequence[float] | None,
    smoothing: float,
    multilabel: bool,
    options: Mapping[str, Any],
) -> CrossEntropy:
    """Return the one loss of this file."""
    return CrossEntropy(weights, smoothing, multilabel)


class CrossEntropy(Loss):
    """-Σ y log p, as the mean over what is known, weighted by class (Σ w l / Σ w, as PyTorch does for integers)."""

    def forward(self, logits: Tensor, target: Tensor, weight: Tensor | None = None) -> Tensor:
        """Return the loss `()` of `logits` `(B, K, …)`, `target` and `weight` as `losses.build` says."""
        logits = full_precision(logits)
        factors = self.class_weights(logits)
        if self.multilabel:
            return binary(logits, bits(logits, target), factors, self.smoothing, weight)
        if is_soft(logits, target):
            target = target.to(logits.dtype)
            share = target.sum(1) if factors is None else torch.einsum("bk...,k->b...", target, factors)
            loss = F.cross_entropy(
                logits, target, weight=factors, reduction="none", label_smoothing=self.smoothing
            )
            return weighted_mean(loss, share, weight)
        target = hard(logits, target)
        loss = F.cross_entropy(
            logits,
            target,
            weight=factors,
            reduction="none",
            ignore_index=UNKNOWN,
            label_smoothing=self.smoothing,
        )
        return weighted_mean(loss, share_of(target, factors, logits.dtype), weight)


def share_of(target: Tensor, factors: Tensor | None, dtype: torch.dtype) -> Tensor:
    """Return `(B, …)`: the weight of each element's class; zero where the class is unknown."""
    known = target != UNKNOWN
    return known.to(dtype) if factors is None else factors[target.clamp_min(0)] * known


def binary(
    logits: Tensor, target: Tensor, factors: Tensor | None, smoothing: float, weight: Tensor | None
) -> Tensor:
    """Mean binary cross-entropy over samples and labels that are known; `factors` weigh the positive term."""
    known = target >= 0
    smooth = target.clamp_min(0) * (1 - smoothing) + smoothing / 2
    shaped = None if factors is None else factors.reshape(-1, *(1,) * (logits.dim() - 2))
    loss = F.binary_cross_entropy_with_logits(logits, smooth, reduction="none", pos_weight=shaped)
    return weighted_mean((loss * known).sum(1), known.sum(1).to(loss.dtype), weight)
