"""What is asked of an answer, in a person's words: each kind knows its own, and what the answer lacks is an error."""

from __future__ import annotations

import numpy as np
import pytest

from vesalius.answers import contract
from vesalius.core.answers.boxes import Boxes
from vesalius.core.answers.curve import Curve
from vesalius.core.answers.mask import Mask
from vesalius.core.answers.picture import Picture
from vesalius.core.answers.ranking import Ranking
from vesalius.core.answers.scores import Scores
from vesalius.core.answers.text import Text
from vesalius.core.answers.value import Value
from vesalius.core.case import Box
from vesalius.core.cohort import Label
from vesalius.core.errors import DataError, UnknownName
from vesalius.core.image import Image

ORGANS = (Label(4, "liver"), Label(9, "Left kidney"), Label(12, "spleen"))


def mask() -> Mask:
    array = np.zeros((1, 1, 4, 6), np.uint8)
    array[0, 0, :2, :2], array[0, 0, 3, 3:], array[0, 0, 0, 5] = 4, 9, 4
    return Mask(image=Image(array), labels=ORGANS)


def test_a_label_is_asked_by_its_name_its_value_or_not_at_all() -> None:
    found = contract.ask(mask())
    assert (found.of, found.place, found.words) == ("label", 0, "liver")
    assert found.where.sum() == 5
    for words in ("Left kidney", "left KIDNEY", "9", "label=Left kidney"):
        found = contract.ask(mask(), words)
        assert (found.place, found.words) == (1, "Left kidney")
        assert np.array_equal(found.where, mask().image.array[0] == 9)


def test_regions_are_counted_from_the_largest_over_all_labels() -> None:
    sizes = [int(contract.ask(mask(), f"region={k}").where.sum()) for k in (1, 2, 3)]
    assert sizes == [4, 3, 1]
    assert contract.ask(mask(), "region=2").place == 1
    assert contract.ask(mask(), "region").words == "region 1, liver"


def test_what_a_mask_does_not_hold_cannot_be_asked() -> None:
    with pytest.raises(DataError, match="no voxel of 'spleen'") as refused:
        contract.ask(mask(), "spleen")
    assert refused.value.found == "liver, Left kidney"
    with pytest.raises(DataError, match="no such region"):
        contract.ask(mask(), "region=4")
    empty = Mask(image=Image(np.zeros((1, 1, 2, 2), np.uint8)), labels=ORGANS)
    with pytest.raises(DataError, match="any label"):
        contract.ask(empty)
    with pytest.raises(UnknownName, match="lung"):
        contract.ask(mask(), "lung")


def test_planes_of_overlapping_labels_are_asked_one_by_one() -> None:
    array = np.zeros((3, 1, 2, 2), np.uint8)
    array[0], array[1, 0, 0] = 1, 1
    both = Mask(image=Image(array), labels=ORGANS, overlapping=True)
    assert contract.ask(both, "liver").where.sum() == 4
    assert contract.ask(both, "Left kidney").where.sum() == 2


def test_scores_answer_about_the_likeliest_or_the_one_named() -> None:
    scores = Scores(labels=ORGANS, p=np.array([0.2, 0.7, 0.1]))
    assert contract.ask(scores).place == 1
    assert contract.ask(scores, "spleen").place == 2


def test_each_other_kind_has_its_own_words() -> None:
    boxes = Boxes(
        boxes=tuple(Box((0, 0, 0), (1, k, k), "nodule") for k in (1, 2)),
        p=np.array([0.3, 0.8]),
        labels=(Label(1, "nodule"),),
    )
    assert (contract.ask(boxes).place, contract.ask(boxes, "box=1").place) == (1, 0)
    with pytest.raises(DataError, match="no such box"):
        contract.ask(boxes, "3")
    curve = Curve(times_days=np.array([0.0, 365.0, 730.0]), survival={"all": np.array([1.0, 0.8, 0.5])})
    assert (contract.ask(curve).at, contract.ask(curve, "horizon=100").at) == (365.0, 100.0)
    with pytest.raises(DataError, match="a horizon is a number"):
        contract.ask(curve, "soon")
    text = Text(sections={"Findings": "A node of 1.5 cm. No effusion.", "Impression": "Benign."})
    assert [contract.ask(text, str(k)).words for k in (1, 2, 3)] == [
        "A node of 1.5 cm.", "No effusion.", "Benign.",
    ]  # fmt: skip
    ranking = Ranking(case_ids=("p1", "p7"), distances=np.array([0.1, 0.2]))
    assert contract.ask(ranking, "neighbour=2").words == "the likeness to p7"
    assert contract.ask(Value(x=61.0, unit="years", quantity="age")).words == "age"
    with pytest.raises(DataError, match="one number"):
        contract.ask(Value(x=61.0, unit="years", quantity="age"), "height")


def test_nothing_can_be_asked_of_a_picture() -> None:
    with pytest.raises(DataError, match="nothing can be asked of an answer of kind Picture"):
        contract.ask(Picture(image=Image(np.zeros((1, 1, 2, 2), np.uint8))))
