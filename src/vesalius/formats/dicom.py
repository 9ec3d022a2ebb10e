"""DICOM images: read from one file or a series' files; what is written is the object of an answer's kind."""

from __future__ import annotations

from pathlib import Path

from vesalius.core import registry
from vesalius.core.answers import Answer
from vesalius.core.errors import OutputError
from vesalius.core.image import Image
from vesalius.dicom.read.image import check_streams, code, header, read, series, sort

SUFFIXES = (".dcm", ".dicom", ".ima")
MAGIC = (
    (128, b"DICM"),
    (0, b"\x08\x00\x00\x00"),  # without a preamble: how group 8, or 2, begins
    (0, b"\x08\x00\x01\x00"),
    (0, b"\x08\x00\x05\x00"),
    (0, b"\x08\x00\x08\x00"),
    (0, b"\x08\x00\x12\x00"),
    (0, b"\x08\x00\x16\x00"),
    (0, b"\x00\x08\x00\x05"),
    (0, b"\x02\x00\x00\x00"),
    (0, b"\x02\x00\x10\x00"),
)
HOLDS = "Image"
WRITES = ("Mask", "Map", "Scores", "Value", "Boxes", "Curve", "Text")
NEEDS = ("source",)

__all__ = ["check_streams", "code", "header", "read", "series", "sort", "write"]


def write(thing: Image | Answer, path: Path, *, source: Image | None = None) -> None:
    """Write a Mask as a SEG, a Map as a parametric map, and what is said in words or numbers as an SR.

    `source` is the image that the answer was made from; the answer's own source will do where it still has its
    files. Raises OutputError, GeometryError.
    """
    if isinstance(thing, Image):
        raise OutputError("only answers can be written as DICOM, not images", found="an Image")
    name = str(registry.literals("core.answers", type(thing).__name__.lower()).get("DICOM", "dicom_sr"))
    registry.lookup("formats", name).write(thing, path, source=source)
