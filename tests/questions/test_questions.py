"""Questions and replies: what is asked is read by rules, and what no statement says is never told."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from vesalius.answers import contract as handling
from vesalius.core.answers.boxes import Boxes, counts_of
from vesalius.core.answers.mask import Mask
from vesalius.core.answers.scores import Scores
from vesalius.core.answers.text import Evidence, Text
from vesalius.core.answers.value import Value
from vesalius.core.case import Box
from vesalius.core.cohort import Label
from vesalius.core.finding import Finding
from vesalius.core.image import Image
from vesalius.core.promise import Promise
from vesalius.core.stated import Statement
from vesalius.questions.answered import replies
from vesalius.questions.asked import understood

NAMES = ["nodule", "effusion", "pneumothorax", "liver", "ejection fraction", "cardiomegaly"]


@pytest.mark.parametrize(
    ("words", "kind", "names", "side"),
    [
        ("Is there a nodule?", "there", ("nodule",), None),
        ("Any pleural effusion on the left?", "there", ("effusion",), "left"),
        ("Can you rule out a pneumothorax?", "there", ("pneumothorax",), None),
        ("Is the heart enlarged?", "there", ("cardiomegaly",), None),
        ("Is there fluid in the pleural space?", "there", ("effusion",), None),
        ("How many pulmonary nodules are there on the right?", "count", ("nodule",), "right"),
        ("Are there more than 3 nodules?", "count", ("nodule",), None),
        ("How large is the liver?", "size", ("liver",), None),
        ("On which side is the pneumothorax?", "side", ("pneumothorax",), None),
        ("Is the effusion on the left or the right?", "side", ("effusion",), None),
        ("Where is the nodule?", "where", ("nodule",), None),
        ("Has the nodule grown since the last scan?", "change", ("nodule",), None),
        ("What is the ejection fraction?", "number", ("ejection fraction",), None),
        ("What do you see?", "all", (), None),
        ("Is there a nodule or an effusion?", "there", ("nodule", "effusion"), None),
        ("Is the nodule spiculated?", "unclear", ("nodule",), None),
        ("Is the nodule calcified?", "unclear", ("nodule",), None),
        ("How large is the smallest nodule?", "unclear", ("nodule",), None),
        ("Is the weather nice?", "unclear", (), None),
        ("", "unclear", (), None),
    ],
)
def test_what_is_asked(words: str, kind: str, names: tuple[str, ...], side: str | None) -> None:
    asked = understood(words, NAMES)
    assert (asked.kind, asked.names, asked.side) == (kind, names, side)


def test_sizes_that_are_asked_about_are_in_millimetres() -> None:
    asked = understood("Is there a nodule larger than 1,2 cm in the right upper lobe?", NAMES)
    assert (asked.kind, asked.above_mm, asked.side, asked.place) == ("there", 12.0, "right", "upper lobe")
    assert understood("Are there nodules smaller than 8mm?", NAMES).below_mm == 8


def says(words: str, *statements: Statement, against: str = "") -> list[str]:
    asked = understood(words, [s.finding.name for s in statements])
    return [reply.says for reply in replies(asked, statements, against=against)]


THERE = Statement(Finding("nodule", "present", side="left", size_mm=9.0, count=2), "2 boxes", p=0.95)
NOT = Statement(Finding("nodule", "absent"), "no box is called", p=0.02)


@pytest.mark.parametrize(
    ("words", "statement", "reply"),
    [
        ("Is there a nodule?", THERE, "yes"),
        ("Is there a nodule on the left?", THERE, "yes"),
        ("Is there a nodule on the right?", THERE, "no"),
        ("Is there a nodule larger than 8 mm?", THERE, "yes"),
        ("Is there a nodule larger than 10 mm?", THERE, "no"),
        (
            "Is there a nodule smaller than 10 mm?",
            THERE,
            "cannot tell",
        ),  # of two only the larger one is measured
        ("How many nodules are there?", THERE, "2"),
        ("How large is the nodule?", THERE, "9 mm"),
        ("On which side is the nodule?", THERE, "left"),
        ("Has the nodule grown?", THERE, "cannot tell"),
        ("Is there a nodule in the upper lobe?", THERE, "cannot tell"),
        ("Is there a nodule?", NOT, "no"),
        ("How many nodules are there?", NOT, "0"),
        ("How large is the nodule?", NOT, "cannot tell"),
        ("On which side is the nodule?", NOT, "cannot tell"),
        ("Is there a nodule?", replace(THERE, p=0.6), "cannot tell"),
        ("Is there a nodule?", replace(NOT, p=0.4), "cannot tell"),
        ("Is there a nodule?", Statement(Finding("nodule", "absent"), p=0.9), "cannot tell"),
        ("Is there a nodule?", replace(THERE, doubted="one of two"), "cannot tell"),
        ("Is there a nodule?", Statement(Finding("nodule", "uncertain")), "cannot tell"),
        ("Is there a nodule on the left?", Statement(Finding("nodule", "present")), "cannot tell"),
        ("Is there a fracture?", THERE, "cannot tell"),
        ("Is the nodule malignant?", THERE, "cannot tell"),
    ],
)
def test_replies_say_no_more_than_is_stated(words: str, statement: Statement, reply: str) -> None:
    assert says(words, statement) == [reply]


def test_nothing_is_told_of_an_answer_that_must_not_be_believed() -> None:
    assert says("Is there a nodule?", THERE, against="it is unlike the images learned from") == [
        "cannot tell"
    ]
    assert says("What do you see?", THERE, Statement(Finding("effusion", "absent"), p=0.01)) == [
        "left nodule of 9 mm"
    ]


def test_sides_of_two_labels_are_told_apart() -> None:
    left = Statement(Finding("effusion", "present", side="left"), p=0.9)
    right = Statement(Finding("effusion", "absent", side="right"), p=0.1)
    assert says("Is there an effusion on the right?", left, right) == ["no"]
    assert says("Is there an effusion?", left, right) == ["yes"]
    assert says("On which side is the effusion?", left, right) == ["left"]


# --- what answers state


def test_scores_state_each_label_once_and_a_set_of_several_is_doubted() -> None:
    answer = Scores(
        labels=(Label(0, "left_effusion"), Label(1, "nodule")),
        p=np.array([0.9, 0.2]),
        kind="multilabel",
        thresholds={"nodule": 0.1},
    )
    first, second = handling.states(answer)
    assert (first.finding.name, first.finding.side, first.finding.status) == ("effusion", "left", "present")
    assert second.finding.status == "present" and second.p == 0.2, "called from .1 on"
    assert says("Is there a nodule?", second) == ["cannot tell"]
    promise = Promise(0.9, "…", labels=("benign", "malignant"))
    pair = Scores(labels=(Label(0, "benign"), Label(1, "malignant")), p=np.array([0.1, 0.9]), promise=promise)
    assert all(s.doubted for s in handling.states(pair))
    assert handling.states(replace(pair, withheld="too strange")) == ()


def test_things_of_both_sides_are_counted_together_and_those_of_a_part_once() -> None:
    left = Statement(Finding("kidney", side="left", count=1))
    right = Statement(Finding("kidney", side="right", count=2))
    assert says("How many kidneys are there?", left, right) == ["3"]
    assert says("How many kidneys are there?", left, replace(left, part="counts.kidney")) == ["1"]


def test_masks_state_how_many_how_large_and_where_by_their_geometry() -> None:
    array = np.zeros((1, 10, 20, 40), np.uint8)
    array[0, 4, 4:8, 30:34], array[0, 4, 12:14, 36:38] = 1, 1
    image = Image(array=array, affine=np.diag([2.0, 1.0, 3.0, 1.0]))
    labels = (Label(1, "cyst"), Label(2, "stone"))
    cyst, stone = handling.states(Mask(image=image, labels=labels))
    assert cyst.finding.count == 2 and cyst.finding.side == "left", "x grows to the patient's left"
    assert cyst.finding.size_mm == pytest.approx(
        np.hypot(4 * 2, 4 * 1)
    )  # one slice: its thickness is no diameter
    assert stone.finding.status == "absent"
    flipped = replace(image, affine=np.diag([-2.0, 1.0, 3.0, 1.0]))
    assert handling.states(Mask(image=flipped, labels=labels))[0].finding.side == "right"
    array[0, 4, 2, 2] = 1
    assert handling.states(Mask(image=image, labels=labels))[0].finding.side is None, "on both sides"
    bare = Image(array=array)
    assert handling.states(Mask(image=bare, labels=labels))[0].finding.size_mm is None


def test_boxes_and_counts_state_what_is_called() -> None:
    boxes = (Box((0, 0, 0), (2, 4, 8), "nodule"), Box((0, 0, 0), (1, 1, 1), "nodule"))
    on = Image(array=np.zeros((1, 4, 10, 40), np.uint8), affine=np.diag([1.0, 1.0, 5.0, 1.0]))
    answer = Boxes(
        boxes=boxes, p=np.array([0.9, 0.1]), labels=(Label(0, "nodule"),), thresholds={"nodule": 0.5}, on=on
    )
    (one,) = handling.states(answer)
    assert (one.finding.count, one.finding.size_mm, one.finding.side) == (1, 10.0, "right")
    whole = replace(answer, parts={"counts": counts_of(answer)})
    assert [s.part for s in handling.states(whole)] == ["", "counts.nodule"]
    assert says("How many nodules are there?", *handling.states(whole)) == ["1"]


def test_a_number_is_told_with_its_unit() -> None:
    (one,) = handling.states(Value(x=0.5512, unit="1", quantity="ejection fraction"))
    assert says("What is the ejection fraction?", one) == ["0.5512"]
    assert handling.states(Value(x=3.0)) == ()


def test_a_text_states_what_its_sentences_say_and_doubts_what_is_not_borne_out() -> None:
    said = Finding("nodule", side="right", size_mm=7.0)
    text = Text(
        sections={"findings": "A nodule."},
        evidence=(Evidence("findings", 0, (said,), False, "no nodule is there"),),
    )
    (one,) = handling.states(text)
    assert one.finding == said and one.doubted == "no nodule is there"
    assert says("Is there a nodule?", one) == ["cannot tell"]
