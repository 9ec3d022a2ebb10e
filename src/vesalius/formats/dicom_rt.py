"""DICOM structure sets (RTSTRUCT): read as labels, filled on the image's slices; written as closed planar contours."""

from __future__ import annotations

from pathlib import Path

from vesalius.core.answers import Answer
from vesalius.core.image import Image
from vesalius.dicom.read.rt import header, read, read_mask, structures

SUFFIXES = (".rt.dcm",)
MAGIC = ()
HOLDS = "Image"
WRITES = ("Mask",)
NEEDS = ("source",)
OF = "dicom"
CODES = ("RTSTRUCT",)

__all__ = ["header", "labels", "read", "read_mask", "structures", "write"]

labels = structures


def write(thing: Image | Answer, path: Path, *, source: Image | None = None) -> None:
    """Write a mask's labels as closed planar contours in patient coordinates. Raises OutputError, GeometryError."""
    from vesalius.dicom.write import rt

    rt.write(thing, path, source=source)
