"""DICOM images: one file, or the files of one series, in spatial order (and in time); affine in LPS.

The modality's rescale (or LUT) is applied, slice by slice, and PET in known units becomes SUVbw; where rescaled
values have no unit, those of a real-world value mapping that names one. Windows, presentation and MONOCHROME1 are
kept as `display` and never applied. A multi-frame object is a volume where its functional groups (or a nuclear
study's slice vector) place each frame, a cine where its frames have times; otherwise the Ref's index picks one frame.
A tilted gantry's slices are moved, within their planes, into an upright box. What holds no image is named.
Source: PS3.3 C.7.6.2, C.7.6.3, C.7.6.16, C.11.1.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from pydicom.pixels.processing import apply_modality_lut

from vesalius.core import archive, scratch
from vesalius.core.case import Ref
from vesalius.core.channels import COLOURS
from vesalius.core.header import Header
from vesalius.core.image import Array, Image, Source
from vesalius.core.modalities import sequence_of
from vesalius.dicom import elements
from vesalius.dicom.kinds import code_of, modality_of
from vesalius.dicom.parser import parse, reading
from vesalius.dicom.pixels.frames import Frames
from vesalius.dicom.series.geometry import shifted
from vesalius.dicom.series.grouping import Found, Series, group
from vesalius.dicom.series.stack import Slot, Stack, each

_PLANES = 64  # after so many are read, those of an array that lies in a file are let go


def series(paths: Iterable[Path]) -> tuple[tuple[Series, ...], tuple[tuple[Path, str], ...]]:
    """Group files into series, and say of each other file why it is not among them.

    Files of one series that differ in orientation, spacing, size, echo, b-value, time or the like form series of
    their own; localisers and copies are left aside.
    """
    found = group(paths)
    named = [(d.path, f"holds no image ({d.code})") for d in found.documents]
    refused = [(path, reason) for paths, reason in found.refused for path in paths]
    return found.series, (*found.left, *refused, *found.spare, *named)


def sort(paths: Iterable[Path]) -> Found:
    """Return files as images, other objects (segmentations, reports …) and what is neither, each with the reason."""
    return group(paths)


def code(path: Path) -> str | None:
    """Return a word for an object that is no image (`SEG`, `SR`, `RTSTRUCT` …), None for an image.

    Raises FormatError.
    """
    with reading(path):
        return code_of(parse(path).head)


def header(ref: Ref) -> Header:
    """Return the shape and geometry from the data elements, without decoding pixels."""
    with reading(ref):
        loaded = Stack(ref)
        channels = 3 if loaded.layout.colour else 1
        image = _image(loaded, np.broadcast_to(np.zeros((), loaded.dtype), _shape(loaded)))
        return Header(
            shape=loaded.shape,
            dtype=loaded.dtype.name,
            channels=channels,
            frames=len(loaded.slots),
            times_s=image.times_s,
            items=loaded.layout.frames,
            affine=image.affine,
            spacing_mm=image.spacing_mm,
            spacing_at=image.spacing_at,
            modality=image.modality,
            unit=image.unit,
            body_part=image.body_part,
            sequence=image.sequence,
            display=image.display,
        )


def check_streams(ref: Ref, *, most_bytes: int = 1 << 26) -> None:
    """Raise FormatError for a compressed file whose first frame is of another size than its header says.

    Nothing is decoded. Files that are larger than `most_bytes` are not looked into.
    """
    with reading(ref):
        for file in map(parse, ref.paths):
            packed = file.span is not None and file.span.length is None
            if packed and archive.size(file.path) <= most_bytes:
                Frames(file).check_first()


def read(ref: Ref) -> Image:
    """Read a plane, a series or a multi-frame object as `(1 or 3, Z, Y, X)`, a cine as `(T, 1 or 3, Z, Y, X)`.

    Values after the modality's rescale: int16 or int32 where that is exact, otherwise float32.
    Raises NotAnImage, which names what it is; FormatError for all that is damaged, unplaced or uneven.
    """
    with reading(ref):
        loaded = Stack(ref)
        return _image(loaded, _pixels(loaded))


def _shape(loaded: Stack) -> tuple[int, ...]:
    space = (3 if loaded.layout.colour else 1, *loaded.shape)
    return space if loaded.times_s is None else (len(loaded.slots), *space)


def _pixels(loaded: Stack) -> Array:
    several = len(loaded.files) > 1
    alone = None if several else Frames(loaded.files[0], loaded.layout)
    first = None if alone is None else alone.plane(loaded.slots[0][0].frame)  # fails before much is allocated
    out = scratch.empty(_shape(loaded), loaded.dtype)
    flat = out.reshape(len(loaded.slots), *out.shape[-4:])  # (T, C, Z, Y, X)
    depth = loaded.shape[0]
    del first

    def place(k: int) -> None:
        t, z = divmod(k, depth)
        slot = loaded.slots[t][z]
        frames = alone or Frames(loaded.files[slot.file], loaded.layouts[slot.file])
        _place(flat[t, :, z], frames, slot, loaded)
        if k % _PLANES == _PLANES - 1:
            scratch.let_go(out)

    each(place, len(loaded.slots) * depth)
    return _moved_upright(out, loaded) if loaded.beside is not None else out


def _place(out: Array, frames: Frames, slot: Slot, loaded: Stack) -> None:
    """Decode one plane into `(C, Y, X)`, rescaled."""
    plane = frames.plane(slot.frame)
    if loaded.layout.colour:
        out[:] = plane.transpose(2, 0, 1)
        return
    rows, columns = plane.shape
    into = out[0, :rows, :columns]
    if slot.mapped is not None and not loaded.is_linear(slot):
        into[:] = slot.mapped.apply(plane)
    elif slot.mapped is None and "ModalityLUTSequence" in frames.file.head:
        into[:] = apply_modality_lut(plane, frames.file.head.dataset)
    elif (slot.slope, slot.inter) == (1.0, 0.0):
        into[:] = plane
    elif out.dtype.kind in "iu":
        _add(plane, int(slot.inter), into)
    else:
        np.multiply(plane, np.float64(slot.slope), out=into, casting="unsafe", dtype=np.float64)
        into += np.float32(slot.inter) if out.dtype == np.float32 else slot.inter


def _add(plane: Array, inter: int, out: Array) -> None:
    """`plane + inter` into `out`, whose type is known to hold every sum; of one width it wraps on the way, exactly."""
    if plane.dtype.itemsize == out.dtype.itemsize:
        np.add(plane.view(out.dtype), np.array(inter).astype(out.dtype), out=out)
    else:
        np.add(plane, inter, out=out, casting="unsafe", dtype=np.int64)


def _moved_upright(out: Array, loaded: Stack) -> Array:
    """Return the slices of a tilted gantry, which `_place` left in a corner each, moved to where they lie."""
    x, y = loaded.beside or (0.0, 0.0)
    rows, columns = loaded.plane_shape
    depth = loaded.shape[0]
    corner = out[..., :rows, :columns]
    fill = float(corner.min())
    low = min(0.0, np.floor(x * (depth - 1))), min(0.0, np.floor(y * (depth - 1)))
    for z in range(depth):
        for index in np.ndindex(out.shape[:-3]):
            plane = corner[(*index, z)].copy()
            moved = shifted(plane, out.shape[-2:], (x * z - low[0], y * z - low[1]), fill)
            out[(*index, z)] = np.rint(moved) if out.dtype.kind in "iu" else moved
    return out


def _image(loaded: Stack, array: Array) -> Image:
    first = loaded.first
    placed_at = loaded.spacing_at if loaded.spacing is not None else None
    image = Image(
        array=array,
        affine=loaded.affine,
        spacing_mm=loaded.spacing,
        spacing_at=placed_at,
        times_s=loaded.times_s,
    )
    used = dict.fromkeys(slot.file for slots in loaded.slots for slot in slots)
    uids = [elements.text(loaded.files[k].head, "SOPInstanceUID") for k in used]
    return replace(
        image,
        unit=loaded.meaning.unit,
        modality=modality_of(first),
        body_part=elements.text(first, "BodyPartExamined"),
        sequence=_sequence(first),
        channels=COLOURS if loaded.layout.colour else (),
        display=_display(loaded),
        source=Source(
            study_uid=elements.text(first, "StudyInstanceUID"),
            series_uid=elements.text(first, "SeriesInstanceUID"),
            frame_of_reference_uid=elements.text(first, "FrameOfReferenceUID"),
            sop_uids=tuple(uid for uid in uids if uid),
        ),
    )


def _sequence(head: Any) -> str | None:
    """Return the sequence that an MR image says to be: by its contrast, otherwise by its series' description."""
    if modality_of(head) != "MR":
        return None
    said = elements.text(head, "AcquisitionContrast"), elements.text(head, "SeriesDescription")
    return next((name for name in map(sequence_of, said) if name is not None), None)


def _display(loaded: Stack) -> dict[str, Any]:
    shown = elements.display(loaded.first)
    here = loaded.layout
    slot = loaded.slots[0][0]
    if here.photometric == "MONOCHROME1" and loaded.is_linear(slot):
        low, high = here.reach
        shown["range"] = (low * slot.slope + slot.inter, high * slot.slope + slot.inter)
    if slot.mapped is not None:
        shown["real_world"] = True  # which windows are not of, where the rescale gives other values
        group = loaded.groups[slot.frame] if loaded.groups else None
        if not loaded.is_linear(slot) or elements.rescale(loaded.first, group) != (slot.slope, slot.inter):
            shown.pop("window", None)
    if loaded.meaning.factor != 1:
        shown["unit_factor"] = loaded.meaning.factor  # what rescaled values were multiplied with
    if loaded.meaning.note is not None:
        shown["unit_note"] = loaded.meaning.note
    if loaded.beside is not None:
        shown["gantry_tilt"] = "moved upright"
    return shown
