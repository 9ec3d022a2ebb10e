"""A case made ready for a network, alike in training, inference and serving."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from vesalius import formats
from vesalius.core import grids
from vesalius.core.case import Case, Ref
from vesalius.core.channels import plain, says_nothing
from vesalius.core.errors import DataError, GeometryError, MismatchError
from vesalius.core.image import Array, Image, Source, pixel_fault
from vesalius.core.modalities import of_word
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
    Raises DataError, GeometryError or MismatchError, naming the case; pixels that are NaN or infinite are refused, not
    filled.
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
            raise MismatchError(
                "the plan reads single pictures", found=f"a volume of shape {reference.shape}"
            )
        stacked = stack(case, plan, reference)
        array = geometry.resample(geometry.turn(stacked, undo.order, undo.flips), undo.inner)
    except DataError as error:
        raise type(error)(f"case {case.id}: {error.what}", found=error.found, hint=error.hint) from error
    if np.may_share_memory(array, reference.array):  # the caller's pixels are not ours to change
        array = array.copy()
    array = intensity.normalise(array, plan.normalise)
    return Prepared(case.id, geometry.pad_to(array, undo, value=0.0), undo, reference.source)


def stack(case: Case, plan: DataPlan, reference: Image) -> Array:
    """All planned images of a case on the reference's grid, `(C, Z, Y, X)`, matched by what they are called.

    Raises GeometryError where they lie on different grids and nothing says that they are registered, MismatchError
    for images or channels other than those that were planned, DataError for pixels that are not finite.
    """
    each = plan.channels // len(plan.images)
    parts = []
    for k, name in enumerate(planned_images(case, plan)):
        image = _sound(reference if name == case.reference else load(case.images[name]), name)
        array = frame(image)
        if name != case.reference and not geometry.same_grid(image, reference):
            uid = image.source.frame_of_reference_uid
            if not case.registered and (uid is None or uid != reference.source.frame_of_reference_uid):
                raise GeometryError(
                    f"image '{name}' lies on another grid than '{case.reference}' and nothing says they are registered",
                    found=grids.difference(image, reference, tolerance_mm=geometry.SAME_MM),
                    hint="images that share a frame of reference, or declare the cohort registered",
                )
            array = geometry.onto(replace(image, array=array, times_s=None), reference)
        names = channel_names(image, case)
        parts.append(intensity.to_channels(array, each, names=names, planned=plan.names_of(k)))
    return parts[0] if len(parts) == 1 else np.concatenate(parts)


def planned_images(case: Case, plan: DataPlan) -> tuple[str, ...]:
    """Return which image of a case each planned image is, by name and never by the order in which they came.

    A bundle of one image takes the one that a case has. Raises MismatchError, naming both sides.
    """
    wanted, alone = plan.images, len(plan.images) == 1
    if alone and len(case.images) == 1 and (says_nothing(wanted[0]) or says_nothing(*case.images)):
        return tuple(case.images)
    found = [_called(name, case) for name in wanted]
    if alone and found[0] is None and len(plan.channel_names) == 1:
        found = [_called(plan.channel_names[0], case)]
    named = tuple(name for name in found if name is not None)
    if len(named) == len(wanted) == len(set(named)):
        return named
    lacking = next((w for w, f in zip(wanted, found, strict=True) if f is None), wanted[0])
    raise MismatchError(
        f"no image '{lacking}'"
        if not alone
        else "several images, and nothing says which is meant"
        if len(case.images) > 1
        else "another image than was learned from",
        found=f"{', '.join(map(repr, case.images))}, learned from {', '.join(map(repr, wanted))}",
        hint="name each image as the bundle does: columns of a table, or channel names in a dataset.json",
    )


def channel_names(image: Image, case: Case) -> tuple[str, ...]:
    """Return what an image's channels are called: by its file, else by the author of the data of one image a case.

    Of a single channel a modality (`CT`) is no name: it is compared as such. A word such as `zscore` says nothing.
    """
    said = case.declared
    if image.channels or len(case.images) > 1 or len(said) != image.array.shape[-4]:
        return image.channels
    return () if any(map(says_nothing, said)) or (len(said) == 1 and of_word(said[0]) is not None) else said


def _called(name: str, case: Case) -> str | None:
    if name in case.images:
        return name
    alike = [n for n in case.images if plain(n) == plain(name)]
    return alike[0] if len(alike) == 1 else None


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
