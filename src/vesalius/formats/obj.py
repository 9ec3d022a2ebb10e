"""OBJ: meshes as text, one group a label; the format has no unit, and ours are LPS mm. Materials are not read."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np

from vesalius.core import file_io
from vesalius.core.answers import Answer
from vesalius.core.answers.surface import Surface
from vesalius.core.case import Ref
from vesalius.core.cohort import Label
from vesalius.core.errors import FormatError
from vesalius.core.header import Header
from vesalius.core.image import Image
from vesalius.core.meshes import Loaded
from vesalius.formats import _meshes as meshes

SUFFIXES = (".obj",)
MAGIC = ()
HOLDS = "Answer"
WRITES = ("Surface",)

_LABEL = "# label "  # of our own comments: value, colour or -, name


def header(ref: Ref) -> Header:
    """Raise FormatError, as a mesh has no pixels."""
    return meshes.no_header(ref)


def read(ref: Ref) -> Surface:
    """Read meshes as a surface in LPS mm, a label for each group that has a name. Raises FormatError."""
    return load(ref).surface


def load(ref: Ref) -> Loaded:
    """Read meshes with what the file says of frame and unit. Raises FormatError."""
    return parsed(ref, meshes.whole(ref))


def parsed(ref: Ref, data: bytes) -> Loaded:
    """Return the mesh in the bytes of an OBJ; polygons are cut into fans. Raises FormatError."""
    with file_io.typed_errors(ref):
        if b"\0" in data[:4096]:
            raise FormatError(f"{ref}: not an OBJ, which is text")
        meshes.check_counts(ref, vertices=data.count(b"\nv "), faces=data.count(b"\nf "))
        points: list[list[float]] = []
        faces: list[tuple[int, int, int]] = []
        groups: dict[str, int] = {}
        owners: list[int] = []
        known: dict[str, Label] = {}
        says, group = [], 0
        for line in data.decode("utf-8", "replace").replace("\\\n", " ").splitlines():
            kind, _, rest = line.partition(" ")
            if kind == "v":
                points.append([float(x) for x in rest.split()[:3]])
            elif kind == "f":
                corners = [_corner(word, len(points)) for word in rest.split()]
                if len(corners) < 3:
                    raise FormatError(f"{ref}: a face of fewer than three corners", found=line[:60])
                faces += [(corners[0], b, c) for b, c in itertools.pairwise(corners[1:])]
                owners += [group] * (len(corners) - 2)
            elif kind in ("g", "o"):
                group = groups.setdefault(rest.strip(), len(groups) + 1)
            elif line.startswith(_LABEL):
                value, colour, name = line[len(_LABEL) :].split(" ", 2)
                known[name] = Label(int(value), name, colour=None if colour == "-" else colour)
            elif kind.startswith("#") and not points:
                says.append(line)
        if any(len(row) != 3 for row in points):
            raise FormatError(f"{ref}: a vertex of fewer than three numbers")
        labels = [known.get(name, Label(k, name or "label")) for name, k in groups.items() if k in owners]
        own = {groups[name]: known[name].value for name in groups if name in known}
        frame, unit = meshes.told("\n".join(says))
        return meshes.loaded(
            ref, np.array(points), np.array(faces, np.int64), frame=frame, unit=unit, labels=labels,
            face_labels=np.array([own.get(k, k) for k in owners]),
        )  # fmt: skip


def _corner(word: str, count: int) -> int:
    """Return which vertex a corner is, `7`, `7/1`, `7//2` or `-1`, the one before."""
    number = int(word.partition("/")[0])
    return number - 1 if number > 0 else count + number if number < 0 else -1


def encoded(thing: Image | Answer) -> bytes:
    """Return a surface as an OBJ, a group for each label. Raises OutputError."""
    found = meshes.to_write(thing)
    lines = [f"# Vesalius {meshes.SAYS}"]
    for label, _, _ in found:
        if label is not None:
            lines.append(f"{_LABEL}{label.value} {label.colour or '-'} {meshes.plain(label.name)}")
    start = 1
    for label, points, faces in found:
        lines += [f"g {meshes.plain(label.name)}"] if label is not None else []
        lines += [f"v {x!r} {y!r} {z!r}" for x, y, z in points.tolist()]
        lines += [f"f {a} {b} {c}" for a, b, c in (faces + start).tolist()]
        start += len(points)
    return ("\n".join(lines) + "\n").encode()


def write(thing: Image | Answer, path: Path, *, source: Image | None = None) -> None:
    """Write a surface, a group for each label. Raises OutputError."""
    data = encoded(thing)
    with file_io.atomic(path) as file:
        file.write(data)
