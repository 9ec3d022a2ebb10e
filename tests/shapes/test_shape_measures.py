"""Checks, measures, distances, thickness, thinning and mending, against balls, boxes, brute force and trimesh."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import trimesh

from vesalius.core.answers.surface import Surface
from vesalius.core.errors import DataError
from vesalius.core.image import Image
from vesalius.shapes.checks import checked
from vesalius.shapes.curvature import curvature
from vesalius.shapes.distances import distances, nearest, sampled
from vesalius.shapes.extract import surface_of
from vesalius.shapes.measures import measured, volume_ml
from vesalius.shapes.reduce import reduced, smoothed
from vesalius.shapes.repair import repaired
from vesalius.shapes.thickness import thickness


def of(mesh: trimesh.Trimesh) -> Surface:
    return Surface(vertices_mm=np.array(mesh.vertices), faces=np.array(mesh.faces, np.int64))


def both(one: Surface, two: Surface) -> Surface:
    faces = np.concatenate([one.faces, two.faces + len(one.vertices_mm)])
    return Surface(vertices_mm=np.concatenate([one.vertices_mm, two.vertices_mm]), faces=faces)


BALL = of(trimesh.creation.icosphere(3, radius=10.0))
SMALL = of(trimesh.creation.icosphere(2, radius=4.0))


def moved(surface: Surface, *by: float) -> Surface:
    return replace(surface, vertices_mm=surface.vertices_mm + np.array(by))


def turned(surface: Surface) -> Surface:
    return replace(surface, faces=surface.faces[:, ::-1])


def test_each_fault_is_counted_by_itself() -> None:
    assert checked(BALL).sound and checked(BALL).pieces == 1
    hole = checked(replace(SMALL, faces=SMALL.faces[1:]))
    assert (hole.open_edges, hole.watertight, hole.manifold) == (3, False, True)
    wrong = SMALL.faces.copy()
    wrong[0] = wrong[0, ::-1]
    assert (
        checked(replace(SMALL, faces=wrong)).twisted_edges,
        checked(replace(SMALL, faces=wrong)).oriented,
    ) == (3, False)
    assert checked(turned(SMALL)).faults == ("1 piece inside out",)
    three = np.concatenate([SMALL.faces, [[*SMALL.faces[0, :2], 0]]])
    assert checked(replace(SMALL, faces=three)).crowded_edges >= 1
    line = checked(replace(SMALL, faces=np.concatenate([SMALL.faces, [[5, 5, 6]]])))
    assert line.degenerate == 1
    pinched = both(SMALL, moved(SMALL, 8.0, 0, 0))
    one = int(pinched.vertices_mm[: len(SMALL.vertices_mm), 0].argmax())
    other = len(SMALL.vertices_mm) + int(SMALL.vertices_mm[:, 0].argmin())
    joint = np.where(pinched.faces == other, one, pinched.faces)
    assert checked(replace(pinched, faces=joint)).pinched_vertices == 1


def test_solids_in_solids_and_cavities_are_told_apart() -> None:
    assert checked(both(BALL, turned(SMALL))).sound  # a cavity
    assert checked(both(BALL, SMALL)).turned_pieces == 1  # a solid within a solid
    assert checked(both(SMALL, moved(turned(SMALL), 20, 0, 0))).turned_pieces == 1  # a hole in nothing
    assert volume_ml(both(BALL, turned(SMALL))) == pytest.approx(
        (trimesh_volume(BALL) - trimesh_volume(SMALL)) / 1000
    )


def trimesh_volume(surface: Surface) -> float:
    return float(trimesh.Trimesh(surface.vertices_mm, surface.faces, process=False).volume)


def test_crossings_are_those_that_brute_force_finds() -> None:
    one = of(trimesh.creation.icosphere(1, radius=4.0))
    two = both(one, moved(one, 3.3, 0.4, 0.7))
    corners, half = two.vertices_mm[two.faces], len(one.faces)
    a, b = (x.reshape(-1) for x in np.meshgrid(np.arange(half), np.arange(half, 2 * half)))
    hits = np.zeros(len(a), bool)
    for own, other in ((corners[a], corners[b]), (corners[b], corners[a])):
        for k in range(3):
            hits |= _pierced(other, own[:, k], own[:, (k + 1) % 3] - own[:, k])
    assert checked(two).crossings == hits.sum() > 20


def _pierced(faces: np.ndarray, start: np.ndarray, along: np.ndarray) -> np.ndarray:
    """Möller and Trumbore (1997)."""
    one, two = faces[:, 1] - faces[:, 0], faces[:, 2] - faces[:, 0]
    p = np.cross(along, two)
    across = (one * p).sum(1)
    scale = np.divide(1.0, across, out=np.zeros_like(across), where=across != 0)
    t = start - faces[:, 0]
    u = (t * p).sum(1) * scale
    q = np.cross(t, one)
    v, w = (along * q).sum(1) * scale, (two * q).sum(1) * scale
    return np.asarray((u > 0) & (v > 0) & (u + v < 1) & (w > 0) & (w < 1))


def test_a_ball_and_a_box_measure_what_they_do() -> None:
    mesh = trimesh.Trimesh(BALL.vertices_mm, BALL.faces)
    found = measured(BALL)
    assert found.volume_ml == pytest.approx(mesh.volume / 1000) and found.area_cm2 == pytest.approx(
        mesh.area / 100
    )
    mean, gauss = curvature(BALL)
    assert np.allclose(mean, 0.1, atol=0.006) and np.allclose(gauss, 0.01, atol=0.0013)
    assert curvature(turned(BALL))[0].max() < 0  # hollow
    assert np.nanmedian(thickness(BALL)) == pytest.approx(20, rel=0.02)
    plate = of(trimesh.creation.box((24, 22, 2)).subdivide_to_size(1.3))
    assert measured(plate).thickness_mm["median"] == pytest.approx(2.0, rel=0.01)
    assert measured(replace(SMALL, faces=SMALL.faces[3:])).volume_ml is None
    saddle = np.mgrid[-5:6, -5:6].reshape(2, -1).T / 5.0
    z = 0.1 * (saddle[:, 0] ** 2 - saddle[:, 1] ** 2)
    flat = trimesh.Trimesh(np.column_stack([saddle, z]), _squares(11), process=False)
    mean, gauss = curvature(of(flat))
    assert gauss[60] == pytest.approx(-0.04, rel=0.1) and abs(mean[60]) < 0.01


def _squares(n: int) -> np.ndarray:
    at = np.arange(n * n).reshape(n, n)
    a, b, c, d = at[:-1, :-1], at[1:, :-1], at[1:, 1:], at[:-1, 1:]
    return np.concatenate([np.stack(x, -1).reshape(-1, 3) for x in ((a, b, c), (a, c, d))])


def test_nearest_places_are_those_of_brute_force() -> None:
    """Faces of very different sizes, points near and far."""
    long = of(trimesh.creation.box((60, 1, 1)))
    mesh = both(SMALL, moved(long, 3, 9, 0))
    points = np.random.default_rng(3).normal(0, 12, (60, 3))
    far, place, face = nearest(points, mesh)
    corners = mesh.vertices_mm[mesh.faces]
    for k, point in enumerate(points):
        each = np.repeat(point[None], len(corners), axis=0)
        best = np.linalg.norm(trimesh.triangles.closest_point(corners, each) - each, axis=1)
        assert far[k] == pytest.approx(best.min()) and best[face[k]] == pytest.approx(far[k])
        assert np.linalg.norm(place[k] - point) == pytest.approx(far[k])


def test_distances_of_two_balls_within_one_another() -> None:
    found = distances(SMALL, of(trimesh.creation.icosphere(2, radius=5.0)), tolerance_mm=1.2)
    assert found.mean_mm == pytest.approx(1.0, abs=0.02) and found.hd95_mm == pytest.approx(1.0, abs=0.05)
    assert found.surface_dice == 1.0
    shifted = distances(SMALL, moved(SMALL, 2.0, 0, 0), tolerance_mm=0.5)
    assert 0 < shifted.surface_dice < 1 and shifted.hd_mm == pytest.approx(2.0, abs=0.1)
    points, weights = sampled(SMALL, 0.7)
    assert weights.sum() == pytest.approx(trimesh.Trimesh(SMALL.vertices_mm, SMALL.faces).area)
    assert len(points) > len(SMALL.faces)
    with pytest.raises(DataError, match="no faces"):
        distances(BALL, replace(BALL, faces=BALL.faces[:0]))


@pytest.fixture(scope="module")
def hollow() -> Surface:
    z, y, x = np.ogrid[:13, :13, :13]
    far = (z - 6.6) ** 2 + (y - 6.9) ** 2 + (x - 6.3) ** 2
    bits = (far <= 25) & (far > 6)
    bits[1, 1, 1] = True
    return surface_of(Image(bits[None].astype(np.uint8), affine=np.diag([1.0, 1.0, 1.5, 1.0])))


def test_fewer_faces_keep_volume_pieces_and_place(hollow: Surface) -> None:
    thin = reduced(hollow, 400)
    assert len(thin.surface.faces) <= 440 and thin.moved_mm <= 0.75 and thin.notes == ()
    checks = checked(thin.surface)
    assert checks.sound and checks.pieces == checked(hollow).pieces == 3
    assert volume_ml(thin.surface) == pytest.approx(volume_ml(hollow), rel=1e-3)
    assert distances(hollow, thin.surface).hd_mm <= 0.75 + 1e-6
    held = reduced(hollow, 100, within_mm=0.03)
    assert len(held.surface.faces) > 200 and "kept more faces" in held.notes[0] and held.moved_mm <= 0.05
    assert reduced(hollow, 10**6).surface is hollow
    with pytest.raises(DataError, match="four faces"):
        reduced(hollow, 3)


def test_smoothing_keeps_volume_and_place(hollow: Surface) -> None:
    rough = replace(
        BALL, vertices_mm=BALL.vertices_mm + np.random.default_rng(1).normal(0, 0.1, BALL.vertices_mm.shape)
    )
    found = smoothed(rough, within_mm=0.5)
    radii = [np.linalg.norm(x.vertices_mm, axis=1).std() for x in (rough, found.surface)]
    assert radii[1] < 0.6 * radii[0] and found.moved_mm <= 0.5 and checked(found.surface).sound
    assert volume_ml(found.surface) == pytest.approx(volume_ml(rough), rel=1e-3)
    assert smoothed(hollow).moved_mm <= 0.75 and checked(smoothed(hollow).surface).pieces == 3


def test_mending_changes_nothing_of_the_form() -> None:
    soup = Surface(
        vertices_mm=SMALL.vertices_mm[SMALL.faces].reshape(-1, 3),
        faces=np.arange(3 * len(SMALL.faces)).reshape(-1, 3),
    )
    worse = replace(soup, faces=np.concatenate([soup.faces, [[0, 1, 1]], np.roll(soup.faces[:1], 1, axis=1)]))
    found = repaired(worse)
    assert checked(found.surface).sound and len(found.surface.faces) == len(SMALL.faces)
    assert len(found.surface.vertices_mm) == len(SMALL.vertices_mm) and len(found.notes) == 3
    again = repaired(SMALL)
    assert again.notes == () and np.array_equal(again.surface.faces, SMALL.faces)
    hole = repaired(replace(SMALL, faces=SMALL.faces[1:])).surface
    assert checked(hole).open_edges == 3
