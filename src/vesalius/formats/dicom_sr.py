"""DICOM structured reports (SR): scores, numbers, volumes, boxes and texts, in the study of their source."""

from __future__ import annotations

from pathlib import Path

from vesalius.core.answer import Answer
from vesalius.core.image import Image
from vesalius.formats.dicom import header, read

SUFFIXES = (".sr.dcm",)
MAGIC = ()
HOLDS = "Image"
WRITES = ("Scores", "Value", "Mask", "Boxes", "Text")
NEEDS = ("source",)

__all__ = ["header", "read", "write"]


def write(thing: Image | Answer, path: Path, *, source: Image | None = None) -> None:
    """Write what was measured after TID 1500, a text after TID 2000. Raises OutputError, GeometryError."""
    from vesalius.formats import _sr_writer

    _sr_writer.write(thing, path, source=source)
