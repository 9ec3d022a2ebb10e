"""Labels out of pixels: whole numbers, one channel, the smallest type, the file's own values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from vesalius.core.case import Ref
from vesalius.core.errors import FormatError
from vesalius.core.file_io import label_array
from vesalius.core.image import Array, Image

COLOURS = "0xRRGGBB"  # the name of a mask's channel whose values are colours
_HIGH, _LOW = 224, 31  # from here on as good as 255, up to here as good as 0


def as_labels(image: Image, ref: Ref) -> Image:
    """Return the image as `(1, Z, Y, X)` labels.

    Three equal channels become one; three different ones of uint8 become one value a colour, 0xRRGGBB, and the
    channel is named COLOURS. `ref.values` are put in place of the file's.
    Raises FormatError for times, other channel counts, and numbers that are not whole.
    """
    if image.times_s is not None:
        raise FormatError(f"{ref}: a mask with times", found=f"shape {image.array.shape}")
    array, channels = image.array, tuple[str, ...]()
    if array.shape[0] == 3:
        array, channels = _one_channel(array, ref)
    elif array.shape[0] != 1:
        raise FormatError(f"{ref}: a mask must have one channel", found=f"{array.shape[0]} channels")
    if array.dtype.kind == "f":
        array = _whole(array, ref)
    elif array.dtype.kind not in "iub":
        raise FormatError(f"{ref}: a mask must hold whole numbers", found=str(array.dtype))
    labels = replace(image, array=label_array(array), unit=None, channels=channels)
    return recoded(labels, ref.values) if ref.values else labels


def as_colours(image: Image) -> Image | None:
    """Return a picture's colours as one value each, 0xRRGGBB; None of what is no picture of 8 bits."""
    array = image.array
    if array.dtype != np.uint8 or array.shape[0] not in (1, 3):
        return None
    planes = np.broadcast_to(array, (3, *array.shape[1:]))
    return replace(image, array=_packed(planes), channels=(COLOURS,))


def blurred(counts: Mapping[int, int]) -> bool | None:
    """Return whether voxels between 0 and 255 are surely the blurred edges of one label.

    It is None where the values are labels.
    `counts` are voxels by value. JPEG and resampling leave such edges: many values, nearly all close to an end.
    """
    inner = {v: n for v, n in counts.items() if v}
    if not inner or min(inner) < 0 or max(inner) > 255:
        return None
    high = sum(n for v, n in inner.items() if v >= _HIGH)
    middle = sum(n for v, n in inner.items() if _LOW < v < _HIGH)
    shades = sum(_LOW < v < 255 for v in inner)
    if shades < 3 or max(inner, key=lambda v: inner[v]) < _HIGH or middle > high:
        return None
    return len(inner) > 8 and middle <= 0.03 * sum(counts.values()) and middle <= 0.25 * high


def recoded(mask: Image, values: Sequence[tuple[int, int]]) -> Image:
    """Return the mask with other values in place of some of its own, in the smallest type; the pairs are (old, new)."""
    array, low, high = mask.array, int(mask.array.min()), int(mask.array.max())
    held = {old: new for old, new in values if low <= old <= high}
    if low >= 0 and high < 65536:
        table = np.arange(high + 1, dtype=np.int64)
        for old, new in held.items():
            table[old] = new
        return replace(mask, array=label_array(label_array(table)[array]), channels=(), display={})
    changed = array.astype(np.int64)
    for old, new in held.items():
        changed[array == old] = new
    return replace(mask, array=label_array(changed), channels=(), display={})


def _one_channel(array: Array, ref: Ref) -> tuple[Array, tuple[str, ...]]:
    if np.array_equal(array[0], array[1]) and np.array_equal(array[0], array[2]):
        return array[:1], ()
    if array.dtype != np.uint8:
        raise FormatError(f"{ref}: a colour mask must be of 8 bits", found=str(array.dtype))
    return _packed(array), (COLOURS,)


def _packed(array: Array) -> Array:
    packed: Array = array[0].astype(np.uint32)
    for plane in array[1:]:
        packed <<= 8
        packed |= plane
    return packed[None]


def _whole(array: Array, ref: Ref) -> Array:
    low, high = float(array.min()), float(array.max())  # NaN anywhere makes both NaN
    if not (np.isfinite(low) and np.isfinite(high)):
        raise FormatError(f"{ref}: a mask with NaN or infinite values")
    if max(abs(low), abs(high)) > 2**31:
        raise FormatError(f"{ref}: label values beyond 2^31", found=f"{low:g} to {high:g}")
    kind = np.result_type(np.min_scalar_type(round(low)), np.min_scalar_type(round(high)))
    labels = np.empty(array.shape, kind)
    for z in range(array.shape[1]):  # plane by plane, so that no second float copy stands beside
        plane = array[:, z]
        labels[:, z] = plane
        if not np.array_equal(labels[:, z], plane):
            odd = plane[plane != np.round(plane)].reshape(-1)[:3].tolist()
            raise FormatError(f"{ref}: a mask must hold whole numbers", found=str(odd))
    return labels
