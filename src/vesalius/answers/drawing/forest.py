"""A forest plot: a figure with its interval for each group, one under the other, beside that of all cases."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from vesalius.answers.drawing.figures import ACCENT, SOFT, _axes, _short
from vesalius.core.interval import Interval

ROWS = 40  # groups that are drawn


def forest(panels: Mapping[str, Sequence[tuple[str, Interval]]], overall: Mapping[str, Interval]) -> str:
    """Return groups one under the other, a panel a metric, with the figure of all cases as a dashed line.

    `panels` gives by the name of a metric its figure for each group, the same groups in each; `overall` that of all
    cases. A group without a figure leaves its row empty.
    """
    names = [name for name, _ in next(iter(panels.values()))][:ROWS]
    with _axes(2.3 * len(panels) + 1.2, 0.34 * len(names) + 1.0, columns=len(panels)) as (found, finish):
        for k, (axes, (metric, rows)) in enumerate(
            zip(np.atleast_1d(found).ravel(), panels.items(), strict=True)
        ):
            every = overall.get(metric)
            if every is not None and every.value is not None:
                axes.axvline(every.value, ls="--", color=SOFT, lw=1.1)
            for place, (_, one) in enumerate(rows[:ROWS]):
                if one.value is None:
                    continue
                if one.low is not None and one.high is not None:
                    axes.hlines(place, one.low, one.high, color=ACCENT, lw=2.2, alpha=0.45)
                axes.scatter([one.value], [place], s=26, color=ACCENT, lw=0, zorder=3)
            axes.set_ylim(len(names) - 0.5, -0.5)
            axes.set_yticks(range(len(names)), [_short(n) for n in names] if k == 0 else [""] * len(names))
            axes.grid(axis="y", visible=False)
            axes.margins(x=0.08)
            axes.set_title(metric, loc="left")
            axes.locator_params(axis="x", nbins=4)
        return finish()
