"""An answer as a client gets it: JSON without voxels, a summary to show, and files; all by the answer's kind."""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from vesalius import formats
from vesalius.core import encoding
from vesalius.core.answers import Answer
from vesalius.core.answers.map import Map
from vesalius.core.answers.mask import Mask
from vesalius.core.answers.picture import Picture
from vesalius.core.answers.scores import Scores
from vesalius.core.errors import GeometryError, OutputError
from vesalius.core.image import Image
from vesalius.run.overlay import COLOURS, overlay
from vesalius.verbs.predict import fields, label_sizes, objects_of

_PIXELS = {Mask: "mask", Map: "map", Picture: "picture"}
_DRAWING = threading.Lock()  # matplotlib's fonts are shared between threads
_UNITS = {"ml": "volume_ml", "mm2": "area_mm2", "pixels": "pixels"}
TYPES = {
    ".nii.gz": "application/gzip",
    ".dcm": "application/dicom",
    ".png": "image/png",
    ".json": "application/json",
}


def outline(answer: Answer) -> dict[str, Any]:
    """The project's JSON of an answer with the shapes of its arrays of voxels in place of the voxels."""
    text = encoding.as_text(_thin(answer))
    found: dict[str, Any] = json.loads(text)
    _fill_shapes(found, answer)
    return found


def summary(answer: Answer) -> dict[str, Any]:
    """What is shown of an answer at a glance; of a kind without a form of its own, its figures."""
    if isinstance(answer, Map):
        low, high = np.nanmin(answer.image.array), np.nanmax(answer.image.array)
        return {"quantity": answer.quantity, "unit": answer.unit, "low": float(low), "high": float(high)}
    if isinstance(answer, Mask):
        return {
            "overlapping": answer.overlapping,
            "labels": [
                {
                    "value": label.value,
                    "name": label.name,
                    "colour": label.colour or COLOURS[k % len(COLOURS)],
                    _UNITS[unit]: size,
                }
                for k, (label, size, unit) in enumerate(label_sizes(answer))
            ],
        }
    if isinstance(answer, Scores):
        rows = [{"name": x.name, "p": float(p)} for x, p in zip(answer.labels, answer.p, strict=True)]
        point = operating_point(answer.positive, answer.thresholds)
        p = {r["name"]: r["p"] for r in rows}
        above = None if point is None or point["label"] not in p else p[point["label"]] >= point["threshold"]
        return {"labels": rows, "operating_point": point, "positive": above}
    return {"fields": fields(answer)}


def operating_point(positive: str | None, thresholds: Mapping[str, float]) -> dict[str, Any] | None:
    """The positive label and the threshold that was fixed on validation data, where there is one."""
    if positive is None or positive not in thresholds:
        return None
    return {"label": positive, "threshold": float(thresholds[positive])}


def files(answer: Answer, source: Image, folder: Path, *, dicom: bool) -> dict[str, Path]:
    """Write the files that an answer's kind and source make sense of, by the names that clients know them by.

    What cannot be written (an object without what DICOM needs) is left out. Raises OutputError for a full disk.
    """
    found: dict[str, Path] = {}
    name = next((n for kind, n in _PIXELS.items() if isinstance(answer, kind)), None)
    if name is not None:
        found[f"{name}.nii.gz"] = formats.write(answer, folder / "answer.nii.gz", source=source)
    with _DRAWING:
        overlay(source, answer, folder / "answer.overlay.png")
    found["overlay.png"] = folder / "answer.overlay.png"
    for suffix in objects_of(answer) if dicom else ():
        try:
            found[suffix.removeprefix(".")] = formats.write(answer, folder / f"answer{suffix}")
        except (OutputError, GeometryError):
            if not folder.is_dir():
                raise
    found["answer.json"] = formats.write(answer, folder / "answer.json")
    return found


def media_type(name: str) -> str:
    """The media type of a file that clients get."""
    return next((t for s, t in TYPES.items() if name.endswith(s)), "application/octet-stream")


def _thin(answer: Answer) -> Answer:
    """The answer with one voxel for each image in it."""
    parts = {name: _thin(part) for name, part in answer.parts.items()}
    if isinstance(answer, Mask | Map | Picture):
        one = replace(answer.image, array=np.zeros((1, 1, 1, 1), answer.image.array.dtype), times_s=None)
        return replace(answer, image=one, parts=parts)
    return replace(answer, parts=parts)


def _fill_shapes(said: dict[str, Any], answer: Answer) -> None:
    if isinstance(answer, Mask | Map | Picture):
        array = answer.image.array
        said["image"]["array"] = {"array": array.dtype.str, "shape": list(array.shape)}
    for name, part in answer.parts.items():
        _fill_shapes(said["parts"][name], part)
