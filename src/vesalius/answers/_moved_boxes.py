"""Boxes of two visits: carried onto the later image, and followed from one to the other by where they lie."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from vesalius.core.answers.boxes import Boxes
from vesalius.core.case import Box
from vesalius.core.growth import Part
from vesalius.core.image import Array, Image
from vesalius.prepare.between import Between

TOUCHING = 0.1  # intersection over union from which two boxes are one thing


def carried(answer: Boxes, between: Between) -> Boxes:
    """Return boxes on the later image's grid: each the tightest that holds the turned one."""
    return replace(answer, boxes=tuple(_carried(box, between) for box in answer.boxes))


def followed(earlier: Boxes, later: Boxes, label: str, between: Between) -> list[Part]:
    """Return what became of each called box of a label: the one that it overlaps most with, if it does.

    Its size is its longest side, in millimetres or pixels.
    """
    ones = [earlier.boxes[k] for k in earlier.called if earlier.boxes[k].label == label]
    others = [later.boxes[k] for k in later.called if later.boxes[k].label == label]
    moved = [_carried(box, between) for box in ones]
    far = np.array([[_overlap(a, b) for b in others] for a in moved]).reshape(len(moved), len(others))
    pairs: dict[int, int] = {}
    while far.size and far.max() >= TOUCHING:
        a, b = (int(k) for k in np.unravel_index(int(np.argmax(far)), far.shape))
        pairs[a] = b
        far[a, :], far[:, b] = 0.0, 0.0
    unit = "mm" if between.later.spacing_mm is not None else "pixels"
    parts = []
    for a, box in enumerate(ones):
        mate = others[pairs[a]] if a in pairs else None
        size = 0.0 if mate is None else longest(mate, between.later)
        at = _middle(mate or moved[a], between.later)
        parts.append(Part(label, unit, longest(box, between.earlier), size, (1, int(mate is not None)), at))
    for b, box in enumerate(others):
        if b not in pairs.values():
            parts.append(
                Part(label, unit, 0.0, longest(box, between.later), (0, 1), _middle(box, between.later))
            )
    return sorted(parts, key=lambda part: -max(part.earlier, part.later))


def longest(box: Box, image: Image) -> float:
    """Return a box's longest side, in millimetres where the image's pixels have a size, else in pixels."""
    spacing = image.spacing_mm[::-1] if image.spacing_mm is not None else (1.0, 1.0, 1.0)
    sides = [(b - a) * s for a, b, s in zip(box.low, box.high, spacing, strict=True)]
    return round(float(max(sides[1:] if image.is_2d else sides)), 3)


def _carried(box: Box, between: Between) -> Box:
    ends = np.array([box.low, box.high])
    corners = np.array([[ends[i, 0], ends[j, 1], ends[k, 2]] for i in (0, 1) for j in (0, 1) for k in (0, 1)])
    moved = between.points(corners)
    low, high = moved.min(axis=0), moved.max(axis=0)
    if between.later.is_2d:
        low[0], high[0] = 0.0, 1.0
    return replace(box, low=_triple(low), high=_triple(high))


def _overlap(a: Box, b: Box) -> float:
    low, high = np.maximum(a.low, b.low), np.minimum(a.high, b.high)
    shared = float(np.prod(np.clip(high - low, 0, None)))
    whole = sum(float(np.prod(np.subtract(x.high, x.low))) for x in (a, b)) - shared
    return shared / whole if whole > 0 else 0.0


def _middle(box: Box, image: Image) -> tuple[int, int, int]:
    middle = [(a + b) / 2 for a, b in zip(box.low, box.high, strict=True)]
    z, y, x = (int(np.clip(m, 0, n - 1)) for m, n in zip(middle, image.shape, strict=True))
    return z, y, x


def _triple(values: Array) -> tuple[float, float, float]:
    z, y, x = (float(v) for v in values)
    return z, y, x
