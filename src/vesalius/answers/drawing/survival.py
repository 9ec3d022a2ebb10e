"""Drawings of survival: curves as steps with bands, censoring and numbers at risk; predicted against observed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from vesalius.answers.drawing.figures import ACCENT, INK, PANELS, PAPER, SOFT, _axes, _floats, _panels, _short
from vesalius.core import palette
from vesalius.core.horizons import YEAR_DAYS
from vesalius.core.image import Array

UNITS = (("years", YEAR_DAYS), ("months", YEAR_DAYS / 12), ("days", 1.0))
STEPS = (1, 2, 3, 5, 6, 10, 12, 20, 24, 50, 100, 200, 500, 1000)
FEWEST, MOST = 3, 7  # ticks along the time


def unit_of(end_days: float) -> tuple[str, float, float]:
    """Return the unit in which a time up to a day is drawn, the days of one, and how many stand between two ticks."""
    name, days = next(((n, d) for n, d in UNITS if end_days >= FEWEST * d), UNITS[-1])
    many = end_days / days
    return name, days, float(next((s for s in STEPS if many / s <= MOST), STEPS[-1]))


def by_group(groups: Sequence[Mapping[str, Any]], ticks: Sequence[float]) -> str:
    """Return Kaplan-Meier's curves of groups with bands, marks where patients were censored, and who was at risk."""
    end = max((g["curve"]["x"][-1] for g in groups if g["curve"]["x"]), default=1.0)
    name, days, _ = unit_of(end)
    with _axes(6.6, 3.9 + 0.24 * len(groups), rows=2) as (both, finish):
        axes, below = both
        axes.get_gridspec().set_height_ratios([13, 1.4 + len(groups)])
        for k, group in enumerate(groups):
            colour = ACCENT if len(groups) == 1 else palette.of_place(k)
            label = f"{group['name']} ({group['events']} of {group['n']} with the event)"
            _step(axes, group["curve"], colour, days, label=label)
            marks = np.asarray(group["censored"], np.float64)
            axes.plot(marks / days, _at(group["curve"], marks), "|", color=colour, ms=5, mew=0.9)
        axes.set_ylim(-0.02, 1.02)
        axes.set_xlim(-0.02 * end / days, 1.02 * end / days)
        axes.set_xticks([t / days for t in ticks], [f"{t / days:g}" for t in ticks])
        axes.set_ylabel("free of the event")
        axes.legend(loc="upper right", frameon=True, facecolor=PAPER, edgecolor="none", framealpha=0.85)
        below.set_xlim(axes.get_xlim())
        below.set_ylim(len(groups) - 0.5, -0.9)
        below.set_xticks([])
        below.set_yticks([])
        below.grid(False)
        for side in below.spines.values():
            side.set_visible(False)
        below.text(0, -0.75, "at risk", color=SOFT, fontsize=8.5, va="center", ha="left")
        for k, group in enumerate(groups):
            colour = INK if len(groups) == 1 else palette.of_place(k)
            for tick, count in zip(ticks, group["at_risk"], strict=False):
                below.text(tick / days, k, str(count), ha="center", va="center", fontsize=9, color=INK)
            below.plot([-0.035 * end / days], [k], "s", color=colour, ms=6, clip_on=False)
        below.set_xlabel(f"{name} since the beginning")
        return finish()


def against(panels: Mapping[str, tuple[Mapping[str, Any], Mapping[str, Any]]], up: str) -> str:
    """Return the mean predicted curve, dashed, against the observed one with its band; a panel each."""
    shown = list(panels.items())[:PANELS]
    with _panels(len(shown), alone=(4.6, 3.4), each=(3.0, 2.7)) as (places, finish):
        for axes, (name, (observed, predicted)) in zip(places, shown, strict=True):
            end = max([*observed["x"], *predicted["x"]], default=1.0)
            unit, days, _ = unit_of(end)
            _step(axes, observed, SOFT, days, label="observed")
            x, y = np.asarray(predicted["x"], np.float64), _floats(predicted["y"])
            axes.plot(x / days, y, "--", color=ACCENT, lw=2, label="predicted, mean")
            axes.set_ylim(-0.02, 1.02)
            axes.set_xlabel(unit)
            axes.set_ylabel(up)
            axes.set_title(_short(name), loc="left")
            axes.legend(loc="best", fontsize=8)
        return finish()


def calibration(panels: Mapping[str, Mapping[str, Sequence[float]]]) -> str:
    """Return observed against predicted survival of groups, with the band of each; a panel a horizon."""
    shown = list(panels.items())[:PANELS]
    with _panels(len(shown), alone=(4.0, 3.6), each=(2.6, 2.7)) as (places, finish):
        for axes, (name, told) in zip(places, shown, strict=True):
            axes.plot([0, 1], [0, 1], "--", color=SOFT, lw=0.8)
            low, high = (_floats(told[key]) for key in ("low", "high"))
            axes.vlines(told["x"], low, high, color=ACCENT, lw=2.2, alpha=0.35)
            axes.plot(told["x"], told["y"], "o-", color=ACCENT, lw=1, ms=5)
            axes.set_xlim(-0.02, 1.02)
            axes.set_ylim(-0.02, 1.02)
            axes.set_aspect("equal")
            axes.set_xlabel("predicted survival")
            axes.set_ylabel("observed (Kaplan-Meier)")
            axes.set_title(_short(name), loc="left")
        return finish()


def over_time(line: Mapping[str, Sequence[float]], horizons: Sequence[float]) -> str:
    """Return the AUC over time; dots mark the horizons that the figures speak of."""
    with _axes(4.6, 3.0) as (axes, finish):
        unit, days, _ = unit_of(max(line["x"], default=1.0))
        x, y = np.asarray(line["x"], np.float64) / days, np.asarray(line["y"], np.float64)
        axes.axhline(0.5, ls="--", color=SOFT, lw=0.8)
        axes.plot(x, y, color=ACCENT, lw=1.9)
        inside = [h / days for h in horizons if len(x) and x[0] <= h / days <= x[-1]]
        axes.plot(inside, np.interp(inside, x, y) if len(x) else [], "o", color=ACCENT, ms=5)
        axes.set_ylim(min(0.4, float(y.min()) - 0.05) if len(y) else 0.4, 1.01)
        axes.set_xlabel(unit)
        axes.set_ylabel("AUC")
        return finish()


def tenths(shares: Sequence[float]) -> str:
    """Return the share of patients in each tenth of their own predicted survival, beside the tenth that is right."""
    with _axes(4.6, 3.0) as (axes, finish):
        many = len(shares)
        axes.bar((np.arange(many) + 0.5) / many, shares, width=0.9 / many, color=ACCENT, alpha=0.75)
        axes.axhline(1 / many, ls="--", color=INK, lw=1)
        axes.set_xlim(0, 1)
        axes.set_xlabel("survival predicted for the patient's own time")
        axes.set_ylabel("share of patients")
        return finish()


def _step(axes: Any, curve: Mapping[str, Any], colour: str, days: float, *, label: str) -> None:
    x = np.concatenate([[0.0], np.asarray(curve["x"], np.float64)]) / days
    y = np.concatenate([[curve["before"]], np.asarray(curve["y"], np.float64)])
    axes.step(x, y, where="post", color=colour, lw=1.9, label=label)
    if "low" in curve:
        low, high = (
            np.concatenate([[curve["before"]], np.asarray(curve[k], np.float64)]) for k in ("low", "high")
        )
        axes.fill_between(x, low, high, step="post", color=colour, alpha=0.14, lw=0)


def _at(curve: Mapping[str, Any], days: Array) -> Array:
    values = np.concatenate([[curve["before"]], np.asarray(curve["y"], np.float64)])
    return np.asarray(values[np.searchsorted(np.asarray(curve["x"], np.float64), days, side="right")])
