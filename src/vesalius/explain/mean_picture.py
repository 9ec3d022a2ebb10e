"""The picture of a mean map over the mean image: orange speaks for what was asked, blue against it."""

from __future__ import annotations

import numpy as np
from PIL import Image as Pil

from vesalius.answers.drawing.pictures import address
from vesalius.core.image import Array

FOR, AGAINST = (255.0, 140.0, 0.0), (60.0, 130.0, 255.0)
SIDE = 320  # pixels of the longer side


def slice_of(mean: Array) -> int:
    """Return the slice `z` of a map `(Z, Y, X)` that says most."""
    return int(np.nansum(np.abs(mean), axis=(1, 2)).argmax())


def drawn(mean: Array, ground: Array | None) -> str:
    """Return a mean map `(Z, Y, X)` over the mean image, `(Z, Y, X)` from 0 to 1 or None, as a data address.

    It is the slice that says most. The strongest value is opaque, 0 leaves the image as it is.
    """
    z = slice_of(mean)
    plane = np.nan_to_num(mean[z])
    grey = np.zeros_like(plane) if ground is None else np.clip(np.nan_to_num(ground[z]), 0, 1)
    most = float(np.percentile(np.abs(plane), 99.5)) or float(np.abs(plane).max()) or 1.0
    dense = np.clip(np.abs(plane) / most, 0, 1)[..., None] * 0.85
    colour = np.where(plane[..., None] >= 0, np.array(FOR), np.array(AGAINST))
    rgb = (1 - dense) * 255 * 0.8 * grey[..., None] + dense * colour
    picture = Pil.fromarray(np.clip(rgb, 0, 255).astype(np.uint8))
    zoom = SIDE / max(picture.size)
    size = (max(1, round(picture.width * zoom)), max(1, round(picture.height * zoom)))
    how = Pil.Resampling.BILINEAR if max(picture.size) > 64 else Pil.Resampling.NEAREST
    return address(picture.resize(size, how))
