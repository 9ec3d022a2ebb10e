"""The number of steps from the time there is: arithmetic, and refusals in words."""

from __future__ import annotations

import pytest

from vesalius.core.errors import BudgetError
from vesalius.core.plan import DataPlan, LossPlan, NetPlan, Normalisation, Plan, TaskPlan, TrainPlan, override
from vesalius.plan.budget import (
    MINIMUM_STEPS,
    budget,
    enough_steps,
    few_steps,
    most_steps,
    seconds,
    used_up,
    written,
)


def plan(sampling: str = "whole", **train: int) -> Plan:
    return Plan(
        task=TaskPlan(name="classify"),
        data=DataPlan(
            dims=2,
            channels=1,
            sampling=sampling,
            size=(1, 32, 32),
            normalise=(Normalisation(method="zscore"),),  # type: ignore[arg-type]
        ),
        net=NetPlan(name="resnet-10"),
        loss=LossPlan(name="cross_entropy"),
        train=TrainPlan(**({"steps": 1, "batch": 10} | train)),
    )


@pytest.mark.parametrize(
    ("text", "want"),
    [
        ("90", 90), ("90s", 90), ("10m", 600), ("1.5h", 5400), ("1h30m", 5400), ("1d", 86400), (" 2M ", 120),
        ("1m30", 90), (45, 45), (0.5, 0.5),
    ],
)  # fmt: skip
def test_times_as_people_write_them(text: str | float, want: float) -> None:
    assert seconds(text) == want


@pytest.mark.parametrize(
    "text", ["", "m", "ten", "-5m", "0", "1.2.3s", "5 minutes", "inf", 0, -1, float("nan")]
)
def test_what_is_no_time_is_refused(text: str | float) -> None:
    with pytest.raises(BudgetError, match="is not a time"):
        seconds(text)


def test_without_a_limit_it_is_what_is_enough() -> None:
    fixed, found = budget(plan(), cases=100, available_s=None, time_step=lambda p: 0.5)
    assert fixed.train.steps == enough_steps(plan(), 100) >= 10 * MINIMUM_STEPS
    assert found.training_s == fixed.train.steps * 0.5 and "100 cases" in fixed.reasons["train.steps"]


def test_time_is_shared_by_members_and_validation_is_taken_off() -> None:
    # 2 members, 100 s: 50 s each, less 10 s of validation, at 0.1 s a step: 400 steps
    given = override(plan(), {"train.members": 2})
    fixed, found = budget(given, cases=100, available_s=100, time_step=lambda p: 0.1, validation_s=10)
    assert (fixed.train.steps, fixed.train.members) == (400, 2)
    assert found.training_s == pytest.approx(80) and fixed.reasons["train.steps"].startswith(
        "100 s for 2 members at 0.100 s a step"
    )
    alone, _ = budget(plan(), cases=100, available_s=50, time_step=lambda p: 0.1)
    assert alone.reasons["train.steps"].startswith("50 s for 1 member at 0.100 s a step")


def test_members_are_given_up_before_each_gets_too_little() -> None:
    few = max(10 * MINIMUM_STEPS, enough_steps(plan(), 100) // 3)  # at 0.1 s a step
    fixed, _ = budget(plan(members=5), cases=100, available_s=0.5 * few + 0.01, time_step=lambda p: 0.1)
    assert (fixed.train.members, fixed.train.steps) == (5, few)
    fixed, _ = budget(plan(members=5), cases=100, available_s=0.3 * few + 0.01, time_step=lambda p: 0.1)
    assert (fixed.train.members, fixed.train.steps) == (3, few)
    assert "enough steps" in fixed.reasons["train.members"]
    kept, _ = budget(
        override(plan(), {"train.members": 5}), cases=100, available_s=60, time_step=lambda p: 0.1
    )
    assert kept.train.members == 5 and kept.train.steps == 120, "what the user set stays"


def test_more_time_than_is_useful_is_not_spent() -> None:
    fixed, _ = budget(plan(), cases=100, available_s=1e6, time_step=lambda p: 0.1)
    assert (
        fixed.train.steps == most_steps(plan(), 100) == 2 * enough_steps(plan(), 100)
        and "would allow still more" in fixed.reasons["train.steps"]
    )


def test_too_little_time_is_refused_with_what_is_needed() -> None:
    with pytest.raises(
        BudgetError, match=f"minimum of {MINIMUM_STEPS} steps: 10 s are left.* 43 s are needed"
    ):
        budget(plan(), cases=100, available_s=10, time_step=lambda p: 2.0, validation_s=3.0)


def test_a_refusal_names_a_limit_that_would_do() -> None:
    # of a minute 10 s are left, 43 are needed: 93 s would do, and 1.3 times as much surely does
    with pytest.raises(BudgetError, match=r"10 s are left.* 43 s are needed; try: --time-limit 3m"):
        budget(plan(), cases=100, available_s=10, time_step=lambda p: 2.0, validation_s=3.0, limit_s=60)
    assert [written(s) for s in (3, 26, 90, 91, 3000, 9000)] == ["5s", "30s", "90s", "2m", "50m", "3h"]
    assert all(seconds(written(s)) >= s for s in (1, 89, 91, 5399, 5401, 86400))
    with pytest.raises(
        BudgetError, match=r"minimum of 20 steps: why.* 12 s are needed.* of 10 s; try: --time-limit 25s"
    ):
        raise used_up(12, 10, "why")


def test_many_members_of_enough_steps_are_better_than_few() -> None:
    # 500 whole images: 1,875 steps are enough, and 16 epochs are few; 8,000 images are, of fewer cases
    assert (enough_steps(plan(batch=32), 500), few_steps(plan(batch=32), 500)) == (1875, 250)
    assert few_steps(plan(batch=32), 1000) == 500 and few_steps(plan(batch=32), 250) == 250
    assert few_steps(plan(batch=32), 20_000) == enough_steps(plan(batch=32), 20_000) // 3, (
        "no more than a third"
    )
    assert few_steps(plan("patches"), 500) == 2000
    fixed, _ = budget(plan(members=5, batch=32), cases=500, available_s=26, time_step=lambda p: 0.02)
    assert (fixed.train.members, fixed.train.steps) == (5, 260)


def test_steps_that_the_user_set_stay() -> None:
    given = override(plan(), {"train.steps": 7})
    fixed, found = budget(given, cases=100, available_s=1, time_step=lambda p: 100.0)
    assert fixed == given and found.steps == 7
