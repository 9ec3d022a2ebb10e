"""Every kind of answer keeps the contract of `answers/`: its own file draws it, sums it up, stores and compares it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from vesalius import formats
from vesalius.answers import contract
from vesalius.answers.drawing.overlay import overlay
from vesalius.core import registry
from vesalius.core.answers import Answer, ImageAnswer, kind_of, kinds
from vesalius.core.answers.boxes import Boxes
from vesalius.core.answers.curve import Curve
from vesalius.core.answers.map import Map
from vesalius.core.answers.mask import Mask
from vesalius.core.answers.picture import Picture
from vesalius.core.answers.ranking import Ranking
from vesalius.core.answers.scores import Scores
from vesalius.core.answers.surface import Surface
from vesalius.core.answers.text import Text
from vesalius.core.answers.value import Value
from vesalius.core.case import Box, Case
from vesalius.core.cohort import Label
from vesalius.core.errors import DataError, UnknownName
from vesalius.core.image import Image
from vesalius.evaluate.scoring import card_of, tally_for
from vesalius.serve.http import results

STEMS = sorted(registry.stems("answers"))
IMAGE = Image(np.arange(3 * 8 * 8, dtype=np.float32).reshape(1, 3, 8, 8), spacing_mm=(1.0, 1.0, 2.0))
LABELS = (Label(1, "liver"), Label(2, "lesion"))
BOX = Box((0.0, 1.0, 1.0), (2.0, 5.0, 6.0), "liver")


def field(kind: type[np.generic]) -> Image:
    array = np.zeros((1, 3, 8, 8), kind)
    array[0, 1, 2:6, 2:6] = 1
    return Image(array, spacing_mm=IMAGE.spacing_mm)


EXAMPLES: dict[str, Answer] = {
    "boxes": Boxes(boxes=(BOX,), p=np.array([0.8]), labels=LABELS),
    "curve": Curve(times_days=np.array([10.0, 20.0]), survival={"all": np.array([0.9, 0.4])}),
    "map": Map(image=field(np.float32), quantity="attention"),
    "mask": Mask(image=field(np.uint8), labels=LABELS),
    "picture": Picture(image=field(np.float32)),
    "ranking": Ranking(case_ids=("b", "c"), distances=np.array([0.1, 0.2])),
    "scores": Scores(labels=LABELS, p=np.array([0.3, 0.7])),
    "surface": Surface(vertices_mm=np.eye(3), faces=np.array([[0, 1, 2]])),
    "text": Text(sections={"findings": "none"}),
    "value": Value(x=3.5, unit="mm"),
}


def test_dataclasses_and_files_are_the_same_kinds() -> None:
    assert STEMS == sorted(registry.stems("core.answers")) == sorted(EXAMPLES)


@pytest.mark.parametrize("stem", STEMS)
def test_the_file_says_all_that_is_asked_of_it(stem: str) -> None:
    handling, answer = contract.of(stem), EXAMPLES[stem]
    assert handling.kind is kind_of(stem) is type(answer) and handling is contract.of(answer)
    assert handling.draws == (type(handling).draw is not contract.Handling.draw)
    assert handling.objects and all(s.endswith(".dcm") for s in handling.objects)
    for suffix in handling.objects:
        formats.require_suffix(suffix)
    assert isinstance(answer, ImageAnswer) == hasattr(answer, "image")
    if isinstance(answer, ImageAnswer):
        formats.require_suffix(handling.suffix(answer))
    assert handling.monailabel in ("segmentation", "classification", "detection", "others")


@pytest.mark.parametrize("stem", STEMS)
def test_columns_and_summary_are_plain(stem: str, tmp_path: Path) -> None:
    answer = EXAMPLES[stem]
    assert all(isinstance(v, str | int | float) for v in contract.columns(answer).values())
    assert json.loads(json.dumps(results.summary(answer)))
    assert results.outline(answer)["kind"] == type(answer).__name__
    overlay(IMAGE, answer, tmp_path / "x.png")
    assert (tmp_path / "x.png").stat().st_size > 0


@pytest.mark.parametrize("stem", STEMS)
def test_json_gives_the_answer_back(stem: str, tmp_path: Path) -> None:
    path = formats.write(EXAMPLES[stem], tmp_path / "x.json")
    back = formats.read_answer(path)
    assert type(back) is type(EXAMPLES[stem])
    assert formats.write(back, tmp_path / "y.json").read_bytes() == path.read_bytes()


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
    tally = tally_for("Boxes")
    tally.add(Case("a", {"image": IMAGE}), EXAMPLES["boxes"], (BOX,), None, IMAGE)
    card = card_of(
        tally, "Boxes", split="test", data_hash="", patients_known=False, bundle="", target="where"
    )
    assert card.metrics == {} and card.n_cases == 1
    assert [b.kind for b in card.banners] == ["not measured"]
    assert [p.caption for p in tally.gallery.best] == ["1 of 1 box found, 0 false"]


def test_another_kind_of_answer_than_was_asked_is_refused() -> None:
    with pytest.raises(DataError, match="case a: the answer is not of kind Mask.*Value"):
        tally_for("Mask").add(Case("a", {"image": IMAGE}), EXAMPLES["value"], field(np.uint8), None, IMAGE)


def test_predictions_of_a_target_that_no_kind_reads_are_refused() -> None:
    assert {contract.for_target(t).kind for t in ("class", "ordinal", "multilabel")} == {Scores}
    assert (contract.for_target("mask").kind, contract.for_target("number").kind) == (Mask, Value)
    with pytest.raises(DataError, match="target of kind 'event' cannot be read"):
        contract.for_target("event")


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
