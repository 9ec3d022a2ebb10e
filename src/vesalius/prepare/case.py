"""A case made ready for a network, alike in training, inference and serving."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

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
from vesalius.prepare import body, geometry, harmonise, intensity, piecewise, splines

MAIN = "image"  # the name of the array of all planned images that share the reference's grid
BLANK = Image(np.zeros((1, 1, 1, 1), dtype=np.uint8))  # where an image is asked for and there is none
Sizes = Mapping[str, geometry.Size]


@dataclass(frozen=True, eq=False)
class Takes:
    """What a task takes of a case beside planned images that are all there.

    `time`: images with a time axis, as `(T, C, Z, Y, X)`. `incomplete`: cases that lack a planned image, whose
    channels are then zero. `sizes`: planned images that are prepared by themselves, each to its own size `(Z, Y, X)`,
    instead of as channels on the reference's grid.
    """

    time: bool = False
    incomplete: bool = False
    sizes: Sizes = field(default_factory=dict)


PLAIN = Takes()


@dataclass(frozen=True, eq=False)
class Prepared:
    """Images by name, `(C, Z, Y, X)` or `(T, C, Z, Y, X)` float32; `undo` brings a field back to the reference's grid.

    `images["image"]` holds the planned images as channels on the prepared grid, and behind them those that earlier
    stages made (`DataPlan.taken`); beside it are the images that have a size of their own, with their `undos`.
    `present` says of each planned image whether the case has it. `frame_times_s` are those of a cine's frames. A case
    without images has none of these, and the `undo` of the geometry it is given. Where several sources come together
    (`prepare/sources.py`), `times_s` are those of frames or visits by their image.
    """

    case_id: str
    images: Mapping[str, Array]
    undo: geometry.Undo
    source: Source
    undos: Mapping[str, geometry.Undo] = field(default_factory=dict)
    present: Mapping[str, bool] = field(default_factory=dict)
    frame_times_s: Array | None = None
    times_s: Mapping[str, Array] = field(default_factory=dict)

    @property
    def array(self) -> Array:
        """Return the planned images as channels on the prepared grid. Raises DataError where there is none."""
        if MAIN not in self.images:
            raise DataError(f"case {self.case_id} has no image on the prepared grid")
        return self.images[MAIN]


def load(item: Ref | Image) -> Image:
    """Return the image itself, read where only its place is known."""
    return formats.read(item) if isinstance(item, Ref) else item


def load_mask(item: Ref | Image) -> Image:
    """Return integer labels `(1, Z, Y, X)`, read where only their place is known."""
    return formats.read_mask(item) if isinstance(item, Ref) else item


def load_reference(case: Case) -> Image:
    """Return the reference image of a case. Raises DataError where there is none."""
    item = case.image
    if item is None:
        named = f" '{case.reference}'" if case.reference is not None else ""
        raise DataError(f"case {case.id} has no image{named}", found=", ".join(case.images))
    return load(item)


def with_reference(case: Case) -> Case:
    """Return a case whose reference image is read, so that it is decoded once whoever asks for it. Raises DataError."""
    if case.reference is None or not isinstance(case.image, Ref):
        return case
    return replace(case, images={**case.images, case.reference: load(case.image)})


def prepare(case: Case, plan: DataPlan, *, reference: Image | None = None, takes: Takes = PLAIN) -> Prepared:
    """Orient, stack, resample, harmonise, normalise and pad one case as planned.

    `reference` is the case's reference image where it is at hand already (or a crop of it); for a case without images
    it lends its geometry alone. `takes` says what the task takes.
    Raises DataError, GeometryError or MismatchError, naming the case; pixels that are NaN or infinite are refused, not
    filled.
    """
    reference = reference or load_reference(case)
    try:
        if (
            plan.dims == 3
            and plan.spacing_mm is not None
            and reference.spacing_mm is None
            and reference.is_2d
        ):
            raise MismatchError(
                "this model reads volumes, in millimetres",
                found=f"a single plane of {reference.shape[2]} × {reference.shape[1]} pixels without a spacing",
                hint="a volume (Z, Y, X) with its spacing: vs.image(x, axes='zyx', spacing_mm=(x, y, z))",
            )
        if not case.images and case.reference is None:
            return Prepared(case.id, {}, _layout(reference, plan, plan.size), reference.source)
        if plan.dims == 2 and plan.sampling == "whole" and not reference.is_2d:
            raise MismatchError(
                "the plan reads single pictures, one plane (Y, X) a case",
                found=f"a volume of shape {reference.shape}",
                hint="a plan or a bundle that was made for volumes",
            )
        given = case
        case = replace(case, images={n: i for n, i in case.images.items() if n not in plan.taken})
        named = planned_images(case, plan, incomplete=takes.incomplete)
        shared = [k for k, name in enumerate(plan.images) if name not in takes.sizes]
        there = [k for k in shared if named[k] is not None]
        if shared and not there:
            found = ", ".join(map(repr, case.images))
            raise MismatchError("the case has none of the images that the plan names", found=found)
        stacked = stack(case, plan, reference, named=named, chosen=there, takes=takes) if shared else None
        undo = _layout(reference, plan, plan.size, stacked)
        made = _taken(given, plan, reference, undo)
        images = {} if stacked is None else {MAIN: _shared(stacked, plan, reference, undo, there, shared)}
        del stacked
        if made is not None:
            images[MAIN] = _with_taken(images, made)
        undos = {}
        for k, name in enumerate(plan.images):
            if name in takes.sizes and (held := named[k]) is not None:
                image = _sound(_image_of(case, held, reference), held)
                undos[name] = _layout(image, plan, takes.sizes[name])
                array = _channels(frame(image, takes_time=takes.time), image, case, plan, k)
                images[name] = _finished(array, image, undos[name], plan, [k])
    except DataError as error:
        raise type(error)(f"case {case.id}: {error.what}", found=error.found, hint=error.hint) from error
    times = np.array(reference.times_s or (0.0,), np.float32) if takes.time else None
    present = {name: held is not None for name, held in zip(plan.images, named, strict=True)}
    return Prepared(case.id, images, undo, reference.source, undos, present, times)


def _taken(case: Case, plan: DataPlan, reference: Image, undo: geometry.Undo) -> Array | None:
    """Return what earlier stages made of a case, `(K, Z, Y, X)` on the prepared grid as it is; None where nothing was.

    Raises DataError where it is not there, or has another number of channels than planned.
    """
    parts = []
    for name, labels in plan.taken.items():
        if name not in case.images:
            raise DataError(
                f"the plan gives the net what the stage '{name}' says, and that is not there",
                found=", ".join(map(repr, case.images)),
                hint="the bundle with that stage, which answers before this one",
            )
        array = load(case.images[name]).array
        if array.shape != (len(labels), *reference.shape):
            raise DataError(
                f"what the stage '{name}' says does not fit the plan",
                found=f"shape {array.shape}, planned {counted(len(labels), 'channel')} of {reference.shape} (z, y, x)",
            )
        parts.append(geometry.forward(array.astype(np.float32), undo))
    return np.concatenate(parts) if parts else None


def _with_taken(images: Mapping[str, Array], made: Array) -> Array:
    """Return the planned images with what earlier stages made behind them, the same in every frame of a cine."""
    if MAIN not in images:
        raise DataError(
            "what an earlier stage says lies on the grid of the reference image, which this plan does not look at",
            hint="a stage whose features are taken (takes.how=features), or images that share a grid",
        )
    own = images[MAIN]
    return np.concatenate([own, np.broadcast_to(made, (*own.shape[:-4], *made.shape))], axis=-4)


def _layout(
    image: Image, plan: DataPlan, size: geometry.Size | None, stacked: Array | None = None
) -> geometry.Undo:
    """Return how an image meets a plan; `stacked` are the pixels that decide what of it is seen."""
    part = None
    if plan.nonzero and stacked is not None:
        order, flips = geometry.oriented(image.affine, plan.axes, canonical=plan.canonical)
        flat = stacked.reshape(-1, *stacked.shape[-3:])  # frames beside channels
        part = body.box_of(body.body_of(geometry.turn(flat, order, flips)))
    return geometry.layout(
        image,
        canonical=plan.canonical,
        spacing_mm=plan.spacing_mm,
        size=size,
        whole=plan.sampling == "whole",
        part=part,
        how=plan.resample,
        axes=plan.axes,
    )


def _shared(
    stacked: Array,
    plan: DataPlan,
    reference: Image,
    undo: geometry.Undo,
    there: Sequence[int],
    shared: Sequence[int],
) -> Array:
    """Return the images that share the reference's grid, prepared; of the `shared` planned ones only some are `there`.

    Those that are not there are zero, which is the mean.
    """
    array = _finished(stacked, reference, undo, plan, there)
    if len(there) == len(shared):
        return array
    each = plan.channels // len(plan.images)
    full = np.zeros((*array.shape[:-4], each * len(shared), *array.shape[-3:]), dtype=np.float32)
    for n, k in enumerate(there):
        place = shared.index(k) * each
        full[..., place : place + each, :, :, :] = array[..., n * each : (n + 1) * each, :, :, :]
    return full


def _finished(
    array: Array, image: Image, undo: geometry.Undo, plan: DataPlan, chosen: Sequence[int]
) -> Array:
    """Turn, resample, normalise and pad `(…, C, Z, Y, X)` whose channels are those of the chosen planned images."""
    array = geometry.seen(array, undo)
    if piecewise.suits(array, undo, plan):
        return piecewise.finished(array, undo, lambda inner: _normalised(inner, image, plan, chosen))
    if plan.normalise_first:
        array = (
            array if array.dtype != np.float32 else array.copy()
        )  # the caller's pixels are not ours to change
        array = _resampled(_normalised(array, image, plan, chosen), undo, plan)
    else:
        array = _resampled(array, undo, plan)
        if np.may_share_memory(array, image.array):
            array = array.copy()
        array = _normalised(array, image, plan, chosen)
    return geometry.pad_to(array, undo, value=0.0)


def _resampled(array: Array, undo: geometry.Undo, plan: DataPlan) -> Array:
    """Return `(…, C, Z, Y, X)` on the prepared grid without its padding, float32, as the plan resamples."""
    if plan.resample is None:
        return geometry.resample(array, undo.inner)
    flat = array.reshape(-1, *array.shape[-3:])
    made = splines.resized(flat, undo.inner, plan.resample, apart=undo.apart, steps=undo.steps)
    return made.reshape(*array.shape[:-3], *undo.inner)


def _normalised(array: Array, image: Image, plan: DataPlan, chosen: Sequence[int]) -> Array:
    """Return `(…, C, Z, Y, X)` harmonised and normalised; what is float32 is changed in place."""
    each = plan.channels // len(plan.images)
    how = [plan.normalise[k * each + c] for k in chosen for c in range(each)]
    places = [k * each + c for k in chosen for c in range(each)]
    inside = None
    if any(n.masked for n in how):
        inside = body.body_of(array.reshape(-1, *array.shape[-3:]))
    if array.ndim == 4:
        return intensity.normalise(_harmonised(array, plan, image, places), how, inside=inside)
    # all frames of a channel as one image, so that what changes in time is not normalised away
    frames, channels, *shape = array.shape
    flat = np.moveaxis(array, 0, 1).reshape(channels, -1, *shape[1:])
    flat = _harmonised(flat, plan, image, places, frames=frames)
    inside = None if inside is None else np.tile(inside, (frames, 1, 1))
    array = intensity.normalise(flat, how, inside=inside).reshape(channels, frames, *shape)
    return np.ascontiguousarray(np.moveaxis(array, 1, 0))


def _harmonised(
    array: Array, plan: DataPlan, image: Image, places: Sequence[int], *, frames: int = 1
) -> Array:
    """Return `(C, frames · Z, Y, X)` after the planned steps that make scanners comparable; `places` number channels.

    Raises PlanError for an image in another unit than a step needs.
    """
    if plan.harmonise is None or not plan.harmonise.steps:
        return array
    if (
        image.unit is not None
    ):  # where the file says none, the plan was made for images whose unit somebody declared
        for step in plan.harmonise.steps:
            harmonise.assert_unit(step.method, image.unit)
    return np.stack(
        [
            harmonise.applied(channel, plan.harmonise.steps, number=k, frames=frames)[0]
            for channel, k in zip(array, places, strict=True)
        ]
    )


def stack(
    case: Case,
    plan: DataPlan,
    reference: Image,
    *,
    named: Sequence[str | None],
    chosen: Sequence[int],
    takes: Takes = PLAIN,
) -> Array:
    """Stack chosen planned images of a case on the reference's grid, `(C, Z, Y, X)`; `named` says which each is.

    Raises GeometryError where they lie on different grids and nothing says that they are registered, MismatchError
    for images or channels other than those that were planned, DataError for pixels that are not finite.
    """
    parts: list[Array] = []
    for k in chosen:
        name = str(named[k])
        image = _sound(_image_of(case, name, reference), name)
        array = frame(image, takes_time=takes.time)
        if name != case.reference and not geometry.same_grid(image, reference):
            uid = image.source.frame_of_reference_uid
            if not case.registered and (uid is None or uid != reference.source.frame_of_reference_uid):
                raise GeometryError(
                    f"image '{name}' lies on another grid than '{case.reference}' and nothing says they are registered",
                    found=grids.difference(image, reference, tolerance_mm=geometry.SAME_MM),
                    hint="images that share a frame of reference, or declare the cohort registered",
                )
            frames = [
                geometry.onto(replace(image, array=one, times_s=None), reference)
                for one in (array if takes.time else [array])
            ]
            array = np.stack(frames) if takes.time else frames[0]
        parts.append(_channels(array, image, case, plan, k))
    if len({part.shape[:-4] for part in parts}) > 1:
        raise DataError(
            "the images of a case differ in their number of frames",
            found=" and ".join(str(part.shape[0] if part.ndim == 5 else 1) for part in parts),
        )
    return parts[0] if len(parts) == 1 else np.concatenate(parts, axis=-4)


def _image_of(case: Case, name: str, reference: Image) -> Image:
    return reference if name == case.reference else load(case.images[name])


def _channels(array: Array, image: Image, case: Case, plan: DataPlan, k: int) -> Array:
    """Return the pixels of the k-th planned image with as many channels as planned, frame by frame."""
    each = plan.channels // len(plan.images)
    names, planned = channel_names(image, case), plan.names_of(k)
    if array.ndim == 4:
        return intensity.to_channels(array, each, names=names, planned=planned)
    return np.stack([intensity.to_channels(one, each, names=names, planned=planned) for one in array])


def planned_images(case: Case, plan: DataPlan, *, incomplete: bool = False) -> tuple[str | None, ...]:
    """Return which image of a case each planned image is, by name and never by the order in which they came.

    A bundle of one image takes the one that a case has. With `incomplete` some, but not all, may be None: not there.
    Raises MismatchError, naming both sides.
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
    if incomplete and named and len(named) == len(set(named)):
        return tuple(found)
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


def frame(image: Image, *, takes_time: bool = False) -> Array:
    """Return `(C, Z, Y, X)` as nets are to see it: what is stored white for nothing (MONOCHROME1) is inverted.

    Values that have a unit are never inverted. Where the task `takes_time` it is `(T, C, Z, Y, X)`.
    Raises DataError for one that has several frames where it does not.
    """
    if takes_time:
        return _dark_for_nothing(image, image.array if image.times_s is not None else image.array[None])
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
    """Return integer labels `(Z, Y, X)` on the prepared grid, padded with -1 (nothing is known there).

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
