"""Members that are trained differently: each by its own entry, and none in what a stage's members must share."""

from __future__ import annotations

import pytest

from vesalius.core.errors import PlanError, UnknownName
from vesalius.core.plan import DataPlan, LossPlan, NetPlan, Normalisation, Plan, TaskPlan, TrainPlan, override
from vesalius.run.stages import stages_of
from vesalius.run.varied import assert_varied, may_vary, varied

PLAN = Plan(
    task=TaskPlan(name="classify", target="class"),
    data=DataPlan(
        dims=2, channels=1, sampling="whole", size=(1, 16, 16), normalise=(Normalisation(method="zscore"),)
    ),
    net=NetPlan(name="resnet-10"),
    loss=LossPlan(name="cross_entropy"),
    train=TrainPlan(steps=100, batch=8, lr=1e-3, members=5),
)


def test_each_member_has_its_entry_in_turn() -> None:
    plan = override(PLAN, {"train.varied": [{}, {"train.lr": 0.01, "augment.noise": 0.3}]})
    assert [varied(plan, k).train.lr for k in range(5)] == [1e-3, 0.01, 1e-3, 0.01, 1e-3]
    assert varied(plan, 3).augment.noise == 0.3 and varied(plan, 3).reasons["train.lr"] == "of member 3"
    assert varied(plan, 2) is plan and varied(PLAN, 1) is PLAN
    assert_varied(plan)


@pytest.mark.parametrize(
    "path", ["net.name", "net.scale", "data.size", "loss.name", "train.steps", "train.seed", "task.name"]
)
def test_members_do_not_differ_in_what_they_share(path: str) -> None:
    assert not may_vary(path)
    with pytest.raises(PlanError, match="share their net"):
        assert_varied(override(PLAN, {"train.varied": [{}, {path: "1"}]}))


def test_what_no_plan_has_or_takes_is_refused_before_training() -> None:
    with pytest.raises(UnknownName, match="augment.nois"):
        assert_varied(override(PLAN, {"train.varied": [{}, {"augment.nois": 1}]}))
    with pytest.raises(PlanError, match="lr"):
        assert_varied(override(PLAN, {"train.varied": [{"train.lr": -1}]}))


def test_a_stage_before_the_last_trains_its_members_alike() -> None:
    plan = override(PLAN, {"earlier": [{"name": "first"}], "train.varied": [{"train.lr": 0.1}]})
    first, last = stages_of(plan)
    assert first.plan.train.varied == () and last.plan.train.varied != ()
