"""Precision by measurement: the quicker one, a tenth at least for bfloat16, and what a user or a fixed run has set."""

from __future__ import annotations

import pytest

from vesalius.core.errors import BudgetError
from vesalius.core.plan import (
    USER,
    DataPlan,
    LossPlan,
    NetPlan,
    Normalisation,
    Plan,
    TaskPlan,
    TrainPlan,
    override,
)
from vesalius.run.precision import LEAST_S, MOST_S, precise

PLAN = Plan(
    task=TaskPlan(name="classify"),
    data=DataPlan(
        dims=2, channels=1, sampling="whole", size=(1, 32, 32), normalise=(Normalisation(method="zscore"),)
    ),
    net=NetPlan(name="resnet-10"),
    loss=LossPlan(name="cross_entropy"),
    train=TrainPlan(steps=1, batch=10, precision="bf16"),
    reasons={"train.precision": "the hardware multiplies in bf16"},
)


class Clock:
    """Seconds of a step by precision, and what was asked of them."""

    def __init__(self, bf16: float, fp32: float) -> None:
        self.seconds = {"bf16": bf16, "fp32": fp32}
        self.asked: list[tuple[str, float]] = []

    def __call__(self, plan: Plan, watch_s: float) -> float:
        self.asked.append((plan.train.precision, watch_s))
        return self.seconds[plan.train.precision]


@pytest.mark.parametrize(
    ("bf16", "fp32", "want"),
    [(1.0, 2.0, "bf16"), (0.9, 1.0, "bf16"), (0.91, 1.0, "fp32"), (1.9, 1.5, "fp32")],
)
def test_bfloat16_has_to_save_a_tenth_and_the_reason_tells_both_times(
    bf16: float, fp32: float, want: str
) -> None:
    found = precise(PLAN, Clock(bf16, fp32), left_s=100.0)
    assert found.train.precision == want
    assert f"{bf16:.3g} s" in found.reasons["train.precision"]
    assert f"{fp32:.3g} s" in found.reasons["train.precision"]
    assert found.model_copy(update={"train": PLAN.train, "reasons": PLAN.reasons}) == PLAN, "and nothing else"


@pytest.mark.parametrize(
    "plan",
    [
        override(PLAN, {"train.precision": "bf16"}),
        override(PLAN, {"train.steps": 20}),
        override(PLAN, {"train.precision": "fp32"}, reason="no fast bf16 here"),
        override(PLAN, {"train.recipe": "patchcore"}, reason="a rule"),
    ],
    ids=["a user's", "steps that are fixed", "single already", "a recipe of one step"],
)
def test_what_is_settled_is_not_timed(plan: Plan) -> None:
    clock = Clock(9.0, 1.0)
    assert precise(plan, clock, left_s=None) is plan and clock.asked == []


def test_a_step_that_fits_in_half_the_memory_alone_is_made_so() -> None:
    def step_s(plan: Plan, watch_s: float) -> float:
        if plan.train.precision == "fp32":
            raise BudgetError("a training step does not fit into memory")
        return 0.5

    found = precise(PLAN, step_s, left_s=None)
    assert found.train.precision == "bf16" and "does not fit" in found.reasons["train.precision"]


def test_timing_takes_its_share_of_the_time_and_no_more() -> None:
    for left, want in ((None, MOST_S), (10.0, LEAST_S), (100.0, 1.0), (36_000.0, MOST_S)):
        clock = Clock(1.0, 1.0)
        precise(PLAN, clock, left_s=left)
        assert clock.asked == [("bf16", want), ("fp32", want)]
    assert USER not in precise(PLAN, Clock(1.0, 1.0), left_s=None).reasons["train.precision"]
