"""Recipes: another way to train is one more file; the loop, its checkpoints and its log are the same."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

import pytest
import torch
from _bench import PLAN, STATE, Bench
from _teacher import Knobs
from torch import Tensor, nn

from vesalius.core import registry
from vesalius.core.errors import Interrupted, PlanError, UnknownName
from vesalius.core.plan import override, parse_plan
from vesalius.learn import checkpoint
from vesalius.learn.examples import batches
from vesalius.learn.recipes import contract as recipes
from vesalius.learn.recipes.supervised import Supervised
from vesalius.learn.stepper import Stepper, fabric_for
from vesalius.tasks import contract as tasks
from vesalius.tasks.classify import Classify


@pytest.fixture
def teacher(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The recipe of `_teacher.py`, found by its entry point."""
    caches = (registry.stems, registry.literals, registry.names)
    point = EntryPoint("teacher", "_teacher", "vesalius.learn.recipes")
    monkeypatch.setattr(
        registry.metadata,
        "entry_points",
        lambda *, group: [point] if group == "vesalius.learn.recipes" else [],
    )
    for function in caches:
        function.cache_clear()
    yield
    monkeypatch.undo()
    for function in caches:
        function.cache_clear()


def mixed(bench: Bench) -> Bench:
    """The bench with half of its cases unlabelled."""
    found = [replace(e, targets={}) if k >= 4 else e for k, e in enumerate(bench.examples)]
    return replace(bench, examples=tuple(found))


SETTINGS = {"train.steps": 3, "train.validations": 1, "train.recipe": "teacher", "train.ema": 0}


class Press:
    """A progress that raises when so many steps are done."""

    def __init__(self, after: int) -> None:
        self.left = after

    def start(self, name: str, total: int | None = None) -> None: ...

    def finish(self, name: str) -> None: ...

    def note(self, text: str) -> None: ...

    def advance(self, name: str, done: int = 1, text: str = "") -> None:
        self.left -= done
        if done and self.left == 0:
            raise Interrupted("as if the power went")


def test_a_teacher_and_unlabelled_cases_are_one_more_recipe(
    bench: Bench, teacher: None, tmp_path: Path
) -> None:
    half = mixed(bench)
    scores: list[bool] = []
    done = half.train(SETTINGS, validate=lambda m: float(scores.append(m.training) or 0.5))
    assert done.last_step == 3 and scores == [False]
    without = replace(half, examples=half.examples[:4], folder=tmp_path / "labelled").train(SETTINGS)
    assert any(not torch.equal(v, without.weights[k]) for k, v in done.weights.items()), (
        "the unlabelled cases are learned from"
    )
    plain = replace(half, examples=half.examples[:4], folder=tmp_path / "plain").train(
        SETTINGS | {"train.recipe": "supervised"}
    )
    assert any(not torch.equal(v, plain.weights[k]) for k, v in without.weights.items()), (
        "the teacher answers"
    )


def test_it_is_interrupted_and_resumed_to_the_bit(bench: Bench, teacher: None, tmp_path: Path) -> None:
    half, often = mixed(bench), SETTINGS | {"train.checkpoint_every_s": 1e-9}
    straight = half.train(often, folder=tmp_path / "straight")
    with pytest.raises(Interrupted):
        half.train(often, progress=Press(3))
    saved = checkpoint.load(half.checkpoint)
    assert saved.step == 2 and set(saved.extra) == {"teacher"}
    again = half.train(often)
    assert all(torch.equal(v, straight.weights[k]) for k, v in again.weights.items())
    assert checkpoint.load(half.checkpoint).extra == {}, "of what is done only the chosen weights are kept"


def test_its_options_are_typed_and_set_like_any_other(bench: Bench, teacher: None, tmp_path: Path) -> None:
    plan = override(PLAN, {"train.recipe": "teacher", "train.recipe_options.decay": "0.5"})
    assert recipes.options_of(plan) == Knobs(decay=0.5)
    for option, said in (
        ("decay=2", r"train\.recipe_options\.decay must be less than 1\.0; found 2"),
        ("decays=0.5", r"recipe 'teacher' has no option 'decays'; found decay, weight"),
    ):
        name, _, value = option.partition("=")
        with pytest.raises(PlanError, match=said):
            recipes.options_of(override(plan, {f"train.recipe_options.{name}": value}))
    far = mixed(bench).train(SETTINGS | {"train.recipe_options.weight": 100.0}, folder=tmp_path / "far")
    near = mixed(bench).train(SETTINGS, folder=tmp_path / "near")
    assert any(not torch.equal(v, near.weights[k]) for k, v in far.weights.items())


def test_a_plan_of_before_is_supervised_and_an_unknown_recipe_is_said() -> None:
    old = PLAN.model_dump(mode="json")
    for field in ("recipe", "recipe_options"):
        old["train"].pop(field)
    assert parse_plan(old) == PLAN and PLAN.train.recipe == "supervised"
    assert recipes.get("supervised") is Supervised and tasks.get("classify").recipe == "supervised"
    with pytest.raises(UnknownName, match=r"unknown recipe 'supervise'.*supervised"):
        recipes.get("supervise")


def stepper(bench: Bench, task: Any = None, **settings: Any) -> Stepper:
    plan = override(bench.plan, {"augment.probability": 0.0, **settings})
    return Stepper(task or tasks.get("classify"), plan, STATE, 0, fabric_for(plan, "cpu"))


def test_a_step_is_its_gradients_and_their_application(bench: Bench) -> None:
    draw, device = batches(bench.examples, bench.plan, 0), torch.device("cpu")
    whole, halves = stepper(bench), stepper(bench)
    for step in range(3):
        loss = whole.step(step, draw(step, device), 1e-2)
        apart = halves.gradients(step, draw(step, device))
        halves.apply(step, 1e-2)
        assert torch.equal(loss, apart)
    assert all(torch.equal(v, whole.weights()[k]) for k, v in halves.weights().items())


def test_other_weights_are_loaded_and_trained_on(bench: Bench) -> None:
    """As a federation does: the mean of two sites' weights, back into both."""
    draw, device = batches(bench.examples, bench.plan, 0), torch.device("cpu")
    plain = {
        "train.ema": 0,
        "train.optimizer": "sgd",
        "train.momentum": 0,
    }  # nothing of the steps before is remembered
    sites = [stepper(bench, **plain) for _ in range(2)]
    for k, site in enumerate(sites):
        site.step(0, draw(k, device), 1e-2)
    each = [s.weights() for s in sites]
    mean = {k: (v + each[1][k]) / 2 if v.is_floating_point() else v for k, v in each[0].items()}
    for site in sites:
        site.load(mean)
        site.step(1, draw(5, device), 1e-2)
    assert all(torch.equal(v, sites[1].weights()[k]) for k, v in sites[0].weights().items() if "num" not in k)


def test_the_loss_of_each_case_is_had_of_a_task_that_tells_it(bench: Bench) -> None:
    """As per-sample clipping, or a look at hard cases, needs it."""

    class Telling(Classify):
        def loss_each(self, model: nn.Module, batch: Any, generator: torch.Generator) -> Tensor:
            logits = model(batch.images["image"])
            return nn.functional.cross_entropy(logits, batch.targets["label"], reduction="none")

    batch = batches(bench.examples, bench.plan, 0)(0, torch.device("cpu"))
    each = stepper(bench, Telling()).loss_each(0, batch)
    assert each.shape == (bench.plan.train.batch,) and each.requires_grad
    assert torch.allclose(each.mean(), stepper(bench).loss(0, batch), atol=1e-6)
    with pytest.raises(PlanError, match="the loss of each case, which classify does not tell"):
        stepper(bench).loss_each(0, batch)


def test_in_bf16_corners_and_days_reach_the_loss_as_they_are(bench: Bench) -> None:
    seen: dict[str, Tensor] = {}

    class Looking(Classify):
        def loss(self, model: nn.Module, batch: Any, generator: torch.Generator) -> Any:
            seen["corner"], seen["days"] = batch.ragged["box"][0], batch.times_days
            seen["logits"] = model(batch.images["image"])
            return super().loss(model, batch, generator)

    batch = batches(bench.examples, bench.plan, 0)(0, torch.device("cpu"))
    corners, days = torch.tensor([[511.3, 300.7]]), torch.tensor([1001.0])
    given = replace(batch, ragged={"box": (corners,)}, times_days=days)
    stepper(bench, Looking(), **{"train.precision": "bf16"}).gradients(0, given)
    assert torch.equal(seen["corner"], corners) and torch.equal(seen["days"], days)
    assert seen["logits"].dtype == torch.bfloat16, "the net itself is in bf16"
