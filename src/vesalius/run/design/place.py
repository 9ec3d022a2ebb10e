"""Where a defect lies in the patient, in words: left, right, or across the midline of the bone."""

from __future__ import annotations

import numpy as np

from vesalius.core.errors import DataError
from vesalius.core.image import Array
from vesalius.shapes.symmetry import symmetry_plane

ACROSS = 0.05  # of a defect on the other side, from which on it crosses the midline


def place_of(bone: Array, missing: Array, affine: Array) -> str:
    """Return on which side of the patient a defect lies; of a bone without a midline, where in LPS.

    Sides follow from the affine alone: x grows to the patient's left in LPS.
    """
    points = np.argwhere(missing)[:, ::-1] @ affine[:3, :3].T + affine[:3, 3]
    middle = ", ".join(f"{v:.0f}" for v in points.mean(axis=0))
    try:
        plane = symmetry_plane(bone | missing, affine, near=np.array([1.0, 0.0, 0.0])).plane
    except DataError:
        return f"around ({middle}) mm in LPS; the bone has no midline by which a side could be told"
    normal = np.asarray(plane.normal, dtype=np.float64)
    away = (points - np.asarray(plane.point_mm)) @ (normal if normal[0] >= 0 else -normal)
    left = float((away > 0).mean())
    if min(left, 1 - left) >= ACROSS:
        return f"across the midline, {left:.0%} of it on the patient's left, around ({middle}) mm in LPS"
    return f"on the patient's {'left' if left > 0.5 else 'right'}, around ({middle}) mm in LPS"
