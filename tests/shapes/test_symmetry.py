"""Planes of symmetry: found on oblique and left-handed grids with a part missing, refused where several fit alike."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from vesalius.core.errors import DataError, GeometryError
from vesalius.core.image import Array
from vesalius.phantom.skull import patient
from vesalius.shapes.symmetry import Plane, mirrored, symmetry_plane

X = np.array([1.0, 0.0, 0.0])


def grid(shape: tuple[int, int, int], affine: Array) -> Array:
    """LPS mm (3, Z, Y, X) of a grid's centres."""
    z, y, x = np.indices(shape)
    return np.einsum("ij,j...->i...", affine[:3, :3], np.stack([x, y, z])) + affine[:3, 3].reshape(3, 1, 1, 1)


def oblique(*, left_handed: bool = False) -> Array:
    """An affine with voxels of 2 × 2.5 × 3 mm, turned about all axes."""
    affine = np.eye(4)
    turn = Rotation.from_euler("xyz", (20, -15, 25), degrees=True).as_matrix()
    affine[:3, :3] = turn @ np.diag([-2.0 if left_handed else 2.0, 2.5, 3.0])
    affine[:3, 3] = np.array([12.0, -40.0, 300.0]) - affine[:3, :3] @ np.array([19.5, 19.5, 15.5])
    return affine


def pear(places: Array, plane: Plane) -> Array:
    """A body that one plane alone halves: an ellipsoid with a nose and a chin that lie in the plane."""
    n = plane.normal
    forward = np.cross(n, [0.0, 0.0, 1.0])
    forward /= np.linalg.norm(forward)
    up = np.cross(forward, n)
    away = places - plane.point_mm.reshape(3, 1, 1, 1)
    side, front, high = (np.einsum("i,i...->...", axis, away) for axis in (n, forward, up))
    body = (side / 18) ** 2 + (front / 27) ** 2 + (high / 22) ** 2 < 1
    nose = side**2 + (front - 30) ** 2 + (high + 12) ** 2 < 12**2
    back = side**2 + (front + 18) ** 2 + (high - 20) ** 2 < 12**2
    found: Array = body | nose | back
    return found


def test_a_known_plane_on_an_oblique_left_handed_grid_with_a_part_missing() -> None:
    affine = oblique(left_handed=True)
    true = Plane.of(np.array([13.0, -41.0, 301.0]), np.array([0.9, 0.35, -0.2]))
    places = grid((32, 40, 40), affine)
    body = pear(places, true)
    side = np.einsum("i,i...->...", true.normal, places - true.point_mm.reshape(3, 1, 1, 1))
    lacking = body & ~((side > 9) & (places[2] > 301))  # a bite on one side
    assert lacking.sum() < 0.96 * body.sum()
    found = symmetry_plane(lacking, affine)
    assert true.apart(found.plane) < 2.5 and abs(float(found.plane.signed_mm(true.point_mm))) < 0.5
    assert found.residual_mm < 0.5  # the body's radius is 25 mm, and a voxel 2 to 3


def test_the_phantoms_plane() -> None:
    skull = patient(4, 2, size=44)
    truth = skull.truth()["plane"]
    true = Plane.of(np.array(truth["point_mm"]), np.array(truth["normal"]))
    found = symmetry_plane(skull.bone, skull.affine, near=X)
    assert (
        true.apart(found.plane) < 3.0 and abs(float(found.plane.signed_mm(true.point_mm))) < 2.0
    )  # voxels of 4.8 mm


def test_what_several_planes_halve_alike_is_refused() -> None:
    affine = np.diag([2.0, 2.0, 2.0, 1.0])
    places = grid((24, 24, 24), affine) - 23
    ball = (places**2).sum(axis=0) < 18**2
    box = (np.abs(places) < np.array([10, 15, 20]).reshape(3, 1, 1, 1)).all(axis=0)
    for shape in (ball, box):
        with pytest.raises(DataError, match="several planes"):
            symmetry_plane(shape, affine)
    found = symmetry_plane(box, affine, near=np.array([0.1, 0.2, 1.0]))
    assert found.plane.apart(Plane.of(np.zeros(3), np.array([0, 0, 1.0]))) < 0.5


def test_a_shape_without_symmetry_is_doubted() -> None:
    affine = np.diag([2.0, 2.0, 2.0, 1.0])
    places = grid((40, 40, 40), affine) - 39
    parts = [((-18, -10, 4), 14), ((14, 16, -8), 18), ((4, -20, -22), 9), ((20, -12, 18), 11)]
    lumps = np.zeros((40, 40, 40), bool)
    for middle, radius in parts:
        lumps |= ((places - np.array(middle).reshape(3, 1, 1, 1)) ** 2).sum(axis=0) < radius**2
    try:
        found = symmetry_plane(lumps, affine)
    except DataError as error:
        assert "several planes" in str(error)
    else:
        assert found.doubt


def test_mirroring_is_exact_where_voxels_fall_on_voxels() -> None:
    random = np.random.default_rng(1)
    bits, field = random.random((6, 7, 8)) < 0.5, random.random((6, 7, 8)).astype(np.float32)
    affine = np.diag([-1.5, 2.0, 3.0, 1.0])
    affine[:3, 3] = (4.0, 5.0, 6.0)
    plane = Plane.of(np.array([4.0 - 1.5 * 3.5, 0, 0]), X)
    assert np.array_equal(mirrored(bits, affine, plane), bits[:, :, ::-1])
    assert np.array_equal(mirrored(field, affine, plane), field[:, :, ::-1])


@pytest.mark.parametrize("left_handed", [False, True])
def test_mirroring_puts_a_shape_where_the_plane_says(left_handed: bool) -> None:
    affine = oblique(left_handed=left_handed)
    places = grid((32, 40, 40), affine)
    at = np.array([4.0, -35.0, 305.0])
    plane = Plane.of(np.array([13.0, -41.0, 301.0]), np.array([0.8, -0.5, 0.3]))
    ball = ((places - at.reshape(3, 1, 1, 1)) ** 2).sum(axis=0) < 12**2
    other = mirrored(ball, affine, plane)
    middle = places[:, other].mean(axis=1)
    expected = at - 2 * float((at - plane.point_mm) @ plane.normal) * plane.normal
    assert np.linalg.norm(middle - expected) < 0.3 and other.sum() == pytest.approx(ball.sum(), rel=0.03)


def test_hostile_input() -> None:
    affine = np.eye(4)
    with pytest.raises(DataError, match="empty"):
        symmetry_plane(np.zeros((5, 5, 5), bool), affine)
    with pytest.raises(DataError, match="next to no surface"):
        symmetry_plane(np.pad(np.ones((1, 1, 1), bool), 4), affine)
    with pytest.raises(GeometryError, match="4 × 4"):
        symmetry_plane(np.ones((5, 5, 5), bool), np.eye(3))
    with pytest.raises(GeometryError, match="length"):
        Plane.of(np.zeros(3), np.zeros(3))
