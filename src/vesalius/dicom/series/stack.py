"""The planes of a Ref in spatial order (and in time), and what follows from their headers before pixels are decoded."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np

from vesalius.core.case import Ref
from vesalius.core.errors import FormatError, GeometryError
from vesalius.dicom import elements
from vesalius.dicom import parser as raw
from vesalius.dicom.kinds import is_slide, require_image, unplaced
from vesalius.dicom.pixels.frames import Layout, layout
from vesalius.dicom.series import alike, nuclear
from vesalius.dicom.series import split as splitting
from vesalius.dicom.series.copies import assert_one_a_place
from vesalius.dicom.series.geometry import Plane, stack, tilt, upright
from vesalius.dicom.series.mosaic import places
from vesalius.dicom.values import real_world
from vesalius.dicom.values.real_world import Mapping
from vesalius.dicom.values.units import Meaning, earliest, meaning

_PARALLEL_FROM = 8  # planes
_MOST_THREADS = 8


@dataclass(frozen=True, eq=False)
class Slot:
    """One plane: which file and frame it is, and what its stored values are multiplied with and moved by.

    `mapped` is set where real-world values take the place of rescaled ones; slope and intercept are then theirs.
    """

    file: int
    frame: int
    plane: Plane
    slope: float
    inter: float
    mapped: Mapping | None = None


class Stack:
    """Times of slices, each a Slot, in order; geometry, type and meaning of the values. Raises FormatError.

    `times_s` is None for a single time. `beside` is the drift of a tilted gantry in pixels of x and y a slice.
    """

    def __init__(self, ref: Ref) -> None:
        self.ref = ref
        self.files = load(ref)
        self.first = self.files[0].head
        self.layouts = [layout(file) for file in self.files]
        self.layout: Layout = self.layouts[0]
        self._check_alike()
        self.tiles = [
            places(f.head, h.mosaic) for f, h in zip(self.files, self.layouts, strict=True) if h.mosaic
        ]
        self.times_s: tuple[float, ...] | None = None
        self.beside: tuple[float, float] | None = None
        self.groups = nuclear.frame_groups(self.first, self.layout.frames)
        self.meaning = self._meaning()
        real = real_world.chosen(self._heads(), self.meaning)
        self.mapped, self.meaning = real is not None, real or self.meaning
        times = self._times()
        planes = [slot.plane for slot in times[0]]
        if len(self.files) > 1:
            assert_one_a_place(ref, self.files, planes)
        order, self.affine, self.spacing = stack(planes)
        if len(self.files) > 1:
            self._check_unmixed()
        self.slots = [[slots[k] for k in order] for slots in times]
        self.spacing_at = planes[0].spacing_at
        self.plane_shape = (self.layout.rows, self.layout.columns)
        self.shape: tuple[int, int, int] = (len(planes), *self.plane_shape)
        if self.affine is not None and len(planes) > 1 and not self.layout.colour:
            self.beside = tilt(self.affine, len(planes))
        if self.beside is not None and self.affine is not None:
            self.affine, self.shape = upright(self.affine, self.shape, self.beside)
        self.dtype = self._dtype()
        total = len(times) * int(np.prod(self.shape)) * self.dtype.itemsize * (3 if self.layout.colour else 1)
        if total > 1 << 36:
            raise FormatError(f"{ref}: its headers claim too much", found=f"{total:,} bytes")

    def _check_alike(self) -> None:
        unlike = alike.differences([alike.traits(file) for file in self.files])
        if unlike:
            said = f"{self.ref}: files of several {' and '.join(alike.PLURALS[name] for name in unlike)}"
            raise FormatError(said, found=f"{len(self.files)} files", hint="one reference for each")
        alike.assert_one_patient(self.files)
        if len(self.files) > 1 and any(h.frames > 1 or h.mosaic for h in self.layouts):
            raise FormatError(f"{self.ref}: several multi-frame files", hint="one reference for each file")

    def _check_unmixed(self) -> None:
        """Raise FormatError for files that lie evenly, and are of several b-values, echoes or the like."""
        _, parts = splitting.of_heads([file.head for file in self.files])
        if len(parts) > 1:
            names = ", ".join(f"'{p.name}'" for p in parts[:6])
            raise FormatError(
                f"{self.ref}: files of several stacks", found=names, hint="one reference for each"
            )

    def _meaning(self) -> Meaning:
        first = earliest(file.head for file in self.files)
        found = []
        for head, group in self._heads():
            here = bool(elements.macro(group, "PixelValueTransformationSequence")) or "RescaleSlope" in head
            said = elements.rescale_type(head, group)
            found.append(meaning(head, rescaled=here, said=said, first=first))
        for other in found:
            if other.unit != found[0].unit or not math.isclose(other.factor, found[0].factor, rel_tol=1e-4):
                raise FormatError(
                    f"{self.ref}: values of several kinds in one image",
                    found=f"{found[0].unit or 'no unit'} × {found[0].factor:.6g} and "
                    f"{other.unit or 'no unit'} × {other.factor:.6g}",
                )
        return found[0]

    def _heads(self) -> list[tuple[Any, elements.FunctionalGroups | None]]:
        """Return each plane's header and, of a multi-frame object, its groups."""
        if self.groups and len(self.files) == 1:
            return [(self.first, self.groups[k]) for k in self._used()]
        return [(file.head, elements.sole_group(file.head)) for file in self.files]

    def _used(self) -> Sequence[int]:
        """Return the frames that the Ref means: one by its index, a stack's by its member, else all."""
        index, every = self.ref.index, range(len(self.groups))
        if index is not None and index in every:
            return [index]
        if self.ref.member is None:
            return every
        planes = [elements.plane(self.first, group) for group in self.groups]
        parts = splitting.split(planes, [splitting.marks_of(self.first, group) for group in self.groups])
        return next((p.members for p in parts if p.name == self.ref.member), every)

    def _slot(self, file: int, frame: int, group: elements.FunctionalGroups | None) -> Slot:
        head = self.files[file].head
        slope, inter = elements.rescale(head, group)
        factor = self.meaning.factor
        plane = self.tiles[file][frame] if self.tiles else elements.plane(head, group)
        mapped = real_world.mapping(head, group) if self.mapped else None
        if mapped is not None:
            return Slot(file, frame, plane, mapped.slope, mapped.inter, mapped)
        return Slot(file, frame, plane, slope * factor, inter * factor)

    def _times(self) -> list[list[Slot]]:
        """For each time its slots, in the file's order."""
        if len(self.files) > 1:
            groups = [elements.sole_group(file.head) for file in self.files]
            return [[self._slot(k, 0, group) for k, group in enumerate(groups)]]
        frames, index = self.layout.frames, self.ref.index
        if index is not None and not 0 <= index < frames:
            raise FormatError(f"{self.ref}: no such frame", found=f"{frames} frames")
        if frames == 1 or index is not None:
            k = index or 0
            return [[self._frame(k)]]
        if self.layout.mosaic is not None:
            return [[self._slot(0, k, None) for k in range(frames)]]
        if is_slide(self.first):
            raise unplaced(self.ref, self.first, frames)
        if self.groups and any(elements.plane(self.first, group).placed for group in self.groups):
            return self._enhanced()
        offsets = elements.grid_offsets(self.first, frames)
        if offsets is not None:
            return [[_moved(self._frame(k), offset) for k, offset in enumerate(offsets)]]
        seconds = nuclear.frame_times(self.first, frames) or elements.frame_times(self.first, frames)
        if seconds is None:
            raise unplaced(self.ref, self.first, frames)
        self.times_s = seconds
        return [[self._frame(k)] for k in range(frames)]

    def _frame(self, k: int) -> Slot:
        return self._slot(0, k, self.groups[k] if self.groups else None)

    def _enhanced(self) -> list[list[Slot]]:
        """Return the frames of one stack; of several only if time alone tells them apart, or the Ref's member names
        one.
        """
        slots = [self._frame(k) for k in range(len(self.groups))]
        lost = [k + 1 for k, slot in enumerate(slots) if not slot.plane.placed]
        if lost:
            said = f"{self.ref}: frames that do not say where they lie, among others that do"
            raise FormatError(said, found=f"{len(lost)} of {len(slots)}, the first is number {lost[0]}")
        marks = [splitting.marks_of(self.first, group) for group in self.groups]
        parts = splitting.split([s.plane for s in slots], marks)
        if self.ref.member is not None:
            parts = [p for p in parts if p.name == self.ref.member]
            if not parts:
                raise FormatError(f"{self.ref}: no such stack")
        if len(parts) == 1:
            return [[slots[k] for k in parts[0].members]]
        seconds = splitting.times_of(parts, marks)
        if seconds is None or any(not _same_places(parts[0], p, slots) for p in parts[1:]):
            names = ", ".join(f"'{p.name}'" for p in parts[:6]) + (" …" if len(parts) > 6 else "")
            raise FormatError(
                f"{self.ref}: frames of several stacks",
                found=names,
                hint="one stack by the reference's member",
            )
        self.times_s = seconds
        placed = [sorted((slots[k] for k in p.members), key=lambda s: s.plane.position or ()) for p in parts]
        return placed

    def _dtype(self) -> np.dtype[Any]:
        if self.layout.colour:
            bits = self.layout.allocated
            if self.layout.photometric == "PALETTE COLOR":
                bits = int(self.first.RedPaletteColorLookupTableDescriptor[2])
            return np.dtype(np.uint8 if bits <= 8 else np.uint16 if bits <= 16 else np.uint32)
        name = self.files[0].span.name if self.files[0].span else ""
        slots = [s for times in self.slots for s in times]
        plain = all(s.slope == 1 and s.inter == int(s.inter) and self.is_linear(s) for s in slots)
        if name == "DoubleFloatPixelData":
            return np.dtype(np.float64)
        if name == "FloatPixelData" or "ModalityLUTSequence" in self.first or not plain:
            return np.dtype(np.float32)
        low, high = min(h.reach[0] for h in self.layouts), max(h.reach[1] for h in self.layouts)
        low, high = low + int(min(s.inter for s in slots)), high + int(max(s.inter for s in slots))
        for kind in (np.uint8, np.int16, np.uint16, np.int32):
            if np.iinfo(kind).min <= low and high <= np.iinfo(kind).max:
                return np.dtype(kind)
        return np.dtype(np.float64)

    def is_linear(self, slot: Slot) -> bool:
        """Return whether a plane's slope and intercept are all that there is to its values."""
        here = self.layouts[slot.file]
        if slot.mapped is None:
            return True
        span = self.files[slot.file].span
        whole = span is None or span.name == "PixelData"
        return slot.mapped.plain(*(here.reach if whole else (-np.inf, np.inf)))


def load(ref: Ref) -> list[raw.File]:
    """Return the headers of a Ref's files, in its order, each known to be an image's.

    Raises FormatError, NotAnImage.
    """

    def one(path: Any) -> raw.File:
        file = raw.parse(path)
        require_image(path, file.head)
        return file

    return [one(path) for path in ref.paths]


def each(function: Callable[[int], None], count: int) -> None:
    """Call `function` with 0 … count - 1, on as many threads as there are cores; the first error is raised."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    workers = min(cores, _MOST_THREADS)
    if count < _PARALLEL_FROM or workers == 1:
        for k in range(count):
            function(k)
        return
    left = iter(range(count))  # shared, so that none waits while another has slices to do

    def some() -> None:
        try:
            for k in left:
                function(k)
        finally:
            for _ in left:  # after an error the others end too
                pass

    with ThreadPoolExecutor(workers) as pool:
        for done in [pool.submit(some) for _ in range(workers)]:
            done.result()


def _moved(slot: Slot, offset: float) -> Slot:
    plane = slot.plane
    if plane.position is None or plane.orientation is None:
        raise GeometryError("a grid of frames without a place")
    normal = np.cross(plane.orientation[:3], plane.orientation[3:])
    position = tuple(float(v) for v in np.array(plane.position) + offset * normal)
    moved = Plane(position, plane.orientation, plane.spacing_mm, plane.spacing_at, plane.thickness_mm)
    return Slot(slot.file, slot.frame, moved, slot.slope, slot.inter)


def _same_places(one: splitting.Part, other: splitting.Part, slots: Sequence[Slot]) -> bool:
    here, there = (sorted(slots[k].plane.position or () for k in p.members) for p in (one, other))
    return len(here) == len(there) and np.allclose(np.array(here), np.array(there), atol=0.01)
