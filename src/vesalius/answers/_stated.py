"""What answers with places state of them: how many there are, how large the largest is, and on which side it lies."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy import ndimage
from scipy.spatial import ConvexHull, QhullError
from scipy.spatial.distance import pdist

from vesalius.core.called import without_side
from vesalius.core.case import Box
from vesalius.core.errors import DataError
from vesalius.core.finding import Finding, Side
from vesalius.core.image import Array, Image
from vesalius.core.stated import Statement
from vesalius.core.words import counted

MOST_POINTS = 2000  # corners of a hull between which all distances are taken


# What is called left and right and does not lie on either side of the body's middle plane.
NOT_MIRRORED = frozenset(
    {
        "liver",
        "hepatic",
        "lobe",
        "atrium",
        "atrial",
        "ventricle",
        "ventricular",
        "auricle",
        "appendage",
        "heart",
    }
    | {"cardiac", "coronary", "aortic", "bronchus", "colon", "portal", "gastric", "vein", "artery"}
)
_MIRRORED_LOBES = frozenset({"lung", "temporal", "frontal", "parietal", "occipital", "brain", "thyroid"})


@dataclass(frozen=True, eq=False)
class Grid:
    """Where an answer's voxels lie: `affine` from index `(x, y, z)` to LPS mm, `spacing_mm` `(x, y, z)`.

    `middle` is the LPS place in mm along the axis to the left of the plane that parts the body's sides; None where the
    answer does not show it.
    """

    affine: Array | None
    spacing_mm: tuple[float, float, float] | None
    middle: float | None = None

    @staticmethod
    def of(image: Image, names: Iterable[str], points: Callable[[str], Array]) -> Grid:
        """Return the grid of an image; `points` of a label are voxels `(N, 3)`, `(z, y, x)`, that it ends at.

        The middle is the one between what names its side itself, a left and a right kidney. An image's own middle is
        none: a knee, a breast or a crop lies wholly on one side.
        """
        grid = Grid(image.affine, image.spacing_mm)
        at: dict[tuple[str, str], list[Array]] = {}
        for name in names if image.affine is not None else ():
            plain, side = without_side(name)
            if side and _mirrored(plain) and len(own := points(name)):
                at.setdefault((plain, side), []).append(grid.leftward(own))
        pairs = [plain for plain, side in at if side == "left" and (plain, "right") in at]
        if not pairs:
            return grid
        left = min(float(x.min()) for plain in pairs for x in at[plain, "left"])
        right = max(float(x.max()) for plain in pairs for x in at[plain, "right"])
        return replace(grid, middle=(left + right) / 2) if left > right else grid

    def leftward(self, points: Array) -> Array:
        """Return how far to the patient's left points `(N, 3)`, `(z, y, x)` in voxels, lie, in LPS mm, `(N,)`."""
        if self.affine is None:
            raise DataError("the image has no affine, so that nobody knows which side is left")
        found: Array = points[:, ::-1].astype(np.float64) @ self.affine[0, :3] + self.affine[0, 3]
        return found

    def side(self, points: Array) -> Side | None:
        """Return on which side of the middle all of some points `(N, 3)` lie, `(z, y, x)` in voxels.

        None where the middle is not known, and where they lie on both sides: nothing is guessed.
        """
        if self.middle is None or not len(points):
            return None
        at = self.leftward(points)
        return "left" if at.min() > self.middle else "right" if at.max() < self.middle else None


def _mirrored(plain: str) -> bool:
    words = set(plain.casefold().split())
    return not words & (NOT_MIRRORED - ({"lobe"} if words & _MIRRORED_LOBES else set()))


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
        corners = corners_of([b for b, _ in own])
        where = side or (None if grid is None else grid.side(corners))
        finding = Finding(plain, "present", side=where, size_mm=size, count=len(own))
        said = f"{counted(len(own), 'box', 'boxes')}, the surest with {surest:.3f}"
        found.append(Statement(finding, said, p=surest))
    return found


def ends_of(bits: Array) -> Array:
    """Return the first and the last voxel `(N, 3)`, `(z, y, x)`, of each line of some voxels `(Z, Y, X)`."""
    at = np.argwhere(bits.any(axis=2))
    lines = bits[at[:, 0], at[:, 1]]
    first, last = lines.argmax(axis=1), lines.shape[1] - 1 - lines[:, ::-1].argmax(axis=1)
    return np.concatenate([np.column_stack([at, first]), np.column_stack([at, last])])


def corners_of(boxes: Sequence[Box]) -> Array:
    """Return the corners `(N * 8, 3)` of boxes, `(z, y, x)`, as their first and last voxels."""
    ends = [[(low, high - 1) for low, high in zip(b.low, b.high, strict=True)] for b in boxes]
    return _corners(np.array(ends).reshape(-1, 3, 2))


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
