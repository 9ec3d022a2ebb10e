"""Surfaces of an answer over HTTP: made once when they are first asked for, of a bounded number of faces, and kept."""

from __future__ import annotations

import io
import threading
from dataclasses import replace
from pathlib import Path

from PIL import Image as Pil

from vesalius import formats
from vesalius.answers import contract
from vesalius.core.answers.surface import Surface
from vesalius.core.disk import write_bytes
from vesalius.core.errors import DataError
from vesalius.shapes.files import read_surface
from vesalius.shapes.picture import row_of

GLB, PNG = "surfaces.glb", "surfaces.png"
SIZE = (280, 280)  # of each of three sides
TYPES = {GLB: "model/gltf-binary", PNG: "image/png"}
MAKING = threading.Lock()  # one at a time: each needs the memory of a mask and its mesh


def made(answer_file: Path, name: str) -> Path:
    """Return where an answer's surfaces lie in a file, which is made beside the answer's own where it is not there.

    Raises DataError where the answer marks nothing that has a surface, GeometryError where nothing says where it lies,
    OutputError for a full disk.
    """
    path = answer_file.with_name(f"answer.{name}")
    with MAKING:
        if path.is_file():
            return path
        held = path.with_name(f"answer.{GLB}")
        if name == GLB:
            return formats.write(_surface(answer_file), path)
        return _pictured(read_surface(held) if held.is_file() else _surface(answer_file), path)


def _surface(answer_file: Path) -> Surface:
    answer = formats.read_answer(answer_file)
    found = None if answer.withheld is not None else contract.of(answer).seen_surface(answer)
    if found is None:
        kind = type(answer).__name__
        raise DataError("this answer has no surface", found=kind, hint="an answer that marks a volume")
    return replace(found, parts={})


def _pictured(surface: Surface, path: Path) -> Path:
    buffer = io.BytesIO()
    Pil.fromarray(row_of(surface, size=SIZE)).save(buffer, format="PNG")
    write_bytes(path, buffer.getvalue())
    return path
