"""The planes of a Ref in spatial order (and in time), and what follows from their headers before pixels are decoded."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np

from vesalius.core.case import Ref
from vesalius.core.errors import FormatError, GeometryError
from vesalius.formats import _dicom_bytes as raw
from vesalius.formats import _dicom_elements as elements
from vesalius.formats import _dicom_split as splitting
from vesalius.formats._dicom_geometry import Plane, stack, tilt, upright
from vesalius.formats._dicom_kinds import require_image
from vesalius.formats._dicom_pixels import Layout, layout
from vesalius.formats._dicom_units import Meaning, meaning

_PARALLEL_FROM = 8  # planes
_MOST_THREADS = 8


@dataclass(frozen=True, eq=False)
class Slot:
    """One plane: which file and frame it is, and what its stored values are multiplied with and moved by."""

    file: int
    frame: int
    plane: Plane
    slope: float
    inter: float


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
        self.times_s: tuple[float, ...] | None = None
        self.beside: tuple[float, float] | None = None
        self.groups = elements.functional_groups(self.first, self.layout.frames)
        self.meaning = self._meaning()
        times = self._times()
        planes = [slot.plane for slot in times[0]]
        order, self.affine, self.spacing = stack(planes)
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
        kinds = {
            (str(f.head.get("SeriesInstanceUID") or ""), h.rows, h.columns, h.samples)
            for f, h in zip(self.files, self.layouts, strict=True)
        }
        if len(kinds) > 1:
            raise FormatError(f"{self.ref}: files of several series or sizes", found=f"{len(kinds)} kinds")
        if len(self.files) > 1 and any(h.frames > 1 for h in self.layouts):
            raise FormatError(f"{self.ref}: several multi-frame files", hint="one reference for each file")

    def _meaning(self) -> Meaning:
        times = [t for f in self.files if (t := elements.text(f.head, "AcquisitionTime"))]
        rescaled = "RescaleSlope" in self.first or bool(self.groups)
        return meaning(self.first, rescaled=rescaled, first_time=min(times, default=None))

    def _slot(self, file: int, frame: int, group: elements.FunctionalGroups | None) -> Slot:
        head = self.files[file].head
        slope, inter = elements.rescale(head, group)
        factor = self.meaning.factor
        return Slot(file, frame, elements.plane(head, group), slope * factor, inter * factor)

    def _times(self) -> list[list[Slot]]:
        """For each time its slots, in the file's order."""
        if len(self.files) > 1:
            return [[self._slot(k, 0, None) for k in range(len(self.files))]]
        frames, index = self.layout.frames, self.ref.index
        if index is not None and not 0 <= index < frames:
            raise FormatError(f"{self.ref}: no such frame", found=f"{frames} frames")
        if frames == 1 or index is not None:
            k = index or 0
            return [[self._slot(0, k, self.groups[k] if self.groups else None)]]
        if self.groups:
            return self._enhanced()
        offsets = elements.grid_offsets(self.first, frames)
        if offsets is not None:
            return [[_moved(self._slot(0, k, None), offset) for k, offset in enumerate(offsets)]]
        seconds = elements.frame_times(self.first, frames)
        if seconds is None:
            raise FormatError(
                f"{self.ref}: frames without a place in space or a time",
                found=f"{frames} frames",
                hint="one frame by the reference's index",
            )
        self.times_s = seconds
        return [[self._slot(0, k, None)] for k in range(frames)]

    def _enhanced(self) -> list[list[Slot]]:
        """The frames of one stack; of several only if time alone tells them apart, or the Ref's member names one."""
        slots = [self._slot(0, k, group) for k, group in enumerate(self.groups)]
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
        plain = all(s.slope == 1 and s.inter == int(s.inter) for s in slots)
        if name == "DoubleFloatPixelData":
            return np.dtype(np.float64)
        if name == "FloatPixelData" or "ModalityLUTSequence" in self.first or not plain:
            return np.dtype(np.float32)
        bits, signed = max(h.stored for h in self.layouts), any(h.signed for h in self.layouts)
        low, high = (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) if signed else (0, 2**bits - 1)
        low, high = low + int(min(s.inter for s in slots)), high + int(max(s.inter for s in slots))
        for kind in (np.uint8, np.int16, np.uint16, np.int32):
            if np.iinfo(kind).min <= low and high <= np.iinfo(kind).max:
                return np.dtype(kind)
        return np.dtype(np.float64)


def load(ref: Ref) -> list[raw.File]:
    """The headers of a Ref's files, in its order, each known to be an image's. Raises FormatError, NotAnImage."""

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
    size = max(count // (8 * workers), 1)  # a few at a time: handing them out costs as much as a small slice

    def some(start: int) -> None:
        for k in range(start, min(start + size, count)):
            function(k)

    with ThreadPoolExecutor(workers) as pool:
        for _ in pool.map(some, range(0, count, size)):
            pass


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
