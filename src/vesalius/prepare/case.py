"""A case made ready for a network, alike in training, inference and serving."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from vesalius import formats
from vesalius.core import grids
from vesalius.core.case import Case, Ref
from vesalius.core.errors import DataError, GeometryError
from vesalius.core.image import Array, Image, Source, pixel_fault
from vesalius.core.plan import DataPlan
from vesalius.core.words import counted
from vesalius.prepare import geometry, intensity


@dataclass(frozen=True, eq=False)
class Prepared:
    """`array` is `(C, Z, Y, X)` float32 on the prepared grid; `undo` brings a field back to the reference's."""

    case_id: str
    array: Array
    undo: geometry.Undo
    source: Source


def load(item: Ref | Image) -> Image:
    """The image itself, read where only its place is known."""
    return formats.read(item) if isinstance(item, Ref) else item


def load_mask(item: Ref | Image) -> Image:
    """Integer labels `(1, Z, Y, X)`, read where only their place is known."""
    return formats.read_mask(item) if isinstance(item, Ref) else item


def load_reference(case: Case) -> Image:
    """The reference image of a case. Raises DataError where there is none."""
    if case.reference not in case.images:
        raise DataError(f"case {case.id} has no image '{case.reference}'", found=", ".join(case.images))
    return load(case.images[case.reference])


def prepare(case: Case, plan: DataPlan, *, reference: Image | None = None) -> Prepared:
    """Orient, stack, resample, normalise and pad one case as planned.

    `reference` is the case's reference image where it is at hand already (or a crop of it).
    Raises DataError or GeometryError, naming the case; pixels that are NaN or infinite are refused, not filled.
    """
    reference = reference or load_reference(case)
    try:
        undo = geometry.layout(
            reference,
            canonical=plan.canonical,
            spacing_mm=plan.spacing_mm,
            size=plan.size,
            whole=plan.sampling == "whole",
        )
        if plan.dims == 2 and plan.sampling == "whole" and not reference.is_2d:
            raise DataError("the plan reads single pictures", found=f"a volume of shape {reference.shape}")
        stacked = stack(case, plan, reference)
        array = geometry.resample(geometry.turn(stacked, undo.order, undo.flips), undo.inner)
    except (DataError, GeometryError) as error:
        raise type(error)(f"case {case.id}: {error.what}", found=error.found, hint=error.hint) from error
    if np.may_share_memory(array, reference.array):  # the caller's pixels are not ours to change
        array = array.copy()
    array = intensity.normalise(array, plan.normalise)
    return Prepared(case.id, geometry.pad_to(array, undo, value=0.0), undo, reference.source)


def stack(case: Case, plan: DataPlan, reference: Image) -> Array:
    """All planned images of a case on the reference's grid, `(C, Z, Y, X)`.

    Raises GeometryError where they lie on different grids and nothing says that they are registered, DataError for
    pixels that are not finite.
    """
    first = frame(_sound(reference, case.reference))
    if len(plan.images) == 1:
        return intensity.to_channels(first, plan.channels)
    each = plan.channels // len(plan.images)
    parts = []
    for name in plan.images:
        if name == case.reference:
            parts.append(intensity.to_channels(first, each))
            continue
        if name not in case.images:
            raise DataError(f"no image '{name}'", found=", ".join(case.images))
        image = _sound(load(case.images[name]), name)
        if geometry.same_grid(image, reference):
            parts.append(intensity.to_channels(frame(image), each))
            continue
        uid = image.source.frame_of_reference_uid
        if not case.registered and (uid is None or uid != reference.source.frame_of_reference_uid):
            raise GeometryError(
                f"image '{name}' lies on another grid than '{case.reference}' and nothing says they are registered",
                found=grids.difference(image, reference, tolerance_mm=geometry.SAME_MM),
                hint="images that share a frame of reference, or declare the cohort registered",
            )
        seen = replace(image, array=frame(image), times_s=None)
        parts.append(intensity.to_channels(geometry.onto(seen, reference), each))
    return np.concatenate(parts)


def _sound(image: Image, name: str) -> Image:
    fault = pixel_fault(image, name)
    if fault:
        raise DataError(fault)
    return image


def frame(image: Image) -> Array:
    """`(C, Z, Y, X)` as nets are to see it: what is stored white for nothing (MONOCHROME1) is inverted.

    Values that have a unit are never inverted. Raises DataError for an image with a time axis, which needs a task
    of its own.
    """
    if image.times_s is None:
        return _dark_for_nothing(image, image.array)
    if image.array.shape[0] == 1:
        return _dark_for_nothing(image, image.array[0])
    raise DataError("an image with a time axis", found=counted(len(image.times_s), "frame"))


def _dark_for_nothing(image: Image, array: Array) -> Array:
    if image.unit is not None or image.display.get("photometric") != "MONOCHROME1":
        return array
    low, high = image.display.get("range") or (float(array.min()), float(array.max()))
    if array.dtype.kind in "iu":
        turned: Array = (int(low) + int(high) - array.astype(np.int64)).astype(array.dtype)
        return turned
    return np.asarray(low + high - array, array.dtype)


def prepare_mask(mask: Image, reference: Image, undo: geometry.Undo, *, case_id: str = "") -> Array:
    """Integer labels `(Z, Y, X)` on the prepared grid, padded with -1 (nothing is known there).

    Raises GeometryError where the mask contradicts its image's geometry.
    """
    fault = grids.mask_fault(reference, mask)
    if fault:
        raise GeometryError(
            f"case {case_id}: the mask contradicts its image's geometry",
            found=fault,
            hint="a mask drawn on this image",
        )
    labels = mask.array[0]
    if labels.dtype.kind in "ub":
        labels = labels.astype(np.int32)
    return geometry.forward_labels(labels, undo, pad=-1)
