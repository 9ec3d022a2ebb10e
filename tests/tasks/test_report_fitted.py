"""report: fitted through the front door, it keeps a task's promises, and its bundle holds nobody's words."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tests.tasks._reported import write_reported

import vesalius as vs
from vesalius.core.answers.text import Text
from vesalius.core.errors import DataError, PlanError, UnknownName
from vesalius.core.plan import override
from vesalius.tasks._report_findings import truth_of
from vesalius.tasks._report_raw import read
from vesalius.tasks._report_state import learned_in
from vesalius.testing import TASK_PROMISES, TaskTrial
from vesalius.testing.joined import JOINED
from vesalius.testing.small import with_sources
from vesalius.testing.task import trial_of

TINY = {"nets.writer.scale": 0.0625, "data.size": [1, 32, 32], "infer.novelty": "none"}
JOINS = {"nets.writer.scale": 0.0625, "infer.novelty": "none", "sources.courses": ["signal"]}
PLANTED = "Zeuxippus"


@pytest.fixture(scope="module")
def cohort(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small cohort, in one of whose reports a name stands."""
    table = write_reported(tmp_path_factory.mktemp("reported") / "data")
    rows = list(csv.DictReader(table.open(encoding="utf-8")))
    rows[0]["report"] += f" Seen with Dr {PLANTED}."
    with table.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return table


@pytest.fixture(scope="module")
def trial(cohort: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TaskTrial]:
    threads = torch.get_num_threads()
    yield trial_of("report", cohort, tmp_path_factory.mktemp("trial"), settings=TINY)
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def joined(cohort: Path, tmp_path_factory: pytest.TempPathFactory) -> TaskTrial:
    """The same with further images, visits, time courses and texts of each case."""
    read = vs.read(cohort)
    cases = tuple(replace(c, images={"film": c.image}, reference="film") for c in read.cases)
    several = with_sources(replace(read, cases=cases))
    return trial_of("report", several, tmp_path_factory.mktemp("joined"), settings=JOINS)


@pytest.mark.parametrize("promise", TASK_PROMISES, ids=lambda promise: promise.__name__)
def test_it_keeps_a_tasks_promises(promise: object, trial: TaskTrial) -> None:
    promise(trial)  # type: ignore[operator]


def test_no_word_of_a_single_patient_and_no_report_is_kept(trial: TaskTrial) -> None:
    text = "".join(p.read_text(encoding="utf-8") for p in trial.bundle.glob("*.json"))
    assert PLANTED.lower() not in text.lower(), "one patient's report alone has the name"
    pieces = trial.state.values["tokenizer"]["pieces"]
    assert "effusion" in pieces and "sizemm" in pieces and not any(p.isdigit() and len(p) > 1 for p in pieces)
    assert json.dumps(trial.state.values).count("Seen with") == 0


def test_what_is_written_is_alike_each_time_in_every_way(trial: TaskTrial) -> None:
    from vesalius.tasks._report_infer import rows

    model: Any = trial.model().eval()
    batch = trial.task.collate(trial.examples[:3])
    for decode, many in (("", 1), ("beam", 1), ("constrained", 3)):
        model.decode, model.beams = decode, 3
        with torch.inference_mode():
            one, again = rows(model, batch), rows(model, batch)
        assert torch.equal(one, again)
        for row in one.numpy():
            found = read(row)
            assert len(found.candidates) == many
            for candidate in found.candidates:
                assert candidate.length == len(candidate.tokens) <= model.known.words.length - 2
                assert candidate.total <= 0 and np.isfinite(candidate.worth).all()
                said = candidate.looked.sum(axis=(1, 2, 3))
                used = {*model.known.words.places(candidate.tokens)}
                assert said[sorted(k for k in used if k < len(said))] == pytest.approx(1.0, abs=1e-4)


def test_what_is_learned_and_what_it_is_calibrated_on_have_the_same_names(trial: TaskTrial) -> None:
    """findings.csv says `pleural effusion` where reports are read as `effusion`."""
    other = {"effusion": "pleural effusion"}
    cases = [
        replace(c, findings=tuple(replace(f, name=other.get(f.name, f.name)) for f in c.findings or ()))
        for c in trial.cohort.cases
    ]
    known = learned_in(trial.task.learned(cases, None, trial.plan))
    assert known.names == learned_in(trial.state).names == ["effusion", "nodule"]
    learned = [truth_of(known.truth(c) or (), known.abouts) for c in cases]
    held = [truth_of(trial.task.truth(c, trial.state).findings, known.abouts) for c in cases]
    assert np.array_equal(np.stack(learned), np.stack(held), equal_nan=True)
    assert {row[0, 0] for row in held} == {0.0, 1.0}


def test_a_loaded_model_writes_by_the_calibration_of_its_bundle(trial: TaskTrial) -> None:
    (stage,) = trial.predictor.stages
    assert stage.stage.calibration["thresholds"]
    assert all(model.calibration == stage.stage.calibration for model in stage.models)


def test_no_graph_is_made_of_it(trial: TaskTrial, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.compiler, "is_exporting", lambda: True)
    with pytest.raises(PlanError, match="no graph can be made of a model that writes"):
        trial.task.infer(trial.model().eval(), trial.batch, torch.Generator())


def test_the_answer_does_not_read_the_report(trial: TaskTrial) -> None:
    case = trial.cases[0]
    other = replace(case, report="FINDINGS: Another text.", findings=None)
    one, two = trial.predictor(case), trial.predictor(other)
    assert isinstance(one, Text) and isinstance(two, Text) and one.sections == two.sections


@pytest.mark.parametrize(
    ("settings", "why"),
    [
        ({"augment.flip_axes": ["x"]}, "reports name sides"),
        ({"infer.mirror": ["x"]}, "reports name sides"),
        ({"augment.mixup": 0.2}, "cannot be mixed"),
        ({"task.options.decode": "loud"}, "task.options.decode is none that there is"),
        ({"task.options.mend": "loud"}, "task.options.mend is none that there is"),
        ({"task.options.tokenizer": "loud"}, "tokenizer"),
        ({"sources.texts": ["report"], "sources.fusion": "attention"}, "cannot be read as well"),
    ],
)
def test_plans_that_cannot_be_are_refused(trial: TaskTrial, settings: dict[str, Any], why: str) -> None:
    plan = override(trial.plan, settings)
    with pytest.raises((PlanError, UnknownName), match=why):
        trial.task.check_plan(plan, None)


def test_images_without_reports_are_refused(trial: TaskTrial) -> None:
    bare = replace(trial.cohort, cases=tuple(replace(c, report=None) for c in trial.cohort.cases))
    (lacking,) = trial.task.check(bare, None)
    assert "reports for at least two cases (0 found" in lacking
    with pytest.raises(DataError, match="no training case has a report"):
        trial.task.learned(bare.cases, None, trial.plan)


def test_it_is_judged_beside_other_ways_to_answer_and_compared_by_reports(
    trial: TaskTrial, cohort: Path
) -> None:
    card = trial.scorecard
    arms = {arm["name"]: arm["n"] for arm in card.rivals["arms"]}
    names = {"what is most frequent in training", "the nearest training case", "template", "oracle template"}
    assert set(arms) == names and set(arms.values()) == {card.n_cases}
    oracle = next(arm for arm in card.rivals["arms"] if arm["name"] == "oracle template")
    assert oracle["figures"]["omissions"]["value"] == 0.0, "what is told what is true misses nothing"
    found = vs.compare(trial.bundle, trial.bundle, cohort, resamples=20)
    assert found.differences["findings_f1"].difference == 0.0


@pytest.mark.parametrize("promise", JOINED, ids=lambda promise: promise.__name__)
def test_it_joins_sources(promise: object, joined: TaskTrial) -> None:
    promise(joined)  # type: ignore[operator]


def test_all_sources_are_seen_and_the_first_image_shows_where(joined: TaskTrial) -> None:
    from vesalius.tasks._report_infer import rows

    assert {"film", "photo", "signal"} <= set(joined.task.sources(joined.state))
    model: Any = joined.model().eval()
    with torch.inference_mode():
        row = rows(model, joined.task.collate(joined.examples[:1]))[0].numpy()
    assert read(row).looked.shape[1] == 1 and np.prod(read(row).looked.shape[2:]) > 4
    terms = joined.task.loss(joined.model().train(), joined.batch, torch.Generator().manual_seed(0))
    assert set(terms) == {"words", "findings", "sides", "sizes"}
    assert all(torch.isfinite(t) for t in terms.values())
