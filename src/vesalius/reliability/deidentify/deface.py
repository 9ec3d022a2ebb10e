"""The face of a head volume, found by geometry on the head's own surface; what lies in front of it is to be blanked.

The forehead's front, carried down, is where the face is cut: nothing above the brow goes, 2 cm at the eyes, 4.5 cm
from the mouth down (for a head 190 mm long, others in proportion). All in front of that goes, the nose with it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import ndimage

from vesalius.core.errors import GeometryError
from vesalius.core.image import Array, Image

GRID_MM = 2.0
_LENGTH_MM = 190.0  # of the head for which the depths are given
_LEVELS_MM = (-400.0, -150.0, -135.0, -115.0, -100.0, -85.0)  # below the vertex
_DEPTHS_MM = (45.0, 45.0, 35.0, 20.0, 10.0, 0.0)  # behind the forehead's front
_FOREHEAD_MM = (60.0, 80.0)
_WIDTHS_MM = (90.0, 260.0)
_VERTEX_CM2 = 40.0


@dataclass(frozen=True)
class Grid:
    """A volume on axes along LPS, `GRID_MM` apart: `values` is `(S, P, L)`, `origin` the LPS of its first voxel."""

    values: Array
    origin: Array


def face(image: Image) -> Array | None:
    """True where the face is, `(Z, Y, X)` in the image's own voxels; None where there is no head, or too little of one.

    Raises GeometryError where there may be a face that cannot be found: no affine, few slices, no vertex.
    """
    if image.affine is None:
        raise GeometryError("no affine, so no face can be found", hint="a file with its geometry")
    if min(image.shape) < 8:
        raise GeometryError("too few slices to find a face in", found=f"shape {image.shape}")
    volume = image.array[0, 0] if image.array.ndim == 5 else image.array[0]
    grid = _resample(volume.astype(np.float32), image.affine)
    head = _head(grid.values, hounsfield=image.unit == "HU")
    cut = _cut(head)
    if cut is None:
        return None
    return _back(cut, grid.origin, image)


def _resample(volume: Array, affine: Array) -> Grid:
    """The volume on axes along LPS, nearest voxels, with its smallest value outside."""
    corners = np.array([[x, y, z, 1] for z in (0, volume.shape[0] - 1) for y in (0, volume.shape[1] - 1)
                        for x in (0, volume.shape[2] - 1)], float)  # fmt: skip
    places = corners @ affine.T
    low, high = places[:, :3].min(axis=0), places[:, :3].max(axis=0)
    shape = np.ceil((high - low) / GRID_MM).astype(int) + 1
    if (shape > 400).any():
        raise GeometryError("a volume larger than any head", found=f"{shape * GRID_MM} mm")
    inverse = np.linalg.inv(affine)
    # output index (s, p, l) → LPS (l, p, s) → input index (z, y, x)
    matrix = inverse[:3, :3][::-1, ::-1] * GRID_MM
    offset = (inverse[:3, :3] @ low + inverse[:3, 3])[::-1]
    values = ndimage.affine_transform(
        volume,
        matrix,
        offset,
        output_shape=tuple(shape[::-1]),
        order=0,
        mode="constant",
        cval=float(volume.min()),
    )
    return Grid(values, low)


def _head(values: Array, *, hounsfield: bool) -> Array:
    from skimage.filters import threshold_otsu

    if hounsfield:
        limit = -300.0
    else:
        low = float(np.percentile(values, 1))
        between: Any = threshold_otsu
        limit = low + 0.5 * (float(between(values)) - low)
    solid = ndimage.binary_opening(ndimage.gaussian_filter(values, 1.0) > limit)
    labels, number = ndimage.label(solid)
    if number == 0:
        raise GeometryError("nothing but air, so no face can be found")
    largest = labels == 1 + int(np.argmax(np.bincount(labels.ravel())[1:]))
    return np.stack([ndimage.binary_fill_holes(plane) for plane in largest])


def _cut(head: Array) -> Array | None:
    """True in front of the cut, on the grid; None for what is no head by its size. Raises GeometryError."""
    areas = head.sum(axis=(1, 2)) * GRID_MM**2 / 100.0  # cm²
    levels = np.flatnonzero(areas > 5.0)
    if not len(levels):
        return None
    top = int(levels[-1])
    upper = head[max(0, top - int(100 / GRID_MM)) : top + 1]
    width = _extent(np.asarray(upper.any(axis=(0, 1))))
    if not _WIDTHS_MM[0] <= width <= _WIDTHS_MM[1]:
        return None
    if top >= head.shape[0] - 2 and areas[top] > _VERTEX_CM2:
        raise GeometryError("the top of the head lies outside the volume, so its face cannot be placed")
    scale = float(np.clip(_length(upper) / _LENGTH_MM, 0.6, 1.2))
    heights = (np.arange(head.shape[0]) - top) * GRID_MM / scale
    band = head[(heights >= -_FOREHEAD_MM[1]) & (heights <= -_FOREHEAD_MM[0])]
    if not band.any():
        raise GeometryError("the forehead lies outside the volume, so its face cannot be placed")
    front = _front(np.asarray(band))
    depth = np.interp(heights, _LEVELS_MM, _DEPTHS_MM) * scale / GRID_MM  # of each level, in voxels
    rows = np.arange(head.shape[1])[None, :, None]
    cut: Array = (rows < front[None, None, :] + depth[:, None, None]) & (heights < _LEVELS_MM[-1])[
        :, None, None
    ]
    return cut


def _front(band: Array) -> Array:
    """The forehead's foremost row at each column, carried on sideways, smooth."""
    seen = np.asarray(band.any(axis=0))  # (P, L)
    columns = np.flatnonzero(seen.any(axis=0))
    rows = seen[:, columns].argmax(axis=0).astype(float)
    front = np.interp(np.arange(seen.shape[1]), columns, rows)
    smooth: Array = ndimage.gaussian_filter1d(front, 6.0 / GRID_MM)
    return smooth


def _length(upper: Array) -> float:
    """The head's length in its upper 80 mm, where no nose adds to it."""
    part = upper[-int(80 / GRID_MM) :]
    return max(_extent(plane.any(axis=1)) for plane in part)


def _extent(line: Array) -> float:
    found = np.flatnonzero(line)
    return float((found[-1] - found[0] + 1) * GRID_MM) if len(found) else 0.0


def _back(cut: Array, origin: Array, image: Image) -> Array:
    """The cut in the image's own voxels, plane by plane."""
    affine = image.affine
    if affine is None:
        raise GeometryError("no affine")
    z, y, x = image.shape
    out = np.zeros((z, y, x), bool)
    columns, rows = np.meshgrid(np.arange(x), np.arange(y))
    flat = affine[:3, 0, None, None] * columns + affine[:3, 1, None, None] * rows + affine[:3, 3, None, None]
    for k in range(z):
        places = np.rint((flat + affine[:3, 2, None, None] * k - origin[:, None, None]) / GRID_MM).astype(int)
        index = tuple(np.clip(places[2 - axis], 0, cut.shape[axis] - 1) for axis in range(3))
        out[k] = cut[index]
    return out
