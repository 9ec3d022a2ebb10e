"""The boxes to beat: those of the training case that is most like the others, whatever the image shows."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from vesalius.core.case import Box
from vesalius.core.image import Array
from vesalius.metrics._matching import corners, overlaps

CANDIDATES, COMPARED = 48, 192  # cases at most that may be the trivial answer, and that it is held against


def baseline(truths: Sequence[Sequence[Box]]) -> tuple[tuple[Box, ...], Array]:
    """Return the trivial answer: the true boxes of the case that is most like the others, and a probability each.

    The boxes of all cases are in one frame, such as fractions of their image. Most like the others is the one whose
    boxes overlap theirs most; of many cases some stand for all. The probability of a box is the share of the other
    cases with a box of its label that overlaps it by half.
    """
    known = [[b for b in truth if not b.crowd] for truth in truths]
    tried, held = (known[:: max(1, len(known) // n)] for n in (CANDIDATES, COMPARED))
    best = max(tried, key=lambda one: sum(_alike(one, x) for x in held), default=[])
    others = [x for x in held if x is not best]
    share = [
        np.mean([alike([b], x).max(initial=0.0) >= 0.5 for x in others]) if others else 1.0 for b in best
    ]
    return tuple(best), np.array(share, dtype=np.float64)


def alike(one: Sequence[Box], other: Sequence[Box]) -> Array:
    """Return the intersection over union of each two boxes, `(N, M)`, 0 where their labels differ."""
    alike = np.array([[a.label == b.label for b in other] for a in one], dtype=bool).reshape(
        len(one), len(other)
    )
    return np.asarray(overlaps(corners(one), corners(other), np.zeros(len(other), dtype=bool)) * alike)


def _alike(one: Sequence[Box], other: Sequence[Box]) -> float:
    """Return how alike the boxes of two cases are: the mean over all boxes of the best overlap with the other's."""
    if not one or not other:
        return float(not one and not other)
    near = alike(one, other)
    return float(np.concatenate([near.max(axis=0), near.max(axis=1)]).mean())
