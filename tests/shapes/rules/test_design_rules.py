"""Design rules measure what can be worked out by hand: cubes, plates, balls."""

from __future__ import annotations

import numpy as np
import pytest

from vesalius.core import registry
from vesalius.shapes import rules
from vesalius.shapes.rules.fair import roughness_mm
from vesalius.shapes.rules.printable import best_direction, open_edges, pieces_of
from vesalius.shapes.rules.thickness import thin_share

CORNERS = np.array([[x, y, z] for z in (0, 10) for y in (0, 10) for x in (0, 10)], dtype=float)
CUBE = np.array(
    [
        *([0, 2, 1], [1, 2, 3], [4, 5, 6], [5, 7, 6]),  # down, up
        *([0, 1, 4], [1, 5, 4], [2, 6, 3], [3, 6, 7]),  # front, back
        *([0, 4, 2], [2, 4, 6], [1, 3, 5], [3, 7, 5]),  # left, right
    ]
)


def test_each_rule_has_its_order_and_its_values() -> None:
    names = rules.ordered()
    assert set(names) == set(registry.names(rules.KIND))
    assert names.index("fair") < names.index("thickness") < names.index("clearance") < names.index("undercut")
    assert {rules.get(n).name for n in names} == set(names)
    assert rules.values_of({"clearance": 1.0, "fixation.places": 4})["fixation"]["places"] == 4
    assert rules.values_of({"clearance": 1.0})["clearance"]["least_mm"] == 1.0


def test_a_closed_cube_has_no_open_edge_and_one_without_a_face_has_three() -> None:
    assert open_edges(CUBE) == 0
    assert open_edges(CUBE[1:]) == 3
    turned = CUBE.copy()
    turned[0] = turned[0, ::-1]
    assert open_edges(turned) > 0, "a face that is turned the other way round"


def test_two_cubes_are_two_pieces() -> None:
    assert pieces_of(8, CUBE) == 1
    assert pieces_of(16, np.concatenate([CUBE, CUBE + 8])) == 2


def test_a_cube_on_its_face_hangs_over_nowhere_and_a_table_by_its_plate() -> None:
    _, share = best_direction(CORNERS, CUBE, 45.0)
    assert share == 0.0
    mushroom = CORNERS.copy()
    mushroom[4:] = (mushroom[4:] - 5) * 8 + [5, 5, 0]  # ten high and eighty wide above: all sides look down
    mushroom[4:, 2] = 10
    direction, _ = best_direction(mushroom, CUBE, 45.0)
    assert direction[2] < 0, "it is built upside down"


def test_thin_is_what_no_ball_of_that_thickness_reaches() -> None:
    thick, thin = np.zeros((20, 30, 30), bool), np.zeros((20, 30, 30), bool)
    thick[6:12, 5:25, 5:25] = True
    thin[6:8, 5:25, 5:25] = True
    assert thin_share(thick, 1.0, 4.0) == 0.0
    assert thin_share(thin, 1.0, 4.0) == 1.0
    both = thick.copy()
    both[8, 5:25, 25:29] = True  # a sliver of one voxel beside it
    assert thin_share(both, 1.0, 4.0) == pytest.approx(80 / both.sum(), abs=0.02)
    assert thin_share(thin, 1.0, 0.0) == 0.0


def test_a_flat_grid_is_not_rough_and_one_raised_vertex_is_by_its_height() -> None:
    n = 5
    y, x = np.mgrid[:n, :n]
    flat = np.stack([x, y, np.zeros((n, n))], axis=-1).reshape(-1, 3).astype(float)
    a = (np.arange(n - 1)[:, None] * n + np.arange(n - 1)).ravel()
    faces = np.concatenate([np.stack([a, a + 1, a + n], 1), np.stack([a + 1, a + n + 1, a + n], 1)])
    assert roughness_mm(flat, faces).max() == pytest.approx(0)
    flat[12, 2] = 0.5
    assert roughness_mm(flat, faces)[12] == pytest.approx(0.5)
