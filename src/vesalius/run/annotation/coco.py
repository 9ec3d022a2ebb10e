"""Readings as one JSON document, COCO's where that has a word for it: images, categories, boxes, each with who drew it.

`bbox` is `[x, y, width, height]` as in COCO, of a volume `[x, y, z, width, height, depth]`; pixel k reaches from k to
k + 1. `readings` say who read which image when and how long, and the class or classes that were given.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from vesalius import formats
from vesalius.core.case import Case, Ref
from vesalius.run.annotation.project import Project
from vesalius.run.annotation.reading import Reading


def coco(project: Project, cases: Mapping[str, Case], done: Sequence[Reading], folder: Path) -> str:
    """Return the document of readings that are done; files are named from `folder`."""
    ask = project.ask("boxes")
    categories = {x.name: x.value for x in (ask.labels if ask else ())}
    keys = list(dict.fromkeys(r.case for r in done))
    ids = {key: k for k, key in enumerate(keys, start=1)}
    boxes: list[dict[str, Any]] = []
    readings = []
    for reading in done:
        about = {"annotator": reading.annotator, "role": reading.role, "at": reading.at}
        said = {k: v for k, v in reading.content.items() if k not in ("boxes", "mask")}
        readings.append({"image_id": ids[reading.case], **about, "note": reading.note, **said})
        for box in reading.content.get("boxes", ()):
            made = {
                "id": len(boxes) + 1,
                "image_id": ids[reading.case],
                "category_id": categories[box["label"]],
            }
            boxes.append({**made, **_placed(box, cases[reading.case]), "iscrowd": 0, **about})
    document = {
        "info": {"description": project.name, "date_created": max(r.at for r in done)},
        "images": [{"id": ids[key], **_image(cases[key], folder)} for key in keys],
        "categories": [{"id": value, "name": name} for name, value in categories.items()],
        "annotations": boxes,
        "readings": readings,
    }
    return json.dumps(document, indent=1, ensure_ascii=False) + "\n"


def _image(case: Case, folder: Path) -> dict[str, Any]:
    if not isinstance(case.image, Ref):
        return {"case": case.id}
    depth, height, width = formats.header(case.image).shape
    name = Path(os.path.relpath(case.image.paths[0].resolve(), folder.resolve())).as_posix()
    return {"case": case.id, "file_name": name, "width": width, "height": height, "depth": depth}


def _placed(box: Mapping[str, Any], case: Case) -> dict[str, Any]:
    """Return a box as COCO has it, along x, y and of a volume z."""
    depth = formats.header(case.image).shape[0] if isinstance(case.image, Ref) else 1
    low, high = box["low"][::-1], box["high"][::-1]
    size = [b - a for a, b in zip(low, high, strict=True)]
    axes = 2 if depth == 1 else 3
    area = float(size[0] * size[1] * (1 if axes == 2 else size[2]))
    return {"bbox": [*low[:axes], *size[:axes]], "area": area}
