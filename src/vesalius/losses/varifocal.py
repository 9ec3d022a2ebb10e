"""Varifocal loss: cross-entropy with how well a box fits as its truth, which fades on easy background.

Zhang, Wang, Dayoub, Sünderhauf: VarifocalNet, CVPR 2021, arXiv:2008.13367, equation 2; with the quality q of a box,
and p what is said of it:

l = q (-q log p - (1 - q) log(1 - p))     where q > 0
    -α p^γ log(1 - p)                     elsewhere

The sum is divided by the sum of all q, or by one where that is less, so that images without any box have a loss, too.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from torch import Tensor
from torch.nn import functional as F

from vesalius.losses._targets import Loss, bits, full_precision, spread

NAMES = {"varifocal": "how well boxes fit, and background that fades where it is easy"}
TARGETS = ("boxes",)
OPTIONS = {"alpha": 0.75, "gamma": 2.0}
LIMITS = {"alpha": {"gt": 0}, "gamma": {"ge": 0}}


def make(
    name: str,
    *,
    weights: Sequence[float] | None,
    smoothing: float,
    multilabel: bool,
    options: Mapping[str, Any],
) -> Varifocal:
    """Return the one loss of this file; its labels always stand side by side, and are not smoothed."""
    return Varifocal(weights, smoothing, True, alpha=float(options["alpha"]), gamma=float(options["gamma"]))


class Varifocal(Loss):
    """The sum over places and labels, over the sum of the qualities, one at least; -1 is not known."""

    def __init__(
        self,
        weights: Sequence[float] | None,
        smoothing: float,
        multilabel: bool,
        *,
        alpha: float,
        gamma: float,
    ) -> None:
        super().__init__(weights, smoothing, multilabel)
        self.alpha, self.gamma = alpha, gamma

    def forward(self, logits: Tensor, target: Tensor, weight: Tensor | None = None) -> Tensor:
        """Return the loss `()` of `logits` and qualities `target` `(B, K, …)` from 0 to 1; `weight` `(B, …)`."""
        logits = full_precision(logits)
        target = bits(logits, target)
        known = (target >= 0).to(logits.dtype)
        quality = target.clamp_min(0)
        if weight is not None:
            known = known * spread(weight, logits[:, 0])[:, None]
        fade = self.alpha * logits.sigmoid() ** self.gamma
        # a positive counts by its quality, the background by how wrong it is taken for something
        share = quality + fade * (quality == 0).to(logits.dtype)
        factors = self.class_weights(logits)
        if factors is not None:
            share = share * factors.reshape(-1, *(1,) * (logits.dim() - 2))
        each = F.binary_cross_entropy_with_logits(logits, quality, reduction="none") * share * known
        return each.sum() / (quality * known).sum().clamp_min(1.0)
