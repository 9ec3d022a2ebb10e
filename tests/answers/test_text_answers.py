"""What is done with texts: columns, marks, questions, pages beside references, drawings, and cards that come back."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from vesalius import metrics
from vesalius.answers import contract
from vesalius.answers.drawing.overlay import with_layer
from vesalius.core.answers.map import Map
from vesalius.core.answers.scores import Scores
from vesalius.core.answers.text import Evidence, Text
from vesalius.core.case import Case
from vesalius.core.cohort import Label
from vesalius.core.errors import DataError, UnknownName
from vesalius.core.finding import Finding
from vesalius.core.image import Image
from vesalius.core.scorecard import Scorecard, as_json, nameless
from vesalius.evaluate.report import Report, render
from vesalius.evaluate.scoring import card_of, tally_for
from vesalius.testing import check_answer
from vesalius.texts.reference import Reference
from vesalius.texts.terms import Terms

HANDLING = contract.of("text")
IMAGE = Image(np.arange(256, dtype=np.float32).reshape(1, 1, 16, 16), spacing_mm=(1.0, 1.0, 1.0))
SAID = "There is a left pleural effusion. No pneumothorax."
EVIDENCE = (
    Evidence("findings", 0, (Finding("effusion", side="left"),), supported=True, part="look 0"),
    Evidence(
        "findings", 1, (Finding("pneumothorax", "absent"),), supported=False, why="p = 0.9", part="look 1"
    ),
)


def look(y: int, x: int, *, side: int = 4) -> Map:
    array = np.zeros((1, 1, side, side), np.float32)
    array[0, 0, y, x] = 1.0
    return Map(image=Image(array), quantity="attention")


def text(said: str = SAID, evidence: tuple[Evidence, ...] = EVIDENCE, **about: Any) -> Text:
    return Text(sections={"findings": said}, evidence=evidence, case_id="a", **about)


@pytest.fixture(scope="module")
def chest() -> Terms:
    return Terms.named("chest")


@pytest.fixture(scope="module")
def card(chest: Terms) -> Scorecard:
    """Four texts of which the second is on the wrong side, the third invents, and the last is right."""
    said = [SAID, "A right pleural effusion.", "A left effusion. A lung nodule of 12 mm.", "A left effusion."]
    tally = tally_for("Text")
    for k, words in enumerate(said):
        case = Case(f"c{k}", {"image": IMAGE}, patient=f"p{k}", report="There is an effusion on the left.")
        there = (Finding("effusion", side="left"), *((Finding("pneumothorax"),) if k == 0 else ()))
        truth = Reference({"findings": str(case.report)}, there, known=True, terms=chest)
        marks = EVIDENCE if k == 0 else ()
        answer = replace(
            text(words, marks), case_id=case.id, parts={"look 0": look(1, 2), "look 1": look(3, 0)}
        )
        tally.add(case, answer, truth, None, IMAGE)
    return card_of(tally, "Text", split="test", data_hash="d", patients_known=True, bundle="b", target=None)


# --- what is written


def test_columns_are_the_sections_and_what_is_marked() -> None:
    assert contract.columns(text()) == {"findings": SAID, "not borne out": "No pneumothorax."}
    assert contract.columns(text(evidence=())) == {"findings": SAID}, (
        "where nobody looked, nothing is said of marks"
    )


def test_a_row_a_finding_and_one_of_a_sentence_without() -> None:
    rows = HANDLING.listed(
        text("Clear. A mass.", (Evidence("findings", 1, (Finding("mass", size_mm=9.0),)),))
    )
    assert [(r["sentence"], r["finding"], r["size_mm"], r["borne_out"]) for r in rows] == [
        (0, "", "", ""),
        (1, "mass", 9.0, ""),
    ]
    assert len(HANDLING.listed(text("", ()))) == 1, "an empty text has a row, too"


def test_marks_without_texts_tell_when_a_sentence_is_doubted() -> None:
    held = {m.name: m.value for m in HANDLING.marks(text())}
    assert held["sentences not borne out"] == "findings 1"
    assert all("effusion" not in str(value) for value in held.values()), "no words of a report are in them"


# --- what is asked


def test_a_sentence_and_a_finding_can_be_asked_about() -> None:
    found = Scores(
        labels=(Label(1, "nodule"), Label(2, "pneumothorax")), p=np.array([0.1, 0.9]), kind="multilabel"
    )
    answer = text(parts={"findings": found})
    one = contract.ask(answer, "sentence=2")
    assert (one.of, one.place, one.words, one.label) == ("sentence", 1, "No pneumothorax.", 1)
    two = contract.ask(answer, "finding=Pneumothorax")
    assert (two.of, two.place, two.label) == ("finding", 1, 1)
    assert contract.ask(answer, "finding").place == 0, "the first that is claimed"
    assert contract.ask(answer, "sentence=1").label is None, "no part has an effusion"
    with pytest.raises(UnknownName, match="finding of this text"):
        contract.ask(answer, "finding=mass")
    with pytest.raises(DataError, match="no sentence says"):
        contract.ask(text(evidence=()), "finding")


def test_opinions_are_apart_by_what_they_do_not_both_claim() -> None:
    other = replace(text(), evidence=(Evidence("findings", 0, (Finding("mass"),)),))
    doubt = HANDLING.doubt(text(), [text(), other])
    assert doubt is not None and doubt.figures["apart"] == 0.5
    assert HANDLING.doubt(text(evidence=()), [text()]) is None
    assert HANDLING.sure(text()) == 0.5 and HANDLING.sure(text(evidence=())) is None


# --- against the truth


def test_what_the_text_says_counts_and_not_what_the_model_claims_to_say(chest: Terms) -> None:
    lying = text("No pleural effusion.", (Evidence("findings", 0, (Finding("effusion"),), supported=True),))
    truth = HANDLING.truth(Reference({}, (Finding("effusion"),), True, chest), Case("a", {}, reference=None))
    rows = HANDLING.rows([HANDLING.measure(lying, truth, Case("a", {}, reference=None))], ["a"])
    found = metrics.for_answer("Text").summary(rows, np.arange(1))
    assert (found["findings_f1"], found["denied"]) == (0.0, 1.0)
    assert HANDLING.wrong(lying, truth) is True


def test_a_target_that_is_no_text_is_refused() -> None:
    with pytest.raises(DataError, match="the truth is no text"):
        HANDLING.truth(3.0, Case("a", {}, reference=None))
    plain = HANDLING.truth("A mass.", Case("a", {}, reference=None, findings=(Finding("mass"),)))
    assert plain.sections == {"": "A mass."} and plain.known


def test_the_card_says_what_was_wrong(card: Scorecard) -> None:
    cases = {c["case"]: c for c in card.cases}
    assert [cases[f"c{k}"]["missed"] for k in range(4)] == [1, 0, 0, 0]
    assert [cases[f"c{k}"]["wrong_sides"] for k in range(4)] == [0, 1, 0, 0]
    assert [cases[f"c{k}"]["invented"] for k in range(4)] == [0, 0, 1, 0]
    assert [cases[f"c{k}"]["f1"] for k in range(4)] == pytest.approx([2 / 3, 0, 2 / 3, 1])
    assert card.metrics["wrong_side"].value == 0.25
    assert card.metrics["wrong_marked"].value == 1.0, "the denied pneumothorax is marked"
    assert card.metrics["right_marked"].value == 0.0
    assert dict(HANDLING.facts(card))["true findings"] == "known of the images of 4 cases"
    assert dict(HANDLING.facts(card))["different texts"].startswith("4 for 4 cases")


def test_a_card_gives_its_rows_back(card: Scorecard) -> None:
    stored = replace(card, cases=tuple(json.loads(as_json(card))["cases"]))
    rows = HANDLING.again(stored)
    assert rows is not None
    found = metrics.for_answer("Text").summary(rows, np.arange(len(rows)))
    for name, value in found.items():
        there = card.metrics[name].value
        assert there == pytest.approx(value) if np.isfinite(value) else there is None, name


def test_texts_are_in_the_runs_page_and_not_in_the_bundles_card(card: Scorecard) -> None:
    assert "lung nodule of 12 mm" in as_json(card)
    assert "effusion." not in as_json(nameless(card)).lower() and "nodule of" not in as_json(nameless(card))
    page = render(Report("Texts", card))
    assert "There is a left pleural effusion." in page and "There is an effusion on the left." in page
    assert "effusion on the wrong side: right, truly left" in page
    assert "denied, and there: pneumothorax" in page
    assert "marked as not borne out: p = 0.9" in page
    assert "not there: nodule of 12 mm" in page
    assert page.index("c1, among the worst") < page.index("c3, among the best")


def test_a_sentence_is_toned_by_what_it_says(card: Scorecard) -> None:
    pages = {c["case"]: c["page"]["written"] for c in card.cases}
    assert [tone for _, _, tone, _ in pages["c2"]] == ["good", "bad"]
    assert [tone for _, _, tone, _ in pages["c0"]] == ["good", "bad"]


def test_a_text_with_all_that_it_may_have_keeps_the_promises_of_an_answer(tmp_path: Path) -> None:
    found = Scores(labels=(Label(1, "effusion"),), p=np.array([0.9]), kind="multilabel")
    parts = {"look 0": look(1, 2, side=16), "look 1": look(3, 0, side=16), "findings": found}
    check_answer(text(parts={**parts, "template": text("Left effusion.", ())}), IMAGE, folder=tmp_path)


# --- drawing


def test_sentences_are_drawn_where_they_looked() -> None:
    answer = text(parts={"look 0": look(1, 2), "look 1": look(3, 0)})
    assert HANDLING.drawn(answer) and not HANDLING.drawn(text())
    field = HANDLING.shown_by(answer, IMAGE)
    assert field is not None and field.array.shape == (1, 1, 16, 16)
    wanted = np.zeros((16, 16), bool)
    wanted[4:8, 8:12] = wanted[12:16, 0:4] = True
    assert np.array_equal(field.array[0, 0] > 0, wanted), (
        "a cell of four by four lies over four times as many pixels"
    )
    shown = with_layer(answer, IMAGE, title="a", caption="")
    assert shown.layer is not None and (shown.layer[..., 3] > 0).any()


def test_a_flat_map_says_that_it_looked_nowhere() -> None:
    flat = Map(image=Image(np.ones((1, 1, 4, 4), np.float32)), quantity="attention")
    field = HANDLING.shown_by(text(parts={"look 0": flat}), IMAGE)
    assert field is not None and not field.array.any()
