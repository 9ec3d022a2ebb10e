"""A figure against the amount of a degradation, with intervals, after a restoration beside it; as SVG."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from vesalius.answers.drawing.figures import SOFT, _axes
from vesalius.core import palette


def falling(curve: Any) -> str:
    """Return the drawing of a curve (`evaluate/degraded.py`): amounts at even places, mildest first, none before them.

    A dashed line is the figure at which the stated loss is reached.
    """
    ticks = ["none", *(f"{s.amount:g}" for s in curve.steps)]
    own = [curve.clean, *(s.figure for s in curve.steps)]
    other = [None, *(s.restored for s in curve.steps)]
    with _axes(4.6, 2.9) as (axes, finish):
        _line(axes, own, colour=palette.of_place(0), label="as it is", moved=0.0)
        if any(o is not None for o in other):
            _line(axes, other, colour=palette.of_place(1), label="restored", moved=0.08)
            axes.legend(loc="lower left", bbox_to_anchor=(0, 1.0), ncols=2, fontsize=8.5, frameon=False)
        if curve.limit is not None:
            axes.axhline(curve.limit, ls="--", color=SOFT, lw=1)
        axes.set_xticks(range(len(ticks)), ticks)
        axes.set_xlim(-0.3, len(ticks) - 0.6)
        axes.set_xlabel(f"{curve.degradation}: {curve.unit}")
        axes.set_ylabel(curve.called)
        return finish()


def _line(axes: Any, points: Sequence[Any], *, colour: str, label: str, moved: float) -> None:
    known = [(k + moved, p) for k, p in enumerate(points) if p is not None and p.value is not None]
    bars = [(x, p) for x, p in known if p.low is not None and p.high is not None]
    axes.vlines(
        [x for x, _ in bars], [p.low for _, p in bars], [p.high for _, p in bars], color=colour, lw=1.4
    )
    axes.plot(
        [x for x, _ in known],
        [p.value for _, p in known],
        color=colour,
        lw=1.9,
        marker="o",
        ms=5,
        label=label,
    )
