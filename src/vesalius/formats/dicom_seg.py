"""DICOM segmentations (SEG): read as labels on the image's grid, written as one segment a label or an instance."""

from __future__ import annotations

from pathlib import Path

from vesalius.core.answers import Answer
from vesalius.core.image import Image
from vesalius.dicom.read.seg import header, read, read_mask, segments

SUFFIXES = (".seg.dcm",)
MAGIC = ()
HOLDS = "Image"
WRITES = ("Mask", "Instances")
NEEDS = ("source",)
OF = "dicom"
CODES = ("SEG",)

__all__ = ["header", "labels", "read", "read_mask", "segments", "write"]

labels = segments


def write(thing: Image | Answer, path: Path, *, source: Image | None = None) -> None:
    """Write a mask's labels, or instances, as segments. Raises OutputError, GeometryError."""
    from vesalius.dicom.write import seg

    seg.write(thing, path, source=source)
