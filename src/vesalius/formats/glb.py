"""GLB: meshes in binary glTF 2.0, in metres with y upward as it demands, one node a label; read back as LPS mm.

The vertices stand as LPS mm, and each node's matrix takes them to metres: x stays the patient's left, y becomes upward
(to the head) and z forward (to the front). What others wrote is taken by the same turn.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator
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
from vesalius.core.palette import colour_of
from vesalius.formats import _meshes as meshes

SUFFIXES = (".glb",)
MAGIC = ((0, b"glTF"),)
HOLDS = "Answer"
WRITES = ("Surface",)

TURN = np.array([[1e-3, 0, 0, 0], [0, 0, 1e-3, 0], [0, -1e-3, 0, 0], [0, 0, 0, 1.0]])  # LPS mm to glTF
_JSON, _BIN = 0x4E4F534A, 0x004E4942
_MOST_JSON, _MOST_NODES, _DEPTH = 1 << 26, 100_000, 64
_INDEXES: dict[int, np.dtype[Any]] = {5121: np.dtype("u1"), 5123: np.dtype("<u2"), 5125: np.dtype("<u4")}
_FLOAT, _TRIANGLES = 5126, 4


def header(ref: Ref) -> Header:
    """Raise FormatError, as a mesh has no pixels."""
    return meshes.no_header(ref)


def read(ref: Ref) -> Surface:
    """Read meshes as a surface in LPS mm, a label for each node that holds one. Raises FormatError."""
    return load(ref).surface


def load(ref: Ref) -> Loaded:
    """Read meshes with what the file says of its frame. Raises FormatError."""
    with file_io.typed_errors(ref):
        said, data = _chunks(ref, meshes.whole(ref))
        parts, labels = [], []
        held = list(_nodes(ref, said))
        _check_total(ref, said, [mesh for mesh, _, _ in held])
        for mesh, turn, label in held:
            parts.append(
                meshes.stacked([_primitive(ref, said, data, p) for p in said["meshes"][mesh]["primitives"]])
            )
            points, faces = parts[-1]
            if not np.array_equal(turn, TURN):
                back = np.linalg.inv(TURN) @ turn
                points = points @ back[:3, :3].T + back[:3, 3]
                parts[-1] = (points, faces if np.linalg.det(back[:3, :3]) > 0 else faces[:, ::-1])
            labels += [label] if label is not None else []
        if not parts:
            raise FormatError(f"{ref}: a scene without meshes")
        extras = said.get("asset", {}).get("extras")
        frame = extras.get("frame") if isinstance(extras, dict) else None
        named = _named(labels) if len(labels) == len(parts) else []
        values = np.repeat([x.value for x in named], [len(f) for _, f in parts]) if len(named) > 1 else None
        points, faces = meshes.stacked(parts)
        told = frame if frame in ("LPS", "RAS") else None
        found = meshes.loaded(ref, points, faces, frame=told, unit="mm", labels=named, face_labels=values)
        return Loaded(found.surface, found.frame, "m")


def _named(labels: list[Label]) -> list[Label]:
    """Return labels of different values: their own, or where two share one, counted from 1."""
    if len({x.value for x in labels}) == len(labels):
        return labels
    return [Label(k, x.name, colour=x.colour) for k, x in enumerate(labels, start=1)]


def _chunks(ref: Ref, data: bytes) -> tuple[dict[str, Any], bytes]:
    """Return a file's JSON and its bytes. Raises FormatError."""
    if len(data) < 20 or data[:4] != b"glTF":
        raise FormatError(f"{ref}: not a binary glTF")
    version, length = struct.unpack_from("<II", data, 4)
    size, kind = struct.unpack_from("<II", data, 12)
    if version != 2 or length > len(data) or kind != _JSON or size > min(length - 20, _MOST_JSON):
        raise FormatError(
            f"{ref}: truncated, or not glTF 2",
            found=f"version {version}, {length:,} bytes claimed of {len(data):,}",
        )
    said = json.loads(data[20 : 20 + size])
    if not isinstance(said, dict):
        raise FormatError(f"{ref}: its JSON is no object")
    wanted = [x for x in said.get("extensionsRequired", []) if x != "KHR_materials_unlit"]
    if wanted:
        raise FormatError(
            f"{ref}: needs extensions that are not read", found=", ".join(map(str, wanted))[:80]
        )
    if any("uri" in x for x in said.get("buffers", [])):
        raise FormatError(f"{ref}: its vertices lie in another file", hint="a .glb that holds all")
    rest = data[20 + size : length]
    if not rest:
        return said, b""
    size, kind = struct.unpack_from("<II", rest, 0)
    if kind != _BIN or size > len(rest) - 8:
        raise FormatError(f"{ref}: truncated", found=f"{size:,} bytes claimed, {len(rest) - 8:,} there")
    return said, rest[8 : 8 + size]


def _nodes(ref: Ref, said: dict[str, Any]) -> Iterator[tuple[int, Array, Label | None]]:
    """Yield each mesh of the scene with its matrix and its label. Raises FormatError for a tree that is none."""
    nodes, scenes = said.get("nodes", []), said.get("scenes", [])
    roots = scenes[said.get("scene", 0)].get("nodes", []) if scenes else range(len(nodes))
    open_: list[tuple[int, Array, int]] = [(int(k), np.eye(4), 0) for k in roots]
    seen = 0
    while open_:
        k, above, depth = open_.pop(0)
        seen += 1
        if depth > _DEPTH or seen > _MOST_NODES or not 0 <= k < len(nodes):
            raise FormatError(f"{ref}: its nodes are no tree, or too many", found=f"{seen:,} nodes")
        node = nodes[k]
        turn = above @ _matrix(node)
        if "mesh" in node:
            yield int(node["mesh"]), turn, _label(node, said["meshes"][int(node["mesh"])], seen)
        open_ += [(int(child), turn, depth + 1) for child in node.get("children", [])]


def _matrix(node: dict[str, Any]) -> Array:
    """Return a node's matrix, from its own or from translation, rotation and scale."""
    if "matrix" in node:
        return np.array(node["matrix"], np.float64).reshape(4, 4).T
    x, y, z, w = (float(v) for v in node.get("rotation", (0, 0, 0, 1)))
    turn = np.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
            [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
            [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)],
        ]
    )
    found = np.eye(4)
    found[:3, :3] = turn * np.array(node.get("scale", (1, 1, 1)), np.float64)
    found[:3, 3] = node.get("translation", (0, 0, 0))
    return found


def _label(node: dict[str, Any], mesh: dict[str, Any], number: int) -> Label | None:
    said = node.get("extras", {}).get("label") if isinstance(node.get("extras"), dict) else None
    if isinstance(said, dict):
        colour = said.get("colour")
        return Label(int(said["value"]), str(said["name"]), colour=None if colour is None else str(colour))
    name = node.get("name") or mesh.get("name")
    return Label(number, str(name)) if name else None


def _check_total(ref: Ref, said: dict[str, Any], held: list[int]) -> None:
    """Refuse more faces in all than are read; a mesh counts for each node that shows it. Raises FormatError."""
    faces = vertices = 0
    accessors = said.get("accessors", [])
    for mesh in held:
        for p in said["meshes"][mesh]["primitives"]:
            corners = int(accessors[p["attributes"]["POSITION"]]["count"])
            vertices += corners
            faces += (int(accessors[p["indices"]]["count"]) if "indices" in p else corners) // 3
    meshes.check_counts(ref, vertices=vertices, faces=faces)


def _primitive(ref: Ref, said: dict[str, Any], data: bytes, primitive: dict[str, Any]) -> tuple[Array, Array]:
    if primitive.get("mode", _TRIANGLES) != _TRIANGLES:
        raise FormatError(f"{ref}: only triangles are read", found=f"mode {primitive.get('mode')}")
    accessor = said["accessors"][primitive["attributes"]["POSITION"]]
    if accessor["componentType"] != _FLOAT or accessor["type"] != "VEC3":
        raise FormatError(f"{ref}: its vertices are not three floats", found=str(accessor["type"]))
    points = _values(ref, said, data, accessor, np.dtype(("<f4", 3)))
    if "indices" not in primitive:
        return points.astype(np.float64), np.arange(len(points) // 3 * 3).reshape(-1, 3)
    accessor = said["accessors"][primitive["indices"]]
    indexes = _values(ref, said, data, accessor, _INDEXES[accessor["componentType"]])
    faces = indexes[: len(indexes) // 3 * 3].astype(np.int64).reshape(-1, 3)
    if faces.size and int(faces.max()) >= len(points):
        raise FormatError(
            f"{ref}: a mesh's faces name vertices that are not there",
            found=f"{int(faces.max())} of {len(points)}",
        )
    return points.astype(np.float64), faces


def _values(
    ref: Ref, said: dict[str, Any], data: bytes, accessor: dict[str, Any], kind: np.dtype[Any]
) -> Array:
    """Return an accessor's values. Raises FormatError where they would lie outside of the file."""
    if "bufferView" not in accessor or "sparse" in accessor:
        raise FormatError(f"{ref}: sparse vertices are not read")
    view, count = said["bufferViews"][accessor["bufferView"]], int(accessor["count"])
    offset = int(view.get("byteOffset", 0)) + int(accessor.get("byteOffset", 0))
    step = int(view.get("byteStride", kind.itemsize))
    end = offset + step * (count - 1) + kind.itemsize if count else offset
    if min(offset, count) < 0 or step < kind.itemsize or end > len(data):
        raise FormatError(f"{ref}: truncated, or it claims too much", found=f"{end:,} bytes of {len(data):,}")
    base = kind.subdtype[0] if kind.subdtype else kind
    shape = (count, *(kind.subdtype[1] if kind.subdtype else ()))
    strides = (step, *((base.itemsize,) if kind.subdtype else ()))
    return np.array(np.ndarray(shape, base, data, offset, strides))


def encoded(thing: Image | Answer) -> bytes:
    """Return a surface as a GLB, a node for each label with its colour. Raises OutputError."""
    said: dict[str, Any] = {
        "asset": {"version": "2.0", "generator": "Vesalius", "extras": {"frame": "LPS"}},
        "scene": 0, "scenes": [{"nodes": []}], "nodes": [], "meshes": [], "materials": [], "accessors": [],
        "bufferViews": [], "buffers": [],
    }  # fmt: skip
    data = bytearray()
    for k, (label, points, faces) in enumerate(meshes.to_write(thing)):
        colour = (label.colour or colour_of(label, k)) if label is not None else "#d9cbb0"
        rgb = [round((int(colour[i : i + 2], 16) / 255) ** 2.2, 4) for i in (1, 3, 5)]
        said["materials"].append(
            {
                "pbrMetallicRoughness": {
                    "baseColorFactor": [*rgb, 1.0],
                    "metallicFactor": 0.0,
                    "roughnessFactor": 0.8,
                }
            }
        )
        node: dict[str, Any] = {"mesh": k, "matrix": TURN.T.reshape(-1).tolist()}
        if label is not None:
            node["name"] = label.name
            node["extras"] = {"label": {"value": label.value, "name": label.name, "colour": label.colour}}
        said["nodes"].append(node)
        said["scenes"][0]["nodes"].append(k)
        places = _add(said, data, points.astype("<f4"), "VEC3", _FLOAT, 34962)
        corners = _add(said, data, faces.astype("<u4").reshape(-1), "SCALAR", 5125, 34963)
        said["meshes"].append(
            {"primitives": [{"attributes": {"POSITION": places}, "indices": corners, "material": k}]}
        )
    said["buffers"].append({"byteLength": len(data)})
    text = json.dumps(said, separators=(",", ":"), ensure_ascii=False).encode()
    text += b" " * (-len(text) % 4)
    chunks = struct.pack("<II", len(text), _JSON) + text + struct.pack("<II", len(data), _BIN) + bytes(data)
    return b"glTF" + struct.pack("<II", 2, 12 + len(chunks)) + chunks


def _add(said: dict[str, Any], data: bytearray, values: Array, shape: str, kind: int, target: int) -> int:
    """Put values into the bytes, and return the number of their accessor."""
    said["bufferViews"].append(
        {"buffer": 0, "byteOffset": len(data), "byteLength": values.nbytes, "target": target}
    )
    told: dict[str, Any] = {
        "bufferView": len(said["bufferViews"]) - 1, "componentType": kind, "count": len(values), "type": shape,
    }  # fmt: skip
    if shape == "VEC3":
        told |= {"min": values.min(axis=0).tolist(), "max": values.max(axis=0).tolist()}
    said["accessors"].append(told)
    data += values.tobytes()
    data += b"\0" * (-len(data) % 4)
    return len(said["accessors"]) - 1


def write(thing: Image | Answer, path: Path, *, source: Image | None = None) -> None:
    """Write a surface, a node for each label. Raises OutputError."""
    data = encoded(thing)
    with file_io.atomic(path) as file:
        file.write(data)
