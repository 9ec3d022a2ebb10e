"""DICOM secondary captures: a mask, a map or where a report's model looked, in colour on the source image."""

from __future__ import annotations

from pathlib import Path

from vesalius.core.answers import Answer
from vesalius.core.image import Image
from vesalius.formats.dicom import header, read

SUFFIXES = (".sc.dcm",)
MAGIC = ()
HOLDS = "Image"
WRITES = ("Mask", "Map", "Text")
NEEDS = ("source",)

__all__ = ["header", "read", "write"]


def write(thing: Image | Answer, path: Path, *, source: Image | None = None) -> None:
    """Write the source's planes in colour with the answer on them. Raises OutputError, GeometryError."""
    from vesalius.dicom.write import sc

    sc.write(thing, path, source=source)
