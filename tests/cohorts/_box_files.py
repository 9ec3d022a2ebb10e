"""Small pictures and files of boxes in the formats that people have, written on the spot for tests of layouts."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image as Picture

WIDTH, HEIGHT = 60, 40


def picture(
    path: Path, *, size: tuple[int, int] = (WIDTH, HEIGHT), seed: int = 0, turned: int | None = None
) -> Path:
    """Write a grey picture of `size` (width, height), with an EXIF orientation where one is `turned`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    made = Picture.fromarray(np.random.default_rng(seed).integers(0, 255, size[::-1]).astype(np.uint8))
    exif = Picture.Exif()
    if turned is not None:
        exif[0x0112] = turned
    made.save(path, exif=exif)
    return path


def thing(name: str, box: Sequence[Any], extra: str = "") -> str:
    """Return an object of VOC's XML."""
    sides = zip(("xmin", "ymin", "xmax", "ymax"), box, strict=True)
    inside = "".join(f"<{side}>{value}</{side}>" for side, value in sides)
    return f"<object><name>{name}</name>{extra}<bndbox>{inside}</bndbox></object>"


def voc(
    path: Path, things: Sequence[str], *, filename: str = "", size: tuple[Any, Any] | None = (WIDTH, HEIGHT)
) -> Path:
    """Write an XML file as Pascal VOC has it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    said = (
        ""
        if size is None
        else f"<size><width>{size[0]}</width><height>{size[1]}</height><depth>1</depth></size>"
    )
    path.write_text(
        f"<annotation><filename>{filename or path.stem + '.png'}</filename>{said}{''.join(things)}</annotation>"
    )
    return path


def coco(
    path: Path,
    boxes: dict[str, list[Any]],
    *,
    categories: Sequence[dict[str, Any]] = ({"id": 1, "name": "cell"},),
    size: tuple[Any, Any] = (WIDTH, HEIGHT),
    **more: Any,
) -> Path:
    """Write a JSON file as COCO has it: `boxes` are annotations, or bboxes of the first category, by picture."""
    path.parent.mkdir(parents=True, exist_ok=True)
    images, rows = [], []
    for k, (name, held) in enumerate(boxes.items(), start=1):
        images.append({"id": k, "file_name": name, "width": size[0], "height": size[1]})
        for box in held:
            row = box if isinstance(box, dict) else {"bbox": box}
            rows.append(
                {"id": len(rows) + 1, "image_id": k, "category_id": categories[0]["id"] if categories else 1}
                | row
            )
    data = {"images": images, "annotations": rows, "categories": list(categories)} | more
    path.write_text(json.dumps({k: v for k, v in data.items() if v is not None}))
    return path
