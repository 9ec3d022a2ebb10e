"""The task `align`: what it learns from, what it answers when asked in words, and where it points."""

from dataclasses import replace

import numpy as np
import pytest

import vesalius as vs
from vesalius.answers import contract as contract_of_answers
from vesalius.core.bundle import State
from vesalius.core.case import Case
from vesalius.core.encoding import as_text, from_text
from vesalius.core.errors import DataError, PlanError
from vesalius.core.finding import Finding
from vesalius.core.image import Image
from vesalius.core.registry import lookup
from vesalius.infer.predictor import Predictor
from vesalius.prepare.case import BLANK
from vesalius.questions.replying import replied
from vesalius.tasks import contract

align = contract.get("align")


def state_of(dictated):
    return dictated.run.bundle.stages[-1].state


def test_it_learned_the_findings_that_reports_name(dictated):
    values = state_of(dictated).values
    assert {label["name"] for label in values["labels"]} >= {"nodule", "effusion"}
    assert "there is nodule" in values["prompts"]["nodule"]["yes"]
    assert "no nodule" in values["prompts"]["nodule"]["no"]


def test_it_tells_findings_without_having_learned_a_label(dictated):
    """Zero-shot: AUC of either finding on test cases; nobody told it a label."""
    metrics = dictated.run.scorecard.metrics
    assert min(metrics["auc/nodule"].value, metrics["auc/effusion"].value) > 0.8


def test_a_map_is_hottest_where_an_image_differs_towards_the_words(dictated):
    """What a place has in all images counts for nothing, however well it fits the words."""
    import torch

    predictor = Predictor(dictated.run.bundle, device="cpu", cores=1)
    model = predictor.stages[-1].models[0]
    usual = model.usual.clone()
    assert usual.shape == (12 * 12, 64)
    with torch.inference_mode():
        towards = model.prompted(model.asked) - model.prompted(model.denied)
        usual[7] += 5 * towards[0]  # fits always
        places = usual.clone()
        places[30] += towards[0]  # fits in this image
        model.usual = usual
        model.sees.forward = lambda x: (torch.zeros(1, 64), places[None], (12, 12))
        field = model(torch.zeros(1, 1, 1, 48, 48))[0, 0, 1]
    assert int(field.flatten().argmax()) == 30


def test_the_map_lies_on_the_images_grid(dictated):
    answer = vs.predict(dictated.run, vs.read(dictated.data).cases[0])
    assert set(answer.parts) == {label.name for label in answer.labels}
    assert all(part.image.shape == (1, 48, 48) for part in answer.parts.values())


def test_words_of_ones_own_are_asked_and_marked_as_not_calibrated(dictated):
    case = vs.read(dictated.data).cases[0]
    answer = vs.predict(dictated.run, case, words=["left nodule", "nodule"])
    assert [label.name for label in answer.labels] == ["left nodule", "nodule"]
    assert "left nodule" in answer.uncalibrated and "not calibrated: left nodule" in str(answer)
    assert not any("calibrated" in text for text in answer.outside or ()), "this says nothing of the image"
    usual = vs.predict(dictated.run, case)
    names = [label.name for label in usual.labels]
    assert answer.p[1] == pytest.approx(usual.p[names.index("nodule")], abs=1e-6)


@pytest.mark.parametrize(
    ("fitted", "bare"), [({"nodule": [1.0, 0.0]}, {"effusion"}), ({}, {"nodule", "effusion"})]
)
def test_only_of_the_finding_that_is_not_calibrated_nothing_is_told(fitted, bare):
    state = State(
        {"labels": [{"value": k, "name": n} for k, n in enumerate(("nodule", "effusion"))], "maps": 0}
    )
    raw = np.full((1, 2, 2, 1, 1), 4.0)
    answer = align.decode(raw, state, {"platt": fitted} if fitted else {}, BLANK)
    assert set(answer.uncalibrated) == bare and not answer.outside
    told = {
        r.finding: r.told for name in ("nodule", "effusion") for r in replied(answer, f"Is there {name}?")
    }
    assert told == {name: name not in bare for name in ("nodule", "effusion")}
    assert {s.label for s in contract_of_answers.states(answer) if "not calibrated" in s.doubted} == bare
    assert from_text(as_text(answer)).uncalibrated == answer.uncalibrated
    assert contract_of_answers.columns(answer)["uncalibrated"] == "; ".join(answer.uncalibrated)


def test_what_it_never_read_is_refused_by_its_word(dictated):
    with pytest.raises(DataError, match="stromatolite"):
        vs.predict(dictated.run, vs.read(dictated.data).cases[0], words=["left stromatolite"])


def test_a_bundle_that_reads_no_words_cannot_be_asked_in_them():
    with pytest.raises(PlanError, match="cannot be asked"):
        contract.get("classify").asking(None, ["nodule"])


def test_what_is_known_of_the_images_goes_before_what_the_report_says(dictated):
    state = state_of(dictated)
    image = Image(np.zeros((1, 1, 8, 8), np.uint8))
    case = Case(id="a", images={"image": image}, report="There is a left nodule. No effusion.")
    assert align.truth(case, state) == ("nodule",)
    known = replace(case, findings=(Finding("effusion", side="right"),))
    assert align.truth(known, state) == ("effusion",)
    spoken = replace(case, findings=(Finding("pleural effusion", side="right"),))
    assert align.truth(spoken, state) == ("effusion",), "by the name that its terms have for it"
    assert align.truth(replace(case, report=None), state) is None


def test_no_two_equal_reports_are_drawn_while_there_are_others():
    import torch

    Different = lookup("tasks", "align").Different
    draw = Different([1, 1, 2, 3, 3, 0, 0], 4)
    for step in range(20):
        places = draw(step, torch.Generator().manual_seed(step))
        assert len({(1, 1, 2, 3, 3, 0, 0)[k] for k in places}) == 4
    assert len(Different([1, 1], 4)(0, torch.Generator().manual_seed(0))) == 4


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"task.options.pairs": "nobody"}, "pairs"),
        ({"train.members": 2}, "several nets"),
        ({"augment.flip_axes": ["x"]}, "name sides"),
    ],
)
def test_a_plan_that_cannot_be_is_refused(dictated, settings, words):
    with pytest.raises(PlanError, match=words):
        vs.fit(dictated.data, task="align", settings=settings, dry_run=True, device="cpu")


def test_images_without_reports_are_refused(dictated):
    cohort = vs.read(dictated.data)
    bare = replace(cohort, cases=tuple(replace(c, report=None) for c in cohort.cases))
    with pytest.raises(DataError, match="report"):
        vs.fit(bare, task="align", dry_run=True, device="cpu")
