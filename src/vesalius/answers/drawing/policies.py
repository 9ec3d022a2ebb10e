"""A drawing of what patients have on average if all are given one arm, the other, or what a model says."""

from __future__ import annotations

from collections.abc import Sequence

from vesalius.answers.drawing.figures import ACCENT, SOFT, _axes, _short

Row = tuple[str, float, float, float]  # a rule, its value, and the interval of that


def values(rows: Sequence[Row], across: str) -> str:
    """Return each rule's value with its interval, a row a rule; the last one is the model's."""
    with _axes(5.0, 0.42 * len(rows) + 0.9) as (axes, finish):
        for place, (_, value, low, high) in enumerate(rows):
            colour = ACCENT if place == len(rows) - 1 else SOFT
            axes.hlines(place, low, high, color=colour, lw=2.4, alpha=0.45)
            axes.scatter([value], [place], s=34, color=colour, lw=0, zorder=3)
        axes.set_yticks(range(len(rows)), [_short(name) for name, *_ in rows])
        axes.set_ylim(len(rows) - 0.5, -0.5)
        axes.margins(x=0.08)
        axes.grid(axis="y", visible=False)
        axes.set_xlabel(across)
        return finish()
