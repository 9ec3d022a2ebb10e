"""The face of a head volume, found by geometry on the head's own surface; what lies in front of it is to be blanked.

The bridge of the nose is where the midline begins to stand out before the cheeks. From 15 mm above it downwards, all
goes that lies before the forehead's front carried down and moved back: 18 mm at the bridge, 45 mm from the mouth down.
Lengths are for a head 190 mm long, others in proportion. Axes are the volume's own, which follow the head as a rule.
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
_LEVELS_MM = (-400.0, -50.0, -35.0, -15.0, 0.0, 8.0, 15.0)  # above the bridge of the nose
_DEPTHS_MM = (45.0, 45.0, 38.0, 28.0, 18.0, 8.0, 0.0)  # behind the forehead's front
_BRIDGE_MM = (70.0, 125.0)  # below the vertex: where the bridge is looked for
_USUAL_MM = 105.0  # where it is taken to be if it cannot be made out
_CHEEK_MM = 32.0  # beside the midline
_STANDS_OUT_MM = 7.0  # farther than the forehead does
_FOREHEAD_MM = (45.0, 65.0)  # below the vertex
_WIDTHS_MM = (90.0, 260.0)
_MOST_CUT_OFF = 0.5  # of the largest area, at the topmost plane


@dataclass(frozen=True)
class Grid:
    """A volume on its own axes, nearest to LPS: `values` is `(S, P, L)`, every `GRID_MM`.

    `axes` (3 × 3) has the directions of L, P and S as columns, in LPS; `origin` is the first voxel along them.
    """

    values: Array
    origin: Array
    axes: Array


def face(image: Image) -> Array | None:
    """Return a mask of the face, `(Z, Y, X)` in the image's own voxels; None without a head, or with too little of one.

    Raises GeometryError where there may be a face that cannot be found: no affine, few slices, no vertex.
    """
    if image.affine is None:
        raise GeometryError(
            "a face is looked for in millimetres, and the image has no affine",
            hint="a file with its geometry",
        )
    if min(image.shape) < 8:
        raise GeometryError("too few slices to find a face in", found=f"shape {image.shape}")
    volume = image.array[0, 0] if image.array.ndim == 5 else image.array[0]
    grid = _resample(volume.astype(np.float32), image.affine)
    head = _head(grid.values, hounsfield=image.unit == "HU")
    cut = _cut(head)
    if cut is None:
        return None
    return _back(cut, grid, image)


def _resample(volume: Array, affine: Array) -> Grid:
    """Return the volume on axes along its own, nearest voxels, with its smallest value outside."""
    axes = _axes(affine)
    affine = affine.copy()
    affine[:3] = axes.T @ affine[:3]
    corners = np.array([[x, y, z, 1] for z in (0, volume.shape[0] - 1) for y in (0, volume.shape[1] - 1)
                        for x in (0, volume.shape[2] - 1)], float)  # fmt: skip
    places = corners @ affine.T
    low, high = places[:, :3].min(axis=0), places[:, :3].max(axis=0)
    shape = np.ceil((high - low) / GRID_MM).astype(int) + 1
    if (shape > 400).any():
        raise GeometryError("a volume larger than any head", found=f"{shape * GRID_MM} mm")
    inverse = np.linalg.inv(affine)
    # output index (s, p, l) → place (l, p, s) → input index (z, y, x)
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
    return Grid(values, low, axes)


def _axes(affine: Array) -> Array:
    """Return the volume's axes made orthogonal, ordered and turned so that each is the nearest to one of L, P and S."""
    left, _, right = np.linalg.svd(affine[:3, :3] / np.linalg.norm(affine[:3, :3], axis=0))
    own: Array = left @ right
    order = [int(np.argmax(np.abs(own[0])))]
    rest = [k for k in range(3) if k != order[0]]
    order += sorted(rest, key=lambda k: -abs(own[1, k]))
    own = own[:, order]
    return np.asarray(own * np.sign(np.diag(own)))


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
        raise GeometryError("no head is found: the image is air alone", hint="an image of a head")
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
    cut_off = top >= head.shape[0] - 2
    if cut_off and areas[top] > _MOST_CUT_OFF * areas.max():
        raise GeometryError("the top of the head lies outside the volume, so its face cannot be placed")
    scale = float(np.clip(_length(upper) / _LENGTH_MM, 0.6, 1.2))
    missing = _cap(float(areas[top])) if cut_off else 0.0
    below = ((top - np.arange(head.shape[0])) * GRID_MM + missing) / scale  # the vertex, of each level
    band = head[(below >= _FOREHEAD_MM[0]) & (below <= _FOREHEAD_MM[1])]
    if not band.any():
        raise GeometryError("the forehead lies outside the volume, so its face cannot be placed")
    front = _front(np.asarray(band))
    bridge = _bridge(head, below, _middle(upper), scale)
    above = bridge - below
    depth = np.interp(above, _LEVELS_MM, _DEPTHS_MM) * scale / GRID_MM  # of each level, in voxels
    rows = np.arange(head.shape[1])[None, :, None]
    cut: Array = (rows < front[None, None, :] + depth[:, None, None]) & (above < _LEVELS_MM[-1])[
        :, None, None
    ]
    return cut


def _cap(area_cm2: float) -> float:
    """Millimetres from a plane that cuts an area off a sphere of 75 mm, about as the upper skull, to its pole."""
    radius = 75.0
    return radius - float(np.sqrt(max(radius**2 - area_cm2 * 100.0 / np.pi, 0.0)))


def _middle(upper: Array) -> int:
    columns = np.flatnonzero(upper.any(axis=(0, 1)))
    return int(columns[0] + columns[-1]) // 2


def _bridge(head: Array, below: Array, middle: int, scale: float) -> float:
    """Return how far below the vertex the bridge of the nose is: from there on the midline stands out before the
    cheeks.
    """
    aside, half = int(_CHEEK_MM * scale / GRID_MM), max(1, int(6 / GRID_MM))

    def foremost(column: int) -> Array:
        seen = np.asarray(head[:, :, max(0, column - half) : column + half + 1].any(axis=2))
        return np.asarray(np.where(seen.any(axis=1), seen.argmax(axis=1), np.nan), float)

    cheeks = (foremost(middle - aside) + foremost(middle + aside)) / 2
    out = (cheeks - foremost(middle)) * GRID_MM / scale
    brow = out[(below >= _FOREHEAD_MM[0]) & (below <= _FOREHEAD_MM[1])]
    usual = float(np.nanmedian(brow)) if np.isfinite(brow).any() else 0.0
    inside = (below >= _BRIDGE_MM[0]) & (below <= _BRIDGE_MM[1])
    levels = np.flatnonzero(inside & (out > usual + _STANDS_OUT_MM))
    return float(below[levels].min()) if len(levels) else _USUAL_MM


def _front(band: Array) -> Array:
    """Return the forehead's foremost row at each column, carried on sideways, smooth."""
    seen = np.asarray(band.any(axis=0))  # (P, L)
    columns = np.flatnonzero(seen.any(axis=0))
    rows = seen[:, columns].argmax(axis=0).astype(float)
    front = np.interp(np.arange(seen.shape[1]), columns, rows)
    smooth: Array = ndimage.gaussian_filter1d(front, 6.0 / GRID_MM)
    return smooth


def _length(upper: Array) -> float:
    """Return the head's length in its upper 80 mm, where no nose adds to it."""
    part = upper[-int(80 / GRID_MM) :]
    return max(_extent(plane.any(axis=1)) for plane in part)


def _extent(line: Array) -> float:
    found = np.flatnonzero(line)
    return float((found[-1] - found[0] + 1) * GRID_MM) if len(found) else 0.0


def _back(cut: Array, grid: Grid, image: Image) -> Array:
    """Return the cut in the image's own voxels, plane by plane."""
    affine = grid.axes.T @ np.asarray(image.affine)[:3]
    z, y, x = image.shape
    out = np.zeros((z, y, x), bool)
    columns, rows = np.meshgrid(np.arange(x), np.arange(y))
    flat = affine[:, 0, None, None] * columns + affine[:, 1, None, None] * rows + affine[:, 3, None, None]
    for k in range(z):
        places = flat + affine[:, 2, None, None] * k - grid.origin[:, None, None]
        nearest = np.rint(places / GRID_MM).astype(int)
        out[k] = cut[tuple(np.clip(nearest[2 - axis], 0, cut.shape[axis] - 1) for axis in range(3))]
    return out
