"""3MF: meshes for printing, with their unit, one object a label; a zip that holds XML."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any
from xml.sax.saxutils import quoteattr

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

SUFFIXES = (".3mf",)
MAGIC = ()
HOLDS = "Answer"
WRITES = ("Surface",)

_CORE = "http://schemas.microsoft.com/3dmanufacturing/core/2015/02"
_KIND = "http://schemas.microsoft.com/3dmanufacturing/2013/01/3dmodel"
_UNITS = {
    "micron": "micron", "millimeter": "mm", "centimeter": "cm", "inch": "inch", "foot": "foot", "meter": "m",
}  # fmt: skip
_MOST_MEMBERS, _DEPTH, _MOST_SHOWN = 1000, 32, 100_000
_PACKAGE = "http://schemas.openxmlformats.org/package/2006"
_TYPES = (
    f'<?xml version="1.0" encoding="UTF-8"?>\n<Types xmlns="{_PACKAGE}/content-types">'
    '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
    '<Default Extension="model" ContentType="application/vnd.ms-package.3dmanufacturing-3dmodel+xml"/></Types>'
)
_RELS = (
    '<?xml version="1.0" encoding="UTF-8"?>\n'
    f'<Relationships xmlns="{_PACKAGE}/relationships">'
    f'<Relationship Target="/3D/3dmodel.model" Id="rel0" Type="{_KIND}"/></Relationships>'
)


@dataclass(eq=False)
class _Object:
    """An object of a model: a mesh, or other objects with their matrices."""

    name: str
    number: str
    points: list[tuple[float, float, float]] = field(default_factory=list)
    faces: list[tuple[int, int, int]] = field(default_factory=list)
    parts: list[tuple[str, Array]] = field(default_factory=list)


def header(ref: Ref) -> Header:
    """Raise FormatError, as a mesh has no pixels."""
    return meshes.no_header(ref)


def read(ref: Ref) -> Surface:
    """Read meshes as a surface in LPS mm, a label for each object that is built. Raises FormatError."""
    return load(ref).surface


def load(ref: Ref) -> Loaded:
    """Read meshes with what the file says of its frame and unit. Raises FormatError."""
    with file_io.typed_errors(ref):
        objects, items, says, unit = _model(ref, _unpacked(ref))
        shown = [(objects[k], list(_shown(ref, objects, k, turn, 0))) for k, turn in items]
        count = sum(len(one.faces) for _, each in shown for one, _ in each)
        meshes.check_counts(ref, vertices=sum(len(o.points) for _, e in shown for o, _ in e), faces=count)
        if not count:
            raise FormatError(f"{ref}: nothing that is built has faces")
        parts = [meshes.stacked([_placed(one, turn) for one, turn in each]) for _, each in shown if each]
        labels = [_label(one, k) for k, (one, each) in enumerate(shown, start=1) if each]
        if len({x.value for x in labels}) < len(labels):
            labels = [Label(k, x.name, colour=x.colour) for k, x in enumerate(labels, start=1)]
        owners = np.repeat([x.value for x in labels], [len(f) for _, f in parts])
        points, faces = meshes.stacked(parts)
        named = labels if any(one.name for one, each in shown if each) else []
        frame, _ = meshes.told(says)
        return meshes.loaded(
            ref, points, faces, frame=frame, unit=unit, labels=named, face_labels=owners if named else None
        )


def _label(one: _Object, k: int) -> Label:
    value, _, colour = one.number.partition(" ")
    known = value.lstrip("-").isdigit() and len(value) < 10
    return Label(
        int(value) if known else k, one.name or f"object {k}", colour=colour if known and colour else None
    )


def _unpacked(ref: Ref) -> bytes:
    """Return the XML of a package's model. Raises FormatError for what would unpack to more than is read."""
    with zipfile.ZipFile(io.BytesIO(meshes.whole(ref))) as package:
        infos = {info.filename.lstrip("/").lower(): info for info in package.infolist()[: _MOST_MEMBERS + 1]}
        if len(infos) > _MOST_MEMBERS:
            raise FormatError(f"{ref}: a package of too many files")
        info = infos.get(_start(ref, package, infos))
        if info is None:
            raise FormatError(f"{ref}: a package without a 3-D model", found=", ".join(list(infos)[:4]))
        return _member(ref, package, info)


def _start(ref: Ref, package: zipfile.ZipFile, infos: dict[str, zipfile.ZipInfo]) -> str:
    """Return where the model lies, as the package's relations say, or where it usually does."""
    rels = infos.get("_rels/.rels")
    if rels is not None:
        for _, element in _elements(ref, _member(ref, package, rels, most=1 << 20), ("Relationship",)):
            if element.get("Type") == _KIND:
                return str(element.get("Target", "")).lstrip("/").lower()
    return "3d/3dmodel.model"


def _member(
    ref: Ref, package: zipfile.ZipFile, info: zipfile.ZipInfo, most: int = meshes.MOST_BYTES
) -> bytes:
    """Return a file of a package, no more than it claims and no more than is read. Raises FormatError."""
    file_io.check_claim(ref, info.file_size, info.compress_size, compressed=True)
    if info.file_size > most:
        raise FormatError(f"{ref}: unpacks to more than is read", found=f"{info.file_size:,} bytes")
    with package.open(info) as file:
        data = file.read(info.file_size + 1)
    if len(data) != info.file_size:
        raise FormatError(f"{ref}: unpacks to another size than it claims", found=f"{len(data):,} bytes")
    return data


def _elements(ref: Ref, data: bytes, names: tuple[str, ...]) -> Iterator[tuple[str, Any]]:
    """Yield the name and the element at the end of each element of these names. Raises FormatError."""
    from lxml import etree

    if b"<!DOCTYPE" in data or b"<!ENTITY" in data or b"<!\0D" in data[:64]:
        raise FormatError(f"{ref}: XML with a document type or entities is not read")
    tags = [f"{{*}}{name}" for name in names]
    try:
        stream: IO[bytes] = io.BytesIO(data)
        walk = etree.iterparse(
            stream, events=("end",), tag=tags, resolve_entities=False, no_network=True, load_dtd=False
        )
        for _, element in walk:
            yield etree.QName(element).localname, element
            element.clear()
            while element.getprevious() is not None and element.getparent() is not None:
                del element.getparent()[0]
    except etree.XMLSyntaxError as error:
        raise FormatError(f"{ref}: its XML is damaged", found=str(error)[:120]) from error


def _model(ref: Ref, data: bytes) -> tuple[dict[str, _Object], list[tuple[str, Array]], str, str]:
    """Return the objects by their ids, what is built of them with matrices, the model's words, and its unit."""
    meshes.check_counts(ref, vertices=data.count(b"<vertex "), faces=data.count(b"<triangle "))
    objects: dict[str, _Object] = {}
    items: list[tuple[str, Array]] = []
    says, unit, now = [], "mm", _Object("", "")
    names = ("vertex", "triangle", "component", "object", "item", "metadata", "model")
    for name, element in _elements(ref, data, names):
        if name == "vertex":
            now.points.append((float(element.get("x")), float(element.get("y")), float(element.get("z"))))
        elif name == "triangle":
            now.faces.append((int(element.get("v1")), int(element.get("v2")), int(element.get("v3"))))
        elif name == "component":
            now.parts.append((element.get("objectid"), _matrix(element.get("transform"))))
        elif name == "object":
            now.name, now.number = element.get("name") or "", element.get("partnumber") or ""
            objects[element.get("id")] = now
            now = _Object("", "")
        elif name == "item":
            items.append((element.get("objectid"), _matrix(element.get("transform"))))
        elif name == "metadata":
            says.append(element.text or "")
        elif name == "model":
            told = element.get("unit", "millimeter")
            if told not in _UNITS:
                raise FormatError(f"{ref}: an unknown unit", found=str(told)[:40])
            unit = _UNITS[told]
    return objects, items, "\n".join(says), unit


def _matrix(text: str | None) -> Array:
    """Return the matrix `(4, 3)` that rows of points are multiplied with, from its twelve numbers."""
    if text is None:
        return np.eye(4)[:, :3]
    return np.array([float(x) for x in text.split()], np.float64).reshape(4, 3)


def _shown(
    ref: Ref, objects: dict[str, _Object], name: str, turn: Array, depth: int
) -> Iterator[tuple[_Object, Array]]:
    """Yield each mesh of an object with its matrix. Raises FormatError for objects that hold themselves."""
    open_ = [(name, turn, depth)]
    seen = 0
    while open_:
        key, above, deep = open_.pop()
        seen += 1
        if deep > _DEPTH or seen > _MOST_SHOWN or key not in objects:
            raise FormatError(f"{ref}: an object that is not there, or holds itself", found=f"object {key}")
        one = objects[key]
        if one.faces:
            yield one, above
        open_ += [(k, _after(own, above), deep + 1) for k, own in one.parts]


def _after(first: Array, then: Array) -> Array:
    whole = np.eye(4)
    whole[:, :3] = then
    last = np.eye(4)
    last[:, :3] = first
    return (last @ whole)[:, :3]


def _placed(one: _Object, turn: Array) -> tuple[Array, Array]:
    points, faces = np.array(one.points, np.float64), np.array(one.faces, np.int64)
    if np.array_equal(turn, np.eye(4)[:, :3]):
        return points, faces
    moved = points @ turn[:3] + turn[3]
    return moved, faces if np.linalg.det(turn[:3]) > 0 else faces[:, ::-1]


def write(thing: Image | Answer, path: Path, *, source: Image | None = None) -> None:
    """Write a surface in millimetres, an object for each label. Raises OutputError."""
    parts = meshes.to_write(thing)
    with (
        file_io.atomic(path) as file,
        zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=5) as package,
    ):
        for name, text in (("[Content_Types].xml", _TYPES), ("_rels/.rels", _RELS)):
            package.writestr(zipfile.ZipInfo(name), text, zipfile.ZIP_DEFLATED)
        member = zipfile.ZipInfo("3D/3dmodel.model")
        member.compress_type = zipfile.ZIP_DEFLATED
        with package.open(member, "w", force_zip64=True) as model:
            model.write(
                f'<?xml version="1.0" encoding="UTF-8"?>\n<model unit="millimeter" xml:lang="en-US" xmlns="{_CORE}">'
                f'<metadata name="Description">{meshes.SAYS}</metadata>'
                '<metadata name="Application">Vesalius</metadata><resources>\n'.encode()
            )
            for k, (label, points, faces) in enumerate(parts, start=1):
                _write_object(model, k, label, points, faces)
            built = "".join(f'<item objectid="{k}"/>' for k in range(1, len(parts) + 1))
            model.write(f"</resources><build>{built}</build></model>\n".encode())


def _write_object(model: IO[bytes], k: int, label: Label | None, points: Array, faces: Array) -> None:
    named = ""
    if label is not None:
        number = f"{label.value} {label.colour}" if label.colour else str(label.value)
        named = f" name={quoteattr(meshes.plain(label.name))} partnumber={quoteattr(number)}"
    model.write(f'<object id="{k}" type="model"{named}><mesh><vertices>\n'.encode())
    step = 1 << 16
    for at in range(0, len(points), step):
        rows = points[at : at + step].tolist()
        model.write("".join(f'<vertex x="{x!r}" y="{y!r}" z="{z!r}"/>\n' for x, y, z in rows).encode())
    model.write(b"</vertices><triangles>\n")
    for at in range(0, len(faces), step):
        rows = faces[at : at + step].tolist()
        model.write("".join(f'<triangle v1="{a}" v2="{b}" v3="{c}"/>\n' for a, b, c in rows).encode())
    model.write(b"</triangles></mesh></object>\n")
