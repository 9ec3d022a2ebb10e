"""Drawings of what a treatment changes: a Love plot, who gains by a ranking, and benefit predicted beside found."""

from __future__ import annotations

import numpy as np

from vesalius.answers.drawing.figures import ACCENT, SOFT, _axes, _short
from vesalius.benefit.balance import LARGE, Balance
from vesalius.benefit.quintiles import BenefitCalibration
from vesalius.benefit.ranked import Ranked
from vesalius.benefit.weighting import Way
from vesalius.core.image import Array

ROWS = 40  # names that are drawn, those that differ most
MARKS: dict[Way, tuple[str, str, str]] = {
    "none": ("o", SOFT, "as they are"),
    "inverse": ("^", ACCENT, "inverse propensity"),
    "overlap": ("s", ACCENT, "overlap"),
}


def love(balance: Balance, way: Way = "overlap") -> str:
    """Return the standardised differences of two arms before and after weighting, a row a name, the largest first."""
    before, after = np.abs(balance.difference["none"]), np.abs(balance.difference[way])
    order = np.argsort(-before, kind="stable")[:ROWS]
    with _axes(5.0, 0.3 * len(order) + 1.2) as (axes, finish):
        axes.axvline(LARGE, ls="--", color=SOFT, lw=1)
        places = np.arange(len(order))
        axes.hlines(places, before[order], after[order], color=SOFT, lw=1, alpha=0.5)
        both: tuple[tuple[Way, Array], ...] = (("none", before), (way, after))
        for key, size in both:
            mark, colour, label = MARKS[key]
            axes.scatter(size[order], places, marker=mark, s=28, color=colour, lw=0, label=label, zorder=3)
        axes.set_yticks(places, [_short(balance.names[k]) for k in order])
        axes.set_ylim(len(order) - 0.5, -0.5)
        far = max(float(before.max(initial=0)), float(after.max(initial=0)), 2 * LARGE)
        axes.set_xlim(-0.03 * far, 1.08 * far)
        axes.grid(axis="y", visible=False)
        axes.set_xlabel(f"difference of {balance.treated} and {balance.control} in standard deviations")
        axes.legend(loc="lower right")
        return finish()


def ranking(ranked: Ranked, unit: str) -> str:
    """Return by how much the effect among the share put first exceeds that among all, with its band."""
    with _axes(4.6, 3.4) as (axes, finish):
        axes.axhline(0, color=SOFT, lw=1)
        axes.fill_between(ranked.shares, ranked.low, ranked.high, color=ACCENT, alpha=0.16, lw=0)
        axes.plot(ranked.shares, ranked.gain, color=ACCENT, lw=1.9)
        axes.set_xlim(0, 1.02)
        axes.set_xlabel("share treated, who is said to gain most first")
        axes.set_ylabel(_in("effect beyond that among all", unit))
        return finish()


def predicted_and_found(calibration: BenefitCalibration, unit: str) -> str:
    """Return the effect found in each group of predicted benefit, with its interval, against the prediction."""
    x, found = np.array(calibration.predicted), calibration.found
    low, high = np.array([f.low for f in found]), np.array([f.high for f in found])
    with _axes(4.2, 3.6) as (axes, finish):
        ends = [min(float(x.min()), float(low.min())), max(float(x.max()), float(high.max()))]
        axes.plot(ends, ends, "--", color=SOFT, lw=0.8)
        axes.axhline(0, color=SOFT, lw=1)
        axes.vlines(x, low, high, color=ACCENT, lw=2.2, alpha=0.4)
        axes.scatter(x, [f.value for f in found], s=30, color=ACCENT, lw=0, zorder=3)
        axes.set_xlabel(_in("benefit predicted", unit))
        axes.set_ylabel(_in("effect found", unit))
        return finish()


def _in(what: str, unit: str) -> str:
    return f"{what} ({unit})" if unit else what
