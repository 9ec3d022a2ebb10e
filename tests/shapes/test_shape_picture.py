"""Pictures of surfaces: what is seen, in its place, from the side that was asked for."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from vesalius.core.answers.surface import Surface
from vesalius.core.cohort import Label
from vesalius.core.errors import DataError, UnknownName
from vesalius.core.meshes import joined
from vesalius.shapes.picture import FINER, picture_of, row_of
from vesalius.shapes.raster import seen
from vesalius.shapes.scale import Scale, scale_of
from vesalius.shapes.views import VIEWS, axes_of, bar_of, camera_of

CORNERS = np.array([[x, y, z] for x in (0, 1) for y in (0, 1) for z in (0, 1)], dtype=float)
SIDES = np.array(
    [[0, 1, 3], [0, 3, 2], [4, 6, 7], [4, 7, 5], [0, 4, 5], [0, 5, 1],
     [2, 3, 7], [2, 7, 6], [0, 2, 6], [0, 6, 4], [1, 5, 7], [1, 7, 3]]
)  # fmt: skip


SMALL = (180, 200)


def box(low: tuple[float, ...], high: tuple[float, ...]) -> Surface:
    """Return a box between two corners in LPS millimetres."""
    return Surface(
        case_id="", vertices_mm=np.array(low) + CORNERS * (np.array(high) - np.array(low)), faces=SIDES
    )


def of_colour(picture: Any, channel: int) -> Any:
    """Return where a picture is of one pure colour, bright or dark."""
    others = [k for k in range(3) if k != channel]
    return (picture[..., channel] > 60) & (picture[..., others].max(axis=-1) < 20)


@pytest.mark.parametrize(
    ("view", "sideways", "upwards"),
    [
        ("anterior", (1, 0, 0), (0, 0, 1)),
        ("posterior", (-1, 0, 0), (0, 0, 1)),
        ("left", (0, 1, 0), (0, 0, 1)),
        ("right", (0, -1, 0), (0, 0, 1)),
        ("superior", (-1, 0, 0), (0, -1, 0)),
        ("inferior", (1, 0, 0), (0, -1, 0)),
    ],
)
def test_each_side_of_the_patient_lies_where_one_who_looks_from_there_sees_it(
    view: str, sideways: Any, upwards: Any
) -> None:
    ground = box((-1, -1, -1), (1, 1, 1))
    for direction, axis in ((sideways, 1), (upwards, 0)):
        shift = np.array(direction) * 20
        red = box(tuple(shift - 2), tuple(shift + 2))
        picture = picture_of([ground, red], view=view, colours=["#0000ff", "#ff0000"], size=SMALL)
        place = [np.argwhere(of_colour(picture, k)).mean(axis=0) for k in (2, 0)]
        apart = place[1] - place[0]
        assert (apart[1] if axis == 1 else -apart[0]) > 50
        assert abs(apart[1 - axis]) < 2


def test_all_views_are_right_handed_and_angles_agree_with_names() -> None:
    for view in VIEWS:
        assert np.linalg.det(axes_of(view)) == pytest.approx(1)
    np.testing.assert_allclose(axes_of((0, 0)), axes_of("anterior"), atol=1e-12)
    np.testing.assert_allclose(axes_of((90, 0)), axes_of("left"), atol=1e-12)
    np.testing.assert_allclose(axes_of((180, 0)), axes_of("posterior"), atol=1e-12)
    np.testing.assert_allclose(axes_of((180, 90)), axes_of("superior"), atol=1e-12)


def test_what_is_nearer_hides_what_is_behind_it_and_glass_does_not() -> None:
    near, far = box((0, 0, 0), (10, 1, 10)), box((2, 5, 2), (8, 6, 8))
    colours = ["#0000ff", "#ff0000"]
    assert not of_colour(picture_of([near, far], colours=colours, size=SMALL), 0).any()
    assert of_colour(picture_of([near, far], view="posterior", colours=colours, size=SMALL), 0).any()
    glass = picture_of([near, far], colours=colours, opacities=[0.3, 1], size=SMALL)
    both = (glass[..., 0].astype(int) > 100) & (glass[..., 2] > 40) & (glass[..., 1] < 40)
    assert both.sum() > 100
    empty = picture_of([near, far], colours=colours, opacities=[0.0, 1], size=SMALL)
    assert of_colour(empty, 0).any() and not of_colour(empty, 2).any()


def test_lengths_on_the_picture_are_those_of_the_bar() -> None:
    wide = box((0, 0, 0), (80, 10, 40))
    picture = picture_of(wide, colours=["#ff0000"])
    columns = np.flatnonzero(of_colour(picture, 0).any(axis=0))
    camera = camera_of(wide.vertices_mm, "anterior", (480 * FINER, 480 * FINER), edge=44 * FINER)
    assert (columns[-1] - columns[0] + 1) / (camera.per_mm / FINER) == pytest.approx(80, abs=0.5)
    length, pixels = bar_of(camera.per_mm / FINER, 120)
    assert length == 20 and pixels == pytest.approx(20 * camera.per_mm / FINER, abs=0.5)
    dark = (picture[-11] < 60).all(axis=-1)
    assert dark.sum() == pytest.approx(pixels, abs=2)


def test_the_buffer_is_that_of_every_face_looked_at_alone() -> None:
    """Held against a loop over faces and pixels: the same nearest depth everywhere."""
    rng = np.random.default_rng(4)
    points = rng.uniform(-3, 23, (40, 3))
    faces = rng.integers(0, 40, (60, 3))
    faces = faces[(faces[:, 0] != faces[:, 1]) & (faces[:, 1] != faces[:, 2]) & (faces[:, 0] != faces[:, 2])]
    found = seen(points, faces, (20, 17))
    want = np.full((20, 17), np.inf)
    for row in range(20):
        for column in range(17):
            for face in faces:
                a, b, c = points[face]
                edges = np.array([b[:2] - a[:2], c[:2] - a[:2]]).T
                u, v = np.linalg.solve(edges, [column - a[0], row - a[1]])
                if min(u, v, 1 - u - v) >= 0:
                    want[row, column] = min(want[row, column], a[2] + u * (b[2] - a[2]) + v * (c[2] - a[2]))
    np.testing.assert_allclose(found.depth, want)
    assert (found.there == np.isfinite(want)).all()
    corners = points[faces[found.face[found.there]]]
    again = (corners * found.weights[..., None]).sum(axis=1)
    rows, columns = np.nonzero(found.there)
    np.testing.assert_allclose(again[:, 0], columns, atol=1e-6)
    np.testing.assert_allclose(again[:, 1], rows, atol=1e-6)


def test_a_mesh_smaller_than_a_pixel_is_a_dot_and_does_not_vanish() -> None:
    points = np.array([[5.2, 7.2, 1], [5.3, 7.2, 1], [5.2, 7.3, 1]])
    found = seen(points, np.array([[0, 1, 2]]), (20, 20))
    assert np.argwhere(found.there).tolist() == [[7, 5]]


def test_numbers_have_the_colours_of_their_scale_and_ends_that_are_passed_are_said() -> None:
    scale = Scale(name="distance", unit="mm", low=-2, high=2)
    shown = scale.colours(np.array([-9, -2, 0, 2, np.nan]))
    assert shown[0].tolist() == shown[1].tolist() == [0x1F, 0x4F, 0xBF]
    assert len(set(shown[2].tolist())) == 1 and shown[4].tolist() == [0x9A] * 3
    assert scale.beyond(np.array([-3, 0, np.nan])) == (True, False)
    made = scale_of([np.arange(100.0)], "thickness", "mm")
    assert (made.low, made.high) == (0.0, 99.0)
    assert (
        scale_of([np.array([-1.0, 3.0])], "x", "mm").low == -scale_of([np.array([-1.0, 3.0])], "x", "mm").high
    )
    cube = box((0, 0, 0), (1, 1, 1))
    plain = picture_of(cube, colours=[np.full(8, 2.0)], scale=scale, size=SMALL)
    passed = picture_of(cube, colours=[np.full(8, 9.0)], scale=scale, size=SMALL)
    assert (plain != passed).any() and (plain[:130] == passed[:130]).all()  # the foot alone says it
    assert row_of(cube, size=(140, 150)).shape == (140, 450, 3)


def test_a_mesh_of_several_labels_is_seen_in_their_colours() -> None:
    labels = (Label(3, "liver", None, "#ff0000"), Label(7, "lesion", None, "#0000ff"))
    both = joined([box((0, 0, 0), (10, 4, 10)), box((15, 0, 0), (20, 4, 10))], labels)
    picture = picture_of(both, size=SMALL)
    red, blue = (np.argwhere(of_colour(picture, k)) for k in (0, 2))
    assert red[:, 1].max() < blue[:, 1].min()
    assert len(red) == pytest.approx(2 * len(blue), rel=0.06)


def test_a_mesh_that_cannot_be_drawn_is_one_error() -> None:
    good = box((0, 0, 0), (1, 1, 1))
    bad = [
        Surface(case_id="", vertices_mm=np.full((8, 3), np.nan), faces=SIDES),
        Surface(case_id="", vertices_mm=CORNERS, faces=SIDES + 3),
        Surface(case_id="", vertices_mm=CORNERS, faces=-SIDES),
        Surface(case_id="", vertices_mm=np.zeros((0, 3)), faces=np.zeros((0, 3), dtype=int)),
        Surface(case_id="", vertices_mm=CORNERS[:, :2], faces=SIDES),
    ]
    for surface in bad:
        with pytest.raises(DataError):
            picture_of(surface)
    with pytest.raises(UnknownName, match="anterior"):
        picture_of(good, view="anteror")
    with pytest.raises(DataError, match="scale"):
        picture_of(good, colours=[np.zeros(8)])
    with pytest.raises(DataError, match="one colour"):
        picture_of([good, good], colours=["#ff0000"])
