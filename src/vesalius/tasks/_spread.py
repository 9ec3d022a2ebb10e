"""What a model of numbers says of its own answers' spread: how it is learned, and the bounds that follow from it.

`normal`      the logarithm of a variance, by the likelihood of a normal distribution about the answer (Nix & Weigend
              1994). No gradient reaches the answer itself (see `_regressor.py`), so that cases which are hard do not
              count less for it, which Seitzer et al. 2022 (arXiv 2203.09168) mend by a weight.
`quantiles`   how far the lower and the upper quantile lie below and above the answer, by the pinball loss (Koenker &
              Bassett 1978). Both are distances from 0 on, so that bounds cannot cross.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
from scipy import special

from vesalius.core.errors import PlanError
from vesalius.core.image import Array

if TYPE_CHECKING:
    from torch import Tensor

NONE, NORMAL, QUANTILES = "none", "normal", "quantiles"
SAID = {NONE: 0, NORMAL: 1, QUANTILES: 2}  # numbers that are said of each answer's spread
SHARE = 0.9  # of cases that bounds are to hold, where the plan promises no share
WIDEST = 12.0  # of a variance's logarithm: what a number in single precision bears


def said(how: str) -> int:
    """Return how many numbers are said of each answer's spread. Raises PlanError for a way that does not exist."""
    if how not in SAID:
        raise PlanError(
            f"task.options.interval is {', '.join(SAID)}",
            found=how,
            hint="--set task.options.interval=quantiles",
        )
    return SAID[how]


def loss(spread: Tensor, number: Tensor, truth: Tensor, *, share: float) -> Tensor:
    """Return the mean loss of what is said of the spread, `()`; a truth that is NaN counts for nothing.

    `spread` is `(B, N·S)`, `number` and `truth` `(B, N)`, all in standard deviations.
    """
    import torch

    each = spread.float().reshape(*truth.shape, -1)  # (B, N, S)
    known = ~truth.isnan()
    error = truth.nan_to_num() - number.detach().float()
    if each.shape[-1] == SAID[NORMAL]:
        variance = each[..., 0].clamp(-WIDEST, WIDEST)
        found = 0.5 * (variance + error**2 * torch.exp(-variance))
    else:
        below, above = _distances(each, share)
        tail = (1 - share) / 2
        found = _pinball(error + below, tail) + _pinball(error - above, 1 - tail)
    return (found * known).sum() / known.sum().clamp_min(1)


def bounds(number: Array, spread: Array, *, share: float) -> tuple[Array, Array]:
    """Return the lower and the upper bound of each number, `(N,)`, from what M members say, in standard deviations.

    `number` is `(M, N)` and `spread` `(M, N·S)`. Normal distributions are mixed, each member's weighing the same
    (Lakshminarayanan et al. 2017), and the bounds are quantiles of the mixture; quantiles are averaged over members.
    """
    number = np.asarray(number, dtype=np.float64)
    each = np.asarray(spread, dtype=np.float64).reshape(*number.shape, -1)  # (M, N, S)
    tail = (1 - share) / 2
    if each.shape[-1] == SAID[NORMAL]:
        sd = np.exp(0.5 * np.clip(each[..., 0], -WIDEST, WIDEST))
        return _mixed(number, sd, tail), _mixed(number, sd, 1 - tail)
    start = _start(share)
    below, above = np.logaddexp(0, each[..., 0] + start), np.logaddexp(0, each[..., 1] + start)
    return (number - below).mean(axis=0), (number + above).mean(axis=0)


def _distances(each: Tensor, share: float) -> tuple[Tensor, Tensor]:
    from torch.nn import functional

    start = _start(share)
    return functional.softplus(each[..., 0] + start), functional.softplus(each[..., 1] + start)


def _start(share: float) -> float:
    """Return what softplus makes of the normal distribution's quantile, so that learning begins there."""
    return math.log(math.expm1(float(special.ndtri(1 - (1 - share) / 2))))


def _pinball(error: Tensor, level: float) -> Tensor:
    """Return the pinball loss of a quantile of that level, from the truth less the quantile."""
    import torch

    return torch.maximum(level * error, (level - 1) * error)


def _mixed(mean: Array, sd: Array, level: float) -> Array:
    """Return the quantile of an even mixture of normal distributions `(M, N)`, `(N,)`, by halving."""
    z = float(special.ndtri(level))
    low, high = (mean + z * sd).min(axis=0), (mean + z * sd).max(axis=0)
    rising: Callable[[Array], Array] = lambda x: special.ndtr((x - mean) / sd).mean(axis=0)  # noqa: E731
    for _ in range(60):
        middle = (low + high) / 2
        under = rising(middle) < level
        low, high = np.where(under, middle, low), np.where(under, high, middle)
    return np.asarray((low + high) / 2)
