"""A part for a hole of known shape in a hollow ball keeps its rules; measured against the hole's own equation."""

from __future__ import annotations

import numpy as np
import pytest
import trimesh

from vesalius.core.errors import DataError, GeometryError, PlanError, UnknownName
from vesalius.core.image import Array
from vesalius.shapes.design.axis import held_back, insertion_axis
from vesalius.shapes.design.designing import Design, design
from vesalius.shapes.design.frame import basis, bone_from, filled, framed
from vesalius.shapes.design.part import signed

SIDE, OUTER, INNER, HOLE = 2.0, 30.0, 23.0, 12.0  # mm
N = 36


def ball(
    *, top: float = HOLE, bottom: float = HOLE, affine: Array | None = None
) -> tuple[Array, Array, Array]:
    """Return a hollow ball with a round hole upward, what was taken out of it, and the affine.

    The hole's radius is `bottom` at the inner and `top` at the outer surface.
    """
    given = np.diag([SIDE, SIDE, SIDE, 1.0]) if affine is None else affine.copy()
    given[:3, 3] = -given[:3, :3] @ np.full(3, (N - 1) / 2)
    index = np.stack(np.meshgrid(*[np.arange(N)] * 3, indexing="ij"), axis=-1)[..., ::-1]
    x, y, z = np.moveaxis(index @ given[:3, :3].T + given[:3, 3], -1, 0)
    r = np.sqrt(x**2 + y**2 + z**2)
    shell = (r < OUTER) & (r > INNER)
    wide = bottom + (top - bottom) * (r - INNER) / (OUTER - INNER)
    hole = shell & (np.hypot(x, y) < wide) & (z > 0)
    return shell & ~hole, hole, given


@pytest.fixture(scope="module")
def made() -> Design:
    bone, hole, affine = ball()
    return design(bone, hole, affine, step_mm=1.0)


def test_every_rule_is_kept_and_the_axis_is_straight_out(made: Design) -> None:
    assert all(f.kept for f in made.findings), [f.found for f in made.findings if not f.kept]
    assert np.allclose(made.made.part.axis, (0, 0, 1), atol=0.05)


def test_the_gap_is_that_of_the_hole_s_own_equation(made: Design) -> None:
    """The wall of the hole is a cylinder: no point of the mesh between both spheres comes nearer to it."""
    v = made.made.surface.vertices_mm
    between = (np.linalg.norm(v, axis=1) > INNER + 2) & (np.linalg.norm(v, axis=1) < OUTER - 2)
    gap = HOLE - np.hypot(v[between, 0], v[between, 1])
    assert gap.min() > 0.5 - SIDE / 2, "half a voxel is what a mask knows"
    assert 0.3 < np.median(gap) < 2.0


def test_the_mesh_is_one_closed_body_as_trimesh_has_it(made: Design) -> None:
    surface = made.made.surface
    mesh = trimesh.Trimesh(surface.vertices_mm, surface.faces, process=False)
    assert mesh.is_watertight
    assert mesh.is_winding_consistent
    assert mesh.body_count == 1
    voxels = float(made.made.mask.sum()) * SIDE**3
    assert mesh.volume == pytest.approx(voxels, rel=0.15)
    assert mesh.volume > 0


def test_it_fills_the_hole_and_overlaps_nothing(made: Design) -> None:
    bone, hole, affine = ball()
    assert not (made.made.mask & bone).any()
    assert (made.made.mask & hole).sum() / hole.sum() > 0.6
    kept = made.figures("closes")["filled_share"]
    assert 0.7 < kept < 1


def test_a_left_handed_and_oblique_grid_gives_the_same_part(made: Design) -> None:
    turn = basis(np.array([0.3, 0.2, 1.0]))
    affine = np.eye(4)
    affine[:3, :3] = turn @ np.diag([-SIDE, SIDE, SIDE])
    assert np.linalg.det(affine) < 0
    bone, hole, affine = ball(affine=affine)
    other = design(bone, hole, affine, step_mm=1.0, axis=np.array([0.0, 0.0, 1.0]))
    mesh, mine = (
        trimesh.Trimesh(s.vertices_mm, s.faces, process=False)
        for s in (other.made.surface, made.made.surface)
    )
    assert mesh.volume == pytest.approx(mine.volume, rel=0.1)
    assert np.allclose(mesh.centroid, mine.centroid, atol=0.7)


def test_a_hole_that_widens_inward_is_drawn_free_or_refused_by_name() -> None:
    bone, hole, affine = ball(top=9.0, bottom=15.0)
    up = np.array([0.0, 0.0, 1.0])
    free = design(bone, hole, affine, axis=up, step_mm=1.0, values={"closes": 0.3})
    v = free.made.surface.vertices_mm
    assert np.hypot(v[:, 0], v[:, 1]).max() < 9.0 + SIDE, "nothing is wider than the mouth of the hole"
    assert free.figures("undercut")["held_share"] == 0
    with pytest.raises(DataError, match=r"breaks the rule 'closes'.*%.*--axis"):
        design(bone, hole, affine, axis=up, step_mm=1.0, values={"closes": 0.9})


def test_a_bump_on_whole_bone_is_told_to_fill_no_hole(made: Design) -> None:
    bone, hole, affine = ball()
    z = np.arange(N)[:, None, None]
    bump = np.roll(hole, 2, axis=0) & (z > 0) & ~(bone | hole)
    lenient = {"fair": 2.0, "thickness": 0.5, "fixation.places": 0, "closes": 0.1}
    told = design(bone | hole, bump, affine, axis=np.array([0.0, 0.0, 1.0]), step_mm=1.4, values=lenient)
    assert any("rests on bone" in note for note in told.notes)
    assert not any("rests on bone" in note for note in made.notes)


@pytest.mark.parametrize(
    ("values", "rule"),
    [({"thickness": 12.0}, "thickness"), ({"fixation.places": 12}, "fixation"), ({"fair": 0.01}, "fair")],
)
def test_a_part_that_cannot_pass_is_refused_by_the_rule_s_name(values: dict[str, float], rule: str) -> None:
    bone, hole, affine = ball()
    with pytest.raises(DataError, match=f"breaks the rule '{rule}'"):
        design(bone, hole, affine, axis=np.array([0.0, 0.0, 1.0]), step_mm=1.4, values=values)


def test_rules_and_values_that_are_not_there_are_refused() -> None:
    bone, hole, affine = ball()
    with pytest.raises(UnknownName, match="design rule"):
        design(bone, hole, affine, values={"clearence": 1.0})
    with pytest.raises(PlanError, match=r"clearance\.least_mm"):
        design(bone, hole, affine, values={"clearance": -1.0})


def test_a_sheared_grid_is_refused() -> None:
    bone, hole, affine = ball()
    affine[0, 1] = 0.8
    with pytest.raises(GeometryError, match="sheared"):
        design(bone, hole, affine)


def test_signed_distances_lie_half_way_between_voxels() -> None:
    inside = np.zeros((1, 1, 7), bool)
    inside[..., 2:5] = True
    assert signed(inside, (2.0, 2.0, 2.0)).ravel().tolist() == [3, 1, -1, -3, -1, 1, 3]
    assert (signed(np.zeros((2, 2, 2), bool), (1.0, 1.0, 1.0)) > 0).all()


def test_bone_above_holds_back() -> None:
    bone = np.zeros((5, 1, 2), bool)
    bone[3, 0, 0] = True
    assert held_back(bone)[:, 0, 0].tolist() == [True, True, True, True, False]
    assert not held_back(bone)[:, 0, 1].any()


def test_the_axis_turns_away_from_what_would_hold_back() -> None:
    """A hole that slants is left along its slant: the share that is held back falls to nothing."""
    bone, hole, affine = ball()
    straight, held = insertion_axis(bone_from(bone, affine), hole)
    assert held < 0.02
    assert straight[2] > 0.95


def test_a_part_is_put_back_into_the_voxels_that_it_came_from() -> None:
    bone, hole, affine = ball()
    part = framed(bone_from(bone, affine), hole, np.array([0.4, -0.2, 1.0]), step_mm=1.0)
    back = filled(part, affine, hole.shape)
    assert 2 * (back & hole).sum() / (back.sum() + hole.sum()) > 0.93, "corners are rounded"
