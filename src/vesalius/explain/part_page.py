"""The part of an explanation's page about whole parts of a case: bars of its sources, and of their frames or rows."""

from __future__ import annotations

from typing import Any

import numpy as np
from PIL import Image as Pil

from vesalius.answers.drawing.figures import Figure
from vesalius.answers.drawing.panels import Cell, Table
from vesalius.answers.drawing.parts import source_bars, step_bars
from vesalius.answers.drawing.pictures import address
from vesalius.core.image import Array
from vesalius.explain.explanation import Explanation
from vesalius.explain.parts import Bars, thumbnails

MOST = 5  # steps whose pictures are shown, those that count most
SIDE = 160  # pixels of the longer side of such a picture
FIGURES = (
    "gain",
    "deletion",
    "insertion",
    "gain_by_chance",
    "gain_of_the_middle",
    "same_without_learning",
    "passes",
)
SOURCES_SAY = (
    "What each source adds, as the mean over all orders in which they may come (Shapley values); to the left it speaks "
    "against what is asked. The percentage is the share that the model's own attention gave it, which is no effect."
)
COLUMNS_SAY = (
    "What each column adds beyond a case whose columns are all left out, as the mean over all orders in which they "
    "may come (Shapley values); to the left it speaks against what is asked. A column that is left out stands at the "
    "mean of the training cases, one of words at none of its words."
)
STEPS_SAY = (
    "What the answer loses without each step; below the line the answer gains. The dashes are the model's own "
    "attention, drawn to the same height."
)


def of_parts(found: Explanation) -> list[dict[str, Any]]:
    """Return what a page shows of each set of bars that holds: its drawing, its pictures and its figures."""
    shown = []
    for parted in found.parted:
        for bars in parted.bars:
            if bars.fails is None:
                shown.append(
                    {
                        "method": parted.method,
                        "figure": _figure(bars),
                        "table": _table(bars),
                        "pictures": _pictures(found, bars),
                    }
                )
    return shown


def failing(found: Explanation) -> list[tuple[str, str]]:
    """Return which bars are not shown, and why."""
    return [
        (f"{p.method} of {b.of}" if b.of else p.method, b.fails)
        for p in found.parted
        for b in p.bars
        if b.fails is not None
    ]


def _figure(bars: Bars) -> Figure:
    if not bars.of:
        text = SOURCES_SAY if bars.part == "source" else COLUMNS_SAY
        return Figure(f"What each {bars.part} adds", source_bars(bars.names, bars.values, bars.weights), text)
    title = f"Along {bars.of}"
    return Figure(title, step_bars(bars.values, bars.times_s, bars.weights), STEPS_SAY, wide=True)


def _table(bars: Bars) -> Table:
    rows = [
        (Cell(name.replace("_", " ")), _cell(bars.figures[name])) for name in FIGURES if name in bars.figures
    ]
    return Table("How far to believe them", ("figure", "value"), rows)


def _pictures(found: Explanation, bars: Bars) -> list[dict[str, str]]:
    """Return the pictures of the steps that count most, in their order in time, as the model sees them."""
    if found.example is None or not bars.of:
        return []
    largest = sorted(np.argsort(-np.abs(bars.values), kind="stable")[:MOST].tolist())
    return [
        {
            "title": bars.names[k],
            "text": f"{bars.values[k]:+.3g}",
            "alt": f"{bars.of}: {bars.names[k]}",
            "src": address(_small(plane)),
        }
        for k, plane in thumbnails(found.example, bars.of, largest).items()
    ]


def _small(plane: Array) -> Pil.Image:
    picture = Pil.fromarray(np.round(255 * plane).astype(np.uint8))
    scale = SIDE / max(picture.size)
    return picture.resize((max(1, round(picture.width * scale)), max(1, round(picture.height * scale))))


def _cell(value: float) -> Cell:
    if not np.isfinite(value):
        return Cell("–")
    return Cell(f"{value:.2f}" if abs(value) < 1000 and value % 1 else f"{value:.0f}", value)
