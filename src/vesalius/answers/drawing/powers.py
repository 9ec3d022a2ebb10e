"""A loss against labels or parameters on two log scales: every run, the law with its band, and a forecast."""

from __future__ import annotations

from collections.abc import Sequence

from vesalius.answers.drawing.figures import ACCENT, SOFT, _axes
from vesalius.core import palette


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
    from matplotlib.ticker import LogFormatter

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
        if log:
            axes.set_yscale("log")
            axes.yaxis.set_minor_formatter(LogFormatter(labelOnlyBase=False, minor_thresholds=(2, 0.5)))
        axes.set_xlabel(along)
        axes.set_ylabel(up)
        axes.legend(loc="lower left", bbox_to_anchor=(0, 1.0), ncols=2, fontsize=8.5, frameon=False)
        return finish()
