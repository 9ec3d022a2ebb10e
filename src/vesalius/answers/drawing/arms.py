"""A figure against the number of labels, a curve an arm, with intervals; as SVG that follows the page's dress."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from vesalius.answers.drawing.figures import SOFT, _axes
from vesalius.core import palette

Point = tuple[float, float, float | None, float | None]  # labels, value, low, high
LONGEST = 48  # letters of a name in the legend
APART = 1.035  # by how much the curves of neighbouring arms lie apart, so that their intervals can be told


def curves(arms: Mapping[str, Sequence[Point]], *, trivial: float | None, up: str) -> str:
    """Return the drawing; `trivial` is the figure of the trivial answer, a dashed line. Labels are on a log scale."""
    from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

    with _axes(6.4, 4.0) as (axes, finish):
        ticks = sorted({round(x) for points in arms.values() for x, *_ in points})
        for k, (name, points) in enumerate(arms.items()):
            if not points:
                continue
            moved = APART ** (k - (len(arms) - 1) / 2)
            x, y = [p[0] * moved for p in points], [p[1] for p in points]
            colour = palette.of_place(k)
            known = [(a, b, p[2], p[3]) for a, b, p in zip(x, y, points, strict=True) if p[2] is not None]
            axes.vlines(
                [q[0] for q in known], [q[2] for q in known], [q[3] for q in known], color=colour, lw=1.4
            )
            axes.plot(
                x,
                y,
                color=colour,
                lw=1.9,
                marker="o",
                ms=5,
                label=name if len(name) <= LONGEST else name[: LONGEST - 1] + "…",
            )
        if trivial is not None:
            axes.axhline(trivial, ls="--", color=SOFT, lw=1, label="trivial answer")
        axes.set_xscale("log")
        axes.xaxis.set_major_locator(FixedLocator(ticks))
        axes.xaxis.set_major_formatter(FuncFormatter(lambda n, _: f"{n:g}"))
        axes.xaxis.set_minor_locator(NullLocator())
        if ticks:
            axes.set_xlim(ticks[0] / 1.25, ticks[-1] * 1.25)
        axes.set_xlabel("labels to learn from")
        axes.set_ylabel(up)
        # above the axes: within them it would cover the ends of intervals
        axes.legend(loc="lower left", bbox_to_anchor=(0, 1.0), ncols=2, fontsize=8.5, frameon=False)
        return finish()
