"""Outlines against what is worked by hand, and run lengths against the text that COCO's own API writes."""

from __future__ import annotations

import numpy as np
import pytest

from vesalius.core.errors import DataError
from vesalius.core.outlines import Outline, Outlines, runs_in, runs_of
from vesalius.formats._outlines import drawn, inside


def test_a_polygon_takes_the_pixels_whose_middle_it_holds() -> None:
    square = Outline(1, ((1.0, 1.0, 4.0, 1.0, 4.0, 3.0, 1.0, 3.0),))  # columns 1 to 3, rows 1 and 2
    want = np.zeros((5, 6), bool)
    want[1:3, 1:4] = True
    assert np.array_equal(inside(square, (5, 6)), want)


def test_the_later_thing_hides_the_earlier() -> None:
    one = Outline(1, ((0.0, 0.0, 3.0, 0.0, 3.0, 3.0, 0.0, 3.0),))
    two = Outline(300, ((2.0, 2.0, 5.0, 2.0, 5.0, 5.0, 2.0, 5.0),))
    ids = drawn(Outlines((6, 6), (one, two))).array
    assert ids.shape == (1, 1, 6, 6) and ids.dtype == np.uint16
    assert (ids == 1).sum() == 8 and (ids == 300).sum() == 9 and ids[0, 0, 2, 2] == 300


def test_runs_go_down_the_columns() -> None:
    bits = inside(Outline(1, runs=(1, 2, 3)), (3, 2))  # of column 0 rows 1 and 2
    assert bits.tolist() == [[False, False], [True, False], [True, False]]
    assert runs_in(bits) == (1, 2, 3)


def test_runs_and_bits_are_each_others_inverse() -> None:
    rng = np.random.default_rng(0)
    for shape in ((1, 1), (7, 3), (5, 9)):
        for share in (0.0, 0.4, 1.0):
            bits = rng.random(shape) < share
            assert np.array_equal(inside(Outline(1, runs=runs_in(bits)), shape), bits)


def compressed(runs: tuple[int, ...]) -> str:
    """Write runs as COCO's `rleToString` does, after its C source's description: groups of five bits, low first."""
    text = ""
    for k, run in enumerate(runs):
        x = run - (runs[k - 2] if k > 2 else 0)
        more = True
        while more:
            c = x & 31
            x >>= 5
            more = x != -1 if c & 16 else x != 0
            text += chr((c | 32 if more else c) + 48)
    return text


def test_the_compressed_text_of_coco_is_read() -> None:
    assert runs_of("52203") == (5, 2, 2, 2, 5)  # 5, 2, 2, then differences 0 and 3 to the last but one
    for runs in ((0, 3, 40, 1000, 2, 70000, 31, 5), (6,), (1, 1, 1, 1)):
        assert runs_of(compressed(runs)) == runs


@pytest.mark.parametrize("text", ["é", "52P", "\n"])
def test_other_texts_are_refused(text: str) -> None:
    with pytest.raises(DataError):
        runs_of(text)


@pytest.mark.parametrize(
    "thing", [Outline(1, ((0.0, 0.0, 1.0, 1.0),)), Outline(1, ((0.0, 0.0, 1.0, float("nan"), 2.0, 3.0),)),
              Outline(1, runs=(3, 4)), Outline(1, runs=(-1, 10))],
)  # fmt: skip
def test_what_cannot_be_drawn_is_refused(thing: Outline) -> None:
    with pytest.raises(DataError):
        inside(thing, (3, 3))


def test_ids_count_from_one() -> None:
    with pytest.raises(DataError, match="count from 1"):
        drawn(Outlines((3, 3), (Outline(0, runs=(0, 9)),)))
