"""Learning rates and the moving average against values worked out by hand."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from vesalius.core.plan import TrainPlan
from vesalius.learn.optimise import Average, optimizer, rate


def plan(**given: object) -> TrainPlan:
    return TrainPlan(**({"steps": 100, "batch": 1, "lr": 1.0, "warmup": 0.1} | given))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("schedule", "half", "last"),
    [
        ("constant", 1.0, 1.0),
        ("cosine", 0.5 * 0.999 + 0.001, 0.5 * (1 + math.cos(math.pi * 89 / 90)) * 0.999 + 0.001),
        ("poly", 0.5**0.9, (1 / 90) ** 0.9),
        ("onecycle", 0.5, 1 / 90),
    ],
)
def test_each_schedule_by_hand(schedule: str, half: float, last: float) -> None:
    given = plan(schedule=schedule)
    assert [rate(k, given) for k in (0, 4, 9)] == pytest.approx([0.1, 0.5, 1.0]), "ten steps of warm-up"
    assert rate(10, given) == pytest.approx(1.0)
    assert rate(55, given) == pytest.approx(half) and rate(99, given) == pytest.approx(last)
    assert rate(0, plan(schedule=schedule, warmup=0.0)) == pytest.approx(1.0)


def test_rates_are_positive_to_the_end() -> None:
    for schedule in ("constant", "cosine", "poly", "onecycle"):
        for steps in (1, 2, 3, 50):
            assert all(rate(k, plan(schedule=schedule, steps=steps)) > 0 for k in range(steps))


def test_the_average_by_hand() -> None:
    model = nn.Linear(1, 1, bias=False)
    with torch.no_grad():
        model.weight.fill_(0.0)
    average = Average(model, 0.5)
    want = 0.0
    for step, value in enumerate((1.0, 3.0, -2.0, 8.0, 8.0, 8.0, 8.0, 8.0, 8.0, 8.0)):
        with torch.no_grad():
            model.weight.fill_(value)
        average.update(step)
        decay = min(0.5, (1 + step) / (10 + step))  # 1/10, 2/11, 3/12 … up to a half
        want = decay * want + (1 - decay) * value
        assert float(average.values["weight"]) == pytest.approx(want, abs=1e-6)


def test_counters_are_copied_not_averaged() -> None:
    norm = nn.BatchNorm1d(2)
    average = Average(norm, 0.9)
    norm(torch.randn(4, 2))
    norm(torch.randn(4, 2))
    average.update(50)
    assert int(average.values["num_batches_tracked"]) == 2


@pytest.mark.parametrize("name", ["sgd", "adam", "adamw"])
def test_biases_and_norms_are_not_decayed(name: str) -> None:
    net = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2))
    made = optimizer(net, plan(optimizer=name, weight_decay=0.3))
    decays = {id(p): g["weight_decay"] for g in made.param_groups for p in g["params"]}
    assert len(decays) == 4 and decays[id(net[0].weight)] == 0.3
    assert all(decays[id(p)] == 0 for p in (net[0].bias, net[1].weight, net[1].bias))
