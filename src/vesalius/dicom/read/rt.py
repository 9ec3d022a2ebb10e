"""DICOM structure sets (RTSTRUCT): closed planar contours, filled on the slices of the image that they are drawn on.

The Ref's first path is the structure set, the image's files follow. `member` names the structures that are wanted,
`|` between, which become 1, 2, …; without it each has its number. A pixel belongs to a structure if its centre lies
within an odd number of its contours, so that a contour within another is a hole. Source: PS3.3 C.8.8.5, C.8.8.6.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from vesalius.core.case import Ref
from vesalius.core.cohort import Label
from vesalius.core.errors import FormatError, GeometryError
from vesalius.core.header import Header
from vesalius.core.image import Array, Image
from vesalius.dicom import elements
from vesalius.dicom import parser as raw
from vesalius.dicom.series import grid as grids

_CLOSED = ("CLOSED_PLANAR", "CLOSEDPLANAR_XOR")


def read(ref: Ref) -> Image:
    """Return the structures as `(1, Z, Y, X)` of whole numbers on the image's grid. Raises FormatError."""
    return read_mask(ref)


def read_mask(ref: Ref) -> Image:
    """Return the structures as `(1, Z, Y, X)` of whole numbers on the image's grid.

    Raises FormatError where structures overlap, lie between slices, or where the image's files are not given.
    """
    with raw.reading(ref):
        file = _parsed(ref)
        grid, source = grids.of_image(Ref(_image_paths(ref)))
        names = {label.value: label.name for label in _structures(file)}
        values = grids.wanted(ref.member, names, ref)
        drawing = grids.Drawing(grid, max(values.values(), default=1), ref)
        for item in file.head.get("ROIContourSequence") or ():
            number = elements.integer(item, "ReferencedROINumber")
            if number not in values:
                continue
            for z, bits in _filled(item, grid).items():
                drawing.add(bits, (0, 0, z), values[number], names[number])
        return drawing.image(source)


def header(ref: Ref) -> Header:
    """Return the shape and geometry of the image that the structures are drawn on."""
    with raw.reading(ref):
        _parsed(ref)
        grid, _ = grids.of_image(Ref(_image_paths(ref)))
        return Header(shape=grid.shape, dtype="uint8", affine=grid.affine, modality="RTSTRUCT")


def structures(path: Path) -> tuple[Label, ...]:
    """Return the structures of a file that have closed contours: number and name. Raises FormatError."""
    with raw.reading(path):
        file = _parsed(Ref((path,)))
        drawn = {
            elements.integer(item, "ReferencedROINumber")
            for item in file.head.get("ROIContourSequence") or ()
            if any(c.get("ContourGeometricType") in _CLOSED for c in item.get("ContourSequence") or ())
        }
        return tuple(label for label in _structures(file) if label.value in drawn)


def _parsed(ref: Ref) -> raw.File:
    file = raw.parse(ref.paths[0])
    if "StructureSetROISequence" not in file.head:
        raise FormatError(f"{ref}: not a DICOM structure set")
    return file


def _image_paths(ref: Ref) -> tuple[Path, ...]:
    if len(ref.paths) < 2:
        raise FormatError(
            f"{ref}: contours have no grid of their own",
            hint="the paths of the image behind that of the structure set",
        )
    return ref.paths[1:]


def _structures(file: raw.File) -> tuple[Label, ...]:
    found = []
    for item in file.head.get("StructureSetROISequence") or ():
        number = elements.integer(item, "ROINumber")
        if number is None:
            raise FormatError(f"{file.path}: a structure without a number")
        found.append(Label(number, elements.text(item, "ROIName") or f"structure {number}"))
    return tuple(found)


def _filled(item: Any, grid: grids.Grid) -> dict[int, Array]:
    """Return the bits of one structure, by slice."""
    from skimage.draw import polygon

    to = np.linalg.inv(grid.affine)
    found: dict[int, Array] = {}
    for contour in item.get("ContourSequence") or ():
        if contour.get("ContourGeometricType") not in _CLOSED:
            continue
        points = np.array([float(v) for v in contour.ContourData]).reshape(-1, 3)
        if not np.isfinite(points).all():
            raise GeometryError("a contour that is not finite")
        index = points @ to[:3, :3].T + to[:3, 3]  # (N, 3), x y z
        z = float(np.median(index[:, 2]))
        if np.abs(index[:, 2] - z).max() > 0.1:
            raise GeometryError("a contour that does not lie in a slice of the image")
        near = round(z)
        if abs(z - near) > 0.25:
            raise GeometryError("a contour between the image's slices", found=f"at slice {z:.2f}")
        if not 0 <= near < grid.shape[0]:
            continue
        rows, columns = polygon(  # type: ignore[no-untyped-call]
            index[:, 1], index[:, 0], grid.shape[1:]
        )
        bits = found.setdefault(near, np.zeros(grid.shape[1:], bool))
        bits[rows, columns] ^= True
    return found
