"""Image and mask brought to another spacing: by cubic B-splines, and by the nearest voxel."""

from __future__ import annotations

import numpy as np

from vesalius.core.image import Array

PAD = 5  # voxels of the new grid that are kept on each side of the mask
MARGIN = 16  # voxels of the old grid beyond which a spline's coefficient no longer tells


def resampled(values: Array, mask: Array, spacing: Array, wanted: Array) -> tuple[Array, Array, Array]:
    """Return an image, a mask `(Z, Y, X)` and their spacing, resampled from `spacing` to `wanted`, both `(z, y, x)`.

    The new grid is aligned with the corner of the old one, as PyRadiomics' `resampleImage` has it; it holds the mask
    and PAD voxels about it. An image of whole numbers stays one, as IBSI 2.4 asks of CT: values are cut to whole
    numbers as ITK's filter does.
    """
    from scipy import ndimage

    if np.allclose(spacing, wanted):
        return values, mask, spacing
    shape, ratio = np.array(mask.shape), spacing / wanted
    some = [np.flatnonzero(mask.any(axis=tuple(k for k in range(3) if k != axis))) for axis in range(3)]
    low, high = np.array([s[0] for s in some]), np.array([s[-1] + 1 for s in some])
    first = np.maximum(np.floor((low - 0.5) * ratio - PAD), 0)
    last = np.minimum(np.ceil((high - 0.5) * ratio + PAD), np.ceil(shape * ratio) - 1)
    size = (last - first + 1).astype(int)
    start = 0.5 * (wanted - spacing) / spacing + first / ratio
    end = start + (size - 1) / ratio
    near = np.clip(np.floor(start) - MARGIN, 0, shape - 1).astype(int)
    far = np.clip(np.ceil(end) + MARGIN + 1, 1, shape).astype(int)
    cut = tuple(slice(a, b) for a, b in zip(near, far, strict=True))
    place = {"matrix": 1 / ratio, "offset": start - near, "output_shape": tuple(size)}
    image = ndimage.affine_transform(values[cut].astype(np.float64), order=3, mode="mirror", **place)
    if values.dtype.kind in "iu":
        image = np.trunc(image)
    nearest = ndimage.affine_transform(mask[cut].astype(np.uint8), order=0, mode="constant", **place)
    return image, nearest.astype(bool), wanted
