"""Trials: the better of planted plans is chosen, the plain one kept where they are alike, nothing measured twice."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from vesalius import cohorts
from vesalius.core.case import Case
from vesalius.core.cohort import Assignment, Cohort, Label, TargetInfo
from vesalius.core.errors import Interrupted
from vesalius.core.image import Image
from vesalius.core.plan import (
    AugmentPlan,
    DataPlan,
    LossPlan,
    NetPlan,
    Normalisation,
    Plan,
    TaskPlan,
    TrainPlan,
    override,
)
from vesalius.core.progress import Silent
from vesalius.reliability.marks import Marks
from vesalius.run import fold_training, trials
from vesalius.run.trials import Terms, Trial, held_out, judged, tried
from vesalius.run.verdict import PLAIN, Candidate, Measured
from vesalius.run.workspace import Workspace
from vesalius.tasks import contract as tasks

PLAN = Plan(
    task=TaskPlan(name="classify", target="class"),
    data=DataPlan(
        dims=2, channels=1, sampling="whole", size=(1, 16, 16), normalise=(Normalisation(method="zscore"),)
    ),
    augment=AugmentPlan(noise=0.1),
    net=NetPlan(name="resnet-10", scale=0.125),
    loss=LossPlan(name="cross_entropy"),
    train=TrainPlan(steps=100, batch=8, folds=4, validations=2, lr=3e-3),
)


def picture(k: int) -> Image:
    """Noise, with a bright square in every other one."""
    rng = np.random.default_rng(k)
    array = rng.normal(scale=0.3, size=(1, 1, 16, 16)).astype(np.float32)
    if k % 2:
        array[..., 2:12, 3:13] += 3
    return Image(array)


def workspace(n: int = 32, lacking: int = 0, folds: int = 4) -> Workspace:
    """Pictures of two classes, two of a patient; the last of them without their class."""
    cases = tuple(
        Case(
            id=f"c{k:02d}",
            images={"image": picture(k)},
            reference="image",
            patient=f"p{k // 2 % (n // 2)}" if k < n else f"p{(k - n) if k % 3 else k}",
            targets={"class": "square" if k % 2 else "plain"} if k < n else {},
        )
        for k in range(n + lacking)
    )
    info = TargetInfo("class", "class", (Label(0, "plain"), Label(1, "square")))
    cohort = Cohort(Path("x"), "table", cases, {"class": info}, patients_known=True)
    dealt = tuple(
        tuple(c.id for c in cases[:n] if int(str(c.patient)[1:]) % folds == k) for k in range(folds)
    )
    assignment = Assignment((), dealt, "by hand", seed=0)
    if lacking:
        assignment = cohorts.with_unlabelled(assignment, cohort, target="class")
    return Workspace(cohort, info, tasks.get("classify"), assignment, {}, Marks())


def trial(path: Path, *candidates: Candidate, space: Workspace | None = None, **how: Any) -> Trial:
    given: dict[str, Any] = {
        "name": "planted",
        "space": space or workspace(),
        "plan": PLAN,
        "candidates": candidates or (Candidate("other", {"train.lr": 1e-3}),),
        "training_s": 100.0,
        "step_s": 0.1,
        "answer_s": 0.0,
        "limited": False,
        "path": path,
        "progress": Silent(),
        "device": "cpu",
    }
    return Trial(**(given | how))


def test_as_few_folds_are_held_out_as_make_enough_patients() -> None:
    assert held_out(workspace(128)) == ((0,),), "sixteen patients are enough"
    assert held_out(workspace(64)) == ((0, 1),), "eight of a fold"
    assert held_out(workspace(32)) == ((0, 1), (2, 3)), "half of them are eight: so each half in its turn"


def measured(scores: Mapping[str, float], score: float = 0.5) -> Measured:
    return Measured(scores, score, 60, 3.0)


def planted(
    path: Path, gains: Mapping[str, float], *, noise: float = 0.1, seed: int = 0
) -> tuple[Trial, Any]:
    """A trial whose candidates gain so much on each case, and its verdict."""
    made = trial(path, *(Candidate(name, {"train.lr": 1e-3}) for name in gains))
    held = [c.id for c in made.space.training]
    rng = np.random.default_rng(seed)
    plain = {case: float(rng.normal()) for case in held}
    found = {PLAIN: measured(plain)}
    for name, more in gains.items():
        found[name] = measured({c: v + more + noise * float(rng.normal()) for c, v in plain.items()})
    return made, found


def test_the_better_of_two_candidates_is_chosen(tmp_path: Path) -> None:
    made, found = planted(tmp_path, {"slight": 0.02, "much": 0.5})
    verdict = judged(made, found)
    assert verdict.chosen is not None and verdict.chosen.name == "much"
    assert verdict.gains["much"].level == pytest.approx(0.975), "two candidates share the level"
    assert "tried on 32 held-out cases of 16 patients (9 s in all)" in verdict.why
    assert verdict.why.endswith("much is better beyond its interval")


def test_two_that_are_alike_leave_the_plain_plan_within_the_promised_rate(tmp_path: Path) -> None:
    chosen = 0
    for seed in range(60):
        made, found = planted(tmp_path, {"one": 0.0, "two": 0.0}, seed=seed)
        chosen += judged(made, found).chosen is not None
    assert chosen / 60 < 0.025 + 3 * math.sqrt(0.025 * 0.975 / 60)


def test_what_is_better_case_by_case_but_worse_as_a_whole_is_not_chosen(tmp_path: Path) -> None:
    made, found = planted(tmp_path, {"odd": 0.5})
    found["odd"] = replace(found["odd"], score=0.4)
    verdict = judged(made, found)
    assert verdict.chosen is None and "better case by case, but not by auc" in verdict.why


def test_a_trial_that_cannot_tell_is_not_made(tmp_path: Path) -> None:
    few = tried(trial(tmp_path, space=workspace(6, folds=2)))[0]
    assert (
        few.chosen is None and few.why == "not tried: 3 held-out patients are too few to measure by (4 are)"
    )
    short = tried(trial(tmp_path, training_s=80.0))[0]
    assert "a 25% share of 80 s of training is 50 steps for each of 2 plans, twice" in short.why
    assert not (tmp_path / "trials").exists()


def test_each_has_an_equal_part_of_the_share_with_its_answers(tmp_path: Path) -> None:
    made = trial(tmp_path, training_s=400.0, answer_s=0.5)
    groups = held_out(made.space)
    asked = trials._asked(made, groups)
    each = trials._each_s(made, groups, asked)
    assert [len(ids) for ids in asked] == [16, 16]
    assert 2 * 2 * (each + 16 * 0.5) == pytest.approx(0.25 * 400), "two plans, two halves of sixteen cases"
    slow = replace(made, answer_s=2.0)
    some = trials._asked(slow, groups)
    assert [len(ids) for ids in some] == [5, 5], "0.4 of 25 s are five answers"
    assert 2 * 2 * (trials._each_s(slow, groups, some) + 5 * 2.0) == pytest.approx(0.25 * 400)


BETTER = Candidate("better", {"train.lr": 3e-3})


def test_it_is_measured_chosen_kept_and_not_measured_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The plain plan learns nothing at all; a candidate learns; the power goes between the two."""
    still = override(PLAN, {"train.lr": 1e-9})
    made = trial(tmp_path, BETTER, plan=still, space=workspace(16), training_s=48.0)
    monkeypatch.setattr(trials, "LEAST_STEPS", 30)
    trained: list[str] = []
    real = fold_training.train

    def train(*given: Any, **how: Any) -> Any:
        trained.append(how["name"])
        if len(trained) == 3:
            raise Interrupted("as if the power went")
        return real(*given, **how)

    monkeypatch.setattr(fold_training, "train", train)
    with pytest.raises(Interrupted):
        tried(made)
    assert (made.folder / "plain-1.json").is_file() and not (made.folder / "better-0.json").exists()
    verdict, job = tried(made)
    twice = ["trial-plain-0", "trial-plain-1", "trial-better-0", "trial-better-0", "trial-better-1"]
    assert trained == twice, "the plain plan is not measured again"
    assert verdict.chosen is BETTER and job is not None and len(job.examples) == 16
    known = json.loads((made.folder / "plain-0.json").read_text())
    assert known["steps"] == 30 and len(known["cases"]) == 8
    again, nothing = tried(made)
    assert again == replace(verdict, gains=again.gains) and nothing is None and len(trained) == 5
    left = {p.name for p in made.folder.iterdir()}
    assert left == {f"{a}-{k}.json" for a in ("plain", "better") for k in (0, 1)} | {
        "terms.json",
        "verdict.json",
    }
    other = trial(tmp_path, Candidate("third", {"train.lr": 2e-3}), training_s=20.0)
    assert "not tried" in tried(other)[0].why, "what is known is about other plans"


def test_no_unlabelled_case_of_a_held_out_patient_is_learned_from(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    space = workspace(32, lacking=30)
    made = trial(tmp_path, Candidate("teacher", {"train.recipe": "meanteacher"}), space=space)
    seen: dict[str, tuple[set[str], set[str]]] = {}

    def train(task: Any, plan: Any, state: Any, examples: Any, *given: Any, **how: Any) -> Any:
        seen[how["name"]] = ({e.case_id for e in examples}, set(how["unlabelled"]))
        raise Interrupted("enough is known")

    monkeypatch.setattr(fold_training, "train", train)
    for name in (PLAIN, "teacher"):
        job = trials._prepared(made)
        terms = Terms(trials._arms(made), {PLAIN: 1, "teacher": 1}, None, held_out(space), ((), ()))
        with pytest.raises(Interrupted):
            trials._measured(made, terms, name, job)
    patient = {c.id: str(c.patient) for c in space.cohort.cases}
    held = {patient[i] for k in held_out(space)[0] for i in space.assignment.folds[k]}
    labelled, beside = seen["trial-teacher-0"]
    assert seen["trial-plain-0"][1] == set() and len(seen["trial-plain-0"][0]) == 16
    assert beside and not {patient[i] for i in labelled} & held
    lacking = {c.id for c in space.cohort.cases if not c.targets}
    assert beside == {i for i in lacking if patient[i] not in held} and beside != lacking


def test_a_plan_that_cannot_be_trained_leaves_the_plain_one(tmp_path: Path) -> None:
    made, found = planted(tmp_path, {"good": 0.5})
    failed = {"odd": "the loss is not finite at step 3"}
    verdict = judged(made, found, failed)
    assert verdict.chosen is not None and verdict.why.endswith("odd could not be trained: " + failed["odd"])
    alone = judged(made, {PLAIN: found[PLAIN]}, failed)
    assert alone.chosen is None and alone.why == "odd could not be trained: " + failed["odd"]
