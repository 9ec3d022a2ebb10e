"""DICOM structured reports (SR): read as a Text with parts, written after TID 1500 and TID 2000."""

from __future__ import annotations

from pathlib import Path

from vesalius.core.answers import Answer
from vesalius.core.image import Image
from vesalius.dicom.read.sr import content, header, read

SUFFIXES = (".sr.dcm",)
MAGIC = ()
HOLDS = "Answer"
WRITES = ("Scores", "Value", "Numbers", "Mask", "Instances", "Boxes", "Curve", "Text")
NEEDS = ("source",)
OF = "dicom"
CODES = ("SR", "KO")

__all__ = ["content", "header", "read", "write"]


def write(thing: Image | Answer, path: Path, *, source: Image | None = None) -> None:
    """Write what was measured after TID 1500, a text after TID 2000. Raises OutputError, GeometryError."""
    from vesalius.dicom.write import sr

    sr.write(thing, path, source=source)
