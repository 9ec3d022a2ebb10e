"""Marks of answers: what differs, by how much, and in which unit."""

from __future__ import annotations

import math

import numpy as np
import pytest

from vesalius.core.answers.boxes import Boxes
from vesalius.core.cohort import Label
from vesalius.core.image import Image
from vesalius.core.marks import Mark, cells, counts, difference, fields_of, means, place, spread_of, widest


def test_words_are_the_same_or_infinitely_far_apart() -> None:
    assert difference(Mark("x", "a"), Mark("x", "a")) == 0
    assert difference(Mark("x", "a"), Mark("x", "b")) == math.inf
    assert difference(Mark("x", "1"), Mark("x", 1.0)) == math.inf


@pytest.mark.parametrize(
    ("one", "other", "unit", "far"),
    [
        (0.5, 0.499, 1.0, 0.001),
        (60.0, 63.0, 12.0, 0.25),
        ((1.0, 2.0), (1.0, 2.5), 2.0, 0.25),
        ((1.0,), (1.0, 2.0), 1.0, math.inf),
        ((1.0, math.nan), (1.0, math.nan), 1.0, 0.0),
        ((1.0, math.nan), (1.0, 2.0), 1.0, math.inf),
        (1.0, math.inf, 1.0, math.inf),
        ((), (), 1.0, 0.0),
    ],
)
def test_numbers_lie_apart_in_units_of_the_expected_one(
    one: float | tuple[float, ...], other: float | tuple[float, ...], unit: float, far: float
) -> None:
    assert difference(Mark("x", one, unit=unit), Mark("x", other, unit=9.0)) == pytest.approx(far)


def test_a_voxel_that_moves_counts_once_and_one_that_moves_within_a_block_not_at_all() -> None:
    labels = np.zeros((4, 8, 8), np.uint8)
    labels[1, 2, 2] = 3
    there = counts("voxels", labels, [3])
    moved = labels.copy()
    moved[1, 2, 2], moved[3, 7, 7] = 0, 3
    assert difference(there, counts("voxels", moved, [3])) == pytest.approx(
        2 / labels.size
    )  # gone here, new there
    grown = labels.copy()
    grown[3, 7, 7] = 3
    assert difference(there, counts("voxels", grown, [3])) == pytest.approx(1 / labels.size)
    mirrored = counts("voxels", labels[:, :, ::-1], [3])
    assert difference(there, mirrored) > 0, "the same number elsewhere is another mask"


def test_blocks_cover_a_field_once_whatever_its_size() -> None:
    for shape in ((1, 5, 7), (3, 9, 4), (2, 2, 2)):
        field = np.arange(np.prod(shape)).reshape(shape)
        assert sorted(np.concatenate([b.ravel() for b in cells(field)])) == list(range(field.size))


def test_a_field_is_known_by_its_blocks_where_it_has_values() -> None:
    field = np.full((1, 1, 4, 4), np.nan, np.float32)
    field[0, 0, :2, :2] = [[1, 3], [5, 7]]
    mark = means("field", field)
    assert isinstance(mark.value, tuple) and mark.value[0] == 1.0 and math.isnan(mark.value[2])
    assert mark.unit == pytest.approx(np.std([1, 3, 5, 7]))


def test_a_spread_is_not_ruled_by_a_few_far_numbers() -> None:
    assert (
        spread_of(np.array([-1.0, 0, 1, 2, -10_000.0])) < 11
    )  # such as the logits of words that may not come
    assert spread_of(np.array([5.0, 5.0])) == pytest.approx(0.005) and spread_of(np.zeros(0)) == 1.0


def test_any_plain_thing_has_marks() -> None:
    found = {m.name: m.value for m in fields_of({"a": [1, "b"], "c": np.array([1.5]), "d": None})}
    assert found == {"a 1": 1.0, "a 2": "b", "c": (1.5,)}
    assert [m.name for m in fields_of(Label(1, "liver"))] == ["value", "name"]
    assert not [
        m for m in fields_of(Boxes(boxes=(), p=np.zeros(0), labels=()), left_out=["p"]) if m.name == "p"
    ]


def test_where_an_image_lies_is_known_again() -> None:
    one = Image(np.zeros((1, 2, 2, 2)), affine=np.diag([1.0, 1, 2, 1]))
    other = Image(np.zeros((1, 2, 2, 2)), affine=np.diag([-1.0, 1, 2, 1]))
    assert difference(place(one)[1], place(other)[1]) == 1.0


def test_what_differs_most_is_told() -> None:
    assert widest(Mark("x", (1.0, 2.0, 3.0)), Mark("x", (1.0, 2.5, 3.1))) == (2.0, 2.5)
    assert widest(Mark("x", "a"), Mark("x", 2.0)) == ("a", 2.0)
    assert widest(Mark("x", (1.0,)), Mark("x", ())) == ("1 numbers", "0 numbers")
