"""Optimisers and schedules that became files train to the bit as before, also from the plans of before."""

from __future__ import annotations

import copy
import importlib.util
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from vesalius.core.errors import PlanError, UnknownName
from vesalius.core.options import options_of
from vesalius.core.plan import TrainPlan
from vesalius.learn.optimise import optimizer, rate

_spec = importlib.util.spec_from_file_location("_before", Path(__file__).with_name("_before.py"))
assert _spec is not None and _spec.loader is not None
before = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(before)


def old_plan(**given: Any) -> TrainPlan:
    """A plan's section as earlier versions wrote it, with a momentum whatever the optimiser."""
    data = {"steps": 100, "batch": 2, "lr": 0.0123, "momentum": 0.87, "weight_decay": 0.03, "warmup": 0.07}
    return TrainPlan.model_validate(data | given)


@pytest.mark.parametrize("schedule", ["constant", "cosine", "onecycle", "poly"])
@pytest.mark.parametrize("steps", [1, 2, 37, 1000])
def test_the_rate_of_every_step(schedule: str, steps: int) -> None:
    plan = old_plan(schedule=schedule, steps=steps)
    for k in range(steps):
        for step in (k, k + 0.37):
            assert rate(step, plan) == before.rate(step, schedule, 0.0123, 0.07, steps)


@pytest.mark.parametrize("momentum", [0.87, 0.0])
@pytest.mark.parametrize("name", ["sgd", "adam", "adamw"])
def test_the_weights_after_ten_steps(name: str, momentum: float) -> None:
    torch.manual_seed(0)
    ours = nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.Conv2d(4, 2, 3))
    theirs = copy.deepcopy(ours)
    plan = old_plan(optimizer=name, momentum=momentum)
    made = optimizer(ours, plan), before.optimizer(theirs, name, 0.0123, momentum, 0.03)
    for _ in range(10):
        x = torch.randn(2, 1, 8, 8)
        for model, opt in zip((ours, theirs), made, strict=True):
            model(x).square().mean().backward()
            opt.step()
            opt.zero_grad()
    assert all(torch.equal(a, b) for a, b in zip(ours.parameters(), theirs.parameters(), strict=True))


def test_the_momentum_of_before_is_an_option_of_sgd_alone() -> None:
    assert old_plan(optimizer="sgd").optimizer_options == {"momentum": 0.87}
    assert old_plan(optimizer="adamw").optimizer_options == {}
    assert TrainPlan.model_validate(old_plan(optimizer="sgd").model_dump()) == old_plan(optimizer="sgd")


@pytest.mark.parametrize(
    ("kind", "name", "given", "words"),
    [
        ("optimisers", "sgd", {"momentum": 1.0}, "train.x.momentum must be less than 1"),
        ("optimisers", "sgd", {"momentum": "much"}, "must be a finite number"),
        ("schedules", "poly", {"power": 0}, "more than 0"),
        ("losses", "dice", {"batch": 1}, "must be true or false"),
        ("losses", "focal", {"gamma": -1}, "at least 0"),
    ],
)
def test_a_value_that_an_option_does_not_take_is_refused(
    kind: str, name: str, given: dict[str, Any], words: str
) -> None:
    with pytest.raises(PlanError, match=words):
        options_of(kind, name, given, where="train.x")


def test_what_does_not_exist_is_refused_with_what_is_like_it() -> None:
    with pytest.raises(UnknownName, match="momentum"):
        options_of("optimisers", "sgd", {"momentun": 0.9}, where="train.x")
    with pytest.raises(UnknownName, match="adamw"):
        options_of("optimisers", "adamx", {}, where="train.x")
    assert options_of("losses", "focal", {"gamma": 3}, where="loss.options") == {"gamma": 3.0}
