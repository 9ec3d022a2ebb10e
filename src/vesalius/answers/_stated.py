"""What answers with places state of them: how many there are, how large the largest is, and on which side it lies."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import ndimage
from scipy.spatial import ConvexHull, QhullError
from scipy.spatial.distance import pdist

from vesalius.core.called import without_side
from vesalius.core.case import Box
from vesalius.core.finding import Finding, Side
from vesalius.core.image import Array, Image
from vesalius.core.stated import Statement
from vesalius.core.words import counted

MOST_POINTS = 2000  # corners of a hull between which all distances are taken


@dataclass(frozen=True, eq=False)
class Grid:
    """Where an answer's voxels lie: `affine` from index `(x, y, z)` to LPS mm, `spacing_mm` `(x, y, z)`, `shape`."""

    affine: Array | None
    spacing_mm: tuple[float, float, float] | None
    shape: tuple[int, int, int]

    @staticmethod
    def of(image: Image) -> Grid:
        """Return the grid of an image."""
        return Grid(image.affine, image.spacing_mm, image.shape)

    def side(self, points: Array) -> Side | None:
        """Return on which side of the image's middle all of some points `(N, 3)` lie, `(z, y, x)` in voxels.

        It is the patient's side, along the LPS axis to the left. None without an affine, where they lie on both
        sides, and where the axis is hardly seen: nothing is guessed.
        """
        if self.affine is None or not len(points):
            return None
        ends = np.array([(0, 0, 0), tuple(n - 1 for n in self.shape[::-1])], dtype=np.float64)
        corners = np.array(
            [[ends[i, 0], ends[j, 1], ends[k, 2]] for i in (0, 1) for j in (0, 1) for k in (0, 1)]
        )
        left = self.affine[0, :3]
        along = corners @ left
        if along.max() - along.min() < max(self.spacing_mm or (1.0,)) * 2:
            return None
        middle = (along.max() + along.min()) / 2
        at = points[:, ::-1].astype(np.float64) @ left
        return "left" if at.min() > middle else "right" if at.max() < middle else None


def of_things(name: str, numbered: Array, grid: Grid) -> Statement:
    """Return what one label's things state; `numbered` `(Z, Y, X)` has a number from 1 on for each, 0 elsewhere.

    The size is the longest diameter of the largest thing, in millimetres where the spacing is known.
    """
    plain, side = without_side(name)
    sizes = np.bincount(numbered.ravel())[1:]
    if not sizes.any():
        return Statement(Finding(plain, "absent", side=side), f"no voxel of {name}")
    where = ndimage.find_objects(numbered)
    place = int(sizes.argmax())
    size = None
    if grid.spacing_mm is not None:
        part = numbered[where[place]] == place + 1
        rim = part & ~ndimage.binary_erosion(part)
        size = longest(np.argwhere(rim), grid.spacing_mm)
    ends = np.array([[(o.start, o.stop - 1) for o in found] for found in where if found is not None])
    count = int(np.count_nonzero(sizes))
    finding = Finding(plain, "present", side=side or grid.side(_corners(ends)), size_mm=size, count=count)
    return Statement(finding, counted(count, "part") + (f", the largest of {size:.3g} mm" if size else ""))


def numbered(bits: Array) -> Array:
    """Return the connected parts of some voxels, numbered from 1; voxels touch across corners, too."""
    found: Array = ndimage.label(bits, structure=np.ones((3,) * bits.ndim))[0]
    return found


def of_boxes(
    labels: Iterable[str],
    boxes: Sequence[Box],
    p: Sequence[float],
    every: Mapping[str, float],
    grid: Grid | None,
) -> list[Statement]:
    """Return what boxes that are called state of each label; `every` is the highest chance of any box of a label."""
    found = []
    for name in labels:
        plain, side = without_side(name)
        own = [(box, chance) for box, chance in zip(boxes, p, strict=True) if box.label == name]
        if not own:
            chance = every.get(name)
            said = "no box is called" + (f", the surest has {chance:.3f}" if chance is not None else "")
            found.append(Statement(Finding(plain, "absent", side=side), said, p=chance or 0.0))
            continue
        surest = max(chance for _, chance in own)
        size = None
        if grid is not None and grid.spacing_mm is not None:
            step = np.array(grid.spacing_mm[::-1])
            size = max(float(np.max((np.array(b.high) - b.low) * step)) for b, _ in own)
        corners = np.concatenate([np.array([b.low, np.array(b.high) - 1]) for b, _ in own])
        where = side or (None if grid is None else grid.side(corners))
        finding = Finding(plain, "present", side=where, size_mm=size, count=len(own))
        said = f"{counted(len(own), 'box', 'boxes')}, the surest with {surest:.3f}"
        found.append(Statement(finding, said, p=surest))
    return found


def _corners(ends: Array) -> Array:
    """Return the corners `(N * 8, 3)` of boxes from first to last voxel, `(N, 3, 2)`."""
    return np.array([[e[k, d[k]] for k in range(3)] for e in ends for d in np.ndindex(2, 2, 2)])


def longest(points: Array, spacing_mm: Sequence[float]) -> float:
    """Return the longest distance between two of the voxels `(N, 3)`, `(z, y, x)`, corner to corner, in millimetres."""
    corners = np.unique(
        np.concatenate([points + np.array(d) for d in np.ndindex(2, 2, 2)]), axis=0
    ) * np.array(spacing_mm[::-1], dtype=np.float64)
    if points[:, 0].max() == points[:, 0].min():  # one slice: its thickness is no diameter
        corners = np.unique(corners[:, 1:], axis=0)
    if len(corners) > 100:
        try:
            corners = corners[ConvexHull(corners).vertices]
        except QhullError:
            corners = corners[np.argsort(corners @ np.ones(corners.shape[1]))[[0, -1]]]
    return float(pdist(corners[:MOST_POINTS]).max())
