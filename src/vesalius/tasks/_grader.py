"""The model of `grade`: an encoder under a head whose probabilities of grades in order cannot cross.

Both heads give the logarithm of each grade's probability, finite for any finite input, computed in full precision. The
chance to lie above grade k falls with k by construction.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from vesalius.core.ask import Ask
from vesalius.prepare.batch import Batch
from vesalius.tasks._regressor import Regressor

GAP = 1e-3  # between two thresholds at least, so that no grade's probability is ever nothing
MOST = 1e4  # logits beyond it change no probability that can be told from 0 or 1, and sums of them overflow


class Corn(Regressor):
    """Conditional chances (CORN: Shi, Cao & Raschka 2023): an output a cut, to lie above it given all lower ones.

    P(y > k) is the product of the chances up to k, which can only fall. Outputs of 0 mean the training shares.
    """

    base: Tensor

    def __init__(self, net: Any, covariates: int, criterion: nn.Module, *, share: Sequence[float]) -> None:
        super().__init__(net, covariates, criterion, numbers=len(share) - 1)
        over = _over(share)
        before = torch.cat([torch.ones(1, dtype=over.dtype), over[:-1]])
        self.register_buffer("base", torch.logit(over / before).float())

    def forward(self, x: Tensor | Batch, covariates: Tensor | None) -> Tensor:
        """Return log probabilities of the grades `(B, K)`."""
        return conditional(super().forward(x, covariates) + self.base)


class Cumulative(Regressor):
    """Cumulative links with one slope (proportional odds: McCullagh 1980): one output, cut by rising thresholds.

    P(y > k) = σ(s − θ_k). The thresholds begin where an output of 0 means the training shares.
    """

    def __init__(self, net: Any, covariates: int, criterion: nn.Module, *, share: Sequence[float]) -> None:
        super().__init__(net, covariates, criterion)
        first = -torch.logit(_over(share))
        gaps = (first.diff() - GAP).clamp_min(1e-2)
        self.first = nn.Parameter(first[:1].float())
        self.gaps = nn.Parameter(torch.log(torch.expm1(gaps)).float())  # the inverse of softplus

    @property
    def cuts(self) -> Tensor:
        """The thresholds `(K - 1,)`, rising by at least GAP."""
        return torch.cat([self.first, self.first + (F.softplus(self.gaps) + GAP).cumsum(0)])

    def forward(self, x: Tensor | Batch, covariates: Tensor | None) -> Tensor:
        """Return log probabilities of the grades `(B, K)`."""
        return linked(super().forward(x, covariates), self.cuts)


HEADS: dict[str, type[Corn] | type[Cumulative]] = {"corn": Corn, "cumulative": Cumulative}


def _over(share: Sequence[float]) -> Tensor:
    """Return how often grades lie above each but the last, `(K - 1,)` float64; none is counted as never there."""
    known = torch.tensor(share, dtype=torch.float64).clamp_min(1e-3)
    return (known / known.sum()).flip(0).cumsum(0).flip(0)[1:]


def conditional(logits: Tensor) -> Tensor:
    """Return log probabilities `(B, K)` of conditional logits `(B, K - 1)`: reach each grade, and go no further."""
    logits = logits.float().clamp(-MOST, MOST)
    reached = F.pad(F.logsigmoid(logits).cumsum(dim=1), (1, 0))
    return reached + F.pad(F.logsigmoid(-logits), (0, 1))


def linked(score: Tensor, cuts: Tensor) -> Tensor:
    """Return log probabilities `(B, K)` of scores `(B, 1)` and rising thresholds `(K - 1,)`.

    σ(a) − σ(b) = σ(a) σ(−b) (1 − e^(b − a)), so that no difference of nearly equal numbers is taken.
    """
    odds = score.float().clamp(-MOST, MOST) - cuts.float()  # (B, K - 1), falling
    between = torch.log(-torch.expm1(-cuts.float().diff().clamp_min(GAP / 2)))  # (K - 2,)
    return F.pad(F.logsigmoid(odds), (1, 0)) + F.pad(F.logsigmoid(-odds), (0, 1)) + F.pad(between, (1, 1))


def scalar(raw: Tensor, ask: Ask) -> Tensor:
    """Return what is asked of log probabilities, or logits, `(B, K)`: of one label, of a cut, or the mean grade `(B,)`.

    A cut is asked after by its log-odds, log P(y ≥ k) / P(y < k).
    """
    if ask.of == "at_least":
        return raw[:, ask.place :].logsumexp(dim=1) - raw[:, : ask.place].logsumexp(dim=1)
    if ask.of == "mean_grade":
        place = torch.arange(raw.shape[1], dtype=raw.dtype, device=raw.device)
        return raw.softmax(dim=1) @ place
    return raw[:, ask.place]


def answered(raw: Tensor, temperature: float) -> Tensor:
    """Return probabilities `(…, K)` of log probabilities `(…, K)` after a temperature of their cumulative log-odds.

    The same as `core.grades.answered`, but for rounding, so that gradients pass.
    """
    low, high = raw.logcumsumexp(dim=-1)[..., :-1], raw.flip(-1).logcumsumexp(dim=-1).flip(-1)[..., 1:]
    over = ((high - low) / temperature).sigmoid()
    bounds = F.pad(F.pad(over, (1, 0), value=1.0), (0, 1))
    return (bounds[..., :-1] - bounds[..., 1:]).clamp_min(0)
