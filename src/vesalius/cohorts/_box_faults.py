"""What is wrong with single boxes: no extent, exchanged corners, beyond their picture, drawn twice; each is named."""

from __future__ import annotations

import numpy as np

from vesalius.cohorts._box_pages import Drawn, Page
from vesalius.cohorts._box_ways import Way
from vesalius.core.case import Box
from vesalius.core.cohort import Question
from vesalius.core.image import Array
from vesalius.core.words import counted, listed

TWICE = 0.95  # intersection over union from which two boxes of one label are one thing drawn twice
_NAMED = 8  # boxes that are named in words
_ROUNDING = 1.0  # pixels by which a box may reach beyond its picture without being named
_FAULTS = {  # kind of fault: (of one, of several, what to try)
    "flat": (
        "box has no extent and is left out",
        "boxes have no extent and are left out",
        "draw them again where something is there",
    ),
    "tiny": (
        "box is smaller than a pixel and is left out",
        "boxes are smaller than a pixel and are left out",
        "look whether their numbers are shares of the picture",
    ),
    "outside": (
        "box lies outside of its picture and is left out",
        "boxes lie outside of their pictures and are left out",
        "look whether the boxes are of these pictures",
    ),
    "twice": (
        "box is drawn twice and counted once",
        "boxes are drawn twice and counted once",
        "take the copies out of the file",
    ),
    "labels": (
        "box is drawn under two labels and kept under both",
        "boxes are drawn under two labels and kept under both",
        "decide which label is right",
    ),
    "reversed": (
        "box has its corners in the wrong order: they are exchanged",
        "boxes have their corners in the wrong order: they are exchanged",
        "look at them; --column boxes=size if the last numbers are a size",
    ),
    "beyond": (
        "box reaches beyond its picture and is cut at its edge",
        "boxes reach beyond their pictures and are cut at the edges",
        "look whether the boxes are of these pictures",
    ),
}


class Remarks:
    """The faults of all boxes by their kind, each with its file and its place in words."""

    def __init__(self, target: str) -> None:
        self.target = target
        self.found: dict[str, list[str]] = {}
        self.rounded = 0

    def add(self, kind: str, page: Page, k: int, numbers: Array) -> None:
        """Name the k-th box of a page."""
        box, place = page.boxes[k], " ".join(f"{v:.6g}" for v in numbers)
        where = f", {box.where}" if box.where else ""
        self.found.setdefault(kind, []).append(f"{page.file or page.case}: {box.label} {place}{where}")

    def doubts(self) -> list[Question]:
        """Return a doubt for each kind of fault, which names its boxes."""
        return [
            Question(
                self.target, f"{self.target}: {counted(len(named), one, many)}", listed(named, _NAMED), hint
            )
            for kind, (one, many, hint) in _FAULTS.items()
            if (named := self.found.get(kind))
        ]

    def notes(self) -> list[str]:
        """Return what needs no look: boxes that reach less than a pixel beyond their pictures."""
        if not self.rounded:
            return []
        many = counted(self.rounded, "box reaches", "boxes reach")
        return [f"{self.target}: {many} up to a pixel beyond the edge, and are cut there"]


def tidy(
    page: Page, low: Array, high: Array, numbers: Array, seen: Array, way: Way, remarks: Remarks
) -> tuple[tuple[Box, ...], str | None]:
    """Return the boxes of one page that can be used, or why its case cannot; what is left out or changed is remarked.

    `low` and `high` `(N, D)` are corners x before y, `numbers` as they stand in the file, `seen` the picture's size.
    """
    if not len(low):
        return (), None
    size = seen[: low.shape[1]]
    if why := _hopeless(page, low, high, numbers, size):
        return (), why
    last = 1.0 if way.inclusive and way.form == "corners" and not way.relative else 0.0
    wrong = np.asarray((high < low - last / 2).any(axis=1))
    one, other = np.minimum(low, high - last), np.maximum(low + last, high)
    low, high = np.where(wrong[:, None], one, low), np.where(wrong[:, None], other, high)
    flat = np.asarray((high - low - last <= 1e-6).any(axis=1))
    tiny = ~flat & np.asarray((high - low)[:, :2].max(axis=1) < 1)
    outside = ~flat & ~tiny & ((low >= size) | (high <= 0)).any(axis=1)
    over = np.asarray(np.maximum(-low, high - size).max(axis=1))
    kept = ~flat & ~outside & ~tiny
    beyond = kept & (over > _ROUNDING + 1e-6)
    faults = {"reversed": wrong, "flat": flat, "tiny": tiny, "outside": outside, "beyond": beyond}
    for kind, which in faults.items():
        for k in np.flatnonzero(which):
            remarks.add(kind, page, int(k), numbers[k])
    remarks.rounded += int((kept & (over > 1e-6) & (over <= _ROUNDING + 1e-6)).sum())
    low, high = np.clip(low, 0, size), np.clip(high, 0, size)
    held = _once(page, low, high, np.flatnonzero(kept).tolist(), numbers, remarks)
    return tuple(_box(page.boxes[k], low[k], high[k]) for k in held), None


def _hopeless(page: Page, low: Array, high: Array, numbers: Array, size: Array) -> str | None:
    """Return why none of a page's boxes can be trusted; None where that is not so."""
    where = [b.where or f"box {k + 1}" for k, b in enumerate(page.boxes)]
    for k in np.flatnonzero(~np.isfinite(numbers).all(axis=1)):
        return f"{where[int(k)]} has a coordinate that is no finite number"
    for k in np.flatnonzero((np.abs(high - low) > 1.02 * size + 2).any(axis=1)):
        extent, of = (" × ".join(f"{v:.5g}" for v in x) for x in (np.abs(high[k] - low[k]), size))
        return f"{where[int(k)]} is larger than its picture: {extent} in {of} pixels"
    return None


def _once(
    page: Page, low: Array, high: Array, held: list[int], numbers: Array, remarks: Remarks
) -> list[int]:
    """Return those of the boxes `held` that are no copies of one before."""
    kept: list[int] = []
    for k in held:
        overlap = _overlaps(low[k], high[k], low[kept], high[kept])
        same = [kept[j] for j in np.flatnonzero(overlap >= TWICE)]
        if any(page.boxes[j].label == page.boxes[k].label for j in same):
            remarks.add("twice", page, k, numbers[k])
            continue
        if same:
            remarks.add("labels", page, k, numbers[k])
        kept.append(k)
    return kept


def _overlaps(low: Array, high: Array, lows: Array, highs: Array) -> Array:
    """Return the intersection over union of one box with each of several `(N, D)`."""
    inside = np.clip(np.minimum(high, highs) - np.maximum(low, lows), 0, None).prod(axis=1)
    union: Array = (high - low).prod() + (highs - lows).prod(axis=1) - inside
    return inside / np.maximum(union, 1e-12)  # type: ignore[no-any-return]


def _box(written: Drawn, low: Array, high: Array) -> Box:
    """Return a box in `(z, y, x)`; one of a picture reaches through its only plane."""
    z = (float(low[2]), float(high[2])) if len(low) > 2 else (0.0, 1.0)
    corner = (z[0], float(low[1]), float(low[0])), (z[1], float(high[1]), float(high[0]))
    return Box(*corner, written.label, crowd=written.crowd)
