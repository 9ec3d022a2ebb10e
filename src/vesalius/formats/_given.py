"""Pixels in memory as an Image: of PIL, numpy or torch; their axes are told, or nothing is left to guess about them."""

from __future__ import annotations

from typing import Any

import numpy as np

from vesalius.core.channels import COLOURS
from vesalius.core.errors import DataError
from vesalius.core.image import Array, Image, Triple

AXES = "TCZYX"
MANY = 4  # channels: a first axis that is longer may be slices


def image_of(
    pixels: Any, *, axes: str | None = None, affine: Array | None = None, spacing_mm: Triple | None = None
) -> Image:
    """Return pixels in memory as an Image `(C, Z, Y, X)`; nothing is assumed of a geometry that is not told.

    `axes` names each axis of the array, in order, with letters of `CZYX` (`"YXC"`). Without it a PIL image is what it
    is; of an array or a tensor, two axes are `YX`, three are `CYX` where the first is at most 4 long and the last is
    not, four are `CZYX` likewise. `affine` maps the index `(x, y, z)` to LPS millimetres. Raises DataError where the
    axes could be others, and for what holds no pixels.
    """
    if hasattr(pixels, "getbands"):
        array, axes, names = _of_pil(pixels)
    else:
        array, names = as_array(pixels), ()
        axes = axes or _axes_of(array, pixels)
    if sorted(axes) != sorted(set(axes)) or not set(axes) <= set(AXES[1:]) or len(axes) != array.ndim:
        raise DataError(
            f"axes '{axes}' do not name the axes of the array, each once",
            found=f"shape {array.shape}",
            hint='axes="YX", "CYX", "YXC", "ZYX", "CZYX" …',
        )
    for letter in AXES[1:]:
        if letter not in axes:
            array, axes = array[None], letter + axes
    array = np.ascontiguousarray(np.transpose(array, [axes.index(letter) for letter in AXES[1:]]))
    array = array.view(np.uint8) if array.dtype == np.bool_ else array
    return Image(array, affine=affine, spacing_mm=spacing_mm, channels=names)


def as_array(pixels: Any) -> Array:
    """Return an array, a tensor or nested numbers as a numpy array of numbers. Raises DataError."""
    if hasattr(pixels, "detach"):  # a tensor, without importing torch
        pixels = pixels.detach().cpu()
        if str(pixels.dtype) == "torch.bfloat16":
            pixels = pixels.float()
    array = np.asarray(pixels)
    if array.dtype.kind not in "biuf":
        raise DataError("this holds no numbers", found=type(pixels).__name__, hint="an array of numbers")
    return array.astype(np.float32) if array.dtype == np.float16 else array


def _of_pil(picture: Any) -> tuple[Array, str, tuple[str, ...]]:
    """Return a PIL image's pixels, grey or in colour, a palette and transparency resolved."""
    mode = picture.mode
    if mode not in ("L", "RGB", "I;16", "I", "F", "1"):
        picture = picture.convert("RGB" if len(picture.getbands()) > 2 or mode == "P" else "L")
    array = np.asarray(picture)
    return (array, "YXC", COLOURS) if array.ndim == 3 else (array, "YX", ())


def _axes_of(array: Array, pixels: Any) -> str:
    """Return what the axes of an array can only be. Raises DataError where they may be others."""
    if array.ndim == 2:
        return "YX"
    if array.ndim in (3, 4):
        first, last = array.shape[0] <= MANY, array.shape[-1] <= MANY
        if first and not last:
            return "CYX" if array.ndim == 3 else "CZYX"
    raise DataError(
        "it is not certain what the axes of these pixels are",
        found=f"a {type(pixels).__name__} of shape {tuple(array.shape)}",
        hint='say axes="ZYX" for slices, "YXC" for colours last, "CZYX" …',
    )
