"""A loss against labels or parameters on two log scales: every run, the law with its band, and a forecast."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from vesalius.answers.drawing.figures import ACCENT, SOFT, _axes
from vesalius.core import palette

CLOSE = 0.09  # of the width: marks nearer than this would run into one another
DECADES = 8.0  # from how many times the least value on marks are those of 1, 2 and 5


def powers(
    runs: Sequence[tuple[float, Sequence[float]]],
    band: Sequence[tuple[float, float, float, float]],
    ahead: tuple[float, float, float | None, float | None] | None,
    *,
    along: str,
    up: str,
    log: bool,
) -> str:
    """Return the drawing. `runs` are places with what each seed came to, `band` are place, law, low, high.

    `ahead` is where a forecast lies, its value and its interval. `log` draws values on a log scale, too, which needs
    them to lie above 0.
    """
    with _axes(5.2, 3.6) as (axes, finish):
        if band:
            x = [b[0] for b in band]
            axes.fill_between(x, [b[2] for b in band], [b[3] for b in band], color=ACCENT, alpha=0.15, lw=0)
            axes.plot(x, [b[1] for b in band], color=ACCENT, lw=1.7, label="law, with its 90 % band")
        flat = [(x, v) for x, values in runs for v in values]
        axes.plot(
            [x for x, _ in flat], [v for _, v in flat], "o", ms=4, color=SOFT, label="fits, a dot a seed"
        )
        if ahead is not None:
            place, value, low, high = ahead
            colour = palette.of_place(1)
            axes.plot([place], [value], "D", ms=5, color=colour, label="forecast of a fit (90 %)")
            if low is not None and high is not None:
                axes.vlines([place], [low], [high], color=colour, lw=1.6)
        axes.set_xscale("log")
        _ticks_at(axes.xaxis, [x for x, _ in runs] + ([] if ahead is None else [ahead[0]]))
        if log:
            axes.set_yscale("log")
            _plain(axes.yaxis, axes.get_ylim())
        axes.set_xlabel(along)
        axes.set_ylabel(up)
        axes.legend(loc="lower left", bbox_to_anchor=(0, 1.0), ncols=2, fontsize=8.5, frameon=False)
        return finish()


def _ticks_at(axis: Any, places: Sequence[float]) -> None:
    """Mark an axis where runs lie, each in a few letters, without those that would run into one another."""
    from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

    every = sorted(set(places), reverse=True)  # the largest stays
    wide = math.log(every[0] / every[-1]) if every else 0.0
    kept: list[float] = []
    for place in every:
        if not kept or math.log(kept[-1] / place) >= CLOSE * wide:
            kept.append(place)
    axis.set_major_locator(FixedLocator(kept))
    axis.set_minor_locator(NullLocator())
    axis.set_major_formatter(FuncFormatter(lambda value, _: brief(value)))


def _plain(axis: Any, limits: tuple[float, float]) -> None:
    """Write the numbers of a log axis out, as the pages' drawings know no formulas."""
    from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullLocator

    wide = limits[1] > DECADES * limits[0]
    axis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)) if wide else MaxNLocator(5))
    axis.set_minor_locator(NullLocator())
    axis.set_major_formatter(FuncFormatter(lambda value, _: brief(value)))


def brief(value: float) -> str:
    """Return a number in at most three figures: 38, 22.4k, 355k, 1.2M."""
    for least, unit, letter in ((999.5e6, 1e9, "G"), (999.5e3, 1e6, "M"), (9999.5, 1e3, "k")):
        if value >= least:
            return f"{value / unit:.3g}{letter}"
    return f"{value:.3g}" if value < 999.5 else f"{value:.0f}"
