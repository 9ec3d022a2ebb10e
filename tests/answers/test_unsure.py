"""How unsure an answer is: by hand, against SciPy, and more for what anyone would call less sure."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage
from scipy.stats import entropy

from vesalius.answers import _unsure as unsure
from vesalius.answers import contract
from vesalius.core.answers.boxes import Boxes
from vesalius.core.answers.numbers import Numbers
from vesalius.core.answers.scores import Scores
from vesalius.core.answers.value import Value
from vesalius.core.bounds import Bounds
from vesalius.core.case import Box
from vesalius.core.cohort import Label
from vesalius.core.promise import Promise

LABELS = tuple(Label(k, name) for k, name in enumerate(("a", "b", "c")))


def scores(*p: float, kind: str = "exclusive") -> Scores:
    return Scores(labels=LABELS[: len(p)], p=np.array(p), kind=kind)  # type: ignore[arg-type]


def test_probabilities_by_entropy_and_by_margin() -> None:
    said = contract.of("Scores")
    assert said.unsure(scores(0.5, 0.3, 0.2), "entropy") == pytest.approx(entropy([0.5, 0.3, 0.2]))
    assert said.unsure(scores(0.5, 0.3, 0.2), "margin") == pytest.approx(0.8)
    two, three = scores(0.5, 0.5, 0.0), scores(0.5, 0.25, 0.25)
    assert said.unsure(two, "entropy") < said.unsure(three, "entropy"), "the measures differ in their order"
    assert said.unsure(two, "margin") > said.unsure(three, "margin")


def test_of_several_labels_at_once_the_most_doubtful_one_counts() -> None:
    said = contract.of("Scores")
    found = scores(0.99, 0.5, 0.01, kind="multilabel")
    assert said.unsure(found, "entropy") == pytest.approx(np.log(2)) and said.unsure(found, "margin") == 1.0


def test_boxes_count_what_may_be_there_and_nothing_is_nothing_unsure() -> None:
    said = contract.of("Boxes")

    def boxes(*p: float) -> Boxes:
        made = tuple(Box((0, 0, 0), (1, 4, 4), "a") for _ in p)
        return Boxes(boxes=made, p=np.array(p), labels=LABELS[:1], thresholds={"a": 0.9})

    assert said.unsure(boxes(0.5, 0.5), "entropy") == pytest.approx(2 * np.log(2))
    assert said.unsure(boxes(0.5, 0.99), "margin") == 1.0 and said.unsure(boxes(), "entropy") == 0.0
    assert said.unsure(boxes(), "margin") == 0.0


def test_a_number_is_as_unsure_as_its_interval_is_wide() -> None:
    said, plain = contract.of("Value"), Value(x=3.0, unit="mm")
    assert said.unsure(plain, "width") is None
    own = Value(x=3.0, unit="mm", bounds=Bounds(1.0, 6.0, 0.9))
    assert said.unsure(own, "width") == 5.0
    promised = Value(x=3.0, unit="mm", promise=Promise(0.9, "", interval=(2.0, 4.5)), bounds=own.bounds)
    assert said.unsure(promised, "width") == 2.5, (
        "what is promised goes before what the model thinks of itself"
    )
    half = Value(x=3.0, unit="mm", promise=Promise(0.9, "", interval=(None, 4.5)))
    assert said.unsure(half, "width") is None
    both = Numbers(parts={"a": own, "b": promised})
    assert contract.of("Numbers").unsure(both, "width") == 3.75
    other = Numbers(parts={"a": own, "b": Value(x=1.0, unit="ml", bounds=own.bounds)})
    assert contract.of("Numbers").unsure(other, "width") is None, (
        "widths in different units add up to nothing"
    )


def test_a_mask_is_judged_near_its_border_alone() -> None:
    called = np.zeros((1, 40, 40), bool)
    called[0, 10:30, 10:30] = True
    inside = ndimage.distance_transform_edt(called[0]) - ndimage.distance_transform_edt(~called[0])
    sharp = (1 / (1 + np.exp(-4 * inside)))[None, None]
    soft = (1 / (1 + np.exp(-0.4 * inside)))[None, None]
    assert unsure.of_mask(called, soft) > 2 * unsure.of_mask(called, sharp)
    border = unsure.near_border(called)
    near = (ndimage.distance_transform_cdt(called[0], "taxicab") <= 2) & called[0]
    assert border[0][called[0]].sum() == near.sum() and not border[0, 15:25, 15:25].any()
    p = soft[0, 0][border[0]]
    assert unsure.of_mask(called, soft) == pytest.approx(entropy([p, 1 - p]).mean())


def test_a_mask_in_which_nothing_is_called_is_judged_by_its_most_doubtful_points() -> None:
    nothing = np.zeros((1, 20, 20), bool)
    sure, doubtful = np.full((1, 1, 20, 20), 0.001), np.full((1, 1, 20, 20), 0.001)
    doubtful[0, 0, 5, 5:9] = 0.45
    assert unsure.of_mask(nothing, doubtful) == pytest.approx(entropy([0.45, 0.55]))
    assert unsure.of_mask(nothing, sure) < 0.01


@pytest.mark.parametrize("kind", ["Scores", "Mask", "Boxes", "Instances", "Value", "Numbers", "Text", "Map"])
def test_each_kind_names_its_measures(kind: str) -> None:
    assert contract.of(kind).unsure_by
