"""Every kind of answer keeps the contract of `answers/`: its own file draws it, sums it up, stores and compares it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from _answers import BOX, EXAMPLES, IMAGE, LABELS, field

from vesalius.answers import contract
from vesalius.core import registry
from vesalius.core.answers import kind_of, kinds
from vesalius.core.answers.boxes import Boxes
from vesalius.core.answers.mask import Mask
from vesalius.core.answers.scores import Scores
from vesalius.core.answers.text import Text
from vesalius.core.answers.value import Value
from vesalius.core.case import Box, Case
from vesalius.core.errors import DataError, UnknownName
from vesalius.core.image import Image
from vesalius.evaluate.scoring import card_of, tally_for
from vesalius.testing import ANSWER_PROMISES, AnswerTrial

STEMS = sorted(registry.stems("answers"))


def test_dataclasses_and_files_are_the_same_kinds() -> None:
    assert STEMS == sorted(registry.stems("core.answers")) == sorted(EXAMPLES)


@pytest.mark.parametrize("stem", STEMS)
@pytest.mark.parametrize("promise", ANSWER_PROMISES, ids=lambda promise: promise.__name__)
def test_it_keeps_its_promise(promise: Callable[[AnswerTrial], None], stem: str, tmp_path: Path) -> None:
    promise(AnswerTrial(EXAMPLES[stem], IMAGE, tmp_path))


@pytest.mark.parametrize("stem", STEMS)
def test_the_files_are_found_by_their_stem(stem: str) -> None:
    handling, answer = contract.of(stem), EXAMPLES[stem]
    assert handling.kind is kind_of(stem) is type(answer) and handling is contract.of(answer)


@pytest.mark.parametrize("stem", STEMS)
def test_an_answer_to_a_part_is_one_to_the_whole_image(stem: str) -> None:
    whole = Image(np.zeros((1, 5, 12, 12), np.float32), spacing_mm=IMAGE.spacing_mm)
    handling, answer = contract.of(stem), EXAMPLES[stem]
    placed = handling.placed(answer, (1, 2, 3), whole)
    assert type(placed) is type(answer)
    found = handling.found(placed)
    if found is not None:
        assert found.shape == whole.shape and found[2, 4:8, 5:9].all() and found.sum() == 16


def test_the_parts_of_an_answer_count_too() -> None:
    text = Text(sections={"findings": "one"}, parts={"lesion": EXAMPLES["mask"], "size": Value(x=2.0)})
    assert contract.columns(text) == {
        "findings": "one", "lesion.liver_ml": 0.032, "lesion.lesion_ml": 0.0, "size.value": 2.0, "size.unit": ""
    }  # fmt: skip
    assert [(name, type(one)) for name, one in contract.images(text)] == [("lesion", Mask)]
    assert [type(one) for one in contract.drawable(text)] == [Mask]
    both = Mask(image=field(np.uint8), labels=LABELS, parts={"organ": EXAMPLES["mask"]})
    assert [name for name, _ in contract.images(both)] == [""], "what led to a mask is no file beside it"


def test_boxes_are_rated_by_those_found() -> None:
    far = Box((0.0, 0.0, 0.0), (1.0, 1.0, 1.0), "liver")
    three = Boxes(boxes=(BOX, far, BOX), p=np.array([0.9, 0.8, 0.7]), labels=LABELS[:1])
    rate = contract.of("Boxes").rate
    assert rate(three, (BOX,), None) == (0.5, "1 of 1 box found, 2 false")
    assert rate(Boxes(boxes=(), p=np.zeros(0), labels=LABELS), (), None)[0] == 1.0


def test_a_kind_without_metrics_gets_a_card_that_says_so() -> None:
    tally = tally_for("Surface")
    tally.add(Case("a", {"image": IMAGE}), EXAMPLES["surface"], ("b",), None, IMAGE)
    card = card_of(
        tally, "Surface", split="test", data_hash="", patients_known=False, bundle="", target="where"
    )
    assert card.metrics == {} and card.n_cases == 1
    assert [b.kind for b in card.banners] == ["not measured"]


def test_a_case_of_boxes_is_shown_with_what_was_found() -> None:
    tally = tally_for("Boxes")
    tally.add(Case("a", {"image": IMAGE}), EXAMPLES["boxes"], (BOX,), None, IMAGE)
    assert [p.caption for p in tally.gallery.best] == ["1 of 1 box found, 0 false"]


def test_another_kind_of_answer_than_was_asked_is_refused() -> None:
    with pytest.raises(DataError, match="case a: the answer is not of kind Mask.*Value"):
        tally_for("Mask").add(Case("a", {"image": IMAGE}), EXAMPLES["value"], field(np.uint8), None, IMAGE)


def test_predictions_of_a_target_that_no_kind_reads_are_refused() -> None:
    assert {contract.for_target(t).kind for t in ("class", "ordinal", "multilabel")} == {Scores}
    assert (contract.for_target("mask").kind, contract.for_target("number").kind) == (Mask, Value)
    with pytest.raises(DataError, match="target of kind 'text' cannot be read"):
        contract.for_target("text")


def test_an_unknown_kind_names_the_known() -> None:
    with pytest.raises(UnknownName, match="unknown kind of answer 'maskk'.*mask"):
        contract.of("Maskk")
    assert len(kinds()) == len(STEMS)


def test_no_torch_on_this_floor() -> None:
    code = (
        "import sys; from vesalius.answers import contract; from vesalius.core import registry\n"
        "for stem in registry.stems('answers'): contract.of(stem)\n"
        "sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
