"""Doubt: entropies by hand and as scipy has them, and its place in an answer's JSON."""

from __future__ import annotations

import json

import numpy as np
import pytest
from scipy.stats import entropy as scipys

from vesalius.core import encoding
from vesalius.core.answers.map import Map
from vesalius.core.answers.scores import Scores
from vesalius.core.answers.value import Value
from vesalius.core.cohort import Label
from vesalius.core.doubt import Doubt, binary_entropies, entropies, entropy
from vesalius.core.image import Image


def test_two_who_are_sure_of_different_things_and_two_who_know_nothing() -> None:
    sure = entropies(np.array([[1.0, 0.0], [0.0, 1.0]]))
    assert (
        sure.entropy == pytest.approx(np.log(2))
        and sure.expected == 0
        and sure.mutual == pytest.approx(np.log(2))
    )
    blank = entropies(np.full((2, 2), 0.5))
    assert blank.entropy == pytest.approx(np.log(2)) == blank.expected and blank.mutual == pytest.approx(0)


def test_entropies_are_scipys() -> None:
    p = np.random.default_rng(0).dirichlet(np.ones(4), (6, 10))
    found = entropies(p)
    assert np.allclose(entropy(p), scipys(p, axis=-1)) and np.allclose(
        found.entropy, scipys(p.mean(0), axis=-1)
    )
    assert np.allclose(found.mutual, found.entropy - found.expected) and (found.mutual >= 0).all()
    yes = p[..., 0]
    assert np.allclose(binary_entropies(yes).expected, scipys([yes, 1 - yes], axis=0).mean(axis=0))


def test_an_answer_without_doubt_is_stored_as_ever_and_one_with_it_comes_back() -> None:
    bare = Value(x=1.0, case_id="a")
    assert (
        "doubt" not in json.loads(encoding.as_text(bare))
        and encoding.from_text(encoding.as_text(bare)).doubt is None
    )
    doubt = Doubt(figures={"sd": 0.25}, units={"sd": "ml"}, way="dropout", samples=20)
    found = encoding.from_text(encoding.as_text(Value(x=1.0, doubt=doubt))).doubt
    assert (found.figures, found.units, found.way, found.samples) == (
        {"sd": 0.25},
        {"sd": "ml"},
        "dropout",
        20,
    )
    assert found.columns() == {"doubt_sd": 0.25} and found.said() == {"doubt: standard deviation": "0.25 ml"}


def test_maps_are_parts_and_come_back_too() -> None:
    field = Map(image=Image(np.ones((1, 2, 3, 4), np.float32)), quantity="entropy", unit="nat")
    scores = Scores(
        labels=(Label(0, "a"),),
        p=np.ones(1),
        parts={"entropy": field},
        doubt=Doubt(figures={}, maps=("entropy",)),
    )
    found = encoding.from_text(encoding.as_text(scores))
    assert found.doubt.maps == ("entropy",) and np.array_equal(
        found.parts["entropy"].image.array, field.image.array
    )
