"""A task may need several nets: it names them, the plan holds each under its name, and `--set` reaches them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import pytest

from vesalius import nets
from vesalius.core.errors import PlanError, UnknownName
from vesalius.core.plan import DataPlan, LossPlan, NetPlan, Normalisation, Plan, TaskPlan, TrainPlan, override
from vesalius.plan.rules import check
from vesalius.tasks.contract import planned_net

PLAN = Plan(
    task=TaskPlan(name="paired", target="class"),
    data=DataPlan(
        dims=2, channels=1, sampling="whole", size=(1, 32, 32), normalise=(Normalisation(method="zscore"),)
    ),
    net=NetPlan(name="resnet-10", scale=0.125),
    loss=LossPlan(name="cross_entropy"),
    train=TrainPlan(steps=4, batch=2),
)


class Paired:
    """What the rules know of a task that looks with two nets."""

    name: ClassVar[str] = "paired"
    targets: ClassVar[tuple[str, ...]] = ("class",)
    roles: ClassVar[tuple[str, ...]] = ("encoder",)
    run: ClassVar[str] = "whole"
    nets: ClassVar[Mapping[str, tuple[str, ...]]] = {"detail": ("encoder", "dense")}

    def defaults(self, prints: Any, machine: Any, target: Any) -> Any:
        raise NotImplementedError


def test_a_plan_holds_several_nets_by_name_and_each_is_built() -> None:
    plan = override(PLAN, {"nets.detail.name": "resnet-10", "nets.detail.scale": "0.25"})
    assert plan.nets["detail"] == NetPlan(name="resnet-10", scale=0.25) and plan.net == PLAN.net
    assert check(plan, Paired()) is plan
    one, two = planned_net(plan, nets), planned_net(plan, nets, "detail", channels=3)
    assert two.channels[0] > one.channels[0]
    assert next(two.parameters()).shape[1] == 3 and next(one.parameters()).shape[1] == 1


def test_what_is_not_planned_or_does_not_fit_is_refused() -> None:
    with pytest.raises(
        PlanError, match="further nets of paired are detail; found none planned.*nets.detail.name=NET"
    ):
        check(PLAN, Paired())
    with pytest.raises(PlanError, match="found detail, other"):
        check(override(PLAN, {"nets.detail.name": "unet", "nets.other.name": "unet"}), Paired())
    with pytest.raises(UnknownName, match="net"):
        check(override(PLAN, {"nets.detail.name": "nothing"}), Paired())
    with pytest.raises(UnknownName, match="nets.detail.scales"):
        override(PLAN, {"nets.detail.name": "unet", "nets.detail.scales": 1})
    with pytest.raises(PlanError, match=r"nets\.detail\.name"):
        override(PLAN, {"nets.detail.scale": 1})
    with pytest.raises(PlanError, match="no net is planned under the name 'text'; found no further nets"):
        planned_net(PLAN, nets, "text")
