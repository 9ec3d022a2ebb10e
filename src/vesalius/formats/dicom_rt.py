"""DICOM structure sets (RTSTRUCT): the outlines of a mask, in the study of its source."""

from __future__ import annotations

from pathlib import Path

from vesalius.core.answer import Answer
from vesalius.core.image import Image
from vesalius.formats.dicom import header, read

SUFFIXES = (".rt.dcm",)
MAGIC = ()
HOLDS = "Image"
WRITES = ("Mask",)
NEEDS = ("source",)

__all__ = ["header", "read", "write"]


def write(thing: Image | Answer, path: Path, *, source: Image | None = None) -> None:
    """Write a mask's labels as closed planar contours in patient coordinates. Raises OutputError, GeometryError."""
    from vesalius.formats import _rt_writer

    _rt_writer.write(thing, path, source=source)
