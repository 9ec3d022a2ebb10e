"""What becomes of members that the clock ended early: left out of answers and calibration, and said first."""

from __future__ import annotations

import dataclasses
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import vesalius as vs
from vesalius.cli._show import scorecard_table
from vesalius.core.cohort import Label
from vesalius.core.disk import sha256
from vesalius.core.plan import override
from vesalius.core.progress import Silent
from vesalius.infer.predictor import Predictor
from vesalius.learn import checkpoint
from vesalius.learn.course import Change
from vesalius.learn.loop import Trained
from vesalius.run import training
from vesalius.run.facts import data_facts
from vesalius.run.members import kept_of, steps_of
from vesalius.run.workspace import prepare_workspace
from vesalius.serve.http.catalogue import describe


@pytest.mark.parametrize(
    ("done", "kept"),
    [
        ((25, 8, 4), (0,)),
        ((15, 14, 30), (0, 2)),
        ((4, 8, 2), (0, 1, 2)),  # none did half: what there is must do
        ((30,), (0,)),
        ((3,), (0,)),
    ],
)
def test_members_under_half_of_their_steps_are_left_out(done: tuple[int, ...], kept: tuple[int, ...]) -> None:
    assert kept_of([(d, 30) for d in done]) == kept


def test_a_member_that_stopped_by_its_own_rule_did_all_its_steps(pictures: Any) -> None:
    plan = pictures.run.plan
    tired = Trained({}, 0.5, 10, 20, False, ())
    assert steps_of(tired, plan) == (20, 20)
    assert steps_of(dataclasses.replace(tired, ran_out=True), plan) == (20, 60)
    slowed = dataclasses.replace(tired, course=(Change(0, 63), Change(10, 20)))
    assert steps_of(slowed, plan) == (20, 63), "the clock shortened its course"
    hurried = dataclasses.replace(tired, course=(Change(0, 12), Change(5, 20)))
    assert steps_of(hurried, plan) == (20, 20)


SETTINGS = {
    "net.scale": 0.125,
    "train.threads": 1,
    "train.batch": 4,
    "train.steps": 30,
    "train.validations": 1,
    "data.size": [1, 32, 32],
}


@pytest.fixture(scope="module")
def cut(pictures: Any, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """A fit of three members which the clock ends after 25, 8 and 4 of 30 steps; and one of the first member alone."""
    root = tmp_path_factory.mktemp("cut")
    real, notes = training.train, []

    def ended(task: Any, plan: Any, *args: Any, member: int, **kwargs: Any) -> Trained:
        short = override(plan, {"train.steps": (25, 8, 4)[member]})
        made = real(task, short, *args, member=member, **kwargs)
        return dataclasses.replace(made, ran_out=True, course=(Change(0, 30),))

    class Told:
        def start(self, name: str, total: int | None = None) -> None: ...
        def advance(self, name: str, done: int = 1, text: str = "") -> None: ...
        def finish(self, name: str) -> None: ...
        def note(self, text: str) -> None:
            notes.append(text)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(training, "train", ended)
        run = vs.fit(pictures.data, root / "cut", folds=3, settings=SETTINGS, seed=3, progress=Told())
        one = {**SETTINGS, "train.members": 1, "train.folds": 3}
        alone = vs.fit(pictures.data, root / "alone", settings=one, seed=3)
    return {"run": run, "alone": alone, "notes": notes, "data": pictures.data, "root": root}


def test_only_the_member_that_was_trained_answers_and_is_calibrated(cut: dict[str, Any]) -> None:
    run, alone = cut["run"], cut["alone"]
    stage, first = run.bundle.stages[-1], alone.bundle.stages[-1]
    assert stage.members == ("weights-0-0.safetensors",)
    assert sorted(p.name for p in run.bundle.path.glob("weights*")) == ["weights-0-0.safetensors"]
    assert sha256(run.bundle.path / stage.members[0]) == sha256(alone.bundle.path / first.members[0])
    assert stage.calibration == first.calibration
    case = next(p for p in sorted(cut["data"].parent.rglob("*.png")))
    ours, theirs = (vs.predict(b, case) for b in (run.bundle, alone.bundle))
    assert np.array_equal(ours.p, theirs.p)
    assert run.scorecard.metrics == alone.scorecard.metrics


def test_what_was_left_out_is_said_in_plan_log_card_and_report(cut: dict[str, Any]) -> None:
    run = cut["run"]
    told = "member 1 (8 of 30 steps), member 2 (4 of 30 steps) are left out"
    assert any(told in note for note in cut["notes"])
    assert told in run.bundle.stages[-1].plan.reasons["train.members"]
    assert run.bundle.stages[-1].plan.train.members == 3
    for name in ("card.md", "report.html", "bundle/card.md"):
        assert told in (run.path / name).read_text(encoding="utf-8")


def test_that_it_was_hardly_trained_comes_before_every_figure(
    cut: dict[str, Any], capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    run = cut["run"]
    said = "25 of 30, 8 of 30, 4 of 30"
    assert run.scorecard.banners[0].kind == "hardly trained" and said in run.scorecard.banners[0].text
    scorecard_table(run.scorecard)
    out = " ".join(capsys.readouterr().out.split())
    assert out.index(said) < out.index("baseline")
    page = (run.path / "report.html").read_text(encoding="utf-8")
    assert page.index(said) < page.index('class="tile"')
    card = (run.path / "card.md").read_text(encoding="utf-8")
    assert card.index(said) < card.index("## Intended use")
    about = describe("m", run.bundle, Predictor(run.bundle, device="cpu"))
    assert said in about["banners"][0]["text"]
    elsewhere = vs.evaluate(run.bundle, cut["data"], split="all")
    assert elsewhere.banners[0] == run.scorecard.banners[0]


def test_a_class_with_a_comma_is_one_class_in_card_and_report(pictures: Any) -> None:
    space = prepare_workspace(
        pictures.data,
        task=None,
        target=None,
        columns=None,
        split=None,
        seed=0,
        folds=2,
        max_set_aside=0.1,
        progress=Silent(),
    )
    labels = (Label(0, "malignant"), Label(1, "normal, benign"))
    space = dataclasses.replace(space, target=dataclasses.replace(space.target, labels=labels))
    assert data_facts(space)["labels"] == "malignant, 'normal, benign'"


def test_resumed_after_training_it_leaves_out_the_same_and_ends_the_same(cut: dict[str, Any]) -> None:
    run = cut["root"] / "again"
    shutil.copytree(cut["run"].path, run)
    for k in range(3):  # as the loop writes it where the clock ends a member
        path = run / "checkpoints" / f"classify-{k}.pt"
        saved = checkpoint.load(path)
        saved.ran_out, saved.changes = True, [[0, 30, 0]]
        checkpoint.save(saved, path)
    (run / "scorecard.json").unlink()
    (run / "bundle" / "MANIFEST.sha256").unlink()
    resumed = vs.fit(cut["data"], run, resume=True)
    assert resumed.bundle is not None and resumed.bundle.stages == cut["run"].bundle.stages
    weights = "bundle/weights-0-0.safetensors"
    assert sha256(run / weights) == sha256(cut["run"].path / weights)
    assert resumed.scorecard is not None
    assert resumed.scorecard.metrics == cut["run"].scorecard.metrics
    assert resumed.scorecard.banners == cut["run"].scorecard.banners
