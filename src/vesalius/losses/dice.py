"""Soft Dice, alone and with cross-entropy: overlap of predicted and true masks, whatever their size."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from vesalius.losses._targets import UNKNOWN, Loss, bits, full_precision, hard, is_soft, spread, weighted_mean
from vesalius.losses.cross_entropy import binary, share_of

NAMES = {
    "dice": "one minus the soft Dice overlap, averaged over labels",
    "dice-ce": "soft Dice plus cross-entropy: overlap and certainty at once",
}
TARGETS = ("mask",)
DEFAULT_FOR = {"mask": "dice-ce"}
OPTIONS = {"batch": True, "background": False, "smooth": 1e-5, "dice_weight": 1.0, "ce_weight": 1.0}
LIMITS = {"smooth": {"ge": 0}, "dice_weight": {"ge": 0}, "ce_weight": {"ge": 0}}


def make(
    name: str,
    *,
    weights: Sequence[float] | None,
    smoothing: float,
    multilabel: bool,
    options: Mapping[str, Any],
) -> Dice:
    """`dice` or `dice-ce`; `smoothing` and `weights` touch the cross-entropy, `weights` the mean over labels too."""
    return Dice(weights, smoothing, multilabel, options=options, with_ce=name == "dice-ce")


Sums = tuple[Tensor, Tensor]  # what is shared, and both masses together; each (B, K)


class Dice(Loss):
    """1 - (2 Σ p y + s) / (Σ p + Σ y + s), the mean over labels, plus cross-entropy where asked for.

    Milletari et al. 2016 without squares in the denominator. `batch` sums over the whole batch before
    dividing, which a label that is absent from one patch does not upset; otherwise each sample counts alone.
    `background` says whether label 0 of exclusive labels is one of those averaged over.
    """

    def __init__(
        self,
        weights: Sequence[float] | None,
        smoothing: float,
        multilabel: bool,
        *,
        options: Mapping[str, Any],
        with_ce: bool,
    ) -> None:
        super().__init__(weights, smoothing, multilabel)
        self.batch = bool(options["batch"])
        self.background = bool(options["background"])
        self.smooth = float(options["smooth"])
        self.dice_weight = float(options["dice_weight"]) if with_ce else 1.0
        self.ce_weight = float(options["ce_weight"]) if with_ce else 0.0

    def forward(self, logits: Tensor, target: Tensor, weight: Tensor | None = None) -> Tensor:
        """`logits` `(B, K, …)`, `target` and `weight` as `losses.build` says → `()`."""
        logits = full_precision(logits)
        factors = self.class_weights(logits)
        if self.multilabel:
            return self._overlapping(logits, bits(logits, target), factors, weight)
        log_p = F.log_softmax(logits, dim=1)
        if is_soft(logits, target):
            return self._soft(log_p, target.to(logits.dtype), factors, weight)
        target = hard(logits, target)
        counts = None if weight is None else spread(weight, log_p[:, 0]).expand_as(log_p[:, 0])
        if bool((target == UNKNOWN).any()):
            known = (target != UNKNOWN).to(log_p.dtype)
            counts = known if counts is None else counts * known
        sums = hard_sums(log_p.exp(), target, counts)
        loss = self.dice_weight * self._ratio(sums, factors, weight)
        if self.ce_weight:
            nll = F.nll_loss(log_p, target, weight=factors, reduction="none", ignore_index=UNKNOWN)
            if self.smoothing:
                spread_mass = log_p.mean(1) if factors is None else _dot(log_p, factors) / log_p.shape[1]
                nll = (1 - self.smoothing) * nll - self.smoothing * spread_mass * (target != UNKNOWN)
            loss = loss + self.ce_weight * weighted_mean(nll, share_of(target, factors, nll.dtype), weight)
        return loss

    def _soft(self, log_p: Tensor, target: Tensor, factors: Tensor | None, weight: Tensor | None) -> Tensor:
        counts = None if weight is None else spread(weight, log_p[:, 0]).unsqueeze(1)
        loss = self.dice_weight * self._ratio(soft_sums(log_p.exp(), target, counts), factors, weight)
        if self.ce_weight:
            smooth = target * (1 - self.smoothing) + self.smoothing / target.shape[1]
            nll = -(_dot(log_p * smooth, factors) if factors is not None else (log_p * smooth).sum(1))
            share = target.sum(1) if factors is None else _dot(target, factors)
            loss = loss + self.ce_weight * weighted_mean(nll, share, weight)
        return loss

    def _overlapping(
        self, logits: Tensor, target: Tensor, factors: Tensor | None, weight: Tensor | None
    ) -> Tensor:
        known = (target >= 0).to(logits.dtype)
        counts = known if weight is None else known * spread(weight, logits[:, 0]).unsqueeze(1)
        loss = self.dice_weight * self._ratio(soft_sums(logits.sigmoid(), target, counts), None, weight)
        if self.ce_weight:
            loss = loss + self.ce_weight * binary(logits, target, factors, self.smoothing, weight)
        return loss

    def _ratio(self, sums: Sums, factors: Tensor | None, weight: Tensor | None) -> Tensor:
        both, total = (column.sum(0, keepdim=True) if self.batch else column for column in sums)
        loss = 1 - (2 * both + self.smooth) / (total + self.smooth)  # (1 or B, K)
        if not (self.multilabel or self.background):
            loss, factors = loss[:, 1:], None if factors is None else factors[1:]
        loss = loss.mean(1) if factors is None else (loss * factors).sum(1) / factors.sum()
        if not self.batch and weight is not None and weight.dim() == 1:
            return weighted_mean(loss, torch.ones_like(loss), weight)
        return loss.mean()


def hard_sums(p: Tensor, target: Tensor, counts: Tensor | None) -> Sums:
    """Σ p y and Σ p + Σ y, each `(B, K)`, of `p` `(B, K, …)` and integers `(B, …)`; no one-hot volume is made."""
    classes, flat = p.shape[1], target.clamp_min(0).flatten(1)  # (B, N)
    p = p.flatten(2)
    chosen = p.gather(1, flat.unsqueeze(1)).squeeze(1)
    ones = torch.ones_like(chosen) if counts is None else counts.flatten(1)
    volume = p.sum(2) if counts is None else torch.matmul(p, ones.unsqueeze(2)).squeeze(2)
    return sum_by_label(chosen * ones, flat, classes), volume + sum_by_label(ones, flat, classes)


def soft_sums(p: Tensor, target: Tensor, counts: Tensor | None) -> Sums:
    """Return the same of fractions or bits `(B, K, …)`; `counts` broadcasts over them."""
    if counts is not None:
        p, target_counted = p * counts, target * counts
    else:
        target_counted = target
    axes = tuple(range(2, p.dim()))
    return (p * target).sum(axes), p.sum(axes) + target_counted.sum(axes)


def sum_by_label(values: Tensor, labels: Tensor, classes: int) -> Tensor:
    """`(B, N)`, `(B, N)` → `(B, K)`, summed in double: a float32 counter stops at 2²⁴ voxels.

    Off the CPU label by label, since adding at an index is neither fast nor repeatable there.
    """
    if values.device.type != "cpu":
        return torch.stack([(values * (labels == k)).sum(1) for k in range(classes)], dim=1)
    first = torch.arange(len(labels), device=labels.device).unsqueeze(1) * classes
    sums = torch.zeros(len(labels) * classes, dtype=torch.float64, device=values.device)
    sums = sums.index_add(0, (labels + first).flatten(), values.double().flatten())
    return sums.view(len(labels), classes).to(values.dtype)


def _dot(planes: Tensor, factors: Tensor) -> Tensor:
    """`(B, K, …)`, `(K,)` → `(B, …)`."""
    return torch.einsum("bk...,k->b...", planes, factors)
