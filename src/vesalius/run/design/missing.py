"""What is missing of a bone: by a trained model, a mirror image, a shape model, the other side, or a mask."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from scipy import ndimage

from vesalius.core.answers.mask import Mask
from vesalius.core.errors import DataError, UnknownName
from vesalius.core.image import Array
from vesalius.run.design.given import Given, given

WAYS = ("model", "shape", "mirror", "other-side", "mask")


@dataclass(frozen=True, eq=False)
class Missing:
    """What is missing, `(Z, Y, X)` bool on the image's grid, by which way, and what a reader must know of it."""

    array: Array
    by: str
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Sources:
    """What a user gave: a bundle, a shape model, the healthy bone of the other side, a mask of what is missing."""

    model: Any = None
    shape: Path | str | None = None
    other: Any = None
    mask: Any = None
    other_label: int | None = None
    threshold: float | None = None
    device: str | None = None


def way_of(by: str | None, sources: Sources) -> str:
    """Return the way in which the missing part is found: the one named, else the best that is given.

    Raises UnknownName, and DataError where a way lacks what it needs.
    """
    held = {
        "mask": sources.mask is not None,
        "model": sources.model is not None,
        "other-side": sources.other is not None,
        "shape": sources.shape is not None,
        "mirror": True,
    }
    if by is None:
        return next(name for name, there in held.items() if there)
    if by not in WAYS:
        raise UnknownName("way to find what is missing", by, WAYS)
    if not held[by]:
        needs = {
            "model": "--model BUNDLE",
            "shape": "--shape MODEL",
            "other-side": "--other BONE",
            "mask": "--missing MASK",
        }
        raise DataError(f"--by {by} lacks what it needs", hint=needs[by])
    return by


def missing_of(bone: Given, by: str, sources: Sources) -> Missing:
    """Return the part that a bone lacks, found in one way, less the bone that is there. Raises DataError."""
    ways: dict[str, Callable[[Given, Sources], Missing]] = {
        "model": _by_model,
        "shape": _by_shape,
        "mirror": _by_mirror,
        "other-side": _by_other_side,
        "mask": _by_mask,
    }
    found = ways[by](bone, sources)
    return replace(found, array=np.asarray(found.array, dtype=bool) & ~bone.bone)


def _by_model(bone: Given, sources: Sources) -> Missing:
    from vesalius.infer.predictor import Predictor
    from vesalius.run.finished import bundle_of

    bundle = bundle_of(sources.model)
    answer = Predictor(bundle, device=sources.device)(_as_learned(bone, bundle))
    if not isinstance(answer, Mask):
        raise DataError(
            "the bundle does not say what is missing: its answers are no masks",
            found=type(answer).__name__,
            hint="a bundle of `vesalius fit` that tells what a bone lacks",
        )
    if answer.withheld is not None:
        raise DataError("the bundle's answer was withheld", found=answer.withheld)
    outside = tuple(
        f"the model's image is unlike those that it learned from: {text}" for text in answer.outside or ()
    )
    return Missing(opened(answer.image.array[0] > 0), "model", outside)


def _as_learned(bone: Given, bundle: Any) -> Any:
    """Return the case with its image under the name that the bundle's plan has for it."""
    name = bundle.stages[-1].plan.data.images[0]
    return replace(bone.case, images={name: bone.image}, reference=name)


def _by_shape(bone: Given, sources: Sources) -> Missing:
    from vesalius.shapes.extract import surface_of_bits
    from vesalius.shapes.models.completing import complete
    from vesalius.shapes.models.file import load_model
    from vesalius.shapes.voxels import filled

    model = load_model(Path(str(sources.shape)))
    surface = surface_of_bits(bone.bone, _affine(bone))
    whole = filled(complete(model, surface).surface, bone.image)
    return Missing(opened(whole & ~bone.bone), "shape")


def _by_mirror(bone: Given, sources: Sources) -> Missing:
    from vesalius.shapes.mirroring import mirror_completion

    found = mirror_completion(bone.bone, _affine(bone), near=np.array([1.0, 0.0, 0.0]))
    told = f"mirrored at a plane about which the bone is symmetric within {found.residual_mm:.1f} mm"
    return Missing(found.implant, "mirror", (told, *((found.doubt,) if found.doubt else ())))


def _by_other_side(bone: Given, sources: Sources) -> Missing:
    from vesalius.shapes.mirroring import other_side

    if sources.other is None:
        raise DataError("the other side is not given", hint="--other BONE")
    healthy = given(sources.other, threshold=sources.threshold, label=sources.other_label)
    mask = healthy.bone
    affine = _affine(bone)
    if mask.shape != bone.bone.shape or not np.allclose(_affine(healthy), affine, atol=1e-3):
        raise DataError(
            "both bones have to lie on one grid",
            found=f"{mask.shape} and {bone.bone.shape}, or other affines",
            hint="two masks of one image",
        )
    found = other_side(bone.bone, mask, affine)
    told = f"the other side, mirrored, lies {found.residual_mm:.1f} mm from what is left"
    return Missing(found.implant, "other-side", (told, *((found.doubt,) if found.doubt else ())))


def _by_mask(bone: Given, sources: Sources) -> Missing:
    told = given(sources.mask, threshold=0.5)
    if told.bone.shape != bone.bone.shape or not np.allclose(_affine(told), _affine(bone), atol=1e-2):
        raise DataError(
            "the mask of what is missing lies on another grid than the bone",
            found=f"{told.bone.shape} and {bone.bone.shape}, or other affines",
            hint="a mask on the image's own grid",
        )
    share = float((told.bone & bone.bone).sum() / max(int(told.bone.sum()), 1))
    if share > 0.2:
        raise DataError(
            "the mask of what is missing lies in bone that is there",
            found=f"{share:.0%} of it",
            hint="--missing MASK",
        )
    return Missing(told.bone, "mask")


def _affine(bone: Given) -> Array:
    affine = bone.image.affine
    if affine is None:
        raise DataError("nothing says where the voxels lie", hint="a NIfTI or DICOM image with its place")
    return affine


def opened(mask: Array) -> Array:
    """Return what is missing without sheets of a voxel, grown back to what was there; itself where all would go."""
    core = ndimage.binary_opening(mask, np.ones((2, 2, 2)))
    if not core.any():
        return mask
    grown: Array = ndimage.binary_dilation(core, np.ones((3, 3, 3)), iterations=1) & mask
    return grown
