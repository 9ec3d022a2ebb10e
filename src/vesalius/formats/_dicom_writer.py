"""Writing an answer as the DICOM object of its kind, where the path says no more than `.dcm`."""

from __future__ import annotations

from pathlib import Path

from vesalius.core import registry
from vesalius.core.answer import Answer, Map, Mask
from vesalius.core.errors import OutputError
from vesalius.core.image import Image


def write(thing: Image | Answer, path: Path, *, source: Image | None = None) -> None:
    """Write a Mask as a SEG, a Map as a parametric map, and what is said in words or numbers as an SR.

    `source` is the image that the answer was made from; the answer's own source will do where it still has its
    files. Raises OutputError, GeometryError.
    """
    if isinstance(thing, Image):
        raise OutputError("DICOM is written of answers, not of images", found="an Image")
    name = "dicom_seg" if isinstance(thing, Mask) else "dicom_pm" if isinstance(thing, Map) else "dicom_sr"
    registry.lookup("formats", name).write(thing, path, source=source)
