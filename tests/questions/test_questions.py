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
from vesalius.questions.answered import SIDES, replies
from vesalius.questions.asked import understood
from vesalius.questions.replying import replied

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
        ("How many nodules have grown?", "change", ("nodule",), None),
        ("Was there a nodule before?", "change", ("nodule",), None),
        ("Has the nodule grown by more than 5 mm?", "unclear", ("nodule",), None),
        ("Are there 3 nodules?", "count", ("nodule",), None),
        ("Is there a 10 mm nodule?", "unclear", ("nodule",), None),
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
        ("What is the nodule?", THERE, "cannot tell"),
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


# --- what is denied, doubted or asked of both sides

CARDIOMEGALY = Statement(Finding("cardiomegaly", "present"), p=0.97)
FLUID = Statement(Finding("effusion", "absent"), p=0.01)


@pytest.mark.parametrize(
    ("words", "statement", "reply"),
    [
        ("Is the heart normal?", CARDIOMEGALY, "no"),
        ("Is the heart not enlarged?", CARDIOMEGALY, "no"),
        ("Is the heart not large?", CARDIOMEGALY, "no"),
        ("Is the cardiac silhouette unremarkable?", CARDIOMEGALY, "no"),
        ("Is the heart not normal?", CARDIOMEGALY, "cannot tell"),
        ("Is the heart borderline?", CARDIOMEGALY, "cannot tell"),
        ("Is the heart normal?", replace(CARDIOMEGALY, p=0.6), "cannot tell"),
        ("Is there no nodule?", THERE, "no"),
        ("Is there no nodule?", NOT, "yes"),
        ("Is there no nodule larger than 10 mm?", THERE, "yes"),
        ("Is there no nodule on the left?", THERE, "no"),
        ("Is there no nodule on the right?", THERE, "yes"),
        ("Can you rule out a nodule?", THERE, "no"),
        ("Can you rule out a nodule?", NOT, "yes"),
        ("Can a nodule be excluded?", NOT, "yes"),
        ("Can you rule out a nodule?", replace(NOT, p=0.4), "cannot tell"),
        ("Is the scan free of nodules?", NOT, "yes"),
        ("Is the costophrenic angle sharp?", FLUID, "yes"),
        ("Is there a nodule or not?", NOT, "no"),
        ("Isn't there a nodule?", THERE, "cannot tell"),
        ("Is there not a nodule?", THERE, "cannot tell"),
        ("Can you not rule out a nodule?", NOT, "cannot tell"),
        ("How many nodules are there without effusion?", THERE, "cannot tell"),
        ("Which side has no nodule?", THERE, "cannot tell"),
        ("Are there nodules no larger than 10 mm?", THERE, "cannot tell"),
        ("Is there no change in the nodule?", THERE, "cannot tell"),
        ("Is there a new nodule?", THERE, "cannot tell"),
    ],
)
def test_an_absence_that_is_asked_for_is_not_a_presence(words: str, statement: Statement, reply: str) -> None:
    assert says(words, statement) == [reply]


def test_a_reply_about_an_absence_says_that_it_is_one() -> None:
    (reply,) = replies(understood("Is the heart normal?", ["cardiomegaly"]), [CARDIOMEGALY])
    assert reply.because.startswith("asked is whether no cardiomegaly is there; ")
    both = understood("Is there a nodule and no effusion?", NAMES)
    assert [r.says for r in replies(both, [THERE, FLUID])] == ["yes", "yes"]


@pytest.mark.parametrize("words", ["Are there effusions on both sides?", "Is there a bilateral effusion?"])
@pytest.mark.parametrize(
    ("left", "right", "reply"),
    [(0.95, 0.02, "no"), (0.95, 0.9, "yes"), (0.95, 0.5, "cannot tell"), (0.5, 0.02, "no")],
)
def test_both_sides_are_each_asked_for(words: str, left: float, right: float, reply: str) -> None:
    assert says(words, *_sides(left, right)) == [reply]


def _sides(left: float, right: float) -> list[Statement]:
    return [
        Statement(Finding("effusion", "present" if p >= 0.5 else "absent", side=side), p=p)
        for side, p in zip(SIDES, (left, right), strict=True)
    ]


def test_one_finding_may_be_on_both_sides_and_one_without_a_side_is_not_known_to_be() -> None:
    both = Statement(Finding("effusion", side="both"))
    assert says("Is there a bilateral effusion?", both) == ["yes"]
    assert says("Is there a bilateral effusion?", replace(both, finding=Finding("effusion"))) == [
        "cannot tell"
    ]
    assert says("Is there a bilateral effusion?", FLUID) == ["no"]
    assert says("Is there no bilateral effusion?", FLUID) == ["cannot tell"], "on neither, or not on both"


def test_what_is_denied_of_one_side_or_place_is_not_denied_of_all() -> None:
    left = Statement(Finding("effusion", "absent", side="left"), p=0.02)
    assert says("Is there an effusion?", left) == ["cannot tell"]
    assert says("Is there an effusion on the right?", left) == ["cannot tell"]
    assert says("Is there an effusion?", *_sides(0.02, 0.03)) == ["no"]
    upper = Statement(Finding("nodule", "absent", place="upper lobe"))
    assert says("Is there a nodule?", upper) == ["cannot tell"]
    assert says("Is there a nodule in the upper lobe?", upper) == ["no"]


@pytest.mark.parametrize(
    "words",
    [
        "How many nodules are there?",
        "How large is the nodule?",
        "On which side is the nodule?",
        "Where is the nodule?",
    ]
    + ["Has the nodule grown?"],
)
@pytest.mark.parametrize("doubt", [{"p": 0.52}, {"doubted": "not borne out"}])
def test_no_kind_of_question_is_answered_from_a_doubt(words: str, doubt: dict[str, object]) -> None:
    finding = Finding("nodule", side="left", place="upper lobe", size_mm=9.0, count=2, change="larger")
    sure = Statement(finding, p=0.97)
    assert says(words, sure) != ["cannot tell"]
    assert says(words, replace(sure, **doubt)) == ["cannot tell"]  # type: ignore[arg-type]


def test_a_side_of_which_it_cannot_tell_is_said_beside_the_one_that_is_sure() -> None:
    asked = understood("Which side is the effusion on?", ["effusion"])
    assert [r.says for r in replies(asked, _sides(0.52, 0.48))] == ["cannot tell"]
    (reply,) = replies(asked, _sides(0.97, 0.48))
    assert reply.says == "left" and reply.because.endswith("whether it is on the right as well is not known")


def test_things_are_not_counted_where_some_are_in_doubt() -> None:
    left, right = (
        Statement(Finding("nodule", side="left", count=2), p=0.95),
        Statement(Finding("nodule", "absent", side="right"), p=0.4),
    )
    assert says("How many nodules are there?", left, right) == ["cannot tell"]
    assert says("How many nodules are there on the left?", left, right) == ["2"]


def test_a_size_without_a_side_is_not_that_of_a_side() -> None:
    unsided = Statement(Finding("nodule", size_mm=9.0), p=0.95)
    assert says("How large is the nodule on the left?", unsided) == ["cannot tell"]


@pytest.mark.parametrize(
    ("words", "reply"),
    [
        ("larger than 9 mm", "no"), ("at least 9 mm", "yes"), ("smaller than 9 mm", "no"), ("at most 9 mm", "yes"),
        ("at least 0.91 cm", "no"), ("at most 0.89 cm", "no"), ("more than 8.9 mm", "yes"), ("less than 9.1 mm", "yes"),
    ],
)  # fmt: skip
def test_a_bound_includes_itself_where_it_says_so(words: str, reply: str) -> None:
    assert says(f"Is there a nodule {words}?", Statement(Finding("nodule", size_mm=9.0), p=0.97)) == [reply]


@pytest.mark.parametrize(
    ("p", "said", "reply"),
    [
        (0.4, Finding("nodule"), "cannot tell"),
        (0.02, Finding("nodule"), "cannot tell"),
        (0.97, Finding("nodule"), "yes"),
        (0.4, Finding("nodule", "absent"), "cannot tell"),
        (0.02, Finding("nodule", "absent"), "no"),
    ],
)
def test_a_sentence_is_no_surer_than_the_probability_of_its_finding(
    p: float, said: Finding, reply: str
) -> None:
    found = Scores(
        labels=(Label(0, "Nodule"),), p=np.array([p]), kind="multilabel", thresholds={"Nodule": 0.3}
    )
    text = Text(
        sections={"findings": "A nodule."},
        evidence=(Evidence("findings", 0, (replace(said, size_mm=7.0),), True),),
        parts={"findings": found},
    )
    assert says("Is there a nodule?", *handling.states(text)) == [reply]
    size = ["7 mm"] if reply == "yes" else ["cannot tell"]
    assert says("How large is the nodule?", *handling.states(text)) == size


def test_a_sentence_of_a_side_is_held_against_the_probability_of_that_side() -> None:
    said = Statement(Finding("effusion", side="right"), "'Right effusion.'")
    assert says("Is there an effusion on the right?", said, *_sides(0.97, 0.02)) == ["cannot tell"]
    assert says("Is there an effusion on the right?", said, *_sides(0.97, 0.9)) == ["yes"]
    bilateral = replace(said, finding=Finding("effusion", side="both"))
    assert says("Is there a bilateral effusion?", bilateral, *_sides(0.97, 0.4)) == ["cannot tell"]


def test_a_remark_about_the_image_refuses_every_question() -> None:
    answer = Scores(labels=(Label(0, "nodule"),), p=np.array([0.97]), kind="multilabel")
    assert [r.says for r in replied(answer, "Is there a nodule?")] == ["yes"]
    strange = replace(answer, outside=("its grey values are unlike those learned from",))
    (reply,) = replied(strange, "Is there a nodule?")
    assert (reply.says, reply.because) == ("cannot tell", "its grey values are unlike those learned from")


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
    assert cyst.finding.count == 2
    assert cyst.finding.size_mm == pytest.approx(
        np.hypot(4 * 2, 4 * 1)
    )  # one slice: its thickness is no diameter
    assert cyst.finding.side is None, "the image's half is no side: it may be of one knee"
    assert stone.finding.status == "absent"
    bare = Image(array=array)
    assert handling.states(Mask(image=bare, labels=labels))[0].finding.size_mm is None


def test_sides_are_told_by_what_names_its_own_on_either_side() -> None:
    array = np.zeros((1, 4, 8, 40), np.uint8)
    array[0, :, 2:6, 30:34], array[0, :, 2:6, 12:16] = (
        1,
        2,
    )  # the middle is at 22.5, and not at the image's 19.5
    array[0, 1, 1, 21] = 3
    names = ("left kidney", "kidney_right", "cyst")
    image = Image(array=array, affine=np.diag([2.0, 1.0, 3.0, 1.0]))

    def side(image: Image, names: tuple[str, ...] = names) -> str | None:
        labels = tuple(Label(k, name) for k, name in enumerate(names, start=1))
        return handling.states(Mask(image=image, labels=labels))[2].finding.side

    assert side(image) == "right", "x grows to the patient's left"
    assert side(image, ("right kidney", "left kidney", "cyst")) is None, "labels that contradict the geometry"
    assert side(replace(image, affine=np.diag([-2.0, 1.0, 3.0, 1.0])), (names[1], names[0], "cyst")) == "left"
    assert side(image, ("left kidney", "right lung", "cyst")) is None, "no pair"
    assert side(image, ("left liver lobe", "right liver lobe", "cyst")) is None, "its lobes meet on the right"
    assert side(image, ("left upper lung lobe", "right upper lung lobe", "cyst")) == "right"
    assert side(replace(image, array=np.where(array == 1, 0, array))) is None, (
        "one of two is not in the image"
    )
    array[0, 1, 1, 24] = 3
    assert side(image) is None, "on both sides"


def test_boxes_that_name_sides_tell_the_sides_of_others() -> None:
    boxes = tuple(
        Box((0, 0, x), (1, 4, x + 4), name) for x, name in ((2, "right lung"), (30, "left lung"), (8, "node"))
    )
    on = Image(array=np.zeros((1, 4, 10, 40), np.uint8), affine=np.diag([1.0, 1.0, 5.0, 1.0]))
    labels = (Label(0, "right lung"), Label(1, "left lung"), Label(2, "node"))
    found = handling.states(Boxes(boxes=boxes, p=np.array([0.9, 0.9, 0.9]), labels=labels, on=on))
    assert [s.finding.side for s in found] == ["right", "left", "right"]


def test_boxes_and_counts_state_what_is_called() -> None:
    boxes = (Box((0, 0, 0), (2, 4, 8), "nodule"), Box((0, 0, 0), (1, 1, 1), "nodule"))
    on = Image(array=np.zeros((1, 4, 10, 40), np.uint8), affine=np.diag([1.0, 1.0, 5.0, 1.0]))
    answer = Boxes(
        boxes=boxes, p=np.array([0.9, 0.1]), labels=(Label(0, "nodule"),), thresholds={"nodule": 0.5}, on=on
    )
    (one,) = handling.states(answer)
    assert (one.finding.count, one.finding.size_mm, one.finding.side) == (1, 10.0, None)
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
