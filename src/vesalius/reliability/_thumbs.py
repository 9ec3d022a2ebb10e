"""Small pictures of a case: one to look at, and one to compare with others."""

from __future__ import annotations

import io
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image as Picture

from vesalius.core import palette
from vesalius.core.case import IGNORED, Box
from vesalius.core.image import Array, Image

THUMB = 256  # pixels, the longer side at most
LEAST = 96  # to which a smaller picture is enlarged
PRINT = 32  # pixels, each side of a fingerprint's plane
DRAWN = 0.45  # how dense a label lies over the picture
Frame = tuple[int, Box]  # the value of a label, and a box of that label
SEEN = 0.25  # the share of a pixel from which a label is seen in it: thin structures cover a part of one


@dataclass(frozen=True, eq=False, slots=True)
class Small:
    """A small picture of a case as a coded file, and the label values that lie in it, packed; a few kilobytes."""

    data: bytes
    kind: str
    size: tuple[int, int]
    labels: bytes = b""

    @property
    def picture(self) -> Array:
        """Return the picture, RGB `(H, W, 3)` of uint8, without its labels."""
        found: Array = np.array(Picture.open(io.BytesIO(self.data)).convert("RGB"))
        return found

    @property
    def values(self) -> Array | None:
        """Return the label values `(H, W)`, 0 where there is none; None of a case without a mask."""
        if not self.labels:
            return None
        return np.frombuffer(zlib.decompress(self.labels), np.int32).reshape(self.size)

    def drawn(self, colours: Mapping[int, str]) -> Array:
        """Return the picture with its labels over it, each value in its colour."""
        from scipy import ndimage  # whose import takes a moment, which lists of names need not

        picture, values = self.picture.astype(np.float32), self.values
        for k, value in enumerate([] if values is None else np.unique(values[values != 0])):
            colour = np.array(palette.rgb(colours.get(int(value), palette.of_place(k))), np.float32)
            where = values == value
            rim = where & ~ndimage.binary_erosion(where)
            picture[where] = (1 - DRAWN) * picture[where] + DRAWN * colour
            picture[rim] = colour
        found: Array = np.clip(picture, 0, 255).astype(np.uint8)
        return found


def plane_of(image: Image, mask: Image | None = None, frames: Sequence[Frame] = ()) -> int:
    """Return the axial plane to show: with most of the mask, or within most of the boxes, otherwise the middle one."""
    if frames and image.shape[0] > 1:
        within = np.zeros(image.shape[0], np.int32)
        for _, box in frames:
            within[max(0, int(box.low[0])) : max(0, int(np.ceil(box.high[0])))] += 1
        return int(within.argmax())
    if mask is not None and mask.shape == image.shape and mask.array.any():
        return int(np.count_nonzero(mask.array[0], axis=(1, 2)).argmax())
    return image.shape[0] // 2


def thumbnail(image: Image, mask: Image | None = None, frames: Sequence[Frame] = ()) -> Small:
    """Return a small picture of a case, of at most 256 pixels a side and square ones in mm, with its labels beside.

    Where there are `frames`, boxes with the values of their labels, their outlines stand for a mask.
    """
    z = plane_of(image, mask, frames)
    frame = image.array if image.times_s is None else image.array[0]
    plane = frame[:3, z].astype(np.float32) if frame.shape[0] == 3 else frame[:1, z].astype(np.float32)
    plane = _finite(plane)
    low, high = (0.0, 255.0) if frame.dtype == np.uint8 else np.percentile(plane, [0.5, 99.5])
    aspect = 1.0 if image.spacing_mm is None else image.spacing_mm[1] / image.spacing_mm[0]
    height, width = plane.shape[1] * aspect, float(plane.shape[2])
    zoom = min(THUMB, max(LEAST, height, width)) / max(height, width)
    size = (max(1, round(height * zoom)), max(1, round(width * zoom)))
    small = np.stack([shrink(channel, size) for channel in plane])
    small = np.clip((small - low) / max(high - low, 1e-6), 0, 1) * 255
    rgb = np.repeat(small, 3, axis=0) if len(small) == 1 else small
    buffer, kind = io.BytesIO(), "JPEG" if max(size) > LEAST else "PNG"
    Picture.fromarray(np.moveaxis(rgb, 0, -1).astype(np.uint8)).save(buffer, format=kind, quality=88)
    labels = b""
    if frames:
        labels = zlib.compress(_outlines(frames, z, image, size).tobytes(), 1)
    elif mask is not None and mask.shape == image.shape:
        labels = zlib.compress(_shrunk(mask.array[0, z], size).tobytes(), 1)
    return Small(buffer.getvalue(), kind.lower(), size, labels)


def _outlines(frames: Sequence[Frame], z: int, image: Image, size: tuple[int, int]) -> Array:
    """Return the label values `(H, W)` on the edges of the boxes that a plane meets, a pixel thin."""
    found = np.zeros(size, np.int32)
    scale = np.array(size) / image.shape[1:]
    for value, box in frames:
        if box.low[0] < z + 1 and box.high[0] > z:
            low = np.clip(np.floor(np.array(box.low[1:]) * scale), 0, np.array(size) - 1).astype(int)
            high = np.clip(np.ceil(np.array(box.high[1:]) * scale) - 1, low, np.array(size) - 1).astype(int)
            rows, columns = slice(low[0], high[0] + 1), slice(low[1], high[1] + 1)
            found[low[0], columns] = found[high[0], columns] = value
            found[rows, low[1]] = found[rows, high[1]] = value
    return found


def _shrunk(labels: Array, size: tuple[int, int]) -> Array:
    """Return the label that is seen in each pixel of a smaller grid: the one with the largest share of it."""
    best = np.full(size, SEEN, np.float32)
    found = np.zeros(size, np.int32)
    for value in (v for v in np.unique(labels) if v not in (0, IGNORED)):
        share = shrink(labels == value, size)
        found[share > best] = value
        best = np.maximum(best, share)
    return found


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
    from scipy import ndimage

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
