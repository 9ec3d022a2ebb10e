"""Slices that a volume would be short of without a word: images that lost their place, or are unlike the others.

A gap within a volume is found by its uneven spacing; a slice that is missing at an end, or that lies beside as an
"image" of its own, is found here. So are slices of which none says where it lies: they are no pictures.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from vesalius.core.errors import FormatError
from vesalius.core.image import Array
from vesalius.dicom import elements
from vesalius.dicom import parser as raw
from vesalius.dicom.kinds import is_slice
from vesalius.dicom.series.alike import differences
from vesalius.dicom.series.geometry import Plane, spread
from vesalius.dicom.series.split import Part

_PARALLEL = 0.9994  # the cosine of 2 degrees
_ON_GRID = 0.2  # of the slice step
_PLACE = ("ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing")


@dataclass(frozen=True)
class Piece:
    """Files of one series that are one stack, as far as they say; `traits` are what all of them share."""

    files: Sequence[raw.File]
    planes: Sequence[Plane]
    part: Part
    traits: dict[str, Any]


def assert_whole(pieces: Sequence[Piece]) -> None:
    """Raise FormatError where a piece of a series is a slice of another: without a place, or unlike the others there.

    Planes of other directions, or at places of their own, are images of their own.
    """
    placed = [p for p in pieces if p.planes[0].placed]
    kinds = {_kind(p.files[0]) for p in placed}
    for piece in pieces:
        if not piece.planes[0].placed and _kind(piece.files[0]) in kinds:
            head = piece.files[0].head
            lost = next((name for name in _PLACE if not head.get(name)), "its place")
            raise FormatError(
                "a slice of this series does not say where it lies, and the others would be read without it",
                found=f"no {lost} in {piece.files[0].path.name}",
                hint="take the file away if it is none of the slices",
            )
    for piece in placed:
        for other in placed:
            if piece is not other and _belongs(piece, other):
                raise FormatError(
                    "an image of this series lies where a slice of the others is missing, and is unlike them",
                    found=f"another {' and '.join(_unlike(piece, other))} in {piece.files[0].path.name}",
                    hint="take the file away if it is none of the slices",
                )


def unplaced(pieces: Sequence[Piece]) -> list[tuple[tuple[raw.File, ...], str]]:
    """Return the slices of one kind in a series that do not say where they lie, and the reason why they are not read.

    Neither SliceLocation nor the instance number places a slice: the one has no direction, the other no distance.
    """
    kinds: dict[Any, list[Piece]] = {}
    for piece in pieces:
        if not piece.planes[0].placed and is_slice(piece.files[0].head):
            kinds.setdefault(_kind(piece.files[0]), []).append(piece)
    found = []
    for lost in kinds.values():
        files = tuple(file for piece in lost for file in piece.files)
        if len(files) > 1:
            said = [(p.position, p.orientation, p.spacing_mm) for piece in lost for p in piece.planes]
            names = [
                name for name, values in zip(_PLACE, zip(*said, strict=True), strict=True) if None in values
            ]
            error = FormatError(
                f"{len(files)} slices of this series do not say where they lie, so they make no volume",
                found=f"no {', no '.join(names)}",
                hint="the original export; or a table that names each file, if each is a picture of its own",
            )
            found.append((files, str(error)))
    return found


def _kind(file: raw.File) -> tuple[Any, ...]:
    """Return what a slice has in common with the others even where it lost its place, and a screen shot has not."""
    head = file.head
    said = (
        elements.text(head, "SOPClassUID"),
        head.get("Rows"),
        head.get("Columns"),
        head.get("SamplesPerPixel"),
    )
    return (*said, elements.words(head, "ImageType")[1:2])


def _belongs(piece: Piece, other: Piece) -> bool:
    """Return whether a piece lies in the gaps of another or between its slices, or is one slice more at its end."""
    if len(other.planes) < 2 or len(piece.planes) > len(other.planes):
        return False
    normal, mine = _normal(other.planes[0]), _normal(piece.planes[0])
    if abs(float(normal @ mine)) < _PARALLEL:
        return False
    here, there = _along(piece.planes, normal), _along(other.planes, normal)
    if differences([piece.traits, other.traits]) and _alternate(here, there):
        return True
    if len(piece.planes) == len(other.planes):
        return False
    step = float(np.median(np.diff(there)))
    if step <= 0:
        return False
    away = np.abs(here[:, None] - there[None]).min(axis=1) / step
    numbers = (here - there[0]) / step
    on_grid = np.abs(numbers - np.rint(numbers)) < _ON_GRID
    if away.min() < 1 - _ON_GRID or not on_grid.all():
        return False
    inside = bool(((here > there[0]) & (here < there[-1])).all())
    if spread(there) != "even" and inside:
        return True
    return len(here) == 1 and not inside and float(away[0]) < 1 + _ON_GRID


def _alternate(here: Array, there: Array) -> bool:
    """Return whether two runs of places, each even by itself, are every other place of one that is even, too."""
    both = np.sort(np.concatenate([here, there]))
    if len(here) < 2 or not (here[0] < there[-1] and there[0] < here[-1]):
        return False
    step = float(np.median(np.diff(both)))
    return step > 0 and bool((np.diff(both) > (1 - _ON_GRID) * step).all()) and spread(both) == "even"


def _unlike(piece: Piece, other: Piece) -> list[str]:
    """Return what a piece differs in, in words."""
    names = differences([piece.traits, other.traits]) + [n for n in piece.part.marks if n in other.part.marks]
    mine, theirs = piece.planes[0], other.planes[0]
    if (
        mine.orientation
        and theirs.orientation
        and not np.allclose(mine.orientation, theirs.orientation, atol=1e-3)
    ):
        names.append("orientation")
    if (
        mine.spacing_mm
        and theirs.spacing_mm
        and not np.allclose(mine.spacing_mm, theirs.spacing_mm, rtol=1e-3)
    ):
        names.append("pixel spacing")
    return names or ["kind"]


def _normal(plane: Plane) -> Array:
    return np.cross(plane.orientation[:3], plane.orientation[3:])  # type: ignore[index]


def _along(planes: Sequence[Plane], normal: Array) -> Array:
    """Return where planes lie along a normal, in order."""
    return np.sort(np.array([p.position for p in planes], np.float64) @ normal)
