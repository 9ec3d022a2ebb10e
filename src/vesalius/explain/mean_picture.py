"""The picture of a mean map over the mean image: orange speaks for what was asked, blue against it."""

from __future__ import annotations

import numpy as np
from PIL import Image as Pil

from vesalius.answers.drawing.pictures import address
from vesalius.answers.drawing.signed import tinted
from vesalius.core.image import Array

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
    layer = tinted(plane, most)
    dense = layer[..., 3:]
    rgb = 255 * ((1 - dense) * 0.8 * grey[..., None] + dense * layer[..., :3])
    picture = Pil.fromarray(np.clip(rgb, 0, 255).astype(np.uint8))
    zoom = SIDE / max(picture.size)
    size = (max(1, round(picture.width * zoom)), max(1, round(picture.height * zoom)))
    how = Pil.Resampling.BILINEAR if max(picture.size) > 64 else Pil.Resampling.NEAREST
    return address(picture.resize(size, how))
