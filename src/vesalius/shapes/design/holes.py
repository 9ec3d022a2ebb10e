"""Whether what was found missing is one defect that a part can be designed for: refused where it is not, or told."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from vesalius.core.errors import DataError
from vesalius.core.image import Array, Image, Triple
from vesalius.core.words import counted
from vesalius.shapes.bone import metal_of
from vesalius.shapes.design.part import Bone

LEAST_ML = 0.5  # of a defect
BESIDE = 0.15  # of the largest: smaller pieces beside it are noise of the completion
RIM = 0.12  # of what surrounds a defect that has to be bone
THICK_MM, COARSE_MM = 3.5, 1.5  # longest side of a voxel that is refused, and that is told
_RIM_MM = 4.0


@dataclass(frozen=True, eq=False)
class Hole:
    """One defect: what is missing `(Z, Y, X)`, where its middle is in LPS, and what a reader must know of it."""

    missing: Array
    middle_mm: Triple
    volume_ml: float
    size_mm: float
    notes: tuple[str, ...] = ()


def assert_fit(image: Image) -> tuple[str, ...]:
    """Return what a reader must know of an image of bone. Raises DataError where no part can be designed on it."""
    if image.affine is None:
        raise DataError(
            "nothing says where the voxels lie, so that left and right, and millimetres, are unknown",
            found=f"spacing {image.spacing_mm or 'none'}, no affine",
            hint="a NIfTI or DICOM image with its place",
        )
    if image.is_2d or len(image.array) != 1 or image.array.ndim != 4:
        raise DataError("a part is designed on one volume", found=f"shape {image.array.shape}")
    spacing = np.linalg.norm(image.affine[:3, :3], axis=0)
    said = "×".join(f"{s:.2g}" for s in spacing)
    if spacing.max() > THICK_MM:
        raise DataError(
            "the slices are too thick: between them nobody knows where the bone ends",
            found=f"voxels of {said} mm",
            hint=f"a reconstruction with slices of at most {THICK_MM:g} mm, better 1 mm",
        )
    extent = spacing * np.array(image.shape[::-1])
    if extent.max() < 20 or extent.max() > 2500:
        raise DataError(
            "the field is no size that a bone has, so that its unit is not millimetres",
            found=" × ".join(f"{e:.3g}" for e in extent) + " mm",
            hint="an image whose affine is in millimetres",
        )
    notes = (
        [f"the voxels are {said} mm: fits are no better known than that"] if spacing.max() > COARSE_MM else []
    )
    metal = metal_of(image)
    if metal:
        notes.append(f"{metal:.2%} of the image is metal: its streaks may be taken for bone, or hide it")
    return tuple(notes)


def one_hole(bone: Bone, missing: Array, *, number: int | None = None) -> Hole:
    """Return the defect that a part is designed for; `number` chooses among several, the largest is 1.

    Raises DataError where nothing is missing, where there are several and none is chosen, where the defect reaches the
    field's edge, and where what was found does not lie in a hole of this bone.
    """
    voxel_ml = abs(float(np.linalg.det(bone.affine[:3, :3]))) / 1000
    missing = missing & ~bone.mask
    found, n = ndimage.label(missing, np.ones((3, 3, 3)))
    sizes = np.bincount(found.ravel(), minlength=n + 1)[1:] * voxel_ml
    order = [int(k) for k in np.argsort(-sizes, kind="stable") if sizes[k] >= LEAST_ML]
    if not order:
        most = float(sizes.max()) if n else 0.0
        raise DataError(
            "no defect was found in the bone, so that nothing is designed",
            found=f"{most:.2f} ml missing at most",
            hint="another --by, or the image of a bone with a defect",
        )
    real = [k for k in order if sizes[k] >= BESIDE * sizes[order[0]]]
    if number is not None and not 1 <= number <= len(real):
        raise DataError(
            f"there is no defect {number}",
            found=counted(len(real), "defect"),
            hint=f"--defect 1 to {len(real)}",
        )
    if len(real) > 1 and number is None:
        said = ", ".join(f"{k + 1}: {sizes[one]:.1f} ml" for k, one in enumerate(real[:6]))
        raise DataError(
            f"{len(real)} defects were found, and a part is designed for one",
            found=said,
            hint="--defect 1, which is the largest",
        )
    chosen = found == real[(number or 1) - 1] + 1
    _assert_within(chosen)
    rim = _rim(bone, chosen)
    if rim < RIM:
        raise DataError(
            "what was found missing does not lie in a hole of this bone",
            found=f"{rim:.0%} of what surrounds it is bone",
            hint="another --by; a natural opening or the outside of a bone is no defect",
        )
    points = np.argwhere(chosen)[:, ::-1] @ bone.affine[:3, :3].T + bone.affine[:3, 3]
    middle = points.mean(axis=0)
    dropped = len(order) - len(real)
    notes = (f"{counted(dropped, 'smaller piece')} beside it left out",) if dropped else ()
    return Hole(
        chosen,
        (float(middle[0]), float(middle[1]), float(middle[2])),
        float(chosen.sum()) * voxel_ml,
        float(np.linalg.norm(np.ptp(points, axis=0))),
        notes,
    )


def _assert_within(chosen: Array) -> None:
    """Raise DataError where a defect reaches the edge of the field: how it goes on there nobody sees."""
    edges = [np.take(chosen, at, axis=axis).any() for axis in range(3) for at in (0, -1)]
    if any(edges):
        which = [f"{'low' if k % 2 == 0 else 'high'} {'zyx'[k // 2]}" for k, e in enumerate(edges) if e]
        raise DataError(
            "the defect is cut by the field's edge, beyond which nobody sees the bone",
            found=", ".join(which),
            hint="an image that holds the whole defect with bone around it",
        )


def _rim(bone: Bone, chosen: Array) -> float:
    """Return which share of the voxels around what is missing, a few millimetres wide, is bone."""
    steps = max(1, round(_RIM_MM / bone.voxel_mm))
    around = ndimage.binary_dilation(chosen, iterations=steps) & ~chosen
    return float(bone.mask[around].mean()) if around.any() else 0.0
