"""Images to look at in a browser: a NIfTI with the image's own geometry, and a picture of one plane."""

from __future__ import annotations

import gzip
import io
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
from PIL import Image as Pil

from vesalius import formats
from vesalius.core.disk import write_bytes
from vesalius.core.image import Array, Image
from vesalius.evaluate.pictures import look
from vesalius.prepare.case import frame
from vesalius.prepare.geometry import upright

_LPS_TO_RAS = np.diag([-1.0, -1.0, 1.0, 1.0])
_NIFTI: Any = nib.Nifti1Image
_RGB = np.dtype([("R", "u1"), ("G", "u1"), ("B", "u1")])


def volume(image: Image, path: Path) -> None:
    """Write an image as viewers take it: grey values as they are, colours as RGB24, the first frame of a cine.

    Nothing is inverted or windowed here: `hints` says what a viewer may do.
    """
    first = image if image.times_s is None else replace(image, array=image.array[0], times_s=None)
    array = first.array
    if array.shape[0] == 3 and array.dtype == np.uint8:
        write_bytes(path, _colour(array, image))
        return
    single = array[:1]
    if single.dtype in (np.float16, np.int64, np.uint64, np.bool_):
        single = single.astype(np.float32 if single.dtype != np.bool_ else np.uint8)
    formats.write(replace(first, array=single, channels=()), path)


def hints(display: Mapping[str, Any]) -> dict[str, Any]:
    """What a viewer may apply of an image's `display`: whether low values are bright, and windows (centre, width)."""
    window = display.get("window")
    return {
        "invert": display.get("photometric") == "MONOCHROME1",
        "windows": [] if window is None else [[float(window[0]), float(window[1])]],
    }


def preview(image: Image, path: Path) -> None:
    """Write the middle plane as a PNG of 8 bits, in its window where it has one."""
    first = image if image.times_s is None else replace(image, array=image.array[0], times_s=None)
    seen = look(upright(replace(first, array=frame(first))), "")
    plane = seen.image
    if plane.dtype != np.uint8:
        low, high = seen.window or np.nanpercentile(plane, (0.5, 99.5))
        scaled = (np.nan_to_num(plane.astype(np.float32)) - low) / max(float(high - low), 1e-9)
        plane = (np.clip(scaled, 0, 1) * 255).astype(np.uint8)
    buffer = io.BytesIO()
    Pil.fromarray(plane).save(buffer, "PNG")
    write_bytes(path, buffer.getvalue())


def _colour(array: Array, image: Image) -> bytes:
    """A gzipped NIfTI of RGB24 `(X, Y, Z)` out of `(3, Z, Y, X)`."""
    packed = np.ascontiguousarray(array.transpose(3, 2, 1, 0)).view(_RGB)[..., 0]
    made: Any = _NIFTI(packed, None if image.affine is None else _LPS_TO_RAS @ image.affine)
    if image.affine is None:
        made.header.set_sform(None, code=0)
        made.header.set_qform(None, code=0)
        made.header.set_zooms(image.spacing_mm or (1.0, 1.0, 1.0))
    made.header.set_xyzt_units("mm" if image.spacing_mm else None)
    return gzip.compress(made.to_bytes(), 1)
