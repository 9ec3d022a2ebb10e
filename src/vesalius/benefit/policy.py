"""Policy value: what patients would have on average if a rule chose their arms, beside giving all the same."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from vesalius.benefit.estimate import Estimate, mean
from vesalius.benefit.robust import Scored
from vesalius.core.errors import DataError
from vesalius.core.image import Array


@dataclass(frozen=True)
class Policy:
    """What a rule is worth, in the measure's unit.

    `all_given`: arm → the value of giving it to all. `gain`: arm → what the rule gains over that.

    `share`: arm → the share of patients to whom the rule gives it.
    """

    value: Estimate
    all_given: Mapping[str, Estimate]
    gain: Mapping[str, Estimate]
    share: Mapping[str, float]


def policy_value(scored: Scored, chosen: Array, *, level: float = 0.95) -> Policy:
    """Return the doubly robust value of a rule on patients of whom it learned nothing (Dudík, Langford and Li 2011).

    `chosen` `(N,)`: places in `scored.arms`. Gains are paired, so that their intervals are those of the difference.
    Raises DataError.
    """
    code = np.asarray(chosen, np.int64)
    if code.shape != (len(scored.scores),) or code.min() < 0 or code.max() >= len(scored.arms):
        raise DataError("need one of the arms for each patient", found=f"shape {code.shape}")
    kept, left_out = scored.kept, int((~scored.kept).sum())
    mine = scored.scores[np.arange(len(code)), code][kept]
    others = {a: scored.scores[kept, k] for k, a in enumerate(scored.arms)}
    return Policy(
        mean(mine, left_out=left_out, level=level),
        {a: mean(s, left_out=left_out, level=level) for a, s in others.items()},
        {a: mean(mine - s, left_out=left_out, level=level) for a, s in others.items()},
        {a: float((code[kept] == k).mean()) for k, a in enumerate(scored.arms)},
    )


def by_outcome(outcomes: Array) -> Array:
    """Return the arm with the best predicted outcome of each patient, `(N,)`, of `(N, A)`; the first among equals."""
    return np.asarray(np.argmax(outcomes, axis=1))


def by_benefit(benefit: Array, *, control: int, treated: int, margin: float = 0.0) -> Array:
    """Return `treated` where the predicted benefit `(N,)` exceeds a margin that pays for harms, else `control`."""
    return np.where(benefit > margin, treated, control)
