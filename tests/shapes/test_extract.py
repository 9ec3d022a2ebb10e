"""Surfaces of masks: their volume, their place and their side for every affine, what touches an edge, what is thin."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import trimesh
from scipy import ndimage

from vesalius.core.answers.mask import Mask
from vesalius.core.cohort import Label
from vesalius.core.errors import DataError, GeometryError
from vesalius.core.image import Image
from vesalius.core.meshes import joined, pieces
from vesalius.shapes.checks import checked
from vesalius.shapes.extract import extracted, surface_of, surface_of_bits

RNG = np.random.default_rng(5)


def ball(n: int = 18, r: float = 6.5, at: tuple[float, float, float] = (8.3, 8.8, 9.1)) -> np.ndarray:
    z, y, x = np.ogrid[:n, :n, :n]
    return np.asarray((z - at[0]) ** 2 + (y - at[1]) ** 2 + (x - at[2]) ** 2 <= r * r)


def affine(spacing: tuple[float, float, float], turn: float, hand: int) -> np.ndarray:
    made = trimesh.transformations.rotation_matrix(turn, [1.0, 2.0, 0.5])
    made[:3, :3] = made[:3, :3] @ np.diag([spacing[0] * hand, spacing[1], spacing[2]])
    made[:3, 3] = 30, -40, 500
    return np.asarray(made)


def of(bits: np.ndarray, to: np.ndarray | None = None) -> Image:
    return Image(bits[None].astype(np.uint8), affine=np.eye(4) if to is None else to)


@pytest.mark.parametrize(
    ("spacing", "turn", "hand"),
    itertools.product([(1.0, 1.0, 1.0), (0.7, 0.7, 5.0), (0.4, 0.9, 2.0)], [0.3, 1.1], [1, -1]),
)
def test_volume_place_and_side_hold_for_every_affine(
    spacing: tuple[float, float, float], turn: float, hand: int
) -> None:
    to = affine(spacing, turn, hand)
    found = extracted(of(ball(), to))
    mesh = trimesh.Trimesh(found.surface.vertices_mm, found.surface.faces, process=False)
    assert mesh.is_watertight and mesh.is_winding_consistent
    wanted = ball().sum() * np.prod(spacing)  # positive, so the faces look outward
    assert mesh.volume == pytest.approx(wanted, rel=1e-3)
    centre = np.argwhere(ball()).mean(axis=0)[::-1] @ to[:3, :3].T + to[:3, 3]
    assert np.linalg.norm(mesh.center_mass - centre) < 0.1 * min(spacing)
    assert found.notes == () and found.moved_mm["label 1"] <= 0.5 * max(spacing)


@pytest.mark.parametrize("density", [0.1, 0.4, 0.7])
def test_any_bits_give_a_sound_mesh_that_keeps_each_voxel_on_its_side(density: float) -> None:
    """Noise holds every case of the table; which voxels lie inside is told by the parity of crossings along x."""
    bits = RNG.random((9, 10, 11)) < density
    found = extracted(of(bits))
    checks = checked(found.surface, crossing=False)
    assert checks.watertight and checks.manifold and checks.twisted_edges == 0 and checks.degenerate == 0
    assert found.mesh_ml["label 1"] == pytest.approx(bits.sum() / 1000, rel=0.01)
    mesh = trimesh.Trimesh(found.surface.vertices_mm, found.surface.faces, process=False)
    triangles = mesh.triangles
    a, b, c = (triangles[:, k] for k in range(3))
    for z, y, x in RNG.integers(0, (9, 10, 11), (40, 3)):
        at = np.array([x, y, z], float)
        u, v, w = a - at, b - at, c - at
        lengths = [np.linalg.norm(p, axis=1) for p in (u, v, w)]
        under = np.prod(lengths, axis=0) + (u * v).sum(1) * lengths[2] + (v * w).sum(1) * lengths[0]
        under += (w * u).sum(1) * lengths[1]
        turns = 2 * np.arctan2((u * np.cross(v, w)).sum(1), under).sum() / (4 * np.pi)
        assert round(turns) == int(bits[z, y, x])


def test_thin_things_stay_and_keep_their_volume() -> None:
    bits = np.zeros((14, 14, 14), bool)
    bits[4:9, 4:9, 2:6] = True
    bits[6, 1:13, 1:13] = True  # a sheet of one voxel through a body
    bits[12, 12, 12] = True  # and a voxel by itself
    found = extracted(of(bits))
    assert found.mesh_ml["label 1"] == pytest.approx(bits.sum() / 1000, rel=1e-3)
    parts = trimesh.Trimesh(found.surface.vertices_mm, found.surface.faces, process=False).split()
    assert sorted(round(p.volume, 2) for p in parts) == [1.0, float(bits.sum() - 1)]
    large = extracted(of(bits), keep="largest")
    assert large.pieces == {"label 1": 1} and "1 smaller piece left out" in large.notes[0]
    sheet = np.zeros((9, 20, 20), bool)
    sheet[4, 2:18, 2:18] = True
    mesh = surface_of(of(sheet)).vertices_mm
    middle = mesh[(np.abs(mesh[:, :2] - 9.5) < 5).all(axis=1)]
    assert np.ptp(middle[:, 2]) == pytest.approx(1.0, abs=0.2)  # one voxel thick


def test_smoothing_takes_the_steps_away() -> None:
    radii = {}
    for smooth in (0.0, 1.0):
        mesh = surface_of(of(ball()), smooth=smooth)
        radii[smooth] = np.linalg.norm(mesh.vertices_mm - np.array([9.1, 8.8, 8.3]), axis=1).std()
    assert radii[1.0] < 0.5 * radii[0.0]


def test_a_cavity_is_a_piece_of_its_own() -> None:
    bits = ball(20, 7.5, (9.5, 9.5, 9.5)) & ~ball(20, 3.2, (9.5, 9.5, 9.5))
    found = extracted(of(bits))
    assert found.pieces == {"label 1": 2} and checked(found.surface).sound
    assert found.mesh_ml["label 1"] == pytest.approx(bits.sum() / 1000, rel=1e-3)


def test_what_the_edge_cuts_is_closed_and_said() -> None:
    bits = np.zeros((6, 7, 8), bool)
    bits[:4, 2:5, 3:] = True
    found = extracted(of(bits))
    assert found.cut == {"label 1": ("low z", "high x")} and checked(found.surface).sound
    assert "cut by the image's edge at low z, high x" in found.notes[0]


def test_labels_by_name_value_and_all() -> None:
    array = np.zeros((1, 12, 12, 12), np.int16)
    array[0, 2:5, 2:5, 2:5], array[0, 7:10, 7:10, 7:10] = 3, -2
    mask = Mask(image=Image(array, affine=np.eye(4)), labels=(Label(3, "a"), Label(-2, "b")), case_id="c")
    every = surface_of(mask)
    assert [x.name for x in every.labels] == ["a", "b"] and every.case_id == "c"
    for label, one in pieces(every):
        assert label is not None
        alone = surface_of(mask, label.name)
        assert np.allclose(one.vertices_mm, alone.vertices_mm) and len(alone.labels) == 1
        assert np.array_equal(one.faces, alone.faces) and checked(one).sound
    assert np.allclose(surface_of(mask, -2).vertices_mm.mean(axis=0), 8, atol=0.05)
    bits = np.stack([array[0] == 3, array[0] != 0]).astype(np.uint8)
    over = Mask(image=Image(bits, affine=np.eye(4)), labels=(Label(1, "a"), Label(2, "c")), overlapping=True)
    assert extracted(over).mask_ml == {"a": 0.027, "c": 0.054}
    with pytest.raises(DataError, match="no label 'd'"):
        surface_of(mask, "d")
    with pytest.raises(DataError, match="different values"):
        joined([every, every], [Label(1, "x"), Label(1, "y")])


def test_a_field_has_a_surface_where_it_crosses_its_level() -> None:
    z, y, x = np.mgrid[:14, :14, :14].astype(np.float32)
    far = np.sqrt((z - 6.2) ** 2 + (y - 6.7) ** 2 + (x - 6.4) ** 2)
    mesh = surface_of(Image(-far[None], affine=np.eye(4)), level=-5.0)
    assert np.allclose(np.linalg.norm(mesh.vertices_mm - [6.4, 6.7, 6.2], axis=1), 5.0, atol=0.05)


def test_what_has_no_surface_is_refused() -> None:
    bits = ball()
    with pytest.raises(GeometryError, match="spacing alone"):
        surface_of(Image(bits[None].astype(np.uint8), spacing_mm=(1.0, 1.0, 1.0)))
    with pytest.raises(GeometryError, match="single plane"):
        surface_of(Image(bits[None, 8:9].astype(np.uint8), affine=np.eye(4)))
    with pytest.raises(DataError, match="nothing to lay a surface about"):
        surface_of_bits(np.zeros((4, 4, 4), bool), np.eye(4))
    with pytest.raises(DataError, match="level=0.5"):
        surface_of(Image(bits[None].astype(np.float32), affine=np.eye(4)))
    with pytest.raises(DataError, match="0 to 5 voxels"):
        surface_of(of(bits), smooth=9.0)


def test_pieces_that_slabs_cut_are_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    """In slabs of a few planes the mesh is the same."""
    from vesalius.shapes import _cubes, _field

    bits = ndimage.binary_dilation(RNG.random((16, 12, 12)) < 0.02, iterations=2)
    whole = surface_of(of(bits))
    monkeypatch.setattr(_cubes, "SLAB", 500)
    monkeypatch.setattr(_field, "SLAB", 600)
    apart = surface_of(of(bits))
    assert np.allclose(whole.vertices_mm, apart.vertices_mm, atol=1e-4)
    assert len(whole.faces) == len(apart.faces) and checked(apart).sound


def test_two_labels_of_one_name_are_refused() -> None:
    array = np.zeros((1, 6, 6, 6), np.uint8)
    array[0, 1:3, 1:3, 1:3], array[0, 4:, 4:, 4:] = 1, 2
    mask = Mask(image=Image(array, affine=np.eye(4)), labels=(Label(1, "a"), Label(2, "a")))
    with pytest.raises(DataError, match="two labels have one name"):
        surface_of(mask)
