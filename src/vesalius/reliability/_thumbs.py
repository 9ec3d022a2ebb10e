"""Small pictures of a case: one to look at, and one to compare with others."""

from __future__ import annotations

import numpy as np
from PIL import Image as Picture
from scipy import ndimage

from vesalius.core.case import IGNORED
from vesalius.core.image import Array, Image

THUMB = 96  # pixels, the longer side
PRINT = 32  # pixels, each side of a fingerprint's plane
COLOURS = np.array(
    [[230, 85, 60], [70, 160, 235], [90, 195, 110], [240, 190, 60], [170, 110, 220], [240, 130, 190]],
    np.float32,
)


def plane_of(image: Image, mask: Image | None = None) -> int:
    """Return the axial plane to show: the one with most of the mask, otherwise the middle one."""
    if mask is not None and mask.shape == image.shape and mask.array.any():
        return int(np.count_nonzero(mask.array[0], axis=(1, 2)).argmax())
    return image.shape[0] // 2


def thumbnail(image: Image, mask: Image | None = None) -> Array:
    """Return an RGB picture `(H, W, 3)` of uint8, at most 96 pixels a side, labels drawn over it; square pixels in
    mm.
    """
    z = plane_of(image, mask)
    frame = image.array if image.times_s is None else image.array[0]
    plane = frame[:3, z].astype(np.float32) if frame.shape[0] == 3 else frame[:1, z].astype(np.float32)
    plane = _finite(plane)
    low, high = (0.0, 255.0) if frame.dtype == np.uint8 else np.percentile(plane, [0.5, 99.5])
    aspect = 1.0 if image.spacing_mm is None else image.spacing_mm[1] / image.spacing_mm[0]
    height, width = plane.shape[1] * aspect, float(plane.shape[2])
    zoom = THUMB / max(height, width)
    size = (max(1, round(height * zoom)), max(1, round(width * zoom)))
    small = np.stack([shrink(channel, size) for channel in plane])
    small = np.clip((small - low) / max(high - low, 1e-6), 0, 1) * 255
    rgb = np.repeat(small, 3, axis=0) if len(small) == 1 else small
    picture = np.moveaxis(rgb, 0, -1).copy()
    if mask is not None and mask.shape == image.shape:
        labels = mask.array[0, z]
        for k, value in enumerate(v for v in np.unique(labels) if v not in (0, IGNORED)):
            share = shrink(labels == value, size)[..., None]  # thin structures cover a part of a pixel
            opacity = 0.45 * np.minimum(2 * share, 1)
            picture = (1 - opacity) * picture + opacity * COLOURS[k % len(COLOURS)]
    result: Array = np.clip(picture, 0, 255).astype(np.uint8)
    return result


def fingerprint(image: Image) -> Array:
    """Planes of 32 × 32 (one in 2-D, three in 3-D) in one vector, coarse shape taken away; length 1, zeros if flat.

    What is left once a blurred copy is subtracted is what tells one patient from the next: organs look alike
    at the coarse scale. It hardly changes with compression, scaling, brightness or contrast.
    """
    frame = image.array if image.times_s is None else image.array[0]
    depth = frame.shape[1]
    planes = sorted({depth // 4, depth // 2, (3 * depth) // 4})
    parts = []
    for z in planes:
        grey = _finite(frame[:, z].mean(axis=0, dtype=np.float32))
        parts.append(_fine(shrink(grey, (PRINT, PRINT))))
    while depth > 1 and len(parts) < 3:
        parts.append(parts[-1])
    vector = np.concatenate([p.ravel() for p in parts])
    spread = float(np.abs(vector).max())
    vector = vector - vector.mean()
    length = float(np.linalg.norm(vector))
    if length < 1e-6 or spread < 1e-6:
        return np.zeros(vector.shape, np.float32)
    result: Array = (vector / length).astype(np.float32)
    return result


def _finite(values: Array) -> Array:
    if np.isfinite(values.sum()):
        return values
    return np.nan_to_num(values, posinf=0.0, neginf=0.0)


def _fine(small: Array) -> Array:
    """Fine structure of equal contrast everywhere, so that the rim of a field of view counts as any other edge."""
    rest = small - ndimage.gaussian_filter(small, 2.0, mode="nearest")
    local = np.sqrt(ndimage.gaussian_filter(rest * rest, 3.0, mode="nearest"))
    result: Array = rest / (local + 0.1 * float(rest.std()) + 1e-6)
    return result


def shrink(plane: Array, size: tuple[int, int]) -> Array:
    """Resize a plane `(Y, X)` to `size`, averaging areas where it shrinks and interpolating where it grows."""
    if plane.shape == size:
        return plane.astype(np.float32)
    smaller = size[0] < plane.shape[0] or size[1] < plane.shape[1]
    how = Picture.Resampling.BOX if smaller else Picture.Resampling.BILINEAR
    resized = Picture.fromarray(plane.astype(np.float32)).resize((size[1], size[0]), how)
    return np.asarray(resized, dtype=np.float32)
