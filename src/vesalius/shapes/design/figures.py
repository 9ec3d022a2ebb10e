"""How near an implant comes to what was taken out: overlap, overlap near the border, and distances in millimetres."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from vesalius.core.answers.mask import Mask
from vesalius.core.cohort import Label
from vesalius.core.errors import DataError
from vesalius.core.image import Array, Image
from vesalius.metrics import mask as metrics
from vesalius.shapes.distances import distances
from vesalius.shapes.extract import surface_of_bits

NEAR_MM = 10.0  # of the defect's border, within which the boundary Dice is measured
NAME = "implant"


def figures_of(found: Array, truth: Array, bone: Array, affine: Array) -> dict[str, float]:
    """Return `dice`, `boundary_dice`, `hd95_mm` and `surface_mm` of an implant, all masks `(Z, Y, X)` bool.

    `boundary_dice` counts only what lies within 10 mm of the defect's border, where the bone that is there meets what
    was taken out (Li et al. 2021, "AutoImplant 2020", doi:10.1109/TMI.2021.3077047). `surface_mm` is the symmetric mean
    distance between both surfaces; it is NaN, as HD95 is, where nothing was found. Raises DataError without a truth.
    """
    if not truth.any():
        raise DataError("nothing was taken out, so that there is nothing to be near to")
    answer = Mask(image=Image(found[None].astype(np.uint8), affine=affine), labels=(Label(1, NAME),))
    told = Image(truth[None].astype(np.uint8), affine=affine)
    whole = metrics.row(answer, told)
    region = Image(near_border(truth, bone, affine)[None].astype(np.uint8), affine=affine)
    border = metrics.row(answer, told, region=region)
    apart = float("nan")
    if found.any():
        apart = distances(surface_of_bits(found, affine), surface_of_bits(truth, affine)).mean_mm
    return {
        "dice": whole[f"dice/{NAME}"],
        "boundary_dice": border[f"dice/{NAME}"],
        "hd95_mm": whole[f"hd95_mm/{NAME}"],
        "surface_mm": apart,
    }


def near_border(truth: Array, bone: Array, affine: Array, *, near_mm: float = NEAR_MM) -> Array:
    """Return which voxels `(Z, Y, X)` lie within some mm of where bone that is there meets what was taken out."""
    border = ndimage.binary_dilation(truth) & bone
    if not border.any():
        return np.ones_like(truth)
    steps = np.linalg.norm(affine[:3, :3], axis=0)[::-1]
    found: Array = ndimage.distance_transform_edt(~border, sampling=steps) <= near_mm
    return found
