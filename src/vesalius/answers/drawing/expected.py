"""A drawing of what is expected of one case under each arm: curves as steps with their bands, to the horizon."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from vesalius.answers.drawing.figures import PAPER, SOFT, _axes
from vesalius.answers.drawing.survival import unit_of
from vesalius.core import palette
from vesalius.core.arms import Expected
from vesalius.core.image import Array

BEYOND = 1.15  # of the horizon is drawn


def under_arms(expected: Sequence[Expected], horizon_days: float, up: str) -> str:
    """Return the curve of each arm with its band, and a line at the horizon."""
    end = min(BEYOND * horizon_days, max(float(e.days[-1]) for e in expected))
    unit, days, step = unit_of(end)
    with _axes(6.4, 3.9) as (axes, finish):
        axes.axvline(horizon_days / days, ls="--", color=SOFT, lw=1)
        for k, one in enumerate(expected):
            x = np.concatenate([[0.0], one.days]) / days
            colour = palette.of_place(k)
            axes.step(x, _from_one(one.survival), where="post", color=colour, lw=1.9, label=one.arm)
            if one.low is not None and one.high is not None:
                low, high = _from_one(one.low), _from_one(one.high)
                axes.fill_between(x, low, high, step="post", color=colour, alpha=0.14, lw=0)
        axes.set_xlim(0, end / days)
        axes.set_ylim(-0.02, 1.02)
        axes.set_xticks(np.arange(0, end / days + 1e-9, step))
        axes.set_xlabel(unit)
        axes.set_ylabel(up)
        axes.legend(loc="lower left", frameon=True, facecolor=PAPER, edgecolor="none", framealpha=0.85)
        return finish()


def _from_one(curve: Array) -> Array:
    return np.concatenate([[1.0], np.asarray(curve, np.float64)])
