"""A surface to be looked at: of a mask, with no more faces than a viewer draws at ease."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from vesalius.core.answers.mask import Mask
from vesalius.core.answers.surface import Surface
from vesalius.core.cohort import Label
from vesalius.core.errors import DataError
from vesalius.core.image import Image
from vesalius.core.meshes import joined
from vesalius.shapes.extract import surface_of
from vesalius.shapes.reduce import reduced

FACES = 60_000  # of all labels together
MOST_VOXELS = 8_000_000  # of the box about a label whose every voxel is looked at


def bounded(mask: Mask, *, faces: int = FACES) -> Surface:
    """Return the closed surface about all labels of a mask, for the eye: with about `faces` faces at most.

    Pieces of a dozen faces are left whole, so that a mask of thousands of specks passes the bound. Of a label whose box
    has more than 8 million voxels every second, third, … along each axis is taken, unless nothing of it would be left.
    Raises GeometryError without an affine or for a single plane, DataError where there is nothing.
    """
    made = [
        found for place, label in enumerate(mask.labels) if (found := _of(mask, place, label)) is not None
    ]
    if not made:
        raise DataError("there is nothing to lay a surface about", found="no voxel of a label")
    whole = replace(joined(made), source=mask.source, case_id=mask.case_id, withheld=mask.withheld)
    if len(whole.faces) <= faces:
        return whole
    return reduced(whole, faces, within_mm=2 * max(whole.spacing_mm or (1.0,))).surface


def _of(mask: Mask, place: int, label: Label) -> Surface | None:
    """Return the surface of one label; None where it is nowhere."""
    array = mask.image.array
    bits = array[place] != 0 if mask.overlapping else array[0] == label.value
    ends = [np.flatnonzero(bits.any(axis=tuple(k for k in range(3) if k != axis))) for axis in range(3)]
    if not len(ends[0]):
        return None
    size = float(np.prod([int(end[-1] - end[0]) + 1.0 for end in ends]))
    step = int(np.ceil((size / MOST_VOXELS) ** (1 / 3)))
    coarse = bits[::step, ::step, ::step]
    if step > 1 and mask.image.affine is not None and coarse.any():
        affine = np.asarray(mask.image.affine, dtype=np.float64) @ np.diag([step, step, step, 1.0])
        lone = Mask(
            image=Image(coarse[None].astype(np.uint8), affine=affine), labels=(replace(label, value=1),)
        )
    else:
        image = replace(mask.image, array=bits[None].astype(np.uint8))
        lone = Mask(image=image, labels=(replace(label, value=1),))
    found = surface_of(lone)
    return replace(found, labels=(label,))
