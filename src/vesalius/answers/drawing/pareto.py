"""A picture of what several models cost beside how good they are, and which of them no other one beats in both."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from vesalius.answers.drawing.figures import ACCENT, SOFT, _axes, _plain_log, _short


@dataclass(frozen=True, slots=True)
class Point:
    """One model: the larger `gain` and `worth` are, the better; `low` and `high` are the interval of its worth.

    One that is not `allowed` is drawn faintly and cannot lie on the front; `chosen` is the one that was taken.
    """

    name: str
    gain: float
    worth: float
    low: float | None = None
    high: float | None = None
    allowed: bool = True
    chosen: bool = False


def front(points: Sequence[Point]) -> list[Point]:
    """Return the allowed points that no allowed one beats in both, by rising gain."""
    allowed = [p for p in points if p.allowed]
    best = [
        p
        for p in allowed
        if not any(
            q.gain >= p.gain and q.worth >= p.worth and (q.gain > p.gain or q.worth > p.worth)
            for q in allowed
        )
    ]
    return sorted(best, key=lambda p: (p.gain, -p.worth))


def pareto(points: Sequence[Point], *, across: str, up: str) -> str:
    """Return every model as a point with its interval, the front as a line; the gain on a logarithmic axis."""
    with _axes(5.6, 3.8) as (axes, finish):
        line = front(points)
        axes.plot([p.gain for p in line], [p.worth for p in line], color=ACCENT, lw=1.4, zorder=2)
        for p in points:
            colour = ACCENT if p.allowed else SOFT
            if p.low is not None and p.high is not None:
                axes.vlines(p.gain, p.low, p.high, color=colour, lw=1, alpha=0.6)
            mark = "o" if p.allowed else "x"
            axes.scatter([p.gain], [p.worth], marker=mark, s=70 if p.chosen else 30, color=colour, zorder=3)
            axes.annotate(
                _short(p.name), (p.gain, p.worth), textcoords="offset points", xytext=(5, 5), fontsize=8
            )
        _plain_log(axes)
        axes.set_xlabel(across)
        axes.set_ylabel(up)
        return finish()
