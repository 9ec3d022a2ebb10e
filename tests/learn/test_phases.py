"""Phases: what is frozen stays as it is to the bit, rates follow each phase, and a kill in either changes nothing."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from _bench import PLAN, STATE, Bench
from torch import nn

from vesalius import nets
from vesalius.core.errors import Interrupted, PlanError, UnknownName
from vesalius.core.plan import PhasePlan, override
from vesalius.learn.optimise import rate
from vesalius.learn.phases import assert_learned, frozen_parts, span_at
from vesalius.learn.stepper import build
from vesalius.tasks import contract as tasks

TWO: list[dict[str, Any]] = [{"share": 0.5, "frozen": ["encoder"]}, {"share": 0.5, "rate": 0.25}]
PHASED = {"train.phases": TWO, "train.ema": 0.0, "train.select": "last", "train.validations": 4}


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


def test_the_encoder_stays_to_the_bit_while_it_is_frozen_and_the_head_learns(bench: Bench) -> None:
    frozen = bench.train(PHASED | {"train.phases": [{"share": 1.0, "frozen": ["encoder"]}]}).weights
    fresh = build(tasks.get("classify"), PLAN, STATE, 0).state_dict()
    for name, tensor in fresh.items():  # statistics and counters, too
        same = torch.equal(tensor, frozen[name])
        assert same == name.startswith("net."), name


def test_after_the_frozen_phase_all_of_it_learns(bench: Bench) -> None:
    done = bench.train(PHASED).weights
    fresh = build(tasks.get("classify"), PLAN, STATE, 0).state_dict()
    assert not any(
        torch.equal(fresh[n], done[n]) for n in fresh if n.endswith("weight") and fresh[n].ndim > 1
    )


@pytest.mark.parametrize("after", [2, 6, 9])
def test_a_kill_within_either_phase_or_between_them_changes_no_bit(bench: Bench, after: int) -> None:
    bench.train(PHASED)  # the settings make a whole run of it
    whole = Bench(bench.folder / "whole", bench.examples).train(PHASED)
    cut = Bench(bench.folder / "cut", bench.examples)
    with pytest.raises(Interrupted):
        cut.train(PHASED, progress=Stop(after))
    again = cut.train(PHASED)
    assert again.history == whole.history
    assert all(torch.equal(whole.weights[n], again.weights[n]) for n in whole.weights)


def test_each_phase_warms_up_and_falls_by_itself() -> None:
    train = override(PLAN, {"train.steps": 100, "train.warmup": 0.1, **PHASED}).train
    rates = [rate(k, train) for k in range(100)]
    assert max(rates[:50]) == pytest.approx(train.lr) and max(rates[50:]) == pytest.approx(train.lr / 4)
    assert rates[49] < 0.05 * train.lr and rates[50] < rates[54] and rates[99] < 0.05 * train.lr
    spans = [span_at(k, train.phases, 7) for k in range(7)]
    assert [s.number for s in spans] == [0] * 4 + [1] * 3 and sum(s.steps for s in (spans[0], spans[-1])) == 7


def test_a_plan_without_phases_keeps_its_rates() -> None:
    train = override(PLAN, {"train.steps": 40}).train
    assert [rate(k, train) for k in (0, 1, 20, 39)] == [
        rate(k, train.model_copy(update={"phases": (PhasePlan(share=1.0),)})) for k in (0, 1, 20, 39)
    ]


def test_dropout_of_what_is_frozen_is_off_and_statistics_stay(bench: Bench) -> None:
    plan = override(PLAN, {**PHASED, "net.dropout": 0.5})
    from vesalius.learn.stepper import Stepper, fabric_for

    stepper = Stepper(tasks.get("classify"), plan, STATE, 0, fabric_for(plan, "cpu"))
    stepper.freeze(["encoder"])
    assert stepper.model.training and not stepper.model.get_submodule("net").training
    with stepper.averaged():
        pass
    assert stepper.model.training and not stepper.model.get_submodule("net").training
    stepper.freeze([])
    assert stepper.model.get_submodule("net").training
    assert all(p.requires_grad for p in stepper.model.parameters())


def test_what_cannot_be_frozen_is_said() -> None:
    model = build(tasks.get("classify"), PLAN, STATE, 0)
    with pytest.raises(UnknownName, match="part of the model 'net.stam'"):
        frozen_parts(model, ["net.stam"])
    with pytest.raises(PlanError, match="freezes the whole model"):
        frozen_parts(model, ["encoder", "head"])
    with pytest.raises(PlanError, match=r"makes? 1 together; found 0\.9"):
        override(PLAN, {"train.phases": [{"share": 0.5}, {"share": 0.4}]})
    with pytest.raises(PlanError, match="nothing has learned yet; found net"):
        assert_learned(model, [PhasePlan(share=1.0, frozen=("encoder",))], ["head.linear.weight"])
    assert_learned(model, [PhasePlan(share=1.0, frozen=("encoder",))], model.state_dict())


@pytest.mark.parametrize("name", ["unet", "fcn-8s", "unetr", "swinunetr", "raunet", "resnet-10"])
def test_nets_say_what_sees_the_image(name: str) -> None:
    text = nets.describe(name)
    dims = max(text["DIMS"])
    size = text.get("TINY_SIZE", {}).get(dims, (16,) * 3)
    net = nets.build(
        name, dims=dims, in_channels=1, scale=text["SMALLEST"], size=size, options=text.get("TINY")
    )
    assert net.encoding and all(isinstance(net.get_submodule(part), nn.Module) for part in net.encoding)
    inside = sum(p.numel() for part in net.encoding for p in net.get_submodule(part).parameters())
    assert 0 < inside <= sum(p.numel() for p in net.parameters())
    assert inside < sum(p.numel() for p in net.parameters()) or net.role == "encoder"
