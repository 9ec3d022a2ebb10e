"""The grid that a segmentation or a contour is drawn on: the image's own, or what its frames make; and labels on it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from vesalius.core import grids
from vesalius.core.case import Ref
from vesalius.core.errors import FormatError, GeometryError
from vesalius.core.header import Header
from vesalius.core.image import Array, Image, Source
from vesalius.dicom.series.geometry import Plane, assert_same, axes
from vesalius.dicom.series.stack import Stack

BETWEEN = "|"  # between names in a Ref's member
_PLANE_MM = 0.1  # of a slice's distance
_MOST_VOXELS = 1 << 32


@dataclass(frozen=True, eq=False)
class Grid:
    """`shape` (Z, Y, X) and the affine of index (x, y, z) to LPS mm; `loose` is how many pixels off a plane may lie.

    A picture without a place in space is one plane on which all is drawn, `placed` False; its affine says nothing.
    """

    shape: tuple[int, int, int]
    affine: Array
    loose: float = 0.05
    placed: bool = True

    def place(self, plane: Plane) -> tuple[int, int, int] | None:
        """Return the index (x, y, z) of a plane's first pixel; None for a plane beside the grid. Raises GeometryError.

        The plane must have the grid's rows, columns and pixel spacing, and lie on one of its slices.
        """
        if not self.placed:
            return 0, 0, 0
        if plane.position is None or plane.orientation is None or plane.spacing_mm is None:
            raise GeometryError(
                "a frame does not say where it lies", found="no position, orientation or pixel spacing"
            )
        (dx, dy), to = plane.spacing_mm, np.linalg.inv(self.affine)
        x, y, _ = axes(plane)
        steps = np.array([x * dx, y * dy])
        if np.abs(steps @ to[:3, :3].T - np.eye(3)[:2]).max() > 1e-2:
            raise GeometryError(
                "drawn on a grid of another direction or spacing than the image's",
                found=self._unlike(steps),
                hint="the image that it was drawn on",
            )
        index = (to @ np.append(plane.position, 1.0))[:3]
        near = np.rint(index).astype(int)
        off = np.abs(index - near)
        if off[2] > _PLANE_MM or max(off[:2]) > self.loose:
            raise GeometryError(
                "drawn between the image's slices or pixels", found=f"index {np.round(index, 3).tolist()}"
            )
        return None if not 0 <= near[2] < self.shape[0] else (int(near[0]), int(near[1]), int(near[2]))

    def _unlike(self, steps: Array) -> str | None:
        """Return how a plane with these steps along its rows and columns differs from the grid's own planes, in
        words.
        """
        shape = (1, *self.shape[1:])
        middle, other = np.array([(shape[2] - 1) / 2, (shape[1] - 1) / 2, 0, 1]), self.affine.copy()
        other[:3, :2] = steps.T
        other[:3, 3] += ((self.affine - other) @ middle)[:3]
        here, there = (Header(shape=shape, dtype="uint8", affine=a) for a in (other, self.affine))
        return grids.difference(here, there, tolerance_mm=1e-3)


def of_image(ref: Ref) -> tuple[Grid, Source]:
    """Return the grid of a DICOM image's files. Raises FormatError for one that has no place in space."""
    loaded = Stack(ref)
    if loaded.affine is None:
        raise FormatError(f"{ref}: an image without a place in space; nothing can be drawn on it")
    return Grid(loaded.shape, loaded.affine, 0.05 if loaded.beside is None else 0.51), _source(loaded)


def _source(loaded: Stack) -> Source:
    uids = tuple(str(f.head.get("SOPInstanceUID") or "") for f in loaded.files)
    first = loaded.first
    return Source(
        study_uid=str(first.get("StudyInstanceUID") or "") or None,
        series_uid=str(first.get("SeriesInstanceUID") or "") or None,
        frame_of_reference_uid=str(first.get("FrameOfReferenceUID") or "") or None,
        sop_uids=tuple(u for u in uids if u),
    )


def of_picture(ref: Ref | None, rows: int, columns: int) -> tuple[Grid, Source | None]:
    """Return the one plane of a picture without a place, and its image's source.

    Raises FormatError for an image unlike it.
    """
    source = None
    if ref is not None:
        loaded = Stack(ref)
        if loaded.shape != (1, rows, columns) or loaded.times_s is not None:
            raise FormatError(
                f"{ref}: drawn on a picture of another size",
                found=f"{loaded.shape}, not {(1, rows, columns)}",
            )
        source = _source(loaded)
    return Grid((1, rows, columns), np.eye(4), placed=False), source


def of_planes(planes: Sequence[Plane], rows: int, columns: int, spacing_mm: float | None) -> Grid:
    """Return the grid that holds planes of which some may be left out (empty ones often are). Raises GeometryError."""
    if not planes[0].placed:
        raise GeometryError("the frames do not say where they lie", found="no position or orientation")
    assert_same(planes)
    first = planes[0]
    x, y, normal = axes(first)
    positions = np.array([p.position for p in planes], np.float64)
    along = positions @ normal
    places = np.unique(np.round(along, 3))
    gaps = np.diff(places)
    step = spacing_mm or (float(gaps.min()) if len(gaps) else first.thickness_mm or 1.0)
    count = round((places[-1] - places[0]) / step) + 1
    if np.abs((places - places[0]) / step - np.rint((places - places[0]) / step)).max() > _PLANE_MM:
        raise GeometryError("frames that do not lie on slices of one distance", found=f"{step:.4g} mm")
    if count * rows * columns > _MOST_VOXELS:
        raise GeometryError("frames that lie too far apart", found=f"{count} slices")
    dx, dy = first.spacing_mm or (1.0, 1.0)
    affine = np.eye(4)
    affine[:3, 0], affine[:3, 1], affine[:3, 2] = x * dx, y * dy, normal * step
    affine[:3, 3] = positions[int(along.argmin())]
    return Grid((count, rows, columns), affine)


def wanted(member: str | None, names: Mapping[int, str], where: object) -> dict[int, int]:
    """Return the value that each numbered structure gets: by the Ref's member in its order, else its own number.

    Names in the member that a file does not have are left out: another file of the cohort has them.
    """
    if member is None:
        return {number: number for number in names}
    asked = {name: k + 1 for k, name in enumerate(member.split(BETWEEN))}
    found = {number: asked[plain(name)] for number, name in names.items() if plain(name) in asked}
    if not found:
        raise FormatError(
            f"{where}: nothing in it is called '{member}'", found=", ".join(names.values())[:200]
        )
    return found


def plain(name: str) -> str:
    """Return a structure's name as it may stand in a member."""
    return " ".join(name.replace(BETWEEN, "/").split())


class Drawing:
    """Labels on a grid, that may not overlap. `add` takes bits `(Y, X)` at index (x, y, z) and a value."""

    def __init__(self, grid: Grid, highest: int, where: object) -> None:
        self.grid, self.where = grid, where
        self.labels = np.zeros(
            grid.shape, np.uint8 if highest < 256 else np.uint16 if highest < 65536 else np.int32
        )

    def add(self, bits: Array, at: tuple[int, int, int], value: int, name: str) -> None:
        """Raise FormatError where another label stands already."""
        x, y, z = at
        rows, columns = bits.shape
        top, left = max(y, 0), max(x, 0)
        bottom, right = min(y + rows, self.grid.shape[1]), min(x + columns, self.grid.shape[2])
        if bottom <= top or right <= left:
            return
        into, bits = self.labels[z, top:bottom, left:right], bits[top - y : bottom - y, left - x : right - x]
        other = into[bits]
        if other.size and other.max() > 0 and (other[other > 0] != value).any():
            raise FormatError(
                f"{self.where}: structures that overlap cannot be one label map",
                found=f"'{name}' over value {int(other.max())}",
                hint="one of them, by the reference's member",
            )
        into[bits] = value

    def image(self, source: Source) -> Image:
        """Return `(1, Z, Y, X)` in the grid's geometry."""
        affine = self.grid.affine if self.grid.placed else None
        return Image(array=self.labels[None], affine=affine, source=source)
