"""What a search found, drawn: each trial's score in order with the best so far, and what the scores hang on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from vesalius.answers.drawing.figures import ACCENT, INK, SOFT, _axes, _plain_log, _short

ROWS = 16  # parts whose importance is drawn


def history(scores: Sequence[tuple[int, float]], *, default: float | None, up: str) -> str:
    """Return the score of each finished trial by its number, the best so far as a line, the default plan's dashed."""
    with _axes(6.4, 3.4) as (axes, finish):
        numbers, values = [n for n, _ in scores], [v for _, v in scores]
        best: list[float] = []
        for value in values:
            best.append(max(value, best[-1]) if best else value)
        axes.scatter(numbers, values, s=20, color=SOFT, lw=0, label="a trial", zorder=3)
        axes.step(numbers, best, where="post", color=ACCENT, lw=1.9, label="the best so far")
        if default is not None:
            axes.axhline(default, ls="--", color=INK, lw=1, label="the default plan")
        axes.set_xlabel("trial")
        axes.set_ylabel(up)
        axes.legend(loc="lower left", bbox_to_anchor=(0, 1.0), ncols=3, fontsize=8.5, frameon=False)
        return finish()


def importance(parts: Mapping[str, float]) -> str:
    """Return how much of the scores' differences each part explains, the most important on top."""
    rows = list(parts.items())[:ROWS]
    with _axes(6.4, 0.3 * len(rows) + 0.9) as (axes, finish):
        places = range(len(rows))
        axes.barh(places, [value for _, value in rows], height=0.6, color=ACCENT)
        axes.set_yticks(places, [_short(path) for path, _ in rows])
        axes.set_ylim(len(rows) - 0.5, -0.5)
        axes.grid(axis="y", visible=False)
        axes.set_xlabel("share of the importance of all parts")
        return finish()


def trade_off(
    points: Sequence[tuple[float, float, int]], front: Sequence[int], *, along: str, up: str
) -> str:
    """Return each trial's score against what it costs, those that none beats in both as a line.

    `points` are cost, score and number of each trial, `front` the numbers of those that none beats.
    """
    with _axes(6.4, 3.4) as (axes, finish):
        axes.scatter([p[0] for p in points], [p[1] for p in points], s=20, color=SOFT, lw=0, zorder=3)
        best = sorted((cost, score) for cost, score, number in points if number in set(front))
        axes.plot([b[0] for b in best], [b[1] for b in best], color=ACCENT, lw=1.9, marker="o", ms=4)
        _plain_log(axes)
        axes.set_xlabel(along)
        axes.set_ylabel(up)
        return finish()
