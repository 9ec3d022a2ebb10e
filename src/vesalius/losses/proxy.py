"""Proxy losses: each label has a learned vector of its own, its proxy, which cases are held against."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from vesalius.core.errors import PlanError
from vesalius.losses._alike import asked, mean_of, only_pairs

NAMES = {
    "proxy-anchor": "each label's proxy draws its cases near and pushes all others away, the hardest most",
    "proxy-cosine": "a soft-max over the cosines with the proxies, the own one less a margin (0 is NormFace)",
}
TARGETS = ("multilabel",)
HOLDS = "proxies"  # each case of a batch is held against a learned vector of each label
OPTIONS = {"margin": 0.1, "scale": 16.0}
LIMITS = {"margin": {"ge": 0, "le": 1}, "scale": {"gt": 0, "le": 256}}


def make(
    name: str,
    *,
    weights: Sequence[float] | None,
    smoothing: float,
    multilabel: bool,
    options: Mapping[str, Any],
) -> Anchor | Cosine:
    """Return one of the two losses of this file. Raises PlanError where it is to learn labels of cases."""
    only_pairs(name, labels=multilabel or weights is not None, smoothing=smoothing)
    kind = Anchor if name == "proxy-anchor" else Cosine
    return kind(float(options["margin"]), float(options["scale"]))


class Anchor(nn.Module):
    """The mean over proxies of log(1 + Σ⁺ exp(-α (s - δ))) and of log(1 + Σ⁻ exp(α (s + δ))), over the scale α.

    `likeness` `(Q, K)` are the cosines s of cases with the proxies of labels, `alike` `(Q, K)` 1 where a case has the
    label, 0 where it has not, and below 0 where nobody knows. Proxies without a positive in the batch are no anchors of
    the first sum. `weight` `(Q,)` is how much each case counts. Divided by α, so that the scale changes which cases
    count and not how much they do.

    Kim et al. 2020, arXiv:2003.13911, eq. 4.
    """

    def __init__(self, margin: float, scale: float) -> None:
        super().__init__()
        self.margin, self.scale = margin, scale

    def forward(self, likeness: Tensor, alike: Tensor, weight: Tensor | None = None) -> Tensor:
        """Return the loss `()`."""
        likeness, alike = likeness.float(), alike.to(likeness.device)
        sides = []
        for there, sign in ((alike > 0, -1.0), (alike == 0, 1.0)):
            asks = self.scale * (sign * likeness + self.margin)
            if weight is not None:
                asks = asks + weight.to(asks).clamp_min(0).log()[:, None]
            held = asks.masked_fill(~there, float("-inf"))
            held = torch.cat([torch.zeros_like(held[:1]), held])  # the 1 of the logarithm
            anchors = there.any(dim=0).float() if sign < 0 else torch.ones_like(held[0])
            sides.append(mean_of(held.logsumexp(dim=0), anchors))
        return (sides[0] + sides[1]) / self.scale


class Cosine(nn.Module):
    """Cross-entropy of the soft-max of α (s - m) at the own label and α s at all others, of one label a case.

    `likeness` and `alike` are as `Anchor` has them; a case counts where exactly one label is known to be its own.

    Wang et al. 2018 (CosFace), arXiv:1801.09414, eq. 4; with a margin of 0 Wang et al. 2017 (NormFace),
    arXiv:1704.06369, eq. 6. Raises PlanError for a case of several labels at once.
    """

    def __init__(self, margin: float, scale: float) -> None:
        super().__init__()
        self.margin, self.scale = margin, scale

    def forward(self, likeness: Tensor, alike: Tensor, weight: Tensor | None = None) -> Tensor:
        """Return the loss `()`."""
        likeness, own = likeness.float(), alike.to(likeness.device) > 0
        many = own.sum(dim=1)
        if bool((many > 1).any()):
            raise PlanError(
                "the loss 'proxy-cosine' takes one label a case",
                found=f"{int(many.max())} labels of one case",
                hint="--set loss.name=proxy-anchor",
            )
        logits = self.scale * (likeness - self.margin * own.to(likeness))
        each = F.cross_entropy(logits, own.long().argmax(dim=1), reduction="none")
        return mean_of(each, asked(many == 1, weight))
