"""Compression: each plane goes through JPEG at a quality between 1 and 95."""

from __future__ import annotations

import io
from typing import ClassVar

import numpy as np

from vesalius.core.channels import are_colours
from vesalius.core.image import Array, Image
from vesalius.prepare.degradations.contract import Degradation


class Compression(Degradation):
    """Write each plane as a JPEG of 8 bits and read it again; colours as one picture, other channels each as grey.

    The lowest value is black, the highest white, so that values between are rounded to 256 steps, too, as they are
    where a picture is exported. 100 stands for no compression at all.
    """

    unit: ClassVar[str] = "of JPEG's quality"
    clean: ClassVar[float] = 100.0
    amounts: ClassVar[tuple[float, ...]] = (50.0, 25.0, 10.0)
    least: ClassVar[float] = 1.0
    most: ClassVar[float] = 100.0

    def make(self, x: Array, amount: float, generator: np.random.Generator, *, image: Image) -> Array:
        """Return the image as it is after compression."""
        bits = np.rint(np.clip(x, 0.0, 1.0) * 255).astype(np.uint8)
        out = np.empty_like(x)
        colours = are_colours(image.channels) and x.shape[0] >= 3
        for z in range(x.shape[1]):
            first = 0
            if colours:
                out[:3, z] = np.moveaxis(_jpeg(np.moveaxis(bits[:3, z], 0, -1), amount), -1, 0) / 255
                first = 3
            for c in range(first, x.shape[0]):
                out[c, z] = _jpeg(bits[c, z], amount) / 255
        return out


def _jpeg(plane: Array, quality: float) -> Array:
    """Return a plane `(Y, X)` or `(Y, X, 3)` of bytes as it is after JPEG."""
    from PIL import Image as Pictures

    held = io.BytesIO()
    Pictures.fromarray(np.ascontiguousarray(plane)).save(held, "JPEG", quality=round(quality))
    with Pictures.open(held) as picture:
        return np.asarray(picture)


DEGRADATION = Compression()
