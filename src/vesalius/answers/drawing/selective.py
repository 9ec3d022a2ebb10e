"""The risk–coverage curve: the mean loss of the surest answers against the share of cases that they answer."""

from __future__ import annotations

from collections.abc import Sequence

from vesalius.answers.drawing.figures import ACCENT, SOFT, _axes


def risk_coverage(
    x: Sequence[float], y: Sequence[float], best: Sequence[float], *, every: float, error: str
) -> str:
    """Return the curve beside that of a random order, which is the mean loss of all, and the best that there can be."""
    with _axes() as (axes, finish):
        axes.plot([0, 1], [every, every], "--", color=SOFT, lw=0.9, label="a random order")
        axes.plot(x, best, ":", color=SOFT, lw=1.1, label="the best order")
        axes.plot(x, y, color=ACCENT, lw=1.9, label="the surest first")
        axes.set_xlim(0, 1)
        axes.set_ylim(0, max(*y, every) * 1.08 or 1)
        axes.set_xlabel("share of cases that are answered")
        axes.set_ylabel(f"{error}, of these")
        axes.legend(loc="upper left")
        return finish()
