"""Which voxels are bone: of a mask those that are not zero, of a CT those above a threshold."""

from __future__ import annotations

import numpy as np

from vesalius.core.errors import DataError
from vesalius.core.image import Array, Image

BONE_HU = 200.0  # cortical and most cancellous bone, above contrast-free soft tissue and blood
METAL_HU = 3000.0  # denser than any bone or tooth enamel: wires, plates, clips
_FEW = 1e-5  # a share of voxels that is taken for noise


def bone_of(image: Image, threshold: float | None = None) -> Array:
    """Return which voxels are bone, `(Z, Y, X)` bool: those of at least `threshold`, in the image's own values.

    Without a threshold a mask's voxels that are not zero, and a CT's of 200 HU or more. Raises DataError for an image
    that is neither, and where nothing is bone or nearly everything.
    """
    array = image.array[0]
    if threshold is not None:
        found: Array = array >= threshold
        return found
    if image.unit == "HU":
        found = array >= BONE_HU
    elif is_mask(image):
        found = array > 0
    else:
        raise DataError(
            "the image is neither a mask nor a CT in Hounsfield units, so that nobody knows what in it is bone",
            found=f"unit {image.unit or 'none'}, values {float(array.min()):.4g} to {float(array.max()):.4g}",
            hint="--bone VALUE, the least value of bone, or a mask",
        )
    share = float(found.mean())
    if not found.any() or share > 0.9:
        raise DataError(
            "no bone was found in the image" if not found.any() else "nearly all of the image is bone",
            found=f"{share:.1%} of its voxels",
            hint="--bone VALUE, the least value of bone",
        )
    return found


def is_mask(image: Image) -> bool:
    """Return whether an image holds whole numbers of two values alone, of which one is zero."""
    if image.unit is not None or image.array.dtype.kind not in "biu":
        values = np.unique(image.array[0]) if image.unit is None else np.zeros(3)
        return bool(len(values) <= 2 and values[0] == 0 and values[-1] in (0, 1))
    values = np.unique(image.array[0])
    return bool(len(values) <= 2 and values[0] == 0)


def metal_of(image: Image) -> float:
    """Return the share of a CT's voxels that are denser than any bone; 0 of a mask, and of single voxels of noise."""
    if image.unit != "HU":
        return 0.0
    share = float((image.array[0] >= METAL_HU).mean())
    return share if share > _FEW else 0.0
