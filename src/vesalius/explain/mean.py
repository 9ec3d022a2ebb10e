"""The mean of many cases' maps on the grid that they share: summed one by one, so that one is in memory at a time."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np

from vesalius.core.image import Array, Image
from vesalius.core.plan import DataPlan
from vesalius.explain.faithful import alike, middle
from vesalius.prepare import geometry
from vesalius.prepare.geometry import Size, Undo

SIDE, DEEP = 128, 48  # pixels a side of the common grid of pictures, and of volumes
MOST = 1 << 22  # voxels of a prepared grid on which means are still kept


@dataclass(frozen=True, eq=False)
class Common:
    """The grid on which maps are joined: the planned one where `plan` is given, else each image stretched to `shape`.

    `words` says to a reader which of the two it is.
    """

    shape: Size
    words: str
    plan: DataPlan | None = None

    def of(self, image: Image) -> tuple[Array, Array]:
        """Return an image's channels on this grid, `(C, Z, Y, X)`, and where it says something, `(Z, Y, X)` of bits."""
        array = image.array if image.times_s is None else image.array[0]
        seen: Array = np.asarray(np.isfinite(array).all(axis=0, keepdims=True), np.float32)
        held = np.where(np.isfinite(array), array, 0).astype(np.float32)
        return self._moved(held, image), self._moved(seen, image)[0] > 0.5

    def _moved(self, array: Array, image: Image) -> Array:
        if self.plan is not None:
            return geometry.forward(array, layout(image, self.plan))
        order, flips = geometry.orientation(image.affine)
        return geometry.resample(geometry.turn(array, order, flips), self.shape)


def layout(image: Image, plan: DataPlan) -> Undo:
    """Return how an image meets a plan of whole images."""
    spacing, size, whole = plan.spacing_mm, plan.size, plan.sampling == "whole"
    return geometry.layout(image, canonical=plan.canonical, spacing_mm=spacing, size=size, whole=whole)


def common(plan: DataPlan, *, parts: bool) -> Common:
    """Return the grid for maps of cases that a plan prepares: the prepared one where all cases share it.

    `parts` says that the model looks at a part of each image that an earlier stage finds, so that nothing is shared.
    """
    z, y, x = plan.size
    if plan.sampling == "whole" and not parts and math.prod(plan.size) <= MOST:
        size = f"{y} × {x}" if z == 1 else f"{z} × {y} × {x}"
        return Common((z, y, x), f"the grid on which the model sees every case, {size}", plan)
    shape = (DEEP, DEEP, DEEP) if plan.dims == 3 else (1, SIDE, SIDE)
    return Common(
        shape, "one grid onto which each image was stretched, for the model sees no two of them on one grid"
    )


@dataclass(eq=False)
class MeanMap:
    """The running mean of maps on one grid; each counts the same, as multiples of what an even map would say there.

    `fields` are how many maps were taken in. Two halves, every other case, are kept apart: how much their means are
    alike says whether there are enough cases for the mean to mean something.
    """

    shape: Size
    fields: int = 0
    flat: int = 0
    sums: list[Array] = field(default_factory=list)
    counts: list[Array] = field(default_factory=list)

    def add(self, values: Array, seen: Array) -> None:
        """Take in a map `(Z, Y, X)` that says something where `seen`; one that is zero everywhere is only counted."""
        total = float(np.abs(values[seen]).sum())
        if not total:
            self.flat += 1
            return
        if not self.sums:
            self.sums = [np.zeros(self.shape) for _ in range(2)]
            self.counts = [np.zeros(self.shape) for _ in range(2)]
        half = self.fields % 2
        self.sums[half] += np.where(seen, values, 0) * (int(seen.sum()) / total)
        self.counts[half] += seen
        self.fields += 1

    @property
    def mean(self) -> Array | None:
        """The mean `(Z, Y, X)`; NaN where no map says anything. None without any map."""
        if not self.sums:
            return None
        return _ratio(self.sums[0] + self.sums[1], self.counts[0] + self.counts[1])

    @property
    def halves(self) -> float | None:
        """The rank correlation of the means of two halves of the cases; None with fewer than four."""
        if self.fields < 4:
            return None
        one, other = (_ratio(s, c) for s, c in zip(self.sums, self.counts, strict=True))
        both = np.isfinite(one) & np.isfinite(other)
        return alike(one[both], other[both])

    @property
    def like_middle(self) -> float | None:
        """The rank correlation of the mean with a map that points at the middle of the image."""
        mean = self.mean
        if mean is None:
            return None
        there = np.isfinite(mean)
        return alike(mean[there], middle(self.shape)[there])


def _ratio(total: Array, count: Array) -> Array:
    found: Array = np.full(total.shape, np.nan)
    np.divide(total, count, out=found, where=count > 0)
    return found
