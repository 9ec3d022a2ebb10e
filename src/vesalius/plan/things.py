"""Things: how large what a target places in images is, and how many there are, as statistics that can be merged."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from vesalius.core.histogram import Histogram
from vesalius.core.image import Triple
from vesalius.core.learned import SIZE_AXES
from vesalius.core.statistics import Statistics, columns
from vesalius.plan.facts import Facts

SIDE = "side"
LOW, HIGH = 0.1, 0.9  # quantiles that stand for small and for large ones


@dataclass(frozen=True, slots=True)
class ThingPrint:
    """The things of a cohort in numbers, in voxels `(z, y, x)`; of volumes as they are at the median spacing.

    `sides` are, by label, the tenth, the fiftieth and the ninetieth percentile of a thing's side, which is that of a
    square (a cube) as large. `axes` are the median extents of all along each axis. `mean` and `most` say how many a
    case has.
    """

    sides: dict[str, tuple[float, float, float]]
    axes: tuple[float, float, float]
    mean: float
    most: int

    @property
    def smallest(self) -> float:
        """Return the side of small things of the label that has the smallest."""
        return min(low for low, _, _ in self.sides.values())

    @property
    def largest(self) -> float:
        """Return the side of large things of the label that has the largest."""
        return max(high for _, _, high in self.sides.values())


def summed(found: Sequence[Facts]) -> Statistics:
    """Return how many things each case has, and the sizes of those of each label, in voxels and in millimetres."""
    sizes: dict[str, list[tuple[float, ...]]] = {}
    lengths: dict[str, list[tuple[float, ...]]] = {}
    for one in found:
        for name, size in one.things:
            sizes.setdefault(name, []).append((*size, _side(size, one.shape)))
            if one.spacing_mm is not None:
                z, y, x = (n * mm for n, mm in zip(size, one.spacing_mm[::-1], strict=True))
                lengths.setdefault(name, []).append((z, y, x, _side((z, y, x), one.shape)))
    axes = (*SIZE_AXES, SIDE)
    return Statistics(
        {
            "each": Histogram.of(len(one.things) for one in found),
            "voxels": Statistics({name: columns(rows, axes) for name, rows in sizes.items()}),
            "mm": Statistics({name: columns(rows, axes) for name, rows in lengths.items()}),
        }
    )


def printed(things: Statistics, spacing: Triple | None) -> ThingPrint | None:
    """Return the print of such statistics; None where there is no thing.

    `spacing` `(x, y, z)` is the median one of volumes, None of pictures and where some volume has none.
    """
    each = things.part("each", Histogram)
    known = things.part("mm" if spacing is not None else "voxels", Statistics)
    labels = {name: known.part(name, Statistics) for name in known.parts}
    if not labels or each.high < 1:
        return None
    mm = (1.0, 1.0, 1.0) if spacing is None else spacing[::-1]
    side = math.prod(mm) ** (1 / 3)
    every: dict[str, Histogram] = {}
    for found in labels.values():
        for axis in SIZE_AXES:
            held = found.part(axis, Histogram)
            every[axis] = every[axis].merged(held) if axis in every else held
    z, y, x = (max(every[axis].median() / n, 1e-3) for axis, n in zip(SIZE_AXES, mm, strict=True))
    sides = {}
    for name, found in labels.items():
        own = found.part(SIDE, Histogram)
        sides[name] = (own.quantile(LOW) / side, own.median() / side, own.quantile(HIGH) / side)
    total = sum(b * n for b, n in zip(each.bins, each.counts, strict=True))
    return ThingPrint(sides, (z, y, x), total / each.n, int(each.high))


def _side(size: Sequence[float], shape: Sequence[int]) -> float:
    """Return the side of a square as large, or of a cube where the image has several planes."""
    axes = [max(n, 1e-3) for n, extent in zip(size, shape, strict=True) if extent > 1] or [1.0]
    return float(math.prod(axes) ** (1 / len(axes)))
