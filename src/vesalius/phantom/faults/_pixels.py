"""The pixels of a written file, altered and put back with all else that the file says."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import nibabel as nib
import numpy as np
from PIL import Image as Pillow

from vesalius.core.image import Array
from vesalius.phantom.common.output import put
from vesalius.phantom.common.picture import png, png_ids


@dataclass(frozen=True, eq=False)
class Pixels:
    """One file's pixels `(Z, Y, X, C)`, where C counts channels or times, in the type that the file holds.

    `spacing_mm` is `(x, y, z)`, or None for a picture. `put` writes the file anew.
    """

    path: Path
    array: Array
    spacing_mm: tuple[float, float, float] | None
    encode: Callable[[Array, float], bytes]

    def put(self, array: Array, *, scale: float = 1.0) -> None:
        """Write the file with these pixels in its own type; `scale` multiplies the spacing that its header tells."""
        put(self.path, self.encode(array.astype(self.array.dtype), scale))


def read(path: Path) -> Pixels:
    """Read a `.png` or a `.nii.gz`."""
    return _picture(path) if path.suffix == ".png" else _volume(path)


def _picture(path: Path) -> Pixels:
    with Pillow.open(path) as opened:
        plane = np.asarray(opened)
    deep = plane.dtype not in (np.uint8, np.bool_)
    plane = plane.astype(np.uint16) if deep else plane.astype(np.uint8)

    def encode(array: Array, _: float) -> bytes:
        flat = array[0] if plane.ndim == 3 else array[0, ..., 0]
        return png_ids(flat) if deep else png(flat)

    return Pixels(path, plane[None] if plane.ndim == 3 else plane[None, ..., None], None, encode)


def _volume(path: Path) -> Pixels:
    opened: Any = nib.Nifti1Image.from_bytes(gzip.decompress(path.read_bytes()))
    held = np.asanyarray(opened.dataobj)  # (X, Y, Z) or (X, Y, Z, T)
    array = np.moveaxis(held.reshape(*held.shape[:3], -1), (0, 1, 2), (2, 1, 0))  # (Z, Y, X, C)

    def encode(new: Array, scale: float) -> bytes:
        affine = opened.affine @ np.diag([scale, scale, scale, 1.0])
        data = np.moveaxis(new, (2, 1, 0), (0, 1, 2))
        data = np.ascontiguousarray(data.reshape(*data.shape[:3], *held.shape[3:]))
        image: Any = nib.Nifti1Image(data, affine, opened.header)  # type: ignore[no-untyped-call]
        image.set_sform(affine, code=int(opened.header["sform_code"]))
        image.set_qform(affine, code=int(opened.header["qform_code"]))
        return gzip.compress(bytes(image.to_bytes()), compresslevel=3, mtime=0)

    x, y, z = (float(v) for v in opened.header.get_zooms()[:3])
    return Pixels(path, cast(Array, array), (x, y, z), encode)
