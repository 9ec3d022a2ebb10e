"""DICOM segmentations (SEG): binary, fractional (from half on) and label maps, as labels on the image's grid.

The Ref's first path is the segmentation; those of the image that it is drawn on may follow, whose grid the labels
then have. Without them it is the grid of its own frames, of which empty ones may be absent. `member` names the
segments that are wanted, `|` between, which become 1, 2, …; without it each has its number. Source: PS3.3 C.8.20.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from vesalius.core.case import Ref
from vesalius.core.cohort import Label
from vesalius.core.errors import FormatError
from vesalius.core.header import Header
from vesalius.core.image import Array, Image, Source
from vesalius.dicom import elements
from vesalius.dicom import parser as raw
from vesalius.dicom.kinds import is_slide
from vesalius.dicom.pixels.frames import Frames, layout
from vesalius.dicom.series import grid as grids


def read(ref: Ref) -> Image:
    """Return the labels as `(1, Z, Y, X)` of whole numbers. Raises FormatError for overlaps and for other grids."""
    return read_mask(ref)


def read_mask(ref: Ref) -> Image:
    """Return the labels as `(1, Z, Y, X)` of whole numbers. Raises FormatError for overlaps and for other grids."""
    with raw.reading(ref):
        file = _parsed(ref)
        grid, source, groups = _grid(file, ref)
        names = {label.value: label.name for label in _segments(file)}
        values = grids.wanted(ref.member, names, ref)
        drawing = grids.Drawing(grid, max(values.values()), ref)
        frames = Frames(file)
        kind = str(file.head.get("SegmentationType") or "BINARY")
        half = (int(file.head.get("MaximumFractionalValue") or 255) + 1) // 2 if kind == "FRACTIONAL" else 1
        for k, group in enumerate(groups):
            number = _number(group)
            at = grid.place(elements.plane(file.head, group))
            if at is None or (kind != "LABELMAP" and number not in values):
                continue
            plane = frames.plane(k)
            if kind == "LABELMAP":
                _add_map(drawing, plane, at, values, names)
            elif number is not None:
                drawing.add(plane >= half, at, values[number], names[number])
        return drawing.image(source)


def header(ref: Ref) -> Header:
    """Return the shape and geometry of the labels, without decoding them."""
    with raw.reading(ref):
        file = _parsed(ref)
        grid, _, _ = _grid(file, ref)
        affine = grid.affine if grid.placed else None
        return Header(shape=grid.shape, dtype="uint8", affine=affine, modality="SEG")


def segments(path: Path) -> tuple[Label, ...]:
    """Return the segments of a file: number, name, and its coded type. Raises FormatError."""
    with raw.reading(path):
        return _segments(_parsed(Ref((path,))))


def _parsed(ref: Ref) -> raw.File:
    file = raw.parse(ref.paths[0])
    if "SegmentSequence" not in file.head:
        raise FormatError(f"{ref}: not a DICOM segmentation of pixels")
    return file


def _segments(file: raw.File) -> tuple[Label, ...]:
    found = []
    for item in file.head.get("SegmentSequence") or ():
        number = elements.integer(item, "SegmentNumber")
        if number is None:
            raise FormatError(f"{file.path}: a segment has no Segment Number, so its voxels cannot be told")
        kind = (item.get("SegmentedPropertyTypeCodeSequence") or [None])[0]
        name = elements.text(item, "SegmentLabel") or (elements.text(kind, "CodeMeaning") if kind else None)
        words = (
            [elements.text(kind, n) or "" for n in ("CodeValue", "CodingSchemeDesignator", "CodeMeaning")]
            if kind
            else []
        )
        code = (words[0], words[1], words[2]) if words and words[0] else None
        found.append(Label(number, name or f"segment {number}", code))
    return tuple(found)


def _number(group: elements.FunctionalGroups) -> int | None:
    return elements.integer(elements.macro(group, "SegmentIdentificationSequence"), "ReferencedSegmentNumber")


def _grid(file: raw.File, ref: Ref) -> tuple[grids.Grid, Source, list[elements.FunctionalGroups]]:
    here = layout(file)
    own = file.head.get("PerFrameFunctionalGroupsSequence") or []
    shared = tuple(file.head.get("SharedFunctionalGroupsSequence") or ())
    if len(own) != here.frames:
        raise FormatError(
            f"{ref}: frames without a place in space", found=f"{len(own)} of {here.frames} placed"
        )
    groups: list[elements.FunctionalGroups] = [(item, *shared) for item in own]
    image = Ref(ref.paths[1:]) if len(ref.paths) > 1 else None
    planes = [elements.plane(file.head, group) for group in groups]
    numbers = [_number(group) for group in groups]
    unplaced = not any(p.placed for p in planes) and not is_slide(file.head)
    flat = unplaced and len(set(numbers)) == len(numbers)  # a picture: one frame a segment
    if image is not None and not flat:
        grid, source = grids.of_image(image)
        return grid, source, groups
    between = elements.number(elements.macro(groups[0], "PixelMeasuresSequence"), "SpacingBetweenSlices")
    head = file.head
    source = Source(
        study_uid=elements.text(head, "StudyInstanceUID"),
        series_uid=elements.text(head, "SeriesInstanceUID"),
        frame_of_reference_uid=elements.text(head, "FrameOfReferenceUID"),
        sop_uids=tuple(u for u in [elements.text(head, "SOPInstanceUID")] if u),
    )
    if flat:
        grid, drawn_on = grids.of_picture(image, here.rows, here.columns)
        return grid, drawn_on or source, groups
    return grids.of_planes(planes, here.rows, here.columns, between), source, groups


def _add_map(
    drawing: grids.Drawing, plane: Array, at: tuple[int, int, int], values: dict[int, int], names: Any
) -> None:
    for number in np.unique(plane):
        if int(number) in values and number:
            drawing.add(plane == number, at, values[int(number)], names[int(number)])
