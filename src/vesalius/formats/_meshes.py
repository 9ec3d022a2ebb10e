"""What every format of meshes needs: bounds before memory is taken, frame and unit as the file says, one surface."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from vesalius.core import file_io
from vesalius.core.answers import Answer
from vesalius.core.answers.surface import Surface
from vesalius.core.case import Ref
from vesalius.core.cohort import Label
from vesalius.core.errors import DataError, FormatError, OutputError
from vesalius.core.header import Header
from vesalius.core.image import Array, Image
from vesalius.core.meshes import UNITS_MM, Loaded, from_ras, mesh_of, pieces

MOST_FACES = 20_000_000
MOST_BYTES = 1 << 31  # of a file, and of what it unpacks to
SAYS = "SPACE=LPS UNIT=mm"  # as 3D Slicer says the first
_FRAME = re.compile(r"\bSPACE\s*=\s*(LPS|RAS)\b", re.IGNORECASE)
_UNIT = re.compile(r"\bUNITS?\s*[=:]\s*([a-z]+)\b", re.IGNORECASE)
_WORDS = {
    "millimeter": "mm", "millimetre": "mm", "millimeters": "mm", "millimetres": "mm", "centimeter": "cm", "meter": "m",
    "metre": "m", "meters": "m", "metres": "m", "inches": "inch", "in": "inch", "feet": "foot", "um": "micron",
}  # fmt: skip


def whole(ref: Ref) -> bytes:
    """Return a file's bytes. Raises FormatError for one that is too large."""
    path = file_io.one_file(ref)
    size = path.stat().st_size
    if size > MOST_BYTES:
        raise FormatError(f"{ref}: too large for a mesh", found=f"{size:,} bytes", hint="fewer faces")
    return path.read_bytes()


def check_counts(ref: Ref, *, vertices: int, faces: int) -> None:
    """Raise FormatError for more faces or vertices than are read, before memory is taken for them."""
    for number, name in ((faces, "faces"), (vertices, "vertices")):
        if not 0 <= number <= (MOST_FACES if name == "faces" else 3 * MOST_FACES):
            raise FormatError(
                f"{ref}: a mesh of more {name} than are read",
                found=f"{number:,}",
                hint=f"{MOST_FACES:,} faces",
            )


def told(text: str) -> tuple[str | None, str | None]:
    """Return the frame and the unit that a file's comments say."""
    frame, unit = _FRAME.search(text), _UNIT.search(text)
    word = unit.group(1).lower() if unit else None
    word = _WORDS.get(word or "", word)
    return (frame.group(1).upper() if frame else None), (word if word in UNITS_MM else None)


def loaded(
    ref: Ref,
    points: Array,
    faces: Array,
    *,
    frame: str | None,
    unit: str | None,
    labels: Sequence[Label] = (),
    face_labels: Array | None = None,
) -> Loaded:
    """Return what a file held as a surface in LPS mm. Raises FormatError where it is no mesh."""
    points = np.asarray(points, np.float64).reshape(-1, 3)
    faces = np.asarray(faces, np.int64).reshape(-1, 3)
    if not len(faces):
        raise FormatError(f"{ref}: a mesh without faces", found=f"{len(points)} vertices")
    scale = UNITS_MM.get(unit or "mm", 1.0)
    several = len(labels) > 1 and face_labels is not None
    surface = Surface(
        vertices_mm=points if scale == 1.0 else points * scale,
        faces=faces,
        labels=tuple(labels),
        face_labels=np.asarray(face_labels, np.int64) if several else None,
    )
    try:
        mesh_of(surface)
    except DataError as error:
        raise FormatError(f"{ref}: {error.what}", found=error.found) from error
    return Loaded(from_ras(surface) if frame == "RAS" else surface, frame, unit)


def no_header(ref: Ref) -> Header:
    """Raise FormatError: a mesh has no pixels."""
    raise FormatError(f"{ref}: holds a mesh, not pixels", hint="vesalius mesh, or formats.read_answer")


def to_write(thing: Image | Answer) -> list[tuple[Label | None, Array, Array]]:
    """Return each label's vertices and faces. Raises OutputError for what is no mesh, or has no faces."""
    if not isinstance(thing, Surface):
        raise OutputError("a file of meshes holds a surface", found=type(thing).__name__)
    try:
        found = [(label, *mesh_of(one)) for label, one in pieces(thing)]
    except DataError as error:
        raise OutputError(f"the mesh cannot be written: {error.what}", found=error.found) from error
    if not any(len(faces) for _, _, faces in found):
        raise OutputError("a mesh without faces is not written")
    return found


def one_label(thing: Image | Answer, name: str) -> tuple[Label | None, Array, Array]:
    """Return the only mesh. Raises OutputError where there are several, which the format `name` cannot tell apart."""
    found = to_write(thing)
    if len(found) > 1:
        raise OutputError(
            f"{name} holds one thing, and the surface has several labels",
            found=", ".join(label.name for label, _, _ in found[:6] if label),
            hint="one file a label (vesalius mesh --split), or .3mf, .glb, .obj, .ply",
        )
    return found[0]


def stacked(parts: Sequence[tuple[Array, Array]]) -> tuple[Array, Array]:
    """Return several meshes as one."""
    starts = np.cumsum([0, *(len(points) for points, _ in parts[:-1])])
    faces = [corners + at for (_, corners), at in zip(parts, starts, strict=True)]
    return np.concatenate([points for points, _ in parts]), np.concatenate(faces)


def path_of(path: Path | str) -> Ref:
    """Return a path as the formats take it."""
    return file_io.as_ref(path)


def plain(name: str) -> str:
    """Return a label's name as it stands in a file: on one line, without what ends a comment or a word."""
    return " ".join("".join(c if c.isprintable() else " " for c in name).split()) or "label"
