"""STL: a triangle mesh, written binary, read binary and as text; the format has no unit, and ours are LPS mm.

The header says `SPACE=LPS UNIT=mm`, the first as 3D Slicer says it. Vertices at one place are one vertex again when it
is read; labels are not kept.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from vesalius.core import file_io
from vesalius.core.answers import Answer
from vesalius.core.answers.surface import Surface
from vesalius.core.case import Ref
from vesalius.core.errors import FormatError
from vesalius.core.header import Header
from vesalius.core.image import Array, Image
from vesalius.core.merged import merged
from vesalius.core.meshes import Loaded, spans
from vesalius.formats import _meshes as meshes

SUFFIXES = (".stl",)
MAGIC = ()
HOLDS = "Answer"
WRITES = ("Surface",)

_START = 84  # bytes of a binary file before the first face
_FACE = np.dtype([("normal", "<f4", 3), ("corners", "<f4", (3, 3)), ("more", "<u2")])


def header(ref: Ref) -> Header:
    """Raise FormatError, as a mesh has no pixels."""
    return meshes.no_header(ref)


def read(ref: Ref) -> Surface:
    """Read a mesh as a surface in LPS mm. Raises FormatError."""
    return load(ref).surface


def load(ref: Ref) -> Loaded:
    """Read a mesh with what the file says of its frame and unit. Raises FormatError."""
    return parsed(ref, meshes.whole(ref))


def parsed(ref: Ref, data: bytes) -> Loaded:
    """Return the mesh in the bytes of an STL. Raises FormatError."""
    with file_io.typed_errors(ref):
        count = int.from_bytes(data[80:84], "little") if len(data) >= _START else -1
        if count >= 0 and len(data) == _START + count * _FACE.itemsize:
            return _built(ref, _binary(ref, data, count), data[:80].decode("latin-1"))
        if data[:512].lstrip()[:5].lower() == b"solid" and b"facet" in data[:2048]:
            return _built(ref, _text(ref, data), data[:512].decode("latin-1"))
        if 0 <= count < (len(data) - _START) // _FACE.itemsize:
            raise FormatError(
                f"{ref}: more bytes than its faces take", found=f"{count:,} faces, {len(data):,} bytes"
            )
        claimed = f"{count:,} faces claimed, {max((len(data) - _START) // _FACE.itemsize, 0):,} there"
        raise FormatError(
            f"{ref}: truncated, or not an STL", found=claimed if count >= 0 else f"{len(data)} bytes"
        )


def _binary(ref: Ref, data: bytes, count: int) -> Array:
    meshes.check_counts(ref, vertices=3 * count, faces=count)
    return np.asarray(np.frombuffer(data, _FACE, count, _START)["corners"], np.float32)


def _text(ref: Ref, data: bytes) -> Array:
    count = data.count(b"vertex")
    meshes.check_counts(ref, vertices=count, faces=count // 3)
    words = [line.split() for line in data.splitlines()]
    rows = [[float(x) for x in row[1:4]] for row in words if row and row[0].lower() == b"vertex"]
    if len(rows) % 3 or any(len(row) != 3 for row in rows) or b"endsolid" not in data[-4096:].lower():
        raise FormatError(
            f"{ref}: truncated, or its faces have not three corners", found=f"{len(rows)} corners"
        )
    return np.array(rows, np.float64).reshape(-1, 3, 3)


def _built(ref: Ref, corners: Array, says: str) -> Loaded:
    frame, unit = meshes.told(says)
    if not np.isfinite(corners).all():
        raise FormatError(f"{ref}: a mesh has vertices that are not finite")
    points, faces = merged(corners.reshape(-1, 3).astype(np.float64))
    return meshes.loaded(ref, points, faces.reshape(-1, 3), frame=frame, unit=unit)


def encoded(thing: Image | Answer) -> bytes:
    """Return a surface as a binary STL. Raises OutputError for several labels."""
    label, points, faces = meshes.one_label(thing, "STL")
    found = np.zeros(len(faces), _FACE)
    found["corners"] = points[faces].astype(np.float32)
    across = spans(points, faces)
    long = np.linalg.norm(across, axis=1, keepdims=True)
    found["normal"] = np.divide(across, long, out=np.zeros_like(across), where=long > 0)
    name = f" {meshes.plain(label.name)}" if label else ""
    head = f"{meshes.SAYS} Vesalius{name}".encode("ascii", "replace")[:80].ljust(80)
    return head + len(faces).to_bytes(4, "little") + found.tobytes()


def write(thing: Image | Answer, path: Path, *, source: Image | None = None) -> None:
    """Write a surface of one label. Raises OutputError."""
    data = encoded(thing)
    with file_io.atomic(path) as file:
        file.write(data)
