"""How far surfaces moved between two visits, held against balls whose distances are worked out by hand."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from vesalius.answers import contract
from vesalius.core.answers.mask import Mask
from vesalius.core.cohort import Label
from vesalius.core.growth import Changed
from vesalius.core.image import Image
from vesalius.prepare.between import Between
from vesalius.prepare.registering import Registration
from vesalius.run.change.surfaces import pictured, table_of

TURN = np.deg2rad(20)
OBLIQUE = np.array(
    [[np.cos(TURN), -np.sin(TURN), 0, 0], [np.sin(TURN), np.cos(TURN), 0, 0], [0, 0, -1, 0], [0, 0, 0, 1.0]]
)  # left-handed


def grid(spacing: tuple[float, float, float], n: int, frame: Any) -> Any:
    """Return an affine whose grid has the place 0 in its middle."""
    affine = frame @ np.diag([*spacing, 1.0])
    affine[:3, 3] = -affine[:3, :3] @ np.full(3, (n - 1) / 2)
    return affine


def ball(affine: Any, n: int, middle: Any, radius: float) -> Mask:
    """Return a mask of a ball; `middle` in LPS mm."""
    z, y, x = np.meshgrid(*(np.arange(n),) * 3, indexing="ij")
    places = np.stack([x, y, z], -1) @ affine[:3, :3].T + affine[:3, 3]
    array = (np.linalg.norm(places - middle, axis=-1) < radius)[None].astype(np.uint8)
    return Mask(image=Image(array, affine=affine), labels=(Label(1, "ball"),))


def told(one: Mask, two: Mask, matrix: Any = None, **how: Any) -> Changed:
    """Return what the handling of masks says of two answers."""
    found = Registration(
        "own", np.eye(4) if matrix is None else matrix, "mm", apart=how.pop("apart", 0.2), **how
    )
    changed = contract.changed(one, two, Between(one.image, two.image, found))
    assert changed is not None
    return changed


def test_a_ball_that_grew_moved_outward_by_its_radius_on_any_grid() -> None:
    one = ball(grid((1.1, 1.1, 1.4), 26, np.eye(4)), 26, (0, 0, 0), 8)
    two = ball(grid((1.2, 1.0, 1.0), 30, OBLIQUE), 30, (0, 0, 0), 10)
    (moved,) = told(one, two).moved
    assert moved.outward.share > 0.99 and moved.inward.most_mm < 0.1
    assert moved.outward.mean_mm == pytest.approx(2, abs=0.1) and moved.mean_mm == pytest.approx(2, abs=0.1)
    assert moved.outward.p95_mm == pytest.approx(2, abs=0.5) and moved.outward.most_mm < 2.9
    assert moved.doubt_mm == pytest.approx(0.2 + 1.4 / 2) and moved.verdict == "moved"
    (back,) = told(two, one).moved
    assert back.mean_mm == pytest.approx(-moved.mean_mm, abs=1e-6)
    assert back.inward == moved.outward and back.outward == moved.inward


def test_a_ball_that_was_shifted_moved_as_far_outward_as_inward() -> None:
    """A ball shifted by s is s·cos θ off, and cos θ is even over a sphere: 95 % lie within .95 s."""
    affine = grid((1.0, 1.0, 1.0), 36, np.eye(4))
    one, two = ball(affine, 36, (0, 0, 0), 11), ball(affine, 36, (3, 0, 0), 11)
    (moved,) = told(one, two).moved
    assert moved.mean_mm == pytest.approx(0, abs=0.05)
    assert moved.outward.share == pytest.approx(0.5, abs=0.03)
    for way in (moved.outward, moved.inward):
        assert way.mean_mm == pytest.approx(1.5, abs=0.15) and way.most_mm == pytest.approx(3, abs=0.3)
    assert moved.p95_mm == pytest.approx(2.85, abs=0.2)
    matrix = np.eye(4)
    matrix[
        0, 3
    ] = -3  # from places of the later image to the earlier one's: the patient lay 3 mm to the right
    (still,) = told(one, two, matrix).moved
    assert still.p95_mm < 0.3 and still.verdict == "no more than the doubt"
    points = np.asarray(moved.surface.vertices_mm)  # type: ignore[union-attr]
    assert np.corrcoef(points[:, 0], moved.field_mm)[0, 1] > 0.95  # type: ignore[arg-type]


def test_what_only_one_visit_shows_is_not_measured_and_what_is_not_known_is_not_told() -> None:
    affine = grid((1.0, 1.0, 1.0), 24, np.eye(4))
    one, two = ball(affine, 24, (9, 0, 0), 7), ball(affine, 24, (9, 0, 0), 7)
    wider = affine.copy()
    wider[0, 3] += 6
    two = ball(wider, 24, (9, 0, 0), 7)  # the whole ball, of which the earlier image shows a part
    (moved,) = told(one, two).moved
    assert moved.p95_mm < 0.3 and 0.3 < moved.seen < 0.95
    assert not np.isfinite(moved.field_mm).all()  # type: ignore[arg-type]
    (unknown,) = told(one, two, apart=None).moved
    assert unknown.doubt_mm is None and unknown.verdict == "cannot be told" and "not measured" in unknown.why
    assert told(one, two, why="they do not fit").moved == ()
    flat = Mask(image=Image(np.ones((1, 1, 9, 9), np.uint8), affine=np.eye(4)), labels=(Label(1, "ball"),))
    assert told(flat, flat).moved == ()
    empty = replace(two, image=replace(two.image, array=np.zeros_like(two.image.array)))
    assert told(one, empty).moved == ()


def test_the_page_has_a_row_and_a_picture_with_its_unit() -> None:
    affine = grid((1.0, 1.0, 1.0), 24, np.eye(4))
    changed = told(ball(affine, 24, (0, 0, 0), 6), ball(affine, 24, (0, 0, 0), 8))
    table = table_of(changed.moved)
    assert table is not None and len(table.rows) == 1 and "mm" in table.rows[0][1].text
    (picture,) = pictured(changed.moved)
    assert picture["src"].startswith("data:image/") and "outward" in picture["caption"]
    assert table_of(()) is None and pictured(()) == []
    let_go = replace(changed.moved[0], surface=None, field_mm=None)
    assert pictured([let_go]) == [] and let_go.json()["p95_mm"] == changed.moved[0].p95_mm
