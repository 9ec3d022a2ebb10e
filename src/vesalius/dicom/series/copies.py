"""Duplicates of an image: under one instance UID, however stored, or as two slices of a series at one position."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from vesalius.core.case import Ref
from vesalius.core.errors import FormatError
from vesalius.dicom import elements
from vesalius.dicom import parser as raw
from vesalius.dicom.pixels.frames import Frames, layout
from vesalius.dicom.series import nuclear
from vesalius.dicom.series import split as splitting
from vesalius.dicom.series.alike import traits
from vesalius.dicom.series.geometry import LEAST_MM, Plane
from vesalius.dicom.series.geometry import assert_same as assert_parallel
from vesalius.dicom.series.mosaic import is_mosaic

_REAL_WORLD = 0x00409096


def assert_same(one: raw.File, other: raw.File) -> None:
    """Raise FormatError where two files differ in their pixels, or in where these lie or what they mean."""
    if traits(one) != traits(other) or _meant(one) != _meant(other) or not _same_pixels(one, other):
        raise FormatError(
            "two different images stand under one SOPInstanceUID",
            found=f"{one.path.name} and {other.path.name}",
            hint="take the one away that is not the original",
        )


def twins(files: Sequence[raw.File]) -> dict[int, int]:
    """Slices that are stored again under another instance UID, by their place in the list: which each is a copy of.

    A copy has the same place, marks, kind of values and pixels.
    """
    places: dict[str, list[int]] = {}
    for k, file in enumerate(files):
        if file.head.get("ImagePositionPatient") and int(file.head.get("NumberOfFrames") or 1) == 1:
            places.setdefault(str(file.head.ImagePositionPatient), []).append(k)
    groups: dict[str, list[int]] = {}
    for k in (k for members in places.values() if len(members) > 1 for k in members):
        head = files[k].head
        plane = elements.plane(head, None)
        if plane.placed and not is_mosaic(head):
            key = traits(files[k]), plane, sorted(splitting.marks_of(head, None).items())
            groups.setdefault(repr(key), []).append(k)
    found: dict[int, int] = {}
    for members in groups.values():
        firsts: list[int] = []
        for k in members:
            same = next((f for f in firsts if _same_slice(files[f], files[k])), None)
            if same is None:
                firsts.append(k)
            else:
                found[k] = same
    return found


def assert_one_a_place(ref: Ref, files: Sequence[raw.File], planes: Sequence[Plane]) -> None:
    """Raise FormatError, which names two files, where slices lie at one place. GeometryError where not parallel."""
    if not planes[0].placed:
        return
    assert_parallel(planes)
    first = planes[0].orientation or ()
    along = np.array([p.position for p in planes], np.float64) @ np.cross(first[:3], first[3:])
    order = np.argsort(along, kind="stable")
    pairs = np.flatnonzero(np.diff(along[order]) < LEAST_MM)
    if len(pairs):
        one, other = sorted(files[order[pairs[0] + k]].path.name for k in (0, 1))
        more = f", and {len(pairs) - 1} such pairs more" if len(pairs) > 1 else ""
        raise FormatError(
            f"{ref}: several planes at one position, and nothing says that they are times, echoes or b-values",
            found=f"{one} and {other}{more}",
            hint="take one file of each pair away; or put each repeat of the whole into a folder and read it alone",
        )


def _same_slice(one: raw.File, other: raw.File) -> bool:
    mapped = [None if (held := f.head.raw.get(_REAL_WORLD)) is None else held.value for f in (one, other)]
    return mapped[0] == mapped[1] and _meant(one) == _meant(other) and _same_pixels(one, other)


def _meant(file: raw.File) -> list[object]:
    frames = int(file.head.get("NumberOfFrames") or 1)
    groups = nuclear.frame_groups(file.head, frames)
    return [frames, *((elements.plane(file.head, g), elements.rescale(file.head, g)) for g in groups or [()])]


def _same_pixels(one: raw.File, other: raw.File) -> bool:
    here, there = layout(one), layout(other)
    if here != there and (here.frames, here.colour, here.signed) != (
        there.frames,
        there.colour,
        there.signed,
    ):
        return False
    mine, theirs = Frames(one, here), Frames(other, there)
    return all(np.array_equal(mine.plane(k), theirs.plane(k)) for k in range(here.frames))
