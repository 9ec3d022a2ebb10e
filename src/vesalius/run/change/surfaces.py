"""Surfaces on the page of a change: how far each moved outward and inward, and pictures coloured by it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from PIL import Image as Pil

from vesalius.answers.drawing.panels import Cell, Table
from vesalius.answers.drawing.pictures import address
from vesalius.core.called import called_by, written
from vesalius.core.moved import Moved, Way
from vesalius.run.change.result import number, signed
from vesalius.shapes.picture import row_of
from vesalius.shapes.scale import scale_of

MOST = 2  # surfaces that are pictured
SIZE = (220, 260)
VIEWS = ("anterior", "left", "superior")
HEAD = ("label", "outward", "inward", "mean", "95 %", "doubt", "what can be told")


def table_of(moved: Sequence[Moved]) -> Table | None:
    """Return a row for each surface; None where none was measured."""
    if not moved:
        return None
    names = called_by(one.name for one in moved)
    rows = [
        (
            Cell(names[one.name]),
            _way(one.outward),
            _way(one.inward),
            Cell(f"{signed(one.mean_mm)} mm", one.mean_mm),
            Cell(f"{number(one.p95_mm)} mm", one.p95_mm),
            Cell("–" if one.doubt_mm is None else f"{number(one.doubt_mm)} mm", one.doubt_mm),
            Cell(one.verdict, None, _beside(one)),
        )
        for one in moved
    ]
    said = (
        "Distances between both visits' surfaces, measured from each to the other: mean, 95th percentile and most of "
        "the part that moved outward, and of the part that moved inward, with its share of the area. The doubt is how "
        "far both directions of the registration disagree, and half a voxel. The model's own errors are not in it: "
        "what moved by more than the doubt moved on the masks, and a growth is told by the sizes above."
    )
    return Table("How far surfaces moved", HEAD, rows, said)


def pictured(moved: Sequence[Moved]) -> list[dict[str, Any]]:
    """Return pictures of the later surfaces that moved most, coloured by how far: title, caption and a data address."""
    there = [one for one in moved if one.surface is not None and one.field_mm is not None]
    there = [one for one in there if np.isfinite(one.field_mm).any()]  # type: ignore[arg-type]
    there.sort(key=lambda one: -one.p95_mm / (one.doubt_mm or 1.0))
    found = []
    for one in there[:MOST]:
        far, surface = one.field_mm, one.surface
        if far is None or surface is None:
            continue
        scale = scale_of([far], "moved outward" if (far[np.isfinite(far)] >= 0).all() else "moved", "mm")
        row = row_of(surface, views=VIEWS, colours=[far], scale=scale, size=SIZE)
        caption = (
            f"the later visit's surface from {', '.join(VIEWS[:-1])} and {VIEWS[-1]}: "
            f"outward {number(one.outward.p95_mm)} mm, inward {number(one.inward.p95_mm)} mm (95 % of what moved so)"
        )
        found.append({"title": written(one.name), "caption": caption, "src": address(Pil.fromarray(row))})
    return found


def _way(way: Way) -> Cell:
    if not way.share:
        return Cell("nowhere", 0.0)
    text = f"{number(way.mean_mm)}, {number(way.p95_mm)}, {number(way.most_mm)} mm"
    return Cell(text, way.p95_mm, f"{100 * way.share:.0f} % of the surface")


def _beside(one: Moved) -> str:
    seen = "" if one.seen > 0.999 else f"of the {100 * one.seen:.0f} % that both visits show"
    return "; ".join(text for text in (one.why, seen) if text)
