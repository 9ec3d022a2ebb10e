"""DICOM parametric maps: a float field with its quantity and unit, in the study of its source."""

from __future__ import annotations

from pathlib import Path

from vesalius.core.answers import Answer
from vesalius.core.image import Image
from vesalius.formats.dicom import header, read

SUFFIXES = (".pm.dcm",)
MAGIC = ()
HOLDS = "Image"
WRITES = ("Map",)
NEEDS = ("source",)

__all__ = ["header", "read", "write"]


def write(thing: Image | Answer, path: Path, *, source: Image | None = None) -> None:
    """Write a field as 32-bit floats, its quantity and unit coded. Raises OutputError, GeometryError."""
    from vesalius.dicom.write import pm

    pm.write(thing, path, source=source)
