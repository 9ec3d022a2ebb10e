"""Drawings of how things are found: precision and recall of boxes, FROC curves, and what is found by size."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from vesalius.answers.drawing.figures import (
    ACCENT,
    SOFT,
    _axes,
    _floats,
    _legend,
    _named,
    _short,
    _unit_square,
)
from vesalius.core import palette
from vesalius.core.interval import Interval
from vesalius.metrics import wilson


def precision_recall(
    curves: Mapping[str, Any], scored: Mapping[str, Interval], metric: str, *, colours: Mapping[str, str]
) -> str:
    """Precision at each recall by label, `y` at `x`: the best at that recall or a higher one."""
    with _axes() as (axes, finish):
        for colour, (label, curve) in _with_colours(curves, colours):
            text = _named(label, scored, metric)
            axes.step(curve["x"], curve["y"], where="pre", color=colour, lw=1.9, label=text)
        _unit_square(axes, "recall (share of true boxes found)", "precision")
        _legend(axes, curves, "lower left")
        return finish()


def froc(curves: Mapping[str, Any], scored: Mapping[str, Interval], *, colours: Mapping[str, str]) -> str:
    """Sensitivity `y` against false boxes an image `x` by label, with the band from `low` to `high` where few are."""
    from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

    with _axes(4.6, 3.6) as (axes, finish):
        for colour, (label, curve) in _with_colours(curves, colours):
            x, y = np.array(curve["x"]), _floats(curve["y"])
            if len(curves) <= 3:
                axes.fill_between(
                    x, _floats(curve["low"]), _floats(curve["high"]), color=colour, alpha=0.15, lw=0
                )
            axes.plot(x, y, color=colour, lw=1.9, label=_named(label, scored, "froc"))
        axes.set_xscale("log", base=2)
        ticks = {1 / 8: "1/8", 1 / 4: "1/4", 1 / 2: "1/2", 1: "1", 2: "2", 4: "4", 8: "8"}
        axes.xaxis.set_major_locator(FixedLocator(list(ticks)))
        axes.xaxis.set_minor_locator(NullLocator())
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: ticks.get(value, "")))
        axes.set_xlim(1 / 8, 8)
        axes.set_ylim(-0.02, 1.02)
        axes.set_xlabel("false boxes an image")
        axes.set_ylabel("share of true boxes found")
        _legend(axes, curves, "lower right")
        return finish()


def by_size(
    bands: Mapping[str, Sequence[Mapping[str, float]]], unit: str, *, colours: Mapping[str, str]
) -> str:
    """Share of true boxes that a called one finds against their longest side, by label, with 95 % intervals of a share.

    A band has the least and the largest size `low` and `high`, how many there are `n`, and how many are `found`.
    """
    with _axes(4.6, 3.6) as (axes, finish):
        shown = list(_with_colours(bands, colours))
        for k, (colour, (label, rows)) in enumerate(shown):
            x = np.array([(row["low"] + row["high"]) / 2 for row in rows])
            y = np.array([row["found"] / row["n"] for row in rows])
            low, high = np.array([wilson(v, int(row["n"])) for v, row in zip(y, rows, strict=True)]).T
            x = x * (1 + 0.012 * (k - (len(shown) - 1) / 2))  # so that intervals do not hide one another
            axes.vlines(x, low, high, color=colour, lw=2.2, alpha=0.35)
            axes.plot(x, y, "o-", color=colour, lw=1.2, ms=4.5, label=_short(label))
        axes.set_ylim(-0.02, 1.02)
        axes.set_xlabel(f"longest side of the true box ({unit})")
        axes.set_ylabel("share found by called boxes")
        axes.axhline(1, color=SOFT, lw=0.6)
        if len(shown) > 1:
            _legend(axes, bands, "lower right")
        return finish()


def _with_colours(curves: Mapping[str, Any], colours: Mapping[str, str]) -> list[tuple[str, tuple[str, Any]]]:
    """Return each curve with its label's own colour: the accent where there is one alone."""
    alone = len(curves) == 1
    return [
        (ACCENT if alone else colours.get(item[0], palette.of_place(k)), item)
        for k, item in enumerate(curves.items())
    ]
