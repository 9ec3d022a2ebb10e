"""An answer as a client gets it: JSON without voxels, a summary to show, and files; all by the answer's kind."""

from __future__ import annotations

import json
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from vesalius import formats
from vesalius.answers import contract
from vesalius.answers.drawing.overlay import overlay
from vesalius.core import encoding
from vesalius.core.answers import Answer, ImageAnswer
from vesalius.core.disk import write_text
from vesalius.core.errors import GeometryError, OutputError
from vesalius.core.file_names import file_names
from vesalius.core.image import Image
from vesalius.explain import page
from vesalius.explain.explanation import Explanation
from vesalius.run.answers_folder import write_listings

PAGE = "explanation.html"
DRAWING = threading.Lock()  # matplotlib's fonts are shared between threads
TYPES = {
    ".nii.gz": "application/gzip",
    ".dcm": "application/dicom",
    ".png": "image/png",
    ".json": "application/json",
    ".csv": "text/csv; charset=utf-8",
    ".html": "text/html; charset=utf-8",
}
# A page of ours fetches nothing and has scripts of its own alone; in a sandbox it cannot speak for who looks at it.
PAGE_POLICY = (
    "default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'unsafe-inline'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'; sandbox allow-scripts"
)


def outline(answer: Answer) -> dict[str, Any]:
    """Return the project's JSON of an answer with the shapes of its arrays of voxels in place of the voxels."""
    text = encoding.as_text(_thin(answer))
    found: dict[str, Any] = json.loads(text)
    _fill_shapes(found, answer)
    return found


def summary(answer: Answer) -> dict[str, Any]:
    """Return what is shown of an answer at a glance and what is promised of it; why one is withheld, and no more."""
    return contract.summary(answer)


def files(answer: Answer, source: Image, folder: Path, *, dicom: bool) -> dict[str, Path]:
    """Write the files that an answer's kind and source make sense of, by the names that clients know them by.

    What cannot be written (an object without what DICOM needs) is left out; of an answer that is withheld there is the
    JSON alone. Raises OutputError for a full disk.
    """
    found: dict[str, Path] = {}
    if answer.withheld is not None:
        return {"answer.json": formats.write(answer, folder / "answer.json")}
    pictured = dict(contract.images(answer))
    parts = file_names(part for part in pictured if part)
    for part, one in pictured.items():
        name, lead = type(one).__name__.lower(), f"{parts[part]}." if part else ""
        found[f"{lead}{name}.nii.gz"] = formats.write(one, folder / f"answer.{lead}nii.gz", source=source)
    found |= write_listings(answer, folder, lead="answer.")
    if source.array.size > 1:  # of a case without an image there is nothing to draw on
        with DRAWING:
            overlay(source, answer, folder / "answer.overlay.png")
        found["overlay.png"] = folder / "answer.overlay.png"
    for suffix in contract.of(answer).objects_of(answer) if dicom else ():
        try:
            found[suffix.removeprefix(".")] = formats.write(answer, folder / f"answer{suffix}")
        except (OutputError, GeometryError):
            if not folder.is_dir():
                raise
    found["answer.json"] = formats.write(answer, folder / "answer.json")
    return found


def explained(found: Explanation, folder: Path) -> Path:
    """Write the page of an explanation into a folder that is there. Raises OutputError."""
    with DRAWING:
        text = page.html(found)
    write_text(folder / PAGE, text)
    return folder / PAGE


def headers(name: str) -> dict[str, str]:
    """Return the headers that a file is given out with: of a page those by which a browser shows it, and no more."""
    return {"Content-Security-Policy": PAGE_POLICY} if name.endswith(".html") else {}


def media_type(name: str) -> str:
    """Return the media type of a file that clients get."""
    return next((t for s, t in TYPES.items() if name.endswith(s)), "application/octet-stream")


def _thin(answer: Answer) -> Answer:
    """Return the answer with one voxel for each image in it."""
    parts = {name: _thin(part) for name, part in answer.parts.items()}
    if isinstance(answer, ImageAnswer):
        one = replace(answer.image, array=np.zeros((1, 1, 1, 1), answer.image.array.dtype), times_s=None)
        return replace(answer, image=one, parts=parts)
    return replace(answer, parts=parts)


def _fill_shapes(said: dict[str, Any], answer: Answer) -> None:
    if isinstance(answer, ImageAnswer):
        array = answer.image.array
        said["image"]["array"] = {"array": array.dtype.str, "shape": list(array.shape)}
    for name, part in answer.parts.items():
        _fill_shapes(said["parts"][name], part)
