"""Strokes are checked, drawn and undone; hostile JSON is refused."""

import json

import numpy as np
import pytest

from vesalius.core.errors import DataError
from vesalius.core.guidance import Guidance, Stroke, assert_within, marks_of, strokes_by_case


def test_json_goes_both_ways_and_undo_is_exact():
    strokes = (
        Stroke("point", ((0, 3, 4),)),
        Stroke("box", ((0, 1, 1), (0, 5.5, 6))),
        Stroke("scribble", ((0, 1, 1), (0, 1, 4)), adds=False),
    )
    guidance = Guidance(strokes)
    assert Guidance.of(json.loads(json.dumps(guidance.json()))) == guidance
    assert guidance.undone() == Guidance(strokes[:2])
    assert guidance.undone().added(strokes[2]) == guidance
    with pytest.raises(DataError, match="no stroke to undo"):
        Guidance().undone()


@pytest.mark.parametrize(
    "found",
    [
        {"kind": "lasso", "places": [[0, 1, 1]]},
        {"kind": "point", "places": [[0, 1]]},
        {"kind": "point", "places": [[0, 1, float("nan")]]},
        {"kind": "point", "places": [[0, 1, float("inf")]]},
        {"kind": "point", "places": [[0, 1, True]]},
        {"kind": "point", "places": [[0, 1, "2"]]},
        {"kind": "point", "places": []},
        {"kind": "box", "places": [[0, 1, 1]]},
        {"kind": "scribble", "places": [[0, 1, 1]] * 5000},
        {"kind": "point", "places": [[0, 1, 1]], "adds": "yes"},
        {"kind": "point", "places": [[0, 1, 1]], "add": False},
        {"kind": "point"},
        [0, 1, 1],
    ],
)
def test_what_is_no_stroke_is_refused(found):
    with pytest.raises(DataError):
        Stroke.of(found)


def test_the_image_ends_half_a_voxel_beyond_its_outer_middles():
    shape = (1, 8, 10)
    for place in ((0, 7.49, 9), (0, -0.5, 0), (0.2, 7, 9.4)):
        assert_within(Stroke("point", (place,)), shape)
    for place in ((0, 7.5, 9), (1, 0, 0), (0, 0, -0.51), (0, 0, 10)):
        with pytest.raises(DataError, match="outside"):
            assert_within(Stroke("point", (place,)), shape)
    with pytest.raises(DataError, match="stroke 2 lies outside"):
        Guidance((Stroke("point", ((0, 1, 1),)), Stroke("point", ((0, 8, 1),)))).assert_within(shape)


def test_a_scribble_has_no_gaps_and_a_later_stroke_stands_above():
    line = Stroke("scribble", ((0, 0, 0), (0, 2, 4)))
    by_hand = [[0, 0, 0], [0, 1, 1], [0, 1, 2], [0, 2, 3], [0, 2, 4]]
    assert line.voxels().tolist() == by_hand
    marks = marks_of((line, Stroke("point", ((0, 1, 2),), adds=False)), (1, 4, 6))
    assert marks.sum() == 3 and marks[0, 1, 2] == -1
    rubbed = marks_of((line, Stroke("box", ((0, 3, 5), (0, 1, 1)), adds=False)), (1, 4, 6))
    assert np.argwhere(rubbed > 0).tolist() == [[0, 0, 0]] and int((rubbed < 0).sum()) == 15
    assert not marks_of((Stroke("box", ((0, 0, 0), (0, 3, 5))),), (1, 4, 6)).any()


def test_a_case_is_named_where_its_strokes_are_wrong():
    good = {"a": [{"kind": "point", "places": [[0, 1, 1]]}]}
    assert strokes_by_case(good)["a"].strokes[0].adds
    with pytest.raises(DataError, match="case b"):
        strokes_by_case({**good, "b": [{"kind": "point", "places": [[0]]}]})
