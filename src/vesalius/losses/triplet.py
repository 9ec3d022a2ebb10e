"""Triplet loss of a Siamese net: a case lies nearer to one of its own label than to any other, by a margin."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from vesalius.losses._alike import asked, mean_of, only_pairs

NAMES = {
    "triplet": "the hardest case of one's own label is nearer than the hardest other, by a margin; one net for all",
    "triplet-soft": "the same without a margin: how much farther the own one is, smoothly and without end",
}
TARGETS = ("multilabel",)
HOLDS = "cases"  # each case of a batch is held against the others
GRADED = True  # pairs may be somewhat alike
OPTIONS = {"margin": 0.2}
LIMITS = {"margin": {"gt": 0, "le": 2}}
SHARP = 10.0  # cosines span from -1 to 1, over which a soft-plus alone is almost straight


def make(
    name: str,
    *,
    weights: Sequence[float] | None,
    smoothing: float,
    multilabel: bool,
    options: Mapping[str, Any],
) -> Triplet:
    """Return one of the two losses of this file. Raises PlanError where it is to learn labels of cases."""
    only_pairs(name, labels=multilabel or weights is not None, smoothing=smoothing)
    return Triplet(None if name == "triplet-soft" else float(options["margin"]))


class Triplet(nn.Module):
    """The mean over rows of max(0, m (1 - a) + s⁻ - s⁺), of the hardest positive and the hardest negative of each row.

    `likeness` `(Q, N)` are cosines; `alike` `(Q, N)` says how alike a row and a column truly are: 1 the same, 0 nothing
    in common, between them in part, and below 0 where nobody knows, which is left out. s⁺ is the least likeness of the
    same; s⁻ that of the column which breaks its margin most, and a how alike that one truly is, so that near grades may
    lie nearer. A row without both counts nothing. Without a margin it is the soft-plus of 10 (s⁻ - s⁺), divided by 10.

    Schroff et al. 2015, arXiv:1503.03832, eq. 1, as unit vectors' squared distance is 2 - 2 s; the hardest of a batch
    as in Hermans et al. 2017, arXiv:1703.07737, eq. 5; one net on both sides as in Bromley et al. 1993 (Siamese).
    """

    def __init__(self, margin: float | None) -> None:
        super().__init__()
        self.margin = margin

    def forward(self, likeness: Tensor, alike: Tensor, weight: Tensor | None = None) -> Tensor:
        """Return the loss `()`; `weight` `(Q,)` is how much each row counts."""
        likeness, alike = likeness.float(), alike.to(likeness.device, torch.float32)
        same, other = alike >= 1, (alike >= 0) & (alike < 1)
        counts = asked(same.any(dim=1) & other.any(dim=1), weight)
        near = likeness.masked_fill(~same, float("inf")).amin(dim=1)
        asks = likeness + (0.0 if self.margin is None else self.margin) * (1 - alike)
        far = asks.masked_fill(~other, float("-inf")).amax(dim=1)
        gap = torch.where(counts > 0, far - near, torch.zeros_like(near))
        each = F.relu(gap) if self.margin is not None else F.softplus(SHARP * gap) / SHARP
        return mean_of(each, counts)
