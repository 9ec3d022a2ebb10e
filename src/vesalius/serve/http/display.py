"""Images to look at in a browser: a NIfTI with the image's own geometry, and a picture of one plane."""

from __future__ import annotations

import gzip
import io
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
from PIL import Image as Pil

from vesalius import formats
from vesalius.answers.drawing.slices import look
from vesalius.core.disk import write_bytes
from vesalius.core.image import Array, Image
from vesalius.prepare.case import frame
from vesalius.prepare.geometry import upright

MOST_BYTES = 200 << 20  # of the frames that a page is given: what browsers hold without harm
_LPS_TO_RAS = np.diag([-1.0, -1.0, 1.0, 1.0])
_NIFTI: Any = nib.Nifti1Image
_RGB = np.dtype([("R", "u1"), ("G", "u1"), ("B", "u1")])


def volume(image: Image, path: Path, *, most_bytes: int = MOST_BYTES) -> None:
    """Write an image as viewers take it: grey values as they are, colours as RGB24, all on one fourth axis.

    That axis holds the frames of a cine, or the channels of an image that is not in colour; of a cine of more than
    `most_bytes` every second, third, … frame. Nothing is inverted or windowed here: `hints` says what a viewer may do.
    """
    array = image.array if image.times_s is not None else image.array[None]  # (T, C, Z, Y, X)
    every = min(len(array), -(-array[:, : 3 if _coloured(image) else 1].nbytes // most_bytes))
    array = array[::every]
    step_s = frame_s(image.times_s)
    if _coloured(image):
        write_bytes(path, _colour(array, image, None if step_s is None else every * step_s))
        return
    array = array[:, :1] if image.times_s is not None else array
    if array.dtype in (np.float16, np.int64, np.uint64, np.bool_):
        array = array.astype(np.float32 if array.dtype != np.bool_ else np.uint8)
    if step_s is None:
        formats.write(replace(image, array=array[0], times_s=None, channels=()), path)
    else:
        even = tuple(every * step_s * k for k in range(len(array)))
        formats.write(replace(image, array=array, times_s=even, channels=()), path)


def first_volume(image: Image, path: Path) -> None:
    """Write the first frame, and of an image that is not in colour the first channel, for who knows three axes only."""
    array = image.array if image.times_s is None else image.array[0]
    kept = array if _coloured(image) else array[:1]
    volume(
        replace(image, array=kept, times_s=None, channels=image.channels if _coloured(image) else ()), path
    )


def frame_s(times_s: Sequence[float] | None) -> float | None:
    """Return the mean time from one frame to the next; None for an image without times."""
    if times_s is None or len(times_s) < 2:
        return None
    mean = (times_s[-1] - times_s[0]) / (len(times_s) - 1)
    return mean if np.isfinite(mean) and mean > 0 else 1.0


def uneven(times_s: Sequence[float] | None) -> list[float] | None:
    """Return the frames' times from the first on, in seconds, where they increase unevenly: by 1 % of their mean step.

    None where they are even, where there are none, and where they do not increase.
    """
    mean = frame_s(times_s)
    if times_s is None or mean is None:
        return None
    steps = np.diff(np.asarray(times_s, float))
    if not (np.isfinite(steps).all() and (steps > 0).all()) or np.abs(steps - mean).max() <= 0.01 * mean:
        return None
    return [round(float(t - times_s[0]), 6) for t in times_s]


def _coloured(image: Image) -> bool:
    return image.array.shape[-4] == 3 and image.array.dtype == np.uint8


def hints(display: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a viewer may apply of `display`: whether low values are bright, and windows (centre, width)."""
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


def _colour(array: Array, image: Image, step_s: float | None) -> bytes:
    """Return a gzipped NIfTI of RGB24 `(X, Y, Z)`, or `(X, Y, Z, T)`, out of `(T, 3, Z, Y, X)`."""
    packed = np.ascontiguousarray(array.transpose(4, 3, 2, 0, 1)).view(_RGB)[..., 0]
    packed = packed if step_s is not None else packed[..., 0]
    made: Any = _NIFTI(packed, None if image.affine is None else _LPS_TO_RAS @ image.affine)
    if image.affine is None:
        made.header.set_sform(None, code=0)
        made.header.set_qform(None, code=0)
    spacing = image.spacing_mm or (1.0, 1.0, 1.0)
    made.header.set_zooms((*spacing, step_s)[: packed.ndim])
    made.header.set_xyzt_units("mm" if image.spacing_mm else None, "sec" if step_s is not None else None)
    return gzip.compress(made.to_bytes(), 1)
