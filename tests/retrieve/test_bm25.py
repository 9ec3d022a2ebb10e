"""BM25 by hand, and that nothing but shared words counts."""

import math

import numpy as np
import pytest

from vesalius.core.errors import DataError
from vesalius.retrieve.bm25 import BM25, words_of

TEXTS = ["left pleural effusion", "no effusion, no pneumothorax", "nodule", "left left nodule of 5 mm"]


def test_a_score_worked_out_by_hand():
    # "left" is in 2 of 4 texts of 3, 4, 1 and 6 words (mean 3.5): idf = ln(1 + 2.5/2.5)
    rare = math.log(2)
    first = rare * 1 * 2.2 / (1 + 1.2 * (0.25 + 0.75 * 3 / 3.5))
    last = rare * 2 * 2.2 / (2 + 1.2 * (0.25 + 0.75 * 6 / 3.5))
    np.testing.assert_allclose(BM25.of(TEXTS).scores("Left"), [first, 0, 0, last], rtol=1e-12)


def test_equals_stand_in_their_order_and_some_can_be_left_out():
    index = BM25.of(TEXTS)
    assert index.ranked("nodule") == [2, 3, 0, 1]
    assert index.ranked("nodule", without=[2]) == [3, 0, 1]
    assert index.ranked("unheard") == [0, 1, 2, 3]


def test_a_rare_word_counts_more_than_a_common_one():
    scores = BM25.of(["a rare", "a", "a", "b"]).scores("a rare")
    assert scores.argmax() == 0 and scores[1] > 0 == scores[3]


def test_numbers_count_and_signs_do_not():
    assert words_of("A 12-mm nodule.") == ["a", "1", "2", "mm", "nodule"]


def test_no_texts_are_refused():
    with pytest.raises(DataError, match="no texts"):
        BM25.of([])
