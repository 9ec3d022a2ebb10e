"""The clock of a run: who has time, who is left out, and what the plan says of it afterwards."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any

import pytest

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
    parse_plan,
)
from vesalius.learn.course import Change, planned
from vesalius.learn.loop import Trained
from vesalius.plan.machine import Machine
from vesalius.run import pacing
from vesalius.run.pacing import Clock, Foreseen, clock_for, settled

PLAN = Plan(
    task=TaskPlan(name="classify"),
    data=DataPlan(
        dims=2, channels=1, sampling="whole", size=(1, 32, 32), normalise=(Normalisation(method="zscore"),)
    ),
    net=NetPlan(name="resnet-10"),
    loss=LossPlan(name="cross_entropy"),
    train=TrainPlan(steps=400, batch=32, members=5),
    reasons={"train.steps": "as measured", "train.members": "an ensemble"},
)
FORESEEN = Foreseen(step_s=0.02, after_s=3.0, answer_s=0.01, most=5)


@pytest.fixture(autouse=True)
def still(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "monotonic", lambda: 100.0)


def clock(left_s: float, **given: Any) -> Clock:
    return Clock(100.0 + left_s, **({"free": True, "foreseen": FORESEEN} | given))


def trained(*course: Change) -> Trained:
    return Trained({}, 0.9, course[-1].steps, course[-1].steps, False, (), course)


@pytest.mark.parametrize(
    ("left_s", "done", "left", "want"),
    [
        (21, 1, 4, 4),  # 1,050 steps for four of 250
        (17, 1, 4, 4),  # a little less for each: what was planned stays
        (10, 1, 4, 2),  # 500 steps are enough for two
        (3.5, 1, 4, 1),  # 175: one more, well done
        (2, 1, 4, 0),  # 100 steps would be a member that spoils the others
        (30, 3, 0, 2),  # planned were three, and there is time for all five
        (4, 3, 0, 0),
    ],
)
def test_members_follow_the_time(left_s: float, done: int, left: int, want: int) -> None:
    assert clock(left_s).members_left(PLAN, 500, done, left, 0.02) == want


def test_what_the_user_set_stays() -> None:
    given = override(PLAN, {"train.members": 5})
    assert clock(1).members_left(given, 500, 1, 4, 0.02) == 4
    assert clock(1, free=False).members_left(PLAN, 500, 1, 4, 0.02) == 4
    for settings in ({"train.steps": 400}, {"train.threads": 1}):
        made = clock_for(override(PLAN, settings), 200.0, FORESEEN, "cpu")
        assert made.free == ("train.steps" not in settings) and not made.threads
        assert (made.pace(200.0, 1000) is None) == ("train.steps" in settings)
    assert clock_for(PLAN, None, None, "cpu").threads, "without a limit the threads follow all the same"


def test_no_more_threads_than_pay(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where one thread was quicker than two on a machine with nothing else to do, free cores change nothing."""
    monkeypatch.setattr(pacing.machines, "measure", lambda: Machine(4, 1 << 30, None, 0, False))
    paces = [
        clock_for(PLAN, 200.0, replace(FORESEEN, threads=pay), "cpu").pace(200.0, 1000) for pay in (None, 2)
    ]
    assert [p.threads.most for p in paces if p and p.threads] == [4, 2]


def test_answers_to_what_was_held_out_are_part_of_a_members_time() -> None:
    assert clock(50).share(5, 200) == pytest.approx(100 + 10 - 2)
    assert clock(50).share(1, 0) == 150 and Clock(None).share(3, 10) is None
    assert clock(-5).share(2, 10) == 100, "late is now"


def test_an_earlier_stage_takes_its_share_and_no_more_steps_than_planned() -> None:
    early = clock(26).first(0.3)
    assert early.deadline == pytest.approx(106) and early.most_steps(PLAN, 500) == 400
    assert clock(26).most_steps(PLAN, 500) == 3750


def test_the_plan_says_what_became_of_it_and_can_be_followed() -> None:
    made = [trained(Change(0, 400, 2), Change(30, 300, 1)), trained(Change(0, 400, 1), Change(20, 350))]
    plan = settled(PLAN, {"classify": made})
    assert (plan.train.steps, plan.train.members) == (350, 2)
    assert "400 were planned" in plan.reasons["train.steps"] and "300, 350" in plan.reasons["train.steps"]
    assert plan.reasons["train.steps"] != USER and "planned were 5" in plan.reasons["train.members"]
    back = parse_plan(plan.model_dump(mode="json"))
    assert [planned(back, "classify", k) for k in (0, 1)] == [list(t.course) for t in made]
    assert settled(plan, {"classify": made}) == plan, "once"


def test_an_end_by_the_clock_is_a_change_too() -> None:
    """Else a run that follows the plan would make steps that this one did not."""
    cut = Trained({}, 0.9, 390, 390, True, (), (Change(0, 400),))
    plan = settled(PLAN, {"classify": [cut]})
    assert planned(plan, "classify", 0) == [Change(0, 400), Change(390, 390)] and plan.train.steps == 390
    users = override(PLAN, {"train.steps": 400})
    assert settled(users, {"classify": [cut] * 5}) == users, "what the user set stays"


def test_a_plan_that_nothing_changed_stays_as_it_was() -> None:
    made = [trained(Change(0, 400))] * 5
    assert settled(PLAN, {"classify": made}) == PLAN
    old = parse_plan(PLAN.model_dump(mode="json") | {"train": {"steps": 3, "batch": 2}})
    assert old.train.revisions == (), "a plan of before"
