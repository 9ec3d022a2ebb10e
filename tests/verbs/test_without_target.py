"""Cases without a target: `fit` tries whether they help, says so, and never learns from those of a tested patient."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import vesalius as vs
from vesalius.core.case import Case
from vesalius.core.cohort import Cohort, Label, TargetInfo
from vesalius.core.errors import Interrupted
from vesalius.core.image import Image
from vesalius.core.plan import USER, override
from vesalius.evaluate.gain import Gain
from vesalius.run import unlabelled
from vesalius.run.begin import Asked, begin
from vesalius.run.pacing import Foreseen
from vesalius.run.planning import Planned
from vesalius.run.reading import read_workspace
from vesalius.run.trials import Trial
from vesalius.run.verdict import Verdict

TOLD = {
    "net.scale": 0.125,
    "train.threads": 1,
    "train.members": 1,
    "train.steps": 8,
    "train.batch": 4,
    "train.validations": 1,
    "infer.novelty": "none",
}


def cohort(labelled: int = 20, lacking: int = 24) -> Cohort:
    """Pictures with and without a bright square; those without a class are of patients with and without others."""
    rng = np.random.default_rng(0)
    cases = []
    for k in range(labelled + lacking):
        array = rng.integers(60, 120, size=(1, 1, 16, 16)).astype(np.uint8)
        array[..., 4:9, 5:11] += np.uint8(100 * (k % 2))
        own = k < labelled or k % 2
        cases.append(
            Case(
                id=f"c{k:02d}",
                images={"image": Image(array)},
                reference="image",
                patient=f"p{k}" if own else f"p{k - labelled}",
                targets={"class": "square" if k % 2 else "plain"} if k < labelled else {},
            )
        )
    info = TargetInfo("class", "class", (Label(0, "plain"), Label(1, "square")))
    return Cohort(Path("pictures"), "table", tuple(cases), {"class": info}, patients_known=True)


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch, quick: None) -> Callable[[Any], list[Trial]]:
    """What is asked of trials, which end as they are told."""
    asked: list[Trial] = []

    def tell(outcome: Any) -> list[Trial]:
        def tried(trial: Trial) -> Any:
            asked.append(trial)
            if isinstance(outcome, Exception):
                raise outcome
            chosen = next((c for c in trial.candidates if c.name == outcome), None)
            gains = {c.name: Gain(0.1, 0.05, 0.15, 9) for c in trial.candidates}
            return Verdict(chosen, "tried on 9 held-out cases", gains), None

        monkeypatch.setattr(unlabelled, "tried", tried)
        return asked

    return tell


def weights(run: vs.Run) -> bytes:
    assert run.path is not None
    return (run.path / "bundle" / "weights-0-0.safetensors").read_bytes()


def test_few_steps_are_not_spent_on_a_trial_and_the_plan_says_so(tmp_path: Path, quick: None) -> None:
    run = vs.fit(cohort(), tmp_path / "run", settings=TOLD, device="cpu", progress=False)
    assert run.plan.train.recipe == "supervised"
    why = run.plan.reasons["train.recipe"]
    assert why.startswith(
        "22 training cases lack the target and are not learned from; fixmatch not tried: a 25%"
    )
    assert "0 steps for each of 2 plans" in why
    assert not (tmp_path / "run" / "trials").exists()
    record = json.loads((tmp_path / "run" / "trained_on.json").read_text())
    assert "unlabelled" not in json.dumps(record)
    plain = vs.fit(cohort(lacking=0), tmp_path / "plain", settings=TOLD, device="cpu", progress=False)
    assert "train.recipe" not in plain.plan.reasons, "there is nothing to say where no case lacks the target"
    assert weights(plain) == weights(run), "and nothing else is changed by cases that are not learned from"


def test_what_helps_is_chosen_said_and_made_again_from_its_plan(
    tmp_path: Path, seen: Callable[[Any], list[Trial]]
) -> None:
    asked = seen("fixmatch")
    run = vs.fit(cohort(), tmp_path / "run", settings=TOLD, device="cpu", progress=False)
    (trial,) = asked
    tested = {str(trial.space.cohort.case(i).patient) for i in trial.space.assignment.test}
    assert not {str(trial.space.cohort.case(i).patient) for i in trial.space.assignment.beside} & tested
    assert run.plan.train.recipe == "fixmatch"
    why = "and are learned from, too; fixmatch tried on 9 held-out cases"
    assert run.plan.reasons["train.recipe"].endswith(why)
    report = (tmp_path / "run" / "report.html").read_text(encoding="utf-8")
    assert "cases without the target" in report
    assert "unlabelled" in (tmp_path / "run" / "trained_on.json").read_text()
    again = vs.fit(
        cohort(), tmp_path / "again", plan=tmp_path / "run" / "plan.json", device="cpu", progress=False
    )
    assert len(asked) == 1 and weights(again) == weights(run)


def test_a_run_stopped_in_its_trial_goes_on_as_it_was_told(
    tmp_path: Path, seen: Callable[[Any], list[Trial]]
) -> None:
    seen(Interrupted("as if the power went"))
    with pytest.raises(Interrupted, match="as if the power went"):
        vs.fit(cohort(), tmp_path / "run", settings=TOLD, device="cpu", progress=False)
    folds = json.loads((tmp_path / "run" / "folds.json").read_text())
    assert folds["unlabelled"] and not (tmp_path / "run" / "plan.json").exists()
    asked = seen("none of them")
    run = vs.fit(cohort(), tmp_path / "run", resume=True, device="cpu", progress=False)
    assert len(asked) == 2 and run.plan.train.steps == 8 and run.plan.net.scale == 0.125
    assert [list(ids) for ids in asked[1].space.assignment.unlabelled] == folds["unlabelled"]
    assert run.plan.train.recipe == "supervised"
    finished = vs.fit(cohort(), tmp_path / "run", resume=True, device="cpu", progress=False)
    assert len(asked) == 2
    assert finished.plan.reasons["train.recipe"] == run.plan.reasons["train.recipe"]


def test_the_users_word_and_a_dry_run_try_nothing(tmp_path: Path, seen: Callable[[Any], list[Trial]]) -> None:
    asked = seen("fixmatch")
    dry = vs.fit(cohort(), settings=TOLD, dry_run=True, device="cpu", progress=False)
    assert dry.plan.train.recipe == "supervised"
    assert dry.plan.reasons["train.recipe"].endswith("fit tries fixmatch on held-out folds")
    for recipe in ("meanteacher", "supervised"):
        told = vs.fit(
            cohort(), settings=TOLD | {"train.recipe": recipe}, dry_run=True, device="cpu", progress=False
        )
        assert (told.plan.train.recipe, told.plan.reasons["train.recipe"]) == (recipe, USER)
    assert not asked


def test_no_more_are_prepared_than_there_is_time_for(quick: None) -> None:
    space = unlabelled.found(read_workspace(begin(Asked(data=cohort(), began=0.0))))
    assert len(space.assignment.beside) == 22
    plan = vs.fit(cohort(), settings=TOLD, dry_run=True, device="cpu", progress=False).plan
    seen = Foreseen(step_s=1.0, after_s=0.0, answer_s=0.0, most=1, case_s=0.125)
    limited = begin(Asked(data=cohort(), began=0.0, time_limit=60))
    fewer = unlabelled.affordable(limited, space, Planned(plan, seen))
    assert len(fewer.assignment.beside) == 9, "0.15 of 8 steps of a second, an eighth of a second each"
    assert set(fewer.assignment.beside) < set(space.assignment.beside)
    told = override(plan, {"train.recipe": "fixmatch", "train.unlabelled": 9})
    assert unlabelled.with_unlabelled(space, told).assignment == fewer.assignment, "the plan makes them again"
    assert unlabelled.affordable(begin(Asked(data=cohort(), began=0.0)), space, Planned(plan, seen)) is space


def test_few_cases_without_the_target_are_not_worth_a_trial(quick: None) -> None:
    few, many = (
        unlabelled.found(read_workspace(begin(Asked(data=cohort(20, n), began=0.0)))) for n in (8, 24)
    )
    assert "are fewer than the" in unlabelled._too_few(few) and unlabelled._too_few(many) == ""
