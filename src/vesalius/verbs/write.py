"""write: an answer or an image to a file, in the format that its suffix names."""

from __future__ import annotations

from pathlib import Path

from vesalius import formats
from vesalius.core.answer import Answer
from vesalius.core.case import Ref
from vesalius.core.image import Image
from vesalius.prepare.case import load


def write(thing: Answer | Image, path: Path | str, *, source: Path | str | Image | None = None) -> Path:
    """Write whole or not at all; returns the path.

    `source` is the image the answer was made from, or its path; DICOM objects need it. Raises OutputError,
    FormatError.
    """
    image = load(Ref((Path(source),))) if isinstance(source, str | Path) else source
    return formats.write(thing, path, source=image)
