"""PLY: a triangle mesh, written binary with a label for each face; the format has no unit, and ours are LPS mm."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np

from vesalius.core import file_io
from vesalius.core.answers import Answer
from vesalius.core.answers.surface import Surface
from vesalius.core.case import Ref
from vesalius.core.cohort import Label
from vesalius.core.errors import FormatError
from vesalius.core.header import Header
from vesalius.core.image import Array, Image
from vesalius.core.meshes import Loaded
from vesalius.formats import _meshes as meshes

SUFFIXES = (".ply",)
MAGIC = ((0, b"ply\n"), (0, b"ply\r"))
HOLDS = "Answer"
WRITES = ("Surface",)

_MOST_HEADER = 1 << 16
_LABEL = "comment label "
_BYTES = {
    "char": 1, "uchar": 1, "int8": 1, "uint8": 1, "short": 2, "ushort": 2, "int16": 2, "uint16": 2, "int": 4,
    "uint": 4, "int32": 4, "uint32": 4, "float": 4, "float32": 4, "double": 8, "float64": 8,
}  # fmt: skip


def header(ref: Ref) -> Header:
    """Raise FormatError, as a mesh has no pixels."""
    return meshes.no_header(ref)


def read(ref: Ref) -> Surface:
    """Read a mesh as a surface in LPS mm. Raises FormatError."""
    return load(ref).surface


def load(ref: Ref) -> Loaded:
    """Read a mesh with what the file says of its frame and unit. Raises FormatError."""
    from trimesh.exchange.ply import load_ply

    with file_io.typed_errors(ref):
        data = meshes.whole(ref)
        lines = _header(ref, data)
        _check_claims(ref, lines, data)
        found: dict[str, Any] = load_ply(io.BytesIO(data), fix_texture=False)
        if found.get("faces") is None or found.get("vertices") is None:
            raise FormatError(f"{ref}: a mesh without faces")
        words = [line[len(_LABEL) :].split(" ", 2) for line in lines if line.startswith(_LABEL)]
        labels = [Label(int(v), name, colour=None if colour == "-" else colour) for v, colour, name in words]
        frame, unit = meshes.told("\n".join(line for line in lines if line.startswith("comment")))
        faces = np.asarray(found["faces"])
        return meshes.loaded(
            ref, found["vertices"], faces, frame=frame, unit=unit, labels=labels,
            face_labels=_owners(ref, found, len(faces)) if len(labels) > 1 else None,
        )  # fmt: skip


def _owners(ref: Ref, found: dict[str, Any], count: int) -> Array:
    raw = found["metadata"]["_ply_raw"]["face"]["data"]
    values = np.asarray(raw["label"]).reshape(-1)
    if len(values) != count:
        raise FormatError(
            f"{ref}: another number of labels than of faces", found=f"{len(values)} and {count}"
        )
    return values


def _header(ref: Ref, data: bytes) -> list[str]:
    end = data.find(b"end_header", 0, _MOST_HEADER)
    if not data.startswith(b"ply") or end < 0:
        raise FormatError(f"{ref}: not a PLY, or its header has no end")
    return [line.strip() for line in data[:end].decode("latin-1").splitlines()]


def _check_claims(ref: Ref, lines: list[str], data: bytes) -> None:
    """Refuse a header that claims more elements than the file's bytes can hold. Raises FormatError."""
    text = any(line.startswith("format ascii") for line in lines)
    elements: list[list[int]] = []  # number, and the fewest bytes of one
    counts = {"vertex": 0, "face": 0}
    for line in lines:
        words = line.split()
        if words[:1] == ["element"]:
            elements.append([int(words[2]), 0])
            counts[words[1]] = int(words[2])
        elif words[:1] == ["property"] and elements:
            kind = words[2] if words[1] == "list" else words[1]
            if kind not in _BYTES:
                raise FormatError(f"{ref}: a property of an unknown type", found=line[:60])
            elements[-1][1] += 2 if text else _BYTES[kind]
    meshes.check_counts(ref, vertices=counts["vertex"], faces=counts["face"])
    if any(number < 0 for number, _ in elements):
        raise FormatError(f"{ref}: a header with a negative number of elements")
    file_io.check_claim(ref, sum(n * size for n, size in elements), len(data) + 1, compressed=False)


def write(thing: Image | Answer, path: Path, *, source: Image | None = None) -> None:
    """Write a surface in little-endian binary, its vertices as doubles. Raises OutputError."""
    found = meshes.to_write(thing)
    points, faces = meshes.stacked([(points, faces) for _, points, faces in found])
    labels = [label for label, _, _ in found if label is not None]
    several = len(labels) > 1
    kind = [("count", "u1"), ("corners", "<i4", 3), *([("label", "<i4")] if several else [])]
    rows = np.zeros(len(faces), np.dtype(kind))
    rows["count"], rows["corners"] = 3, faces
    if several:
        rows["label"] = np.repeat([label.value for label in labels], [len(f) for _, _, f in found])
    lines = ["ply", "format binary_little_endian 1.0", f"comment Vesalius {meshes.SAYS}"]
    lines += [f"{_LABEL}{x.value} {x.colour or '-'} {meshes.plain(x.name)}" for x in labels]
    lines += [f"element vertex {len(points)}", *(f"property double {axis}" for axis in "xyz")]
    lines += [f"element face {len(faces)}", "property list uchar int vertex_indices"]
    lines += [*(["property int label"] if several else []), "end_header", ""]
    with file_io.atomic(path) as file:
        file.write("\n".join(lines).encode("ascii", "replace"))
        file.write(points.astype("<f8").tobytes())
        file.write(rows.tobytes())
