"""Pointing: hits and shares of maps whose answer is worked out by hand, and drawings that cannot be used."""

from __future__ import annotations

import numpy as np
import pytest

from vesalius.core.case import Case
from vesalius.core.image import Image
from vesalius.explain.pointing import Part, drawn, pointed

SHAPE = (1, 4, 5)


def lesion() -> Part:
    bits = np.zeros(SHAPE, bool)
    bits[0, :2, :2] = True
    return Part("lesion", bits)


def test_a_map_that_lies_half_inside_has_half_of_its_share_there() -> None:
    field = np.zeros(SHAPE)
    field[0, 0, 0], field[0, 3, 4], field[0, 2, 2] = 3.0, 3.0, -50.0  # what speaks against does not count
    found = pointed(field, lesion())
    assert found.share == 0.5 and found.hit == 0.5  # one of two highest values
    assert found.by_chance == pytest.approx(4 / 20)


def test_a_hit_is_all_or_nothing_where_one_value_is_highest() -> None:
    field = np.full(SHAPE, 0.1)
    field[0, 1, 1] = 0.2
    assert pointed(field, lesion()).hit == 1
    field[0, 3, 3] = 0.3
    assert pointed(field, lesion()).hit == 0


def test_a_map_of_nothing_points_nowhere_and_a_flat_one_as_chance_does() -> None:
    assert (pointed(-np.ones(SHAPE), lesion()).hit, pointed(np.zeros(SHAPE), lesion()).share) == (0, 0)
    flat = pointed(np.ones(SHAPE), lesion())
    assert flat.hit == flat.share == flat.by_chance


def test_where_a_map_says_nothing_is_left_out() -> None:
    field = np.ones(SHAPE)
    field[0, 2:] = np.nan
    found = pointed(field, lesion())
    assert found.by_chance == pytest.approx(4 / 10) == found.share


def test_each_label_is_a_part_and_what_does_not_fit_is_said() -> None:
    labels = np.zeros((1, *SHAPE), np.uint8)
    labels[0, 0, 0], labels[0, 0, 1] = 1, 2
    image = Image(np.zeros((1, *SHAPE), np.float32))
    targets = {
        "organ": Image(labels),
        "lesion": Image(labels > 1),
        "empty": Image(labels * 0),
        "small": Image(labels[..., :3]),
        "atlas": Image(np.arange(20, dtype=np.uint8).reshape(1, *SHAPE)),
        "class": "bad",
    }
    parts, said = drawn(Case("one", {"image": image}, targets=targets), image, but="lesion")
    assert [(p.name, int(p.bits.sum())) for p in parts] == [("organ", 5), ("organ.2", 5)]
    assert len(said) == 2 and "small has another shape" in said[0] and "19 labels" in said[1]
