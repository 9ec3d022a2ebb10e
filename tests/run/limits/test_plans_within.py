"""Limits that planning goes by: the time of a fit, a batch that fits, and the memory that the machine then has."""

from __future__ import annotations

import gc
import sys
import time
from collections.abc import Callable

import numpy as np
import pytest

from vesalius.core.errors import BudgetError, DataError, PlanError
from vesalius.core.plan import DataPlan, LossPlan, NetPlan, Normalisation, Plan, TaskPlan, TrainPlan, override
from vesalius.plan.energy import WATTS
from vesalius.plan.machine import measure
from vesalius.run.limits.allowance import Allowance
from vesalius.run.limits.memory import held
from vesalius.run.limits.planning import assert_fits, batch_that_fits, time_within, unshortened
from vesalius.run.limits.watch import within

LINUX = pytest.mark.skipif(sys.platform != "linux", reason="the kernel's cap")
A_CASE = 12_000_000  # bytes


def planned(batch: int, *, reason: str = "a rule") -> Plan:
    made = Plan(
        task=TaskPlan(name="classify"),
        data=DataPlan(
            dims=2,
            channels=1,
            sampling="whole",
            size=(1, 32, 32),
            normalise=(Normalisation(method="zscore"),),
        ),
        net=NetPlan(name="resnet-10"),
        loss=LossPlan(name="cross_entropy"),
        train=TrainPlan(steps=1, batch=1),
    )
    return override(made, {"train.batch": batch}, reason=reason)


def stepping(tried: list[int]) -> Callable[[Plan], object]:
    def step(plan: Plan) -> object:
        tried.append(plan.train.batch)
        return np.ones(plan.train.batch * A_CASE, np.uint8)

    return step


def test_a_fit_has_the_least_of_its_own_time_and_of_what_is_left_around_it() -> None:
    now, power = time.monotonic(), WATTS * measure().cores
    assert time_within(None, now) is None and time_within(50.0, now) == 50.0
    with within(Allowance(time_s=100.0)) as watch:
        assert time_within(50.0, time.monotonic()) == 50.0
        watch.began -= 70.0
        found = time_within(50.0, time.monotonic() - 5.0)
        left = 100.0 - watch.time_s
        assert left < 30.0 and found == pytest.approx(left + 5.0, abs=0.5), "it counts from 5 s ago"
        assert watch.planned
    with within(Allowance(energy_j=power * 60.0)):
        assert time_within(None, time.monotonic()) == pytest.approx(60.0, abs=5.0)
        with unshortened():
            assert time_within(None, time.monotonic()) is None, "fits that are compared have equal steps"
            assert time_within(50.0, time.monotonic()) == 50.0
        assert time_within(None, time.monotonic()) is not None
    with within(Allowance(memory_bytes=None)) as watch:
        assert time_within(None, time.monotonic()) is None and not watch.planned


@LINUX
def test_a_batch_is_halved_where_nothing_cheaper_fits() -> None:
    gc.collect()
    tried: list[int] = []

    def step(plan: Plan) -> object:
        if plan.train.recompute:
            raise PlanError("the net has no blocks that could be computed again")
        if plan.train.accumulate > 1:
            raise PlanError("BatchNorm looks at all of a batch at once")
        return stepping(tried)(plan)

    with within(Allowance(memory_bytes=held() + 400_000_000)) as watch:
        plan = batch_that_fits(planned(64), step)
        time.sleep(0.1)
        assert watch.reached == "" and not watch.trying
    assert tried[0] == 64 and tried == [64 // 2**k for k in range(len(tried))] and 1 <= plan.train.batch < 32
    assert "64 do not fit into the declared memory" in plan.reasons["train.batch"]
    assert not plan.train.recompute and plan.train.accumulate == 1


@LINUX
def test_what_costs_only_time_comes_before_a_smaller_batch() -> None:
    gc.collect()
    tried: list[tuple[bool, int, int]] = []

    def step(plan: Plan) -> object:
        train = plan.train
        tried.append((train.recompute, train.accumulate, train.batch))
        return np.ones(train.batch * A_CASE // train.accumulate // (2 if train.recompute else 1), np.uint8)

    with within(Allowance(memory_bytes=held() + 400_000_000)):
        plan = batch_that_fits(planned(64), step)
        first = list(tried)
        tried.clear()
        mine = override(planned(64), {"train.recompute": False}, reason="set by the user")
        assert not batch_that_fits(mine, step).train.recompute and not any(again for again, _, _ in tried)
        small = batch_that_fits(planned(2), step)
    assert first[:3] == [(False, 1, 64), (True, 1, 64), (True, 2, 64)] and plan.train.batch == 64
    assert plan.train.recompute and plan.train.accumulate >= 2
    assert "a step does not fit otherwise" in plan.reasons["train.accumulate"]
    assert small.train.batch == 2 and not small.train.recompute, "what fits stays as it was planned"


@LINUX
def test_what_the_user_set_stays_and_other_errors_are_told() -> None:
    tried: list[int] = []
    with within(Allowance(memory_bytes=held() + 400_000_000)):
        mine = planned(64, reason="set by the user")
        assert batch_that_fits(mine, stepping(tried)).train.batch == 64
        tried.clear()
        with pytest.raises(PlanError, match="a batch does not fit into memory"):
            assert_fits(override(planned(64), {"train.batch": 10**9}))

        def fails(plan: Plan) -> None:
            raise DataError("another matter")

        with pytest.raises(DataError, match="another matter"):
            batch_that_fits(planned(8), fails)

        def never(plan: Plan) -> None:
            raise BudgetError("a training step does not fit into memory")

        assert batch_that_fits(planned(8), never).train.batch == 1, "training then says that nothing fits"
    assert tried == [] and batch_that_fits(planned(64), stepping(tried)).train.batch == 64


@LINUX
def test_a_declared_memory_makes_the_machine_smaller() -> None:
    before = measure()
    with within(Allowance(memory_bytes=held() + 400_000_000)):
        small = measure()
    assert small.memory < 400_000_000 < before.memory and small.cores == before.cores
    assert small.workers == 1 and measure().workers == min(before.cores, before.memory // 2**28)
