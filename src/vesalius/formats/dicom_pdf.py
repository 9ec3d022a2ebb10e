"""DICOM encapsulated PDF: a text as a document, in the study of its source."""

from __future__ import annotations

from pathlib import Path

from vesalius.core.answers import Answer
from vesalius.core.image import Image
from vesalius.formats.dicom import header, read

SUFFIXES = (".pdf.dcm",)
MAGIC = ()
HOLDS = "Image"
WRITES = ("Text",)
NEEDS = ("source",)

__all__ = ["header", "read", "write"]


def write(thing: Image | Answer, path: Path, *, source: Image | None = None) -> None:
    """Write a text's sections as a PDF inside a DICOM object. Raises OutputError, GeometryError."""
    from vesalius.dicom.write import pdf

    pdf.write(thing, path, source=source)
