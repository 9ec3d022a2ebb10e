"""A nomogram: rulers of points for each factor, their sum, and the chances that follow from it; as SVG."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from vesalius.answers.drawing.figures import ACCENT, INK, SOFT, _axes, _short

FULL = 100.0  # points of the ruler on top
CHANCES = (0.99, 0.95, 0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2, 0.1, 0.05, 0.01)
APART = 0.035  # of the width, between two words
HIGH = 0.14  # of a row, where every second word stands lower


def nomogram(
    axes_of: Sequence[Mapping[str, Any]], totals: Sequence[float], chances: Mapping[str, Any]
) -> str:
    """Return a nomogram.

    `axes_of` are factors with their `name`, `values` and `points`; `totals` total points, and `chances` by the name of
    a time the chance to be without the event by then at each of them.
    """
    most = max(float(totals[-1]), 1e-9)
    rows: list[tuple[str, list[tuple[float, str]], str]] = [
        ("points", [(p / FULL, f"{p:g}") for p in np.arange(0, FULL + 1, 10)], SOFT)
    ]
    for one in axes_of:
        marks = [(float(p) / FULL, _word(v)) for v, p in zip(one["values"], one["points"], strict=True)]
        rows.append((str(one["name"]), marks, INK))
    rows.append(("total points", [*((t / most, f"{t:.0f}") for t in _round(most)), (1.0, "")], SOFT))
    rows += [(f"free at {name}", _chances(totals, found, most), ACCENT) for name, found in chances.items()]
    with _axes(7.4, 0.52 * len(rows) + 0.5) as (axes, finish):
        for place, (name, marks, colour) in enumerate(rows):
            _ruler(axes, place, marks, colour)
            axes.text(-0.03, place, _short(name), ha="right", va="center", fontsize=9, color=INK)
        axes.set_xlim(-0.02, 1.02)
        axes.set_ylim(len(rows) - 0.35, -0.7)
        axes.set_axis_off()
        return finish()


def _ruler(axes: Any, place: int, marks: Sequence[tuple[float, str]], colour: str) -> None:
    """Draw a line with its ticks; a word too near to the one before it stands below the line."""
    where = [x for x, _ in marks]
    if not where:
        return
    axes.hlines(place, min(where), max(where), color=colour, lw=1.3)
    axes.vlines(where, place - HIGH, place, color=colour, lw=1.1)
    last = {-1: -np.inf, 1: -np.inf}
    for x, word in sorted(marks):
        half = 0.5 * max(APART, 0.0125 * len(word))
        side = -1 if x - half >= last[-1] else 1
        if side == 1 and x - half < last[1]:
            continue  # no room on either side
        last[side] = x + half
        at, align = (place - 0.2, "bottom") if side < 0 else (place + 0.12, "top")
        axes.text(x, at, word, ha="center", va=align, fontsize=8, color=colour)


def _chances(totals: Sequence[float], found: Sequence[float], most: float) -> list[tuple[float, str]]:
    """Return where on the ruler of total points round chances lie; those beyond its ends are left out."""
    points, free = np.asarray(totals, np.float64), np.asarray(found, np.float64)
    falling = free[::-1]  # the more points, the smaller the chance
    inside = [c for c in CHANCES if falling[0] <= c <= falling[-1]]
    return [(float(np.interp(c, falling, points[::-1])) / most, f"{100 * c:g} %") for c in inside]


def _round(most: float) -> list[float]:
    step = next(s for s in (10, 20, 25, 50, 100, 200, 500, 1000, np.inf) if most / s <= 12)
    return [float(t) for t in np.arange(0, most + 1e-9, step)]


def _word(value: float | str) -> str:
    return _short(value.rpartition(": ")[2]) if isinstance(value, str) else f"{value:.3g}".replace("-", "−")
