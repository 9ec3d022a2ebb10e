"""The pair loss of the first Siamese nets: cases of one label are drawn together, others pushed a margin apart."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from vesalius.losses._alike import mean_of, only_pairs

NAMES = {"pair": "pairs of one label come together, all others are kept a margin apart; one net for both"}
TARGETS = ("multilabel",)
HOLDS = "cases"  # each case of a batch is held against the others
GRADED = True  # pairs may be somewhat alike
OPTIONS = {"margin": 1.0}
LIMITS = {"margin": {"gt": 0, "le": 2}}
LEAST = 1e-12  # of a squared distance, whose root has no slope at 0


def make(
    name: str,
    *,
    weights: Sequence[float] | None,
    smoothing: float,
    multilabel: bool,
    options: Mapping[str, Any],
) -> Pair:
    """Return the one loss of this file. Raises PlanError where it is to learn labels of cases."""
    only_pairs(name, labels=multilabel or weights is not None, smoothing=smoothing)
    return Pair(float(options["margin"]))


class Pair(nn.Module):
    """a d² + (1 - a) max(0, (1 - a) m - d)², the mean of what is alike and that of what is not, half each.

    `likeness` `(Q, N)` are cosines s, and d² = 2 - 2 s the squared distance of the unit vectors; `alike` `(Q, N)` is
    a, how alike a row and a column truly are, from 0 to 1, and below 0 where nobody knows, which is left out. Of grades
    that differ less the margin is smaller. `weight` `(Q,)` is how much each row counts.

    Hadsell, Chopra and LeCun 2006, CVPR, eq. 4, in which a is 0 or 1; the halves because few pairs are alike.
    """

    def __init__(self, margin: float) -> None:
        super().__init__()
        self.margin = margin

    def forward(self, likeness: Tensor, alike: Tensor, weight: Tensor | None = None) -> Tensor:
        """Return the loss `()`."""
        likeness, alike = likeness.float(), alike.to(likeness.device, torch.float32)
        known = (alike >= 0).float()
        rows = known if weight is None else known * weight.to(known)[:, None]
        near = alike.clamp(0, 1)
        square = (2 - 2 * likeness).clamp_min(0)
        together = mean_of(square, rows * near)
        apart = F.relu((1 - near) * self.margin - square.clamp_min(LEAST).sqrt()) ** 2
        return 0.5 * (together + mean_of(apart, rows * (1 - near)))
