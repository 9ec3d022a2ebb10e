"""Siemens mosaics: the slices of one volume as tiles of one large plane, placed by the scanner's private header.

The tiles go by rows, as many across as down; the plane's position is that of the large one's corner. Which way the
slices go stands in the CSA header (0029,1010) alone: a mosaic without it is refused, and so are other makers' grids.
Source: nibabel's description of the formats (nibabel.readthedocs.io, "SIEMENS format DICOM with CSA header" and
"DICOM Mosaic"), with which dcm2niix agrees on the files of its tests.
"""

from __future__ import annotations

import math
import struct
from dataclasses import dataclass
from typing import Any

import numpy as np

from vesalius.core.errors import GeometryError
from vesalius.core.image import Array
from vesalius.dicom import elements
from vesalius.dicom.series.geometry import Plane

_MOST_TILES = 4096
_MOST_TAGS = 1024


@dataclass(frozen=True)
class Mosaic:
    """`count` slices, `across` tiles in a row, each of `rows` × `columns`."""

    count: int
    across: int
    rows: int
    columns: int

    def tile(self, whole: Array, k: int) -> Array:
        """Return slice `k` `(rows, columns)` of the large plane."""
        down, right = divmod(k, self.across)
        return whole[
            down * self.rows : (down + 1) * self.rows, right * self.columns : (right + 1) * self.columns
        ]


def is_mosaic(head: Any) -> bool:
    """Return whether a file says that its one plane is made of slices."""
    return "MOSAIC" in elements.words(head, "ImageType")


def mosaic(head: Any) -> Mosaic | None:
    """Return how the tiles lie, None for what is no mosaic.

    Raises GeometryError where it is not said, or cannot be so.
    """
    grid = head.private("IMAGE PRIVATE HEADER", 0x0065, 0x50)
    if grid is not None and grid.strip(b" \0") not in (b"", b"0", b"1"):
        raise GeometryError("a grid of slices in one plane, as United Imaging writes them", hint="dcm2niix")
    if not is_mosaic(head):
        return None
    said = head.private("SIEMENS MR HEADER", 0x0019, 0x0A)
    number = int.from_bytes(said[:2], "little") if said else _number(_csa(head), "NumberOfImagesInMosaic")
    if number is None or not 1 <= number <= _MOST_TILES:
        raise GeometryError(
            "a mosaic, and nothing says of how many slices",
            hint="the original, whose private elements (0019,100A) or (0029,1010) say it",
        )
    across = math.isqrt(number - 1) + 1
    rows, columns = int(head.get("Rows") or 0), int(head.get("Columns") or 0)
    if rows % across or columns % across or not rows or not columns:
        raise GeometryError(
            "a mosaic whose tiles do not fill it", found=f"{number} slices in {rows} × {columns} pixels"
        )
    return Mosaic(number, across, rows // across, columns // across)


def assert_placed(head: Any) -> None:
    """Raise GeometryError for a mosaic whose slices cannot be placed."""
    tiles = mosaic(head)
    if tiles is not None:
        places(head, tiles)


def places(head: Any, tiles: Mosaic) -> list[Plane]:
    """Return where each slice lies. Raises GeometryError where that is not said, or where its readers disagree."""
    whole, step = elements.plane(head, None), elements.number(head, "SpacingBetweenSlices")
    if whole.position is None or whole.orientation is None or whole.spacing_mm is None:
        raise GeometryError("a mosaic without a position, an orientation or a pixel spacing")
    if tiles.count == 1:
        step = step or whole.thickness_mm or 1.0
    if not step or step < 0:
        raise GeometryError("a mosaic without a distance between its slices", found=f"{step}")
    csa = _csa(head)
    normal = np.array([float(v) for v in csa.get("SliceNormalVector", ())[:3]])
    x, y = np.array(whole.orientation[:3]), np.array(whole.orientation[3:])
    if normal.shape != (3,):
        raise GeometryError(
            "a mosaic, and nothing says which way its slices go",
            hint="the original, whose private element (0029,1010) says it",
        )
    if abs(abs(float(normal @ np.cross(x, y))) - 1) > 1e-2:
        raise GeometryError("a mosaic whose slices do not go along their normal", found=str(normal.tolist()))
    series = head.private("SIEMENS CSA HEADER", 0x0029, 0x20) or b""
    if (_number(csa, "ProtocolSliceNumber") or 0) > 1 or b"sSliceArray.ucImageNumb" in series:
        raise GeometryError("a mosaic whose slices are numbered backwards, which programs read in two ways")
    dx, dy = whole.spacing_mm
    beside = (tiles.across - 1) / 2 * (x * dx * tiles.columns + y * dy * tiles.rows)
    first = np.array(whole.position) + beside
    return [
        Plane(
            tuple(float(v) for v in first + k * step * normal),
            whole.orientation,
            whole.spacing_mm,
            whole.spacing_at,
            whole.thickness_mm,
        )
        for k in range(tiles.count)
    ]


def _number(csa: dict[str, list[str]], name: str) -> int | None:
    values = csa.get(name)
    return int(float(values[0])) if values else None


def _csa(head: Any) -> dict[str, list[str]]:
    """Return the values of Siemens's image header, as text, by their names; of what is damaged, those before it."""
    data = head.private("SIEMENS CSA HEADER", 0x0029, 0x10) or b""
    second = data[:4] == b"SV10"
    at = 8 if second else 0
    found: dict[str, list[str]] = {}
    try:
        (tags,) = struct.unpack_from("<I", data, at)
        at += 8
        base = 0
        for n in range(min(tags, _MOST_TAGS)):
            name, items = data[at : at + 64].split(b"\0")[0], struct.unpack_from("<i", data, at + 76)[0]
            base = items if n == 0 else base
            at += 84
            values = []
            for _ in range(min(items, _MOST_TAGS)):
                size = struct.unpack_from("<4i", data, at)[1 if second else 0] - (0 if second else base)
                at += 16
                if size < 0 or at + size > len(data):
                    return found
                values.append(data[at : at + size].split(b"\0")[0].decode("ascii", "replace").strip())
                at += (size + 3) // 4 * 4
            found[name.decode("ascii", "replace")] = [v for v in values if v]
    except struct.error:
        pass
    return found
