"""Texts as vectors."""

from __future__ import annotations

import numpy as np

from vesalius.prepare import words

TEXTS = (
    ["No left ventricle dilatation"] * 5 + ["Left ventricle dilated, EF 35 %"] * 5 + ["Mr Smith was seen"] * 2
)


def test_words_and_pairs_of_them_are_known_that_stand_in_five_texts():
    learned = words.learn(words.overview(TEXTS))
    assert (
        "left ventricle" in learned["words"]
        and "smith" not in learned["words"]
        and "35" not in learned["words"]
    )
    weight = dict(zip(learned["words"], learned["weights"], strict=True))
    assert weight["dilated"] > weight["left"]
    assert np.isclose(weight["left"], 1 + np.log(13 / 11))


def test_a_text_has_length_one_and_an_unknown_one_none():
    learned = words.learn(words.overview(TEXTS))
    assert np.isclose(np.linalg.norm(words.encode(TEXTS[0], learned)), 1)
    assert not words.encode("Unbekannt", learned).any()


def test_two_places_learn_what_one_would():
    both = words.overview(TEXTS[:4]).merged(words.overview(TEXTS[4:]))
    assert words.learn(both) == words.learn(words.overview(TEXTS))
