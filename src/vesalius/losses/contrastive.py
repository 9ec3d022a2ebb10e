"""Contrastive losses: of all pairs in a batch, those that belong together are told from the others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from vesalius.core.errors import PlanError

NAMES = {
    "contrastive": "symmetric InfoNCE with soft positives: each row finds its columns, and each column its rows",
    "contrastive-sigmoid": "each pair by itself is said to belong together or not, as in SigLIP",
}
TARGETS = ("multilabel",)
HOLDS = "cases"  # each case of a batch is held against the others
LOGITS = True  # likenesses are divided by a temperature first
NEVER = -1e4  # a logit


def make(
    name: str,
    *,
    weights: Sequence[float] | None,
    smoothing: float,
    multilabel: bool,
    options: Mapping[str, Any],
) -> Contrastive | Pairwise:
    """Return one of the two losses of this file.

    Raises PlanError where it is to learn labels of cases: it tells pairs of a batch apart, whose probabilities are none
    of labels.
    """
    if multilabel or weights is not None:
        raise PlanError(
            f"the loss '{name}' tells pairs of a batch apart, and learns no labels",
            hint="loss.name=cross_entropy, or focal",
        )
    return Contrastive(smoothing) if name == "contrastive" else Pairwise()


class Contrastive(nn.Module):
    """Symmetric InfoNCE: the mean of what rows say of columns and what columns say of rows.

    `similarity` `(Q, N)` is already divided by its temperature; `pairs` `(Q, N)` is 1 where a row and a column belong
    together, 0 where they do not, and -1 where nobody knows, which are left out of both sums. A row with several
    positives should share its probability evenly among them; the entropy of that is taken off, so that the best that
    can be is 0. A row without a positive counts nothing. `weight` `(Q,)` is how much each row counts.

    Oord et al. 2018, arXiv:1807.03748, eq. 4; both ways as in Radford et al. 2021, arXiv:2103.00020, fig. 3; several
    positives as in Khosla et al. 2020, arXiv:2004.11362, eq. 2.
    """

    def __init__(self, smoothing: float = 0.0) -> None:
        super().__init__()
        self.smoothing = smoothing

    def forward(self, similarity: Tensor, pairs: Tensor, weight: Tensor | None = None) -> Tensor:
        """Return the loss `()`."""
        similarity, known = similarity.float(), pairs >= 0
        seen = similarity.masked_fill(~known, NEVER)
        rows = self._one_way(seen, pairs, known, weight)
        return 0.5 * (rows + self._one_way(seen.T, pairs.T, known.T, None))

    def _one_way(self, seen: Tensor, pairs: Tensor, known: Tensor, weight: Tensor | None) -> Tensor:
        positive = (pairs > 0).to(seen.dtype)
        many = positive.sum(dim=1)
        counts = (many > 0).to(seen.dtype) if weight is None else (many > 0) * weight.to(seen.dtype)
        target = positive / many.clamp_min(1)[:, None]
        if self.smoothing:
            even = known.to(seen.dtype) / known.sum(dim=1, keepdim=True).clamp_min(1)
            target = target * (1 - self.smoothing) + even * self.smoothing
        each = F.kl_div(seen.log_softmax(dim=1), target, reduction="none").sum(dim=1)
        return (each * counts).sum() / counts.sum().clamp_min(1e-6)


class Pairwise(nn.Module):
    """One yes or no for each pair, the mean over rows of the sum over columns' mean of positives and of negatives.

    Negatives are many and positives few, so that each of the two kinds counts half. Zhai et al. 2023, arXiv:2303.15343,
    eq. 1, but for that balance. `similarity` and `pairs` are as `Contrastive` says.
    """

    def forward(self, similarity: Tensor, pairs: Tensor, weight: Tensor | None = None) -> Tensor:
        """Return the loss `()`."""
        similarity = similarity.float()
        factor = torch.ones_like(similarity) if weight is None else weight.to(similarity)[:, None]
        terms = []
        for side, sign in ((pairs > 0, 1.0), (pairs == 0, -1.0)):
            share = side.to(similarity) * factor
            terms.append(-(F.logsigmoid(sign * similarity) * share).sum() / share.sum().clamp_min(1e-6))
        return 0.5 * (terms[0] + terms[1])
