"""Shape of bodies whose size is known, in millimetres, also where voxels are longer than wide."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.distance import pdist

from vesalius.core.errors import DataError
from vesalius.core.image import Array
from vesalius.radiomics import Settings, measured
from vesalius.radiomics.families.shape import diameter, mesh
from vesalius.radiomics.families.shape2d import outline

SHAPE = Settings(families=("shape",))


def shape_of(body: Array, spacing: tuple[float, float, float] = (1, 1, 1)) -> dict[str, float]:
    found = measured(np.zeros(body.shape), body, spacing, settings=SHAPE)
    return {name.rpartition("_")[2]: value for name, value in found.items()}


def ball(radius: float, spacing: tuple[float, float, float]) -> Array:
    """Return a ball of a radius in mm, on voxels of a spacing `(x, y, z)`."""
    reach = [int(radius / s) + 2 for s in spacing[::-1]]
    z, y, x = np.ogrid[tuple(slice(-r, r + 1) for r in reach)]
    return (x * spacing[0]) ** 2 + (y * spacing[1]) ** 2 + (z * spacing[2]) ** 2 <= radius**2


def test_one_voxel_is_an_octahedron() -> None:
    found = shape_of(np.ones((1, 1, 1), bool), (1.0, 2.0, 3.0))
    assert found["VoxelVolume"] == 6 and found["MeshVolume"] == pytest.approx(1.0)  # a sixth of the voxel
    faces = 8 * 0.5 * np.sqrt((0.5 * 1) ** 2 + (0.5 * 1.5) ** 2 + (1 * 1.5) ** 2)  # half-axes .5, 1 and 1.5
    assert found["SurfaceArea"] == pytest.approx(faces)
    assert found["Maximum3DDiameter"] == 3 and found["Maximum2DDiameterSlice"] == 2
    assert (found["Maximum2DDiameterColumn"], found["Maximum2DDiameterRow"]) == (
        3,
        3,
    )  # the planes x–z and y–z
    assert found["MajorAxisLength"] == 0 and np.isnan(found["Elongation"])


@pytest.mark.parametrize("spacing", [(1.0, 1.0, 1.0), (0.8, 0.8, 2.4)])
def test_a_ball_has_the_size_of_a_ball(spacing: tuple[float, float, float]) -> None:
    found = shape_of(ball(15, spacing), spacing)
    volume = 4 / 3 * np.pi * 15**3
    assert found["MeshVolume"] == pytest.approx(volume, rel=0.01)
    assert found["VoxelVolume"] == pytest.approx(volume, rel=0.01)
    assert 30 <= found["Maximum3DDiameter"] <= 30 + max(spacing)  # to the middles of voxels' outer faces
    assert found["MajorAxisLength"] == pytest.approx(4 * 15 / np.sqrt(5), rel=0.02)  # a full ball's, not 30
    assert found["Flatness"] == pytest.approx(1, abs=0.03) and 0.85 < found["Sphericity"] < 1


def test_sizes_follow_the_spacing_and_not_the_voxels(rng: np.random.Generator) -> None:
    body = rng.random((6, 7, 8)) < 0.6
    one, two = shape_of(body), shape_of(body, (2.0, 2.0, 2.0))
    assert two["MeshVolume"] == pytest.approx(8 * one["MeshVolume"])
    assert two["SurfaceArea"] == pytest.approx(4 * one["SurfaceArea"])
    assert two["Maximum3DDiameter"] == pytest.approx(2 * one["Maximum3DDiameter"])
    assert two["Sphericity"] == pytest.approx(one["Sphericity"])


def test_the_mesh_is_closed_whatever_the_mask(rng: np.random.Generator) -> None:
    """Each edge is walked once in each direction: nothing is missing, also where voxels touch by an edge alone."""
    for _ in range(5):
        points, faces = mesh(rng.random((5, 6, 7)) < 0.5, np.ones(3))
        _, number = np.unique(np.round(2 * points).astype(int), axis=0, return_inverse=True)
        corners = number.ravel()[faces]
        edges = np.concatenate([corners[:, [0, 1]], corners[:, [1, 2]], corners[:, [2, 0]]])
        walked: dict[tuple[int, int], int] = {}
        for a, b in edges[edges[:, 0] != edges[:, 1]]:
            walked[min(a, b), max(a, b)] = walked.get((min(a, b), max(a, b)), 0) + (1 if a < b else -1)
        assert not any(walked.values())


def test_the_diameter_equals_all_pairs(rng: np.random.Generator) -> None:
    for dims in (2, 3):
        points = rng.normal(size=(200, dims))
        assert diameter(points) == pytest.approx(pdist(points).max())
    line = np.array([[0.0, 0], [1, 1], [3, 3]])
    assert diameter(line) == pytest.approx(np.sqrt(18)) and diameter(line[:1]) == 0


def test_outlines_worked_by_hand() -> None:
    """A pixel is a diamond, a 2 × 3 block lacks half a pixel at its corners, pixels touching by a corner are joined."""
    assert outline(np.ones((1, 1), bool), np.array([1.0, 1.0])) == pytest.approx((2 * np.sqrt(2), 0.5))
    block = outline(np.ones((2, 3), bool), np.array([2.0, 1.0]))  # y 2 mm, x 1 mm
    assert block == pytest.approx((4 * np.hypot(1, 2) / 2 + 2 * (2 * 1.0 + 1 * 2.0), 2 * (6 - 0.5)))
    corner = outline(np.eye(2, dtype=bool), np.array([1.0, 1.0]))
    assert corner == pytest.approx((8 * np.sqrt(2) / 2, 6 * 0.125 + 0.75))


def test_a_flat_shape_of_a_volume_is_refused() -> None:
    with pytest.raises(DataError, match="one slice"):
        measured(
            np.zeros((2, 2, 2)), np.ones((2, 2, 2), bool), (1, 1, 1), settings=Settings(families=("shape2d",))
        )


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(11)
