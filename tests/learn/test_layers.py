"""Strategies of transfer: rates by depth against numbers by hand, what stays frozen, and a kill in each of them."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from _bench import PLAN, STATE, Bench
from torch import Tensor, nn

from vesalius import nets, optimisers
from vesalius.core.errors import Interrupted, PlanError
from vesalius.core.plan import Plan, override
from vesalius.learn.layers import depths_of, rate_scales
from vesalius.learn.phases import frozen_parts
from vesalius.learn.stepper import Stepper, build, fabric_for
from vesalius.plan.presets import applied
from vesalius.prepare.batch import collate
from vesalius.tasks import contract as tasks

SHORT = {"train.steps": 20, "train.ema": 0.0, "train.select": "last", "train.validations": 4}


def given() -> dict[str, Tensor]:
    """Weights of the same net that another seed drew."""
    model = build(tasks.get("classify"), override(PLAN, {"train.seed": 7}), STATE, 0)
    return {n: t.clone() for n, t in model.state_dict().items()}


def stepper(plan: Plan, start: dict[str, Tensor] | None) -> Stepper:
    return Stepper(tasks.get("classify"), plan, STATE, 0, fabric_for(plan, "cpu"), start)


def rates(of: Stepper) -> dict[str, float]:
    """The rate that each parameter's group has now."""
    names = {id(p): n for n, p in of.model.named_parameters()}
    return {names[id(p)]: g["lr"] for g in of.optimizer_.param_groups for p in g["params"]}


class Stop:
    """Progress that presses Ctrl-C, as it were, after so many steps."""

    def __init__(self, after: int) -> None:
        self.left = after

    def start(self, name: str, total: int | None = None) -> None: ...

    def advance(self, name: str, done: int = 1, text: str = "") -> None:
        if not text and done:
            self.left -= 1
            if self.left == 0:
                import signal

                signal.raise_signal(signal.SIGINT)

    def finish(self, name: str) -> None: ...

    def note(self, text: str) -> None: ...


def test_rates_fall_by_depth_as_computed_by_hand(bench: Bench) -> None:
    """A ResNet has five depths: its stem learns at a half to the fifth power of the rate, its last stage at a half."""
    plan = override(PLAN, {"train.layer_decay": 0.5})
    ours = stepper(plan, given())
    ours.step(0, collate(bench.examples[:4]), 0.64)
    found = rates(ours)
    by_hand = {"conv1": 0.02, "bn1": 0.02, "layer1": 0.04, "layer2": 0.08, "layer3": 0.16, "layer4": 0.32}
    for name, rate in found.items():
        part = name.split(".")[1]
        assert rate == pytest.approx(by_hand[part] if name.startswith("net.") else 0.64), name
    assert len(found) == len(list(ours.model.parameters()))


def test_what_was_not_taken_over_learns_at_the_full_rate() -> None:
    start = {n: t for n, t in given().items() if not n.startswith("net.layer2")}
    found = rates(stepper(override(PLAN, {"train.layer_decay": 0.5, "train.lr": 1.0}), start))
    assert {r for n, r in found.items() if n.startswith(("net.layer2", "head"))} == {1.0}
    assert {r for n, r in found.items() if n.startswith("net.layer1")} == {0.5**4}
    assert set(
        rates(stepper(override(PLAN, {"train.layer_decay": 0.5, "train.lr": 1.0}), None)).values()
    ) == {1.0}


def test_without_layer_wise_rates_the_groups_are_those_of_before() -> None:
    one = stepper(PLAN, given()).optimizer_.state_dict()["param_groups"]
    two = optimisers.build(
        "adamw", build(tasks.get("classify"), PLAN, STATE, 0), lr=PLAN.train.lr, weight_decay=0.01
    )
    assert one == two.state_dict()["param_groups"] and len(one) == 2
    assert not any("rate_scale" in group for group in one)


def test_weights_decay_and_others_do_not_at_each_depth() -> None:
    model = build(tasks.get("classify"), PLAN, STATE, 0)
    scales = rate_scales(model, 0.5, dict(model.named_parameters()))
    groups = optimisers.build("sgd", model, lr=1.0, weight_decay=0.3, scales=scales).param_groups
    for group in groups:
        assert {p.ndim > 1 for p in group["params"]} == {group["weight_decay"] > 0}
    assert sorted({g["lr"] for g in groups}) == [0.5**k for k in (5, 4, 3, 2, 1, 0)]


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("encoder:1", ["net.conv1", "net.bn1"]),
        ("encoder:-3", ["net.conv1", "net.bn1", "net.layer1"]),
        ("encoder:40%", ["net.conv1", "net.bn1", "net.layer1"]),
        ("encoder:0%", []),
    ],
)
def test_so_many_depths_are_frozen(text: str, parts: list[str]) -> None:
    model = build(tasks.get("classify"), PLAN, STATE, 0)
    assert list(frozen_parts(model, [text])) == parts


@pytest.mark.parametrize(
    "text", ["encoder:6", "encoder:-5", "encoder:0", "encoder:all", "encoder:120%", "encoder:x%"]
)
def test_a_number_of_depths_that_is_none_is_refused_in_one_line(text: str) -> None:
    with pytest.raises(PlanError, match=f"'{text}' is not a part of") as caught:
        frozen_parts(build(tasks.get("classify"), PLAN, STATE, 0), [text])
    assert "encoder:75%" in str(caught.value)


def test_depths_of_a_dense_net_are_its_encoders_and_decoders_learn_at_the_full_rate() -> None:
    net = nets.build("unet", dims=2, in_channels=1, scale=0.25, size=(32, 32))
    model = nn.ModuleDict({"net": net})
    (depths,) = depths_of(model)
    assert depths == tuple((f"net.encoder.{k}",) for k in range(len(net.channels)))
    scales = rate_scales(model, 0.5, dict(model.named_parameters()))
    assert all(name.startswith("net.encoder.") for name in scales)
    n = len(depths)
    assert {scales[k] for k in scales if k.startswith("net.encoder.0.")} == {0.5**n}
    assert {scales[k] for k in scales if k.startswith(f"net.encoder.{n - 1}.")} == {0.5}


def test_a_probe_changes_no_tensor_of_the_encoder(bench: Bench) -> None:
    start = given()
    plan = applied("probe", PLAN)
    settings = SHORT | {"train.phases": [p.model_dump() for p in plan.train.phases]}
    done = bench.train(settings, start=start).weights
    for name, tensor in start.items():  # statistics and counters, too
        assert torch.equal(tensor, done[name]) == name.startswith("net."), name


def test_gradual_unfreezes_from_the_head_down_and_in_order(bench: Bench) -> None:
    plan = override(applied("gradual", PLAN), {"train.steps": 5})
    ours = stepper(plan, given())
    free = []
    for phase in plan.train.phases:
        ours.freeze(phase.frozen)
        learning = {
            n.split(".")[1] for n, p in ours.model.named_parameters() if p.requires_grad and n[:4] == "net."
        }
        free.append(sorted(learning))
    assert (
        free[0] == [] and free[1] == ["layer4"] and free[-1] == sorted({*free[-2], "bn1", "conv1", "layer1"})
    )
    assert all(set(a) < set(b) for a, b in zip(free, free[1:], strict=False)), "each phase frees more"
    assert [p.rate for p in plan.train.phases] == [1.0, 0.5, 0.5, 0.5, 0.5]


@pytest.mark.parametrize("preset", ["probe", "finetune", "gradual"])
@pytest.mark.parametrize("after", [3, 11])
def test_a_kill_changes_no_bit_in_any_strategy(bench: Bench, preset: str, after: int) -> None:
    chosen = applied(preset, PLAN).train
    settings: dict[str, Any] = SHORT | {
        "train.phases": [p.model_dump() for p in chosen.phases],
        "train.layer_decay": min(chosen.layer_decay, 0.8),
    }
    start = given()
    whole = Bench(bench.folder / "whole", bench.examples).train(settings, start=start)
    cut = Bench(bench.folder / "cut", bench.examples)
    with pytest.raises(Interrupted):
        cut.train(settings, start=start, progress=Stop(after))
    again = cut.train(settings, start=start)
    assert again.history == whole.history
    assert all(torch.equal(whole.weights[n], again.weights[n]) for n in whole.weights)
