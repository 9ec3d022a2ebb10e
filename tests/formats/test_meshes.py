"""Files of meshes: read back as written, also by other readers; frames, units and labels kept; hostile ones refused."""

from __future__ import annotations

import json
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import trimesh

from vesalius import formats
from vesalius.core.answers.surface import Surface
from vesalius.core.cohort import Label
from vesalius.core.errors import DataError, FormatError, OutputError
from vesalius.core.meshes import joined, pieces
from vesalius.shapes.files import is_mesh, read_mesh, read_surface, write_surface

SUFFIXES = (".stl", ".obj", ".ply", ".glb", ".3mf")
SEVERAL = SUFFIXES[1:]


def ball(
    at: tuple[float, float, float] = (10.0, -20.0, 31.5), value: int = 1, name: str = "liver"
) -> Surface:
    """A ball of 80 faces whose numbers float32 holds."""
    made = trimesh.creation.icosphere(1, radius=7.0)
    points = np.float64(np.float32(np.asarray(made.vertices) + at))
    return Surface(vertices_mm=points, faces=np.asarray(made.faces, np.int64), labels=(Label(value, name),))


def corners(surface: Surface) -> np.ndarray:
    """Each face's corners, whatever the order of faces and vertices."""
    found = np.asarray(surface.vertices_mm)[np.asarray(surface.faces)].round(4) + 0.0
    first = np.array([min(range(3), key=lambda k: tuple(face[k])) for face in found])
    found = np.stack([np.roll(face, -k, axis=0) for face, k in zip(found, first, strict=True)])
    return found[np.lexsort(found.reshape(-1, 9).T)]


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_it_is_read_back(suffix: str, tmp_path: Path) -> None:
    path = write_surface(ball(), tmp_path / f"x{suffix}")
    back = read_mesh(path)
    assert back.notes == () and is_mesh(path)
    assert np.allclose(corners(back.surface), corners(ball()), atol=1e-6)
    assert [x.name for x in back.surface.labels] == ([] if suffix == ".stl" else ["liver"])
    with pytest.raises(DataError, match="says that it is LPS"):
        read_surface(path, frame="ras")


def by_trimesh(path: Path) -> tuple[np.ndarray, np.ndarray]:
    mesh = trimesh.load_mesh(path, process=False)
    return np.asarray(mesh.vertices), np.asarray(mesh.faces)


def by_meshio(path: Path) -> tuple[np.ndarray, np.ndarray]:
    meshio = pytest.importorskip("meshio")
    mesh = meshio.read(path)
    return np.asarray(mesh.points), np.concatenate([c.data for c in mesh.cells if c.type == "triangle"])


def by_pygltflib(path: Path) -> tuple[np.ndarray, np.ndarray]:
    gltf = pytest.importorskip("pygltflib").GLTF2().load(str(path))
    blob, primitive = gltf.binary_blob(), gltf.meshes[0].primitives[0]
    found = []
    for accessor, kind in ((primitive.attributes.POSITION, "<f4"), (primitive.indices, "<u4")):
        view = gltf.bufferViews[gltf.accessors[accessor].bufferView]
        found.append(
            np.frombuffer(blob[view.byteOffset : view.byteOffset + view.byteLength], kind).reshape(-1, 3)
        )
    turn = np.array(gltf.nodes[0].matrix).reshape(4, 4).T
    return found[0] @ turn[:3, :3].T + turn[:3, 3], found[1]


def by_lib3mf(path: Path) -> tuple[np.ndarray, np.ndarray]:
    lib3mf = pytest.importorskip("lib3mf")
    model = lib3mf.get_wrapper().CreateModel()
    reader = model.QueryReader("3mf")
    reader.SetStrictModeActive(True)
    reader.ReadFromFile(str(path))
    assert model.GetUnit() == lib3mf.ModelUnit.MilliMeter
    each = model.GetMeshObjects()
    each.MoveNext()
    mesh = each.GetCurrentMeshObject()
    assert mesh.IsManifoldAndOriented()
    points = np.array([list(v.Coordinates) for v in mesh.GetVertices()])
    return points, np.array([list(t.Indices) for t in mesh.GetTriangleIndices()])


@pytest.mark.parametrize(
    ("suffix", "reader"),
    [(s, by_trimesh) for s in SUFFIXES]
    + [
        (".stl", by_meshio),
        (".obj", by_meshio),
        (".ply", by_meshio),
        (".glb", by_pygltflib),
        (".3mf", by_lib3mf),
    ],
)
def test_other_readers_agree(
    suffix: str, reader: Callable[[Path], tuple[np.ndarray, np.ndarray]], tmp_path: Path
) -> None:
    points, faces = reader(write_surface(ball(), tmp_path / f"x{suffix}"))
    if suffix == ".glb":  # metres, y upward (the head), z forward (the front)
        points = np.column_stack([points[:, 0], -points[:, 2], points[:, 1]]) * 1000
    assert np.allclose(corners(Surface(vertices_mm=points, faces=faces)), corners(ball()), atol=1e-3)


@pytest.mark.parametrize("suffix", SEVERAL)
def test_several_labels_are_kept(suffix: str, tmp_path: Path) -> None:
    lesion = Label(7, "left lobe, lesion", colour="#ff0000")
    both = joined([ball(), ball((40, 0, 0))], [Label(2, "liver"), lesion])
    back = read_surface(write_surface(both, tmp_path / f"x{suffix}"))
    assert back.labels == both.labels
    for (label, one), (_, other) in zip(pieces(back), pieces(both), strict=True):
        assert np.allclose(corners(one), corners(other), atol=1e-6), label


def test_stl_holds_one_thing_and_leaves_no_file(tmp_path: Path) -> None:
    both = joined([ball(), ball((40, 0, 0), 2)])
    with pytest.raises(OutputError, match="--split"):
        write_surface(both, tmp_path / "x.stl")
    broken = Surface(vertices_mm=np.full((3, 3), np.nan), faces=np.array([[0, 1, 2]]))
    with pytest.raises(OutputError, match="not finite"):
        write_surface(broken, tmp_path / "x.ply")
    assert not list(tmp_path.iterdir())


def test_frames_and_units_of_others(tmp_path: Path) -> None:
    path = tmp_path / "slicer.stl"
    write_surface(ball(), path)
    data = path.read_bytes()
    path.write_bytes(b"SPACE=RAS".ljust(80) + data[80:])
    turned = read_mesh(path)
    assert np.allclose(turned.surface.vertices_mm.mean(0), [-10, 20, 31.5], atol=1e-4)
    assert any("unit" in note for note in turned.notes)
    path.write_bytes(b"made by nobody".ljust(80) + data[80:])
    assert any("LPS was assumed" in note for note in read_mesh(path).notes)
    assert np.allclose(read_surface(path, frame="ras").vertices_mm.mean(0), [-10, 20, 31.5], atol=1e-4)
    with pytest.raises(DataError, match="frame of a mesh is not known"):
        read_mesh(path, frame="xyz")
    (tmp_path / "cm.obj").write_text(
        "# SPACE=LPS UNIT=cm\nv 0 0 0\nv 1 0 0\nv 1 1 0\nv 0 1 0\nf 1/2 2/3 -2//4 4\n"
    )
    square = read_surface(tmp_path / "cm.obj")
    assert square.vertices_mm.max() == 10 and square.faces.tolist() == [[0, 1, 2], [0, 2, 3]]
    lines = ["solid x", "facet normal 0 0 1", "outer loop", "vertex 0 0 0", "vertex 1 0 0", "vertex 0 1e0 0"]
    (tmp_path / "text.stl").write_text("\n".join([*lines, "endloop", "endfacet", "endsolid x", ""]))
    assert read_surface(tmp_path / "text.stl").faces.tolist() == [[0, 1, 2]]
    scene = trimesh.Scene()
    turn = trimesh.transformations.rotation_matrix(1.0, [1, 2, 3], [0.1, 0.2, 0.3])
    scene.add_geometry(
        trimesh.Trimesh(ball().vertices_mm / 1000, ball().faces, process=False), transform=turn
    )
    scene.export(tmp_path / "theirs.glb")
    moved = ball().vertices_mm / 1000 @ turn[:3, :3].T + turn[:3, 3]
    wanted = np.column_stack([moved[:, 0], -moved[:, 2], moved[:, 1]]) * 1000
    found = read_surface(tmp_path / "theirs.glb")
    assert np.allclose(corners(found), corners(Surface(vertices_mm=wanted, faces=ball().faces)), atol=1e-3)
    trimesh.Trimesh(ball().vertices_mm, ball().faces, process=False).export(tmp_path / "theirs.3mf")
    assert np.allclose(corners(read_surface(tmp_path / "theirs.3mf")), corners(ball()), atol=1e-4)


def glb(said: dict[str, object], data: bytes = b"\0" * 36) -> bytes:
    text = json.dumps(said).encode()
    text += b" " * (-len(text) % 4)
    body = struct.pack("<II", len(text), 0x4E4F534A) + text + struct.pack("<II", len(data), 0x004E4942) + data
    return b"glTF" + struct.pack("<II", 2, 12 + len(body)) + body


def scene(**changes: object) -> dict[str, object]:
    return {
        "asset": {"version": "2.0"}, "nodes": [{"mesh": 0}], "scenes": [{"nodes": [0]}],
        "meshes": [{"primitives": [{"attributes": {"POSITION": 0}}]}], "bufferViews": [{"buffer": 0, "byteLength": 36}],
        "accessors": [{"bufferView": 0, "componentType": 5126, "count": 3, "type": "VEC3"}], **changes,
    }  # fmt: skip


def package(path: Path, xml: str, *, name: str = "3D/3dmodel.model") -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr(name, xml)


CORE = 'xmlns="http://schemas.microsoft.com/3dmanufacturing/core/2015/02"'
MODEL = f"<model {CORE}{{}}><resources>{{}}</resources><build>{{}}</build></model>"
TRIANGLE = '<triangles><triangle v1="0" v2="1" v3="{}"/></triangles>'
MESH = f'<object id="1"><mesh><vertices>{{}}</vertices>{TRIANGLE}</mesh></object>'
THREE = '<vertex x="0" y="0" z="0"/><vertex x="1" y="0" z="0"/><vertex x="0" y="{}" z="0"/>'
ITEM = '<item objectid="1"/>'
SOUND = MODEL.format("", MESH.format(THREE.format(1), 2), ITEM)
ITSELF = '<object id="1"><components><component objectid="1"/></components></object>'
PLY = (
    "ply\nformat ascii 1.0\nelement vertex {}\nproperty float x\nproperty float y\nproperty float z\n"
    "element face {}\nproperty list uchar int vertex_indices\nend_header\n{}"
)
FLOATS = {"bufferView": 0, "componentType": 5126, "count": 300_000_000, "type": "VEC3"}
WHOLE = {"bufferView": 1, "componentType": 5125, "count": 3, "type": "SCALAR"}
INDEXED = scene(
    accessors=[FLOATS | {"count": 3}, WHOLE],
    bufferViews=[{"buffer": 0, "byteLength": 36}, {"buffer": 0, "byteLength": 12, "byteOffset": 36}],
    meshes=[{"primitives": [{"attributes": {"POSITION": 0}, "indices": 1}]}],
)
SPARSE = {"componentType": 5126, "count": 3, "type": "VEC3", "sparse": {}}
ONE = b"x" * 80 + (1).to_bytes(4, "little")
HOSTILE: dict[str, tuple[str, bytes | str, str]] = {
    "stl claims": (".stl", b"x" * 80 + (10**8).to_bytes(4, "little") + b"\0" * 50, "100,000,000 faces claimed"),
    "stl cut": (".stl", b"x" * 80 + (2).to_bytes(4, "little") + b"\0" * 50, "truncated"),
    "stl more": (".stl", b"x" * 80 + (1).to_bytes(4, "little") + b"\0" * 170, "more bytes"),
    "stl nan": (".stl", ONE + struct.pack("<12f", *[float("nan")] * 12) + b"\0\0", "not finite"),
    "stl text cut": (".stl", "solid x\nfacet normal 0 0 1\nvertex 0 0 0\nvertex 1 0 0\n", "truncated"),
    "obj index": (".obj", "v 0 0 0\nv 1 0 0\nv 0 1 0\nf 1 2 9\n", "not there"),
    "obj zero": (".obj", "v 0 0 0\nv 1 0 0\nv 0 1 0\nf 0 1 2\n", "not there"),
    "obj nan": (".obj", "v 0 nan 0\nv 1 0 0\nv 0 1 0\nf 1 2 3\n", "not finite"),
    "obj words": (".obj", "v a b c\nf 1 2 3\n", "could not convert"),
    "obj short": (".obj", "v 0 0 0\nv 1 0 0\nf 1 2\n", "fewer than three corners"),
    "obj empty": (".obj", "# nothing\n", "without faces"),
    "ply claims": (".ply", PLY.format(3, 10**8, "0 0 0\n"), "100,000,000"),
    "ply claims less": (".ply", PLY.format(3, 10**7, "0 0 0\n"), "claims too much"),
    "ply index": (".ply", PLY.format(3, 1, "0 0 0\n1 0 0\n0 1 0\n3 0 1 7\n"), "not there"),
    "ply nan": (".ply", PLY.format(3, 1, "0 0 nan\n1 0 0\n0 1 0\n3 0 1 2\n"), "not finite"),
    "glb count": (".glb", glb(scene(accessors=[FLOATS])), "more faces"),
    "glb outside": (".glb", glb(scene(accessors=[FLOATS | {"count": 4}])), "claims too much"),
    "glb index": (".glb", glb(INDEXED, b"\0" * 36 + struct.pack("<3I", 0, 1, 99)), "not there"),
    "glb loop": (".glb", glb(scene(nodes=[{"children": [0]}])), "no tree"),
    "glb uri": (".glb", glb(scene(buffers=[{"uri": "file:///etc/passwd", "byteLength": 36}])), "another file"),
    "glb sparse": (".glb", glb(scene(accessors=[SPARSE])), "sparse"),
    "glb draco": (".glb", glb(scene(extensionsRequired=["KHR_draco_mesh_compression"])), "draco"),
    "glb cut": (".glb", glb(scene())[:-20], "truncated"),
    "3mf entity": (".3mf", '<!DOCTYPE x [<!ENTITY a "b">]>' + SOUND, "entities"),
    "3mf index": (".3mf", MODEL.format("", MESH.format(THREE.format(1), 5), ITEM), "not there"),
    "3mf nan": (".3mf", MODEL.format("", MESH.format(THREE.format("NaN"), 2), ITEM), "not finite"),
    "3mf unit": (".3mf", MODEL.format(' unit="mile"', MESH.format(THREE.format(1), 2), ITEM), "unknown unit"),
    "3mf loop": (".3mf", MODEL.format("", ITSELF, ITEM), "holds itself"),
    "3mf damaged": (".3mf", MODEL.format("", MESH.format(THREE.format(1), 2), "<item"), "damaged"),
    "3mf not built": (".3mf", MODEL.format("", MESH.format(THREE.format(1), 2), ""), "nothing that is built"),
}  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_files_give_one_error_each(name: str, tmp_path: Path) -> None:
    suffix, data, words = HOSTILE[name]
    path = tmp_path / f"bad{suffix}"
    if suffix == ".3mf" and isinstance(data, str):
        package(path, data)
    else:
        path.write_bytes(data.encode() if isinstance(data, str) else data)
    with pytest.raises(FormatError) as error:
        read_surface(path)
    assert words in str(error.value) and "bad" in str(error.value) and "\n" not in str(error.value)


def test_a_zip_bomb_is_refused_before_it_unpacks(tmp_path: Path) -> None:
    path = tmp_path / "bomb.3mf"
    package(path, " " * 1_000_000)
    data = bytearray(path.read_bytes())
    at = data.rfind(b"PK\x01\x02")
    data[at + 24 : at + 28] = struct.pack("<I", 0xFFFFFFF0)  # the size that it claims
    path.write_bytes(bytes(data))
    with pytest.raises(FormatError, match="claims too much"):
        read_surface(path)
    data[at + 24 : at + 28] = struct.pack("<I", 900_000)  # less than there is
    path.write_bytes(bytes(data))
    with pytest.raises(FormatError, match="bomb"):
        read_surface(path)


def test_units_and_components_of_3mf(tmp_path: Path) -> None:
    turn = "1 0 0 0 1 0 0 0 1 5 6 7"
    held = f'<object id="2" name="a"><components><component objectid="1" transform="{turn}"/></components></object>'
    item = f'<item objectid="2" transform="{turn}"/>'
    xml = MODEL.format(' unit="inch"', MESH.format(THREE.format(1), 2) + held, item)
    package(tmp_path / "x.3mf", xml)
    found = read_surface(tmp_path / "x.3mf")
    assert np.allclose(found.vertices_mm[0], [254, 304.8, 355.6]) and [x.name for x in found.labels] == ["a"]
    assert formats.sniff(tmp_path / "x.3mf") == "threemf"
