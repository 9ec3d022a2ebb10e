"""Parts: what of an image, of a mask or of boxes lies in an index box, counted from where that begins."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from vesalius.core.case import Box
from vesalius.core.image import Image


def image_in(image: Image, low: Sequence[int], high: Sequence[int]) -> Image:
    """Return the part of an image in an index box `(Z, Y, X)`, its affine moved along."""
    z, y, x = (slice(a, b) for a, b in zip(low, high, strict=True))
    array = image.array[..., z, y, x]
    if image.affine is None:
        return replace(image, array=array)
    shift = np.eye(4)
    shift[:3, 3] = list(low)[::-1]
    return replace(image, array=array, affine=image.affine @ shift)


def boxes_in(boxes: Sequence[Box], low: Sequence[int], high: Sequence[int]) -> tuple[Box, ...]:
    """Return the boxes that reach into an index box `(Z, Y, X)`, cut at its sides."""
    size = [b - a for a, b in zip(low, high, strict=True)]
    found = []
    for box in boxes:
        first = [min(max(v - a, 0.0), n) for v, a, n in zip(box.low, low, size, strict=True)]
        last = [min(max(v - a, 0.0), n) for v, a, n in zip(box.high, low, size, strict=True)]
        if all(a < b for a, b in zip(first, last, strict=True)):
            found.append(replace(box, low=(first[0], first[1], first[2]), high=(last[0], last[1], last[2])))
    return tuple(found)
