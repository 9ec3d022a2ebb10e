"""DICOM segmentations (SEG): a mask as binary segments with coded names, in the study of its source."""

from __future__ import annotations

from pathlib import Path

from vesalius.core.answer import Answer
from vesalius.core.image import Image
from vesalius.formats.dicom import header, read

SUFFIXES = (".seg.dcm",)
MAGIC = ()
HOLDS = "Image"
WRITES = ("Mask",)
NEEDS = ("source",)

__all__ = ["header", "read", "write"]


def write(thing: Image | Answer, path: Path, *, source: Image | None = None) -> None:
    """Write a mask's labels as segments, a frame for every plane. Raises OutputError, GeometryError."""
    from vesalius.formats import _seg_writer

    _seg_writer.write(thing, path, source=source)
