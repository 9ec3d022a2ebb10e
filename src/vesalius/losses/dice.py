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
OPTIONS = {"batch": True, "background": False, "smooth": 1e-5, "dice_weight": 1.0, "ce_weight": 1.0}


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
        counts = None if weight is None else spread(weight, log_p[:, 0])
        if bool((target == UNKNOWN).any()):
            known = (target != UNKNOWN).to(log_p.dtype)
            counts = known if counts is None else counts * known
        sums = [  # one plane at a time, so that no one-hot volume is made
            self._sums(p, target == k, counts)
            for k, p in enumerate(log_p.exp().unbind(1))
            if k > 0 or self.background
        ]
        loss = self.dice_weight * self._ratio(sums, factors, weight)
        if self.ce_weight:
            nll = F.nll_loss(log_p, target, weight=factors, reduction="none", ignore_index=UNKNOWN)
            if self.smoothing:
                spread_mass = log_p.mean(1) if factors is None else _dot(log_p, factors) / log_p.shape[1]
                nll = (1 - self.smoothing) * nll - self.smoothing * spread_mass * (target != UNKNOWN)
            loss = loss + self.ce_weight * weighted_mean(nll, share_of(target, factors, nll.dtype), weight)
        return loss

    def _soft(self, log_p: Tensor, target: Tensor, factors: Tensor | None, weight: Tensor | None) -> Tensor:
        counts = None if weight is None else spread(weight, log_p[:, 0])
        planes = list(zip(log_p.exp().unbind(1), target.unbind(1), strict=True))
        sums = [self._sums(p, y, counts) for p, y in (planes if self.background else planes[1:])]
        loss = self.dice_weight * self._ratio(sums, factors, weight)
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
        planes = zip(logits.sigmoid().unbind(1), target.unbind(1), counts.unbind(1), strict=True)
        loss = self.dice_weight * self._ratio([self._sums(p, y, c) for p, y, c in planes], None, weight)
        if self.ce_weight:
            loss = loss + self.ce_weight * binary(logits, target, factors, self.smoothing, weight)
        return loss

    def _sums(self, p: Tensor, y: Tensor, counts: Tensor | None) -> tuple[Tensor, Tensor]:
        """Numerator and denominator of one label: `()` over the batch, or `(B,)`."""
        axes = tuple(range(0 if self.batch else 1, p.dim()))
        if counts is not None:
            p = p * counts
            mass = (y * counts).sum(axes)
        else:
            mass = y.sum(axes).to(p.dtype)
        both = torch.where(y, p, 0.0) if y.dtype == torch.bool else p * y
        return 2 * both.sum(axes), p.sum(axes) + mass

    def _ratio(
        self, sums: list[tuple[Tensor, Tensor]], factors: Tensor | None, weight: Tensor | None
    ) -> Tensor:
        top, bottom = (torch.stack(column, dim=-1) for column in zip(*sums, strict=True))  # (K,) or (B, K)
        loss = 1 - (top + self.smooth) / (bottom + self.smooth)
        if factors is not None:
            factors = factors if self.background else factors[1:]
            loss = (loss * factors).sum(-1) / factors.sum()
        else:
            loss = loss.mean(-1)
        if self.batch:
            return loss
        if weight is not None and weight.dim() == 1:
            return weighted_mean(loss, torch.ones_like(loss), weight)
        return loss.mean()


def _dot(planes: Tensor, factors: Tensor) -> Tensor:
    """`(B, K, …)`, `(K,)` → `(B, …)`."""
    return torch.einsum("bk...,k->b...", planes, factors)
