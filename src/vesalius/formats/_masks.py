"""Labels out of pixels: whole numbers, one channel, the smallest type, the file's own values."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from vesalius.core.case import Ref
from vesalius.core.errors import FormatError
from vesalius.core.image import Array, Image
from vesalius.formats._files import label_array


def as_labels(image: Image, ref: Ref) -> Image:
    """The image as `(1, Z, Y, X)` labels.

    Three equal channels become one; three different ones of uint8 become one value a colour, 0xRRGGBB.
    Raises FormatError for times, other channel counts, and numbers that are not whole.
    """
    if image.times_s is not None:
        raise FormatError(f"{ref}: a mask with times", found=f"shape {image.array.shape}")
    array = image.array
    if array.shape[0] == 3:
        array = _one_channel(array, ref)
    elif array.shape[0] != 1:
        raise FormatError(f"{ref}: a mask must have one channel", found=f"{array.shape[0]} channels")
    if array.dtype.kind == "f":
        array = _whole(array, ref)
    elif array.dtype.kind not in "iub":
        raise FormatError(f"{ref}: a mask must hold whole numbers", found=str(array.dtype))
    return replace(image, array=label_array(array), unit=None, channels=())


def _one_channel(array: Array, ref: Ref) -> Array:
    if np.array_equal(array[0], array[1]) and np.array_equal(array[0], array[2]):
        return array[:1]
    if array.dtype != np.uint8:
        raise FormatError(f"{ref}: a colour mask must be of 8 bits", found=str(array.dtype))
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
