"""Learning to be rounded: what eight bits leave, by hand; full precision is what steps, answers and is kept."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from _bench import PLAN, STATE, Bench
from torch import nn

from vesalius.core.plan import override
from vesalius.learn.recipes import contract as recipes
from vesalius.learn.recipes.contract import Member
from vesalius.learn.recipes.rounded import KINDS, rounded_values, rounded_weight
from vesalius.learn.stepper import build, fabric_for
from vesalius.tasks import contract as tasks


def test_a_weight_has_a_scale_for_each_channel() -> None:
    weight = torch.tensor([[1.27, -0.634], [0.00127, 0.0004]])
    by_hand = torch.tensor([[1.27, -0.63], [0.00127, 0.0004]])  # steps of 0.01, and of 0.00001
    assert torch.allclose(rounded_weight(weight, 0), by_hand, rtol=1e-5, atol=1e-7)
    turned = rounded_weight(weight.T.contiguous(), 1)
    assert torch.allclose(turned.T, by_hand, rtol=1e-5, atol=1e-7)
    kernel = torch.randn(4, 3, 3, 3, generator=torch.Generator().manual_seed(0))
    found = rounded_weight(kernel, 0)
    for k in range(4):
        step = float(kernel[k].abs().max()) / 127
        assert len((found[k] / step).round().unique()) <= 255
        assert float((found[k] - kernel[k]).abs().max()) <= step / 2 + 1e-7
    assert torch.equal(rounded_weight(torch.zeros(2, 2), 0), torch.zeros(2, 2))


def test_values_are_rounded_and_gradients_pass() -> None:
    x = torch.linspace(-1, 3, 1001, requires_grad=True)
    found = rounded_values(x)
    assert len(found.detach().unique()) <= 256 and float(rounded_values(torch.zeros(1))) == 0
    assert float((found - x).detach().abs().max()) <= 4 / 254 / 2 + 1e-6
    found.sum().backward()
    assert x.grad is not None and torch.equal(x.grad, torch.ones_like(x))


def member(bench: Bench, *, teacher: nn.Module | None, **settings: Any) -> Member:
    plan = override(PLAN, {"train.recipe": "rounded", "train.ema": 0, **settings})
    task, start = tasks.get("classify"), build(tasks.get("classify"), plan, STATE, 0).state_dict()
    return Member(
        task, plan, STATE, tuple(bench.examples), 0, fabric_for(plan, "cpu"), start, steps=10, teacher=teacher
    )


@pytest.mark.parametrize("taught", [True, False])
def test_a_step_is_that_of_the_rounded_model_and_leaves_full_precision(bench: Bench, taught: bool) -> None:
    teacher = build(tasks.get("classify"), PLAN, STATE, 0).eval() if taught else None
    options = {} if taught else {"train.recipe_options": {"weight": 0.0}}
    given = member(bench, teacher=teacher, **options)
    recipe = recipes.begin(given)
    model = recipe.stepper.model  # type: ignore[attr-defined]
    seen: list[bool] = []

    def look(module: nn.Module, inputs: Any) -> None:
        seen.append(torch.equal(rounded_weight(module.weight.detach(), 0), module.weight.detach()))

    layer = next(m for m in model.modules() if isinstance(m, KINDS))
    hook = layer.register_forward_pre_hook(look)
    before = {n: p.detach().clone() for n, p in model.named_parameters()}
    recipe.step(0, 1e-3)
    hook.remove()
    assert seen and all(seen), "the loss is that of rounded weights"
    after = dict(model.named_parameters())
    changes = [float((after[n].detach() - before[n]).abs().max()) for n in before]
    assert max(changes) > 0 and max(changes) < 0.05, "a step of the weights themselves, not of rounded ones"
    weight = layer.weight.detach()
    assert not torch.equal(rounded_weight(weight, 0), weight)
    assert not any(m._forward_pre_hooks for m in model.modules())
    assert set(recipe.weights()) == set(given.start or ())


def test_weights_stay_whole_where_a_step_fails(bench: Bench) -> None:
    recipe = recipes.begin(member(bench, teacher=None, **{"train.recipe_options": {"weight": 0.0}}))
    model = recipe.stepper.model  # type: ignore[attr-defined]
    before = {n: p.detach().clone() for n, p in model.named_parameters()}
    recipe.draw = lambda *a: (_ for _ in ()).throw(RuntimeError("no batch"))  # type: ignore[attr-defined]
    with pytest.raises(RuntimeError, match="no batch"):
        recipe.step(0, 1e-3)
    assert all(torch.equal(p, before[n]) for n, p in model.named_parameters())
