"""A check says in a sentence which promise is broken, and what was found instead."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest
import torch

from vesalius import formats
from vesalius.core import registry
from vesalius.core.answers import Answer
from vesalius.core.answers.value import Value
from vesalius.core.bundle import State
from vesalius.core.errors import DataError
from vesalius.core.image import Image
from vesalius.core.moments import Moments
from vesalius.core.statistics import Cases, Statistics
from vesalius.tasks.classify import Classify
from vesalius.tasks.contract import Task
from vesalius.testing import (
    FormatTrial,
    PhantomTrial,
    TaskTrial,
    answered,
    check_answer,
    check_task,
    described,
    fitted,
    merged,
    untrained,
)
from vesalius.testing import format as formatted
from vesalius.testing import phantom as phantoms
from vesalius.testing.promise import promised, require
from vesalius.testing.small import read_small, write_small


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_small(tmp_path_factory.mktemp("small") / "data", dims=2)


@pytest.fixture
def trial(table: Path, tmp_path: Path) -> TaskTrial:
    """The classifier of pictures, with a plan that is made once."""
    cohort = read_small(table, ["class"])
    assert cohort is not None
    return TaskTrial(Classify(), tmp_path, cohort)


def broken(trial: TaskTrial, **changes: Any) -> TaskTrial:
    """The trial with a task that breaks a promise, and with all that the sound one has made so far."""
    kind = type("Broken", (Classify,), changes)
    other = replace(trial, task=cast(Task, kind()))
    for name in ("space", "plan", "state"):
        other.__dict__[name] = getattr(trial, name)
    return other


def says(promise: Callable[[Any], None], trial: Any, words: str) -> None:
    with pytest.raises(AssertionError, match=words) as caught:
        promise(trial)
    assert "\n" not in str(caught.value).strip()


def holding(trial: TaskTrial) -> TaskTrial:
    task = Classify()
    task.learned = 3  # type: ignore[attr-defined]
    return replace(trial, task=task)


def test_what_a_task_says_of_itself(trial: TaskTrial) -> None:
    says(described.is_found_by_its_name, trial, "the registered task 'classify' is this one")
    says(described.holds_nothing, holding(trial), "holds nothing, and this one holds learned")
    says(
        described.names_what_it_takes_and_gives, broken(trial, run="walk"), "`run` is one of .*whole.*'walk'"
    )
    says(
        described.names_a_metric_of_its_answer,
        broken(trial, primary="dice"),
        "`primary` is a metric of Scores",
    )
    says(described.takes_its_cohort, broken(trial, check=lambda *_: ("a moon",)), "says that it lacks a moon")


def test_a_summary_that_is_not_that_of_merged_halves(trial: TaskTrial) -> None:
    keeps = merged.learns_the_same_of_merged_halves
    keeps(trial)

    def of_the_first(self: Any, cases: Any, target: Any, plan: Any) -> Statistics:
        return Classify.summary(self, cases[:1], target, plan)

    def a_mean(self: Any, cases: Any, target: Any, plan: Any) -> Statistics:
        return Statistics({"size": Moments.of([len(cases)])})

    def ids(self: Any, cases: Any, target: Any, plan: Any) -> Any:
        return [c.id for c in cases]

    says(
        keeps,
        broken(trial, summary=of_the_first),
        "merged halves are summed up as all cases are, and 'labels' differs",
    )
    says(keeps, broken(trial, summary=a_mean), "and 'size' differs")
    says(keeps, broken(trial, summary=ids), "`summary` returns Statistics, not list")
    says(
        keeps,
        broken(trial, state=lambda *_: State({"n": 1})),
        "lead to the same state, and what it holds differs",
    )
    drawn = iter(range(99))
    unsteady = lambda self, *a: State({**Classify.state(self, *a).values, "target": next(drawn)})  # noqa: E731
    says(keeps, broken(trial, state=unsteady), "lead to the same state, and 'target' differs")


def test_a_state_that_needs_the_cases_themselves(trial: TaskTrial) -> None:
    class Index(Classify):
        def summary(self, cases: Any, target: Any, plan: Any) -> Statistics:
            parts = super().summary(cases, target, plan).parts
            return Statistics({**parts, "cases": Cases.of(cases)})

        def state(self, summary: Any, target: Any, plan: Any) -> State:
            ids = [case.id for case in summary.part("cases", Cases).cases]
            return State({**super().state(summary, target, plan).values, "ids": ids})

    other = replace(trial, task=Index())
    other.__dict__.update(plan=trial.plan, space=trial.space)
    merged.learns_the_same_of_merged_halves(other)
    assert other.state.values["ids"] == sorted(c.id for c in trial.space.training)


def test_its_parts(trial: TaskTrial) -> None:
    def still(self: Any, model: Any, batch: Any, generator: Any) -> dict[str, Any]:
        return {"class": 0.0 * Classify.loss(self, model, batch, generator)["class"]}

    def endless(self: Any, model: Any, batch: Any, generator: Any) -> dict[str, Any]:
        return {"class": model.head.linear.weight.sum() / 0.0}

    def drawn_by_numpy(self: Any, plan: Any, state: Any, nets: Any) -> Any:
        model = Classify.build(self, plan, state, nets)
        with torch.no_grad():
            next(model.parameters()).add_(float(np.random.default_rng().normal()))
        return model

    untrained.has_a_loss_that_falls(trial)
    says(
        untrained.has_a_loss_that_falls,
        broken(trial, loss=still),
        "falls over 8 to 40 steps on one batch, not 0 → 0",
    )
    says(untrained.has_a_loss_that_falls, broken(trial, loss=endless), "its loss is finite, not")
    says(
        untrained.builds_the_same_model_from_the_same_seed,
        broken(trial, build=drawn_by_numpy),
        "the same seed builds the same weights",
    )
    one = lambda *_, **__: Value(x=1.0)  # noqa: E731
    says(untrained.ends_in_the_answer_that_it_names, broken(trial, decode=one), "a Scores, not a Value")
    flat = lambda self, raw, ask: raw[:, 0].detach().requires_grad_(True)  # noqa: E731
    says(
        untrained.has_a_scalar_that_can_be_followed_back, broken(trial, scalar=flat), "its gradient is finite"
    )
    late = broken(trial)
    late.__dict__["state"] = State({"names": ("a", "b")})
    says(untrained.keeps_its_state_as_json, late, "the same after JSON")


def test_a_place_is_not_averaged_over_mirror_images(trial: TaskTrial) -> None:
    """A raw output that is a place in the image may not be joined with that about its mirror image."""
    keeps = untrained.speaks_of_no_place_where_it_takes_mirror_images
    keeps(trial)

    def a_place(self: Any, raw: Any, *rest: Any, **more: Any) -> Any:
        answer = Classify.decode(self, raw, *rest, **more)
        p = np.full(len(answer.p), 1.0 / rest[-1].shape[-1])
        return replace(answer, p=p)

    says(keeps, broken(trial, decode=a_place), "is another answer in a part of the image")
    keeps(broken(trial, decode=a_place, mirrors=False))
    boxed = broken(trial)
    boxed.__dict__["batch"] = replace(trial.batch, points=frozenset({"apex"}))
    says(keeps, boxed, "its examples have places: apex")


def test_what_is_raised_is_said(trial: TaskTrial) -> None:
    def refuse(self: Any, *_: Any) -> Any:
        raise DataError("no sun today")

    other = replace(trial, task=cast(Task, type("Refusing", (Classify,), {"state": refuse})()))
    other.__dict__["plan"] = trial.plan
    says(untrained.keeps_its_state_as_json, other, "`state` learn .*but it raised DataError: no sun today")


def test_its_answers(trial: TaskTrial, tmp_path: Path) -> None:
    bundle = SimpleNamespace(iterdir=lambda: [tmp_path / "state-0.json"])
    case = trial.space.cohort.cases[0]
    (tmp_path / "state-0.json").write_text(f'{{"first": "{case.id}"}}')
    leaking = SimpleNamespace(space=trial.space, folder=Path("/nowhere"), bundle=bundle)
    says(fitted.names_no_case_in_its_bundle, leaking, f"state-0.json has .*{case.id}")
    card = SimpleNamespace(answer="Value", n_cases=1)
    says(
        answered.is_scored, SimpleNamespace(scorecard=card, task=trial.task), "scored as Scores, not as Value"
    )


@dataclass(frozen=True, eq=False, kw_only=True)
class Odd(Answer):
    """An answer that no file handles."""

    x: float


def test_a_kind_of_answer_without_its_files_is_named() -> None:
    with pytest.raises(Exception, match="unknown kind of answer 'odd'"):
        check_answer(Odd(x=1.0))


def test_a_format_that_claims_what_it_does_not(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    text = dict(registry.literals("formats", "nrrd")) | {"READ_ONLY": ()}
    trial = FormatTrial("nrrd", tmp_path)
    trial.__dict__["text"] = text
    with pytest.raises(Exception, match="nhdr"):
        formatted.gives_back_what_it_writes(trial)
    lossy = FormatTrial("picture", tmp_path / "lossy")
    lossy.folder.mkdir()
    lossy.__dict__["text"] = {**registry.literals("formats", "picture"), "LOSSY": (), "SUFFIXES": (".jpg",)}
    says(formatted.gives_back_what_it_writes, lossy, "off by 0 at most, not by")
    silent = FormatTrial("dicom_seg", tmp_path)
    says(formatted.gives_back_what_it_writes, silent, "give check_format a small answer")


def test_a_phantom_that_is_never_the_same(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    seen = iter(range(100))
    pixels = Image(np.zeros((1, 1, 2, 2), np.uint8))

    def patient(index: int, seed: int, *, kind: str, options: object) -> Any:
        case = SimpleNamespace(id=f"p{index}", patient="p", images={"image": pixels})
        return SimpleNamespace(truth=lambda n=next(seen): {"id": "p", "n": n}, as_case=lambda: case)

    monkeypatch.setattr(phantoms, "patient", patient)
    says(
        phantoms.makes_the_same_patient_again,
        PhantomTrial("ct", tmp_path),
        "the same arguments give the same",
    )


def test_a_target_that_phantoms_lack_asks_for_data(tmp_path: Path) -> None:
    task = cast(Task, type("Far", (Classify,), {"targets": ("galaxy",)})())
    with pytest.raises(AssertionError, match="no small cohort with a target of kind galaxy .*data="):
        _ = TaskTrial(task, tmp_path).cohort
    with pytest.raises(Exception, match="unknown task 'zzz'"):
        check_task("zzz", folder=tmp_path)


def test_a_broken_promise_is_one_sentence() -> None:
    require(True, "never said")
    with pytest.raises(AssertionError, match="^it holds$"):
        require(0, "it holds")
    with (
        pytest.raises(AssertionError, match="^it runs, but it raised ValueError: seven$"),
        promised("it runs"),
    ):
        raise ValueError("seven")
    with pytest.raises(AssertionError, match="^inner$"), promised("outer"):
        require(False, "inner")
    assert formats.known_suffixes()
