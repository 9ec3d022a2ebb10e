"""The EXIF orientation of a picture: read, applied so that the picture is as seen, and written as upright."""

from __future__ import annotations

from typing import Any

import numpy as np
from PIL import Image as Pil

from vesalius.core.image import Array

TAG = 0x0112
_WIDTH, _LENGTH = 256, 257  # a TIFF's own size, whatever Pillow makes of it
_QUARTER = 5  # orientations from here on swap rows and columns
_FLIPS = {2: (-1,), 3: (-2, -1), 4: (-2,), 6: (-1,), 7: (-2, -1), 8: (-2,)}  # axes of `(…, Y, X)`, after that


def orientation(picture: Pil.Image) -> int | None:
    """Return the orientation that the present page says, 1 to 8, or None.

    To be asked before its pixels are loaded: Pillow forgets a TIFF's once it has applied it.
    """
    tags: Any = getattr(picture, "tag_v2", None)
    return valid(picture.getexif().get(TAG) if tags is None else tags.get(TAG))


def valid(value: Any) -> int | None:
    """Return the value as an EXIF orientation, 1 to 8; None where it is no such number."""
    return value if isinstance(value, int) and 1 <= value <= 8 else None


def size_as_seen(picture: Pil.Image) -> tuple[int, int]:
    """Return (width, height) of a page as its orientation has it seen, before its pixels are loaded."""
    tags: Any = getattr(picture, "tag_v2", None)
    width, height = picture.size if tags is None else (int(tags[_WIDTH]), int(tags[_LENGTH]))
    return (height, width) if (orientation(picture) or 1) >= _QUARTER else (width, height)


def turned(array: Array, tag: int | None) -> Array:
    """Return stored pixels `(…, Y, X)` as they are to be seen (EXIF 2.32, 4.6.4, Orientation)."""
    tag = tag or 1
    if tag >= _QUARTER:
        array = array.swapaxes(-2, -1)
    flips = _FLIPS.get(tag, ())
    return np.flip(array, flips) if flips else array


def turned_points(points: Array, tag: int | None, size: Array) -> Array:
    """Return places `(N, 2)` or `(N, 3)`, x before y, among stored pixels as places in the picture as it is seen.

    `size` is the width and the height of the picture as it is seen. Pixel k reaches from k to k + 1.
    """
    tag, new = tag or 1, points.astype(np.float64)
    if tag >= _QUARTER:
        new[:, [0, 1]] = new[:, [1, 0]]
    for axis in _FLIPS.get(tag, ()):
        k = -1 - axis  # the last axis of an array is x
        new[:, k] = size[k] - new[:, k]
    return new


def upright() -> Pil.Exif:
    """Return the EXIF of a picture whose pixels are stored as they are seen."""
    exif = Pil.Exif()
    exif[TAG] = 1
    return exif
