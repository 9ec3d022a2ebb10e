"""Distillation and training with zeros: terms by hand, a teacher that stays, what a checkpoint keeps."""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import Any

import pytest
import torch
from _bench import PLAN, STATE, Bench
from torch import Tensor, nn
from torch.nn import functional as F

from vesalius.core.errors import Interrupted, PlanError
from vesalius.core.plan import override
from vesalius.learn import checkpoint
from vesalius.learn.checkpoint import Checkpoint
from vesalius.learn.recipes import contract as recipes
from vesalius.learn.recipes.contract import Member
from vesalius.learn.recipes.distil import Distil, deepest, hint, soft
from vesalius.learn.recipes.sparse import Sparse, masks_of
from vesalius.learn.stepper import build, fabric_for
from vesalius.prepare.opinion import Opinion
from vesalius.tasks import contract as tasks

LACKING = frozenset({"case-6", "case-7"})


def teacher_of(seed: int = 7, **settings: Any) -> nn.Module:
    plan = override(PLAN, {"train.seed": seed, **settings})
    return build(tasks.get("classify"), plan, STATE, 0).eval()


def member(
    bench: Bench, name: str, *, teacher: nn.Module | None, start: Any = None, **settings: Any
) -> Member:
    plan = override(PLAN, {"train.recipe": name, **settings})
    unlabelled = LACKING if name == "distil" else frozenset()
    examples = tuple(replace(e, targets={}) if e.case_id in unlabelled else e for e in bench.examples)
    task, fabric = tasks.get("classify"), fabric_for(plan, "cpu")
    return Member(
        task, plan, STATE, examples, 0, fabric, start, unlabelled=unlabelled, steps=10, teacher=teacher
    )


# --- terms


def test_one_of_several_labels_is_hintons_term() -> None:
    ours, theirs = torch.randn(5, 3, generator=torch.Generator().manual_seed(0)), torch.randn(5, 3)
    for t in (1.0, 4.0):
        found = soft(Opinion(ours.softmax(1), "one"), Opinion(theirs.softmax(1), "one"), t)
        by_torch = t * t * F.kl_div((ours / t).log_softmax(1), (theirs / t).softmax(1), reduction="batchmean")
        assert float(found) == pytest.approx(float(by_torch), rel=1e-3), "of logits, from probabilities alone"
    assert float(
        soft(Opinion(ours.softmax(1), "one"), Opinion(ours.softmax(1), "one"), 2.0)
    ) == pytest.approx(0, abs=1e-6)


def test_masks_are_compared_point_by_point_and_labels_each_by_itself() -> None:
    p = torch.tensor([0.9, 0.2]).view(1, 2, 1, 1, 1).expand(1, 2, 1, 2, 2)
    q = torch.tensor([0.5, 0.5]).view(1, 2, 1, 1, 1).expand(1, 2, 1, 2, 2)
    each = soft(Opinion(p, "each"), Opinion(q, "each"), 1.0)
    by_hand = 0.5 * sum(
        0.5 * (torch.tensor(0.5 / v).log() + torch.tensor(0.5 / (1 - v)).log()) for v in (0.9, 0.2)
    )
    assert float(each) == pytest.approx(float(by_hand), rel=1e-4)
    one = torch.tensor([0.75, 0.25]).view(1, 2, 1, 1, 1).expand(1, 2, 1, 2, 2)
    by_hand = 0.5 * (torch.tensor(0.5 / 0.75).log() + torch.tensor(0.5 / 0.25).log())
    assert float(soft(Opinion(one, "one"), Opinion(q, "one"), 1.0)) == pytest.approx(float(by_hand), rel=1e-4)
    numbers = [Opinion(torch.tensor([[1.0], [2.0]]), "none"), Opinion(torch.tensor([[1.5], [4.0]]), "none")]
    assert float(soft(*numbers, 9.0)) == pytest.approx((0.25 + 4.0) / 2), "numbers know no temperature"


def test_features_are_compared_whatever_their_scale_on_the_coarser_grid() -> None:
    maps = torch.randn(2, 4, 6, 6)
    same = nn.Linear(4, 4, bias=False)
    nn.init.eye_(same.weight)
    assert float(hint(maps, 3 * maps + 1, same).detach()) == pytest.approx(0, abs=1e-4)
    coarse = F.adaptive_avg_pool2d(maps, 3)
    assert float(hint(maps, coarse, same).detach()) == pytest.approx(0, abs=1e-4)
    assert float(hint(maps, -maps, same).detach()) > 1


# --- steps


def test_the_teacher_stays_and_the_student_comes_nearer(bench: Bench) -> None:
    teacher = teacher_of()
    with torch.no_grad():
        teacher.head.linear.bias.copy_(torch.tensor([2.0, -2.0]))  # type: ignore[union-attr,operator]
    before = copy.deepcopy(teacher.state_dict())
    settings = {"train.recipe_options.weight": 1.0, "net.dropout": 0.0, "train.lr": 0.01}
    given = member(bench, "distil", teacher=teacher, **settings)
    recipe = recipes.begin(given)
    assert (
        isinstance(recipe, Distil)
        and recipe.beside is not None
        and recipe.beside.size == given.plan.train.batch
    )
    batch = recipe.draw(0, recipe.device)
    first = float(recipe.term(0, batch).detach())
    for step in range(8):
        recipe.step(step, 1e-2)
    assert float(recipe.term(0, batch).detach()) < 0.5 * first
    assert all(torch.equal(t, before[n]) for n, t in teacher.state_dict().items()), "it learns nothing"
    assert all(torch.equal(t, before[n]) for n, t in recipe.teacher.state_dict().items())  # type: ignore[union-attr]
    drawn = {i for step in range(8) for i in recipe.beside(step, recipe.device).case_ids}
    assert (
        drawn == LACKING
        and not {i for s in range(8) for i in recipe.draw(s, recipe.device).case_ids} & LACKING
    )


def test_without_the_teachers_weight_it_is_the_usual_training(bench: Bench) -> None:
    given = member(bench, "distil", teacher=teacher_of(), **{"train.recipe_options.weight": 0.0})
    given = replace(given, examples=[e for e in given.examples if e.targets], unlabelled=frozenset())
    plain = replace(given, plan=override(PLAN, {"train.recipe": "supervised"}), teacher=None)
    one, other = recipes.begin(given), recipes.begin(plain)
    for step in range(2):
        assert float(one.step(step, 1e-2)) == pytest.approx(float(other.step(step, 1e-2)), rel=1e-5)
    for name, tensor in one.weights().items():
        assert torch.allclose(tensor, other.weights()[name], atol=1e-6)


def test_the_projector_learns_is_kept_and_is_not_sealed(bench: Bench) -> None:
    settings = {"train.recipe_options.features": 1.0}
    given = member(bench, "distil", teacher=teacher_of(**{"net.scale": 0.5}), **settings)
    recipe = recipes.begin(given)
    assert isinstance(recipe, Distil) and recipe.projector is not None
    before = {n: t.clone() for n, t in recipe.projector.state_dict().items()}
    recipe.step(0, 1e-2)
    assert not torch.equal(before["weight"], recipe.projector.state_dict()["weight"])
    assert set(recipe.weights()) == set(build(given.task, given.plan, STATE, 0).state_dict()), "nothing of it"
    saved = Checkpoint()
    recipe.keep(saved)
    other = recipes.begin(given)
    other.restore(saved)
    assert isinstance(other, Distil) and other.projector is not None
    assert torch.equal(other.projector.weight, recipe.projector.weight)  # type: ignore[arg-type]
    assert float(other.step(1, 1e-2)) == pytest.approx(float(recipe.step(1, 1e-2)), rel=1e-5)
    with deepest(recipe.stepper.model) as found:
        recipe.stepper.raw(0, recipe.draw(0, recipe.device))
    assert len(found) == 1 and found[0].shape[1] == recipe.stepper.model.net.channels[-1]  # type: ignore[union-attr]


def test_it_is_interrupted_and_resumed_to_the_bit(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = {"train.recipe": "distil", "train.steps": 4, "train.recipe_options.features": 0.5}
    whole = bench.train(dict(settings), teacher=teacher_of())
    other = replace(bench, folder=bench.folder / "other")
    step = Distil.step

    def stops(self: Distil, number: int, lr: float) -> Tensor:
        if number == 2 and not checkpoints:
            checkpoints.append(number)
            import signal

            signal.raise_signal(signal.SIGINT)
        return step(self, number, lr)

    checkpoints: list[int] = []
    monkeypatch.setattr(Distil, "step", stops)
    with pytest.raises(Interrupted):
        other.train(dict(settings), teacher=teacher_of())
    assert checkpoint.load(next((other.folder / "checkpoints").glob("*.pt"))).extra
    again = other.train(dict(settings), teacher=teacher_of())
    assert all(torch.equal(t, again.weights[n]) for n, t in whole.weights.items())


def test_nobody_learns_from_a_teacher_that_is_not_there(bench: Bench) -> None:
    with pytest.raises(PlanError, match="needs a teacher") as caught:
        recipes.begin(member(bench, "distil", teacher=None))
    assert "vesalius compress" in str(caught.value)
    with pytest.raises(PlanError, match="there are none to begin from"):
        recipes.begin(member(bench, "sparse", teacher=None))


# --- zeros


def test_what_is_zero_stays_zero_and_the_rest_learns(bench: Bench) -> None:
    start = {n: t.clone() for n, t in teacher_of().state_dict().items()}
    name = next(n for n, t in start.items() if t.ndim > 1 and t.numel() > 20)
    start[name].flatten()[::2] = 0.0
    zero = start[name] == 0
    for settings in ({}, {"train.ema": 0.9}):
        teacher = teacher_of(8)
        recipe = recipes.begin(member(bench, "sparse", teacher=teacher, start=start, **settings))
        assert isinstance(recipe, Sparse) and set(recipe.masks) == {name}
        for step in range(3):
            recipe.step(step, 1e-2)
        for found in (recipe.weights()[name], recipe.stepper.model.state_dict()[name]):
            assert bool((found[zero] == 0).all()) and not torch.equal(found[~zero], start[name][~zero])
        assert bool((recipe.weights()[name][~zero] != 0).any())
        saved = Checkpoint()
        recipe.keep(saved)
        other = recipes.begin(member(bench, "sparse", teacher=teacher, start=start, **settings))
        other.restore(saved)
        assert float(other.step(3, 1e-2)) == pytest.approx(float(recipe.step(3, 1e-2)), rel=1e-5)


def test_masks_are_of_weights_with_zeros_alone() -> None:
    weights = {
        "a": torch.tensor([[0.0, 1.0]]),
        "b": torch.ones(2, 2),
        "bias": torch.zeros(3),
        "n": torch.zeros(2, 2).long(),
    }
    assert {n: m.tolist() for n, m in masks_of(weights).items()} == {"a": [[False, True]]}
