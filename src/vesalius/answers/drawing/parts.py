"""Bars of parts of a case: one for each source, or one for each step of a source along its time."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from vesalius.answers.drawing.figures import ACCENT, INK, SOFT, _axes, _short
from vesalius.core.image import Array

AGAINST = "#b3452c"
MOST_BARS = 80  # steps drawn as bars; of more a line is drawn
STEPS = ("s", 1.0), ("hours", 3600.0), ("days", 86_400.0)


def source_bars(names: Sequence[str], values: Array, weights: Array | None) -> str:
    """Return a bar a source: what it adds to the answer, and as a dot the share that the model's attention gave it."""
    order = np.argsort(-np.abs(values), kind="stable")
    with _axes(5.2, 0.42 * len(names) + 1.0) as (axes, finish):
        axes.axvline(0, color=SOFT, lw=1)
        for place, k in enumerate(order):
            axes.barh(place, values[k], height=0.62, color=ACCENT if values[k] >= 0 else AGAINST, lw=0)
        axes.set_yticks(range(len(names)), [_named(names[k], weights, int(k)) for k in order])
        axes.set_ylim(len(names) - 0.4, -0.6)
        axes.set_xlabel("added to the answer")
        axes.grid(axis="y", visible=False)
        return finish()


def step_bars(values: Array, times_s: Array | None, weights: Array | None) -> str:
    """Return what the answer loses without each step along its time, and the model's attention as a line.

    Times are given in the unit that suits them; without any they are the steps' numbers from 1.
    """
    x, label = _time_axis(times_s, len(values))
    wide = float(np.median(np.diff(x))) if len(x) > 1 else 1.0
    with _axes(6.6, 2.6) as (axes, finish):
        axes.axhline(0, color=SOFT, lw=1)
        if len(values) <= MOST_BARS:
            colours = [ACCENT if v >= 0 else AGAINST for v in values]
            axes.bar(x, values, width=0.8 * (wide or 1.0), color=colours, lw=0)
        else:
            axes.fill_between(x, values, 0, color=ACCENT, alpha=0.25, lw=0)
            axes.plot(x, values, color=ACCENT, lw=1.4)
        if weights is not None and weights.max() > 0:
            scale = float(np.abs(values).max() or 1.0) / float(weights.max())
            axes.plot(x, weights * scale, color=INK, lw=1.4, ls="--", label="attention (scaled)")
            axes.legend(loc="upper left")
        axes.set_xlabel(label)
        axes.set_ylabel("lost without it")
        axes.grid(axis="x", visible=False)
        return finish()


def _named(name: str, weights: Array | None, k: int) -> str:
    return _short(name) if weights is None else f"{_short(name)} · {100 * weights[k]:.0f} %"


def _time_axis(times_s: Array | None, n: int) -> tuple[Array, str]:
    """Return where steps lie along the axis, and what that is called; numbers where times do not tell them apart."""
    if times_s is None or len(np.unique(times_s)) < n:
        return np.arange(1, n + 1, dtype=np.float64), "step"
    reach = float(np.abs(times_s).max())
    unit, size = next((u for u in reversed(STEPS) if reach >= 3 * u[1]), STEPS[0])
    return np.asarray(times_s, np.float64) / size, f"time ({unit})"
