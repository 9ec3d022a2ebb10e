"""Where a step lies on its schedule when the number of steps changes on the way, and when the clock changes it."""

from __future__ import annotations

import time

import pytest
from _bench import PLAN

from vesalius.core.plan import Revision
from vesalius.learn.course import Change, Course, Pace, planned
from vesalius.learn.optimise import rate


def test_where_nothing_changes_a_step_is_its_own_place() -> None:
    course = Course([Change(0, 100)])
    assert [course.position(k) for k in (0, 1, 99)] == [0, 1, 99] and course.steps == course.first == 100
    assert isinstance(course.position(7), int), "to the bit as before"
    threads = Course([Change(0, 100, 2), Change(30, 100, 1)])
    assert threads.position(50) == 50, "fewer threads change no schedule"


def test_each_step_goes_an_equal_part_of_the_way_that_is_left() -> None:
    # 20 of 100 steps done, a fifth of the way; then 60 in all: 40 steps for the other 80 hundredths, 2 each
    course = Course([Change(0, 100), Change(20, 60)])
    assert [course.position(k) for k in (19, 20, 21, 40, 60)] == pytest.approx([19, 20, 22, 60, 100])
    # and at step 40, where 60 are done, 120 in all: 80 steps for 40
    longer = Course([*course.changes, Change(40, 120)])
    assert [longer.position(k) for k in (30, 40, 80, 119, 120)] == pytest.approx([40, 60, 80, 99.5, 100])


@pytest.mark.parametrize("end", [25, 60, 400])
def test_the_rate_ends_at_nothing_wherever_the_end_is_moved(end: int) -> None:
    train = PLAN.train.model_copy(update={"steps": 100, "lr": 1.0, "warmup": 0.1, "schedule": "cosine"})
    course = Course([Change(0, 100), Change(20, end)])
    rates = [rate(course.position(k), train, course.first) for k in range(course.steps)]
    assert (
        max(rates) == 1.0
        and rates[-1] < 0.08
        and all(a >= b for a, b in zip(rates[20:], rates[21:], strict=False))
    )


def test_marks_are_passed_once_each_and_the_last_step_is_one() -> None:
    for changes in ([Change(0, 12)], [Change(0, 12), Change(4, 30)], [Change(0, 12), Change(4, 7)]):
        course = Course(changes)
        passed = [k + 1 for k in range(course.steps) if course.passes(k, [3, 6, 9, 12])]
        assert passed[-1] == course.steps and len(passed) == 4
    assert [k + 1 for k in range(12) if Course([Change(0, 12)]).passes(k, [3, 6, 9, 12])] == [3, 6, 9, 12]


def test_a_plan_holds_the_changes_of_each_member_of_each_stage() -> None:
    made = (
        Revision(stage="member", member=1, step=0, steps=40),
        Revision(stage="member", member=1, step=10, steps=30, threads=1),
        Revision(stage="locate", member=1, step=0, steps=9),
    )
    plan = PLAN.model_copy(update={"train": PLAN.train.model_copy(update={"revisions": made})})
    assert planned(plan, "member", 1) == [Change(0, 40), Change(10, 30, 1)]
    assert planned(plan, "member", 0) == [Change(0, 12)] == planned(PLAN, "member", 1)


class Seconds:
    """A clock that is told the time."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 0.0
        monkeypatch.setattr(time, "monotonic", lambda: self.now)


def train(pace: Pace, course: Course, clock: Seconds, step_s: list[float], validation_s: float = 0.0) -> int:
    """Steps as the loop makes them; returns how many."""
    step = 0
    while step < course.steps:
        clock.now += step_s[min(step, len(step_s) - 1)]
        step += 1
        if step < course.steps:
            change = pace.look(step, course, 1)
            if change is not None:
                course.changes.append(change)
    clock.now += validation_s
    return step


@pytest.mark.parametrize("step_s", [0.02, 0.1, 0.5, 3.0])
def test_the_steps_follow_the_time_there_is(step_s: float, monkeypatch: pytest.MonkeyPatch) -> None:
    clock, course = Seconds(monkeypatch), Course([Change(0, 400)])  # as planned for 0.1 s a step
    made = train(Pace(40.0, 10_000), course, clock, [step_s])
    assert 0.9 * 40 <= clock.now <= 40 + step_s, "the time is used, and no more"
    assert made == pytest.approx(40 / step_s, rel=0.1, abs=2)
    assert course.position(made) == pytest.approx(course.first), "and the schedule ends with it"


def test_a_machine_that_slows_down_gets_fewer_and_one_that_is_free_again_more(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock, course = Seconds(monkeypatch), Course([Change(0, 400)])
    slow = [0.1] * 50 + [0.5] * 20 + [0.05]
    made = train(Pace(40.0, 10_000), course, clock, slow)
    assert made == pytest.approx(70 + (40 - 5 - 10) / 0.05, rel=0.1) and 36 <= clock.now <= 40.1
    assert min(c.steps for c in course.changes) < 150, "for a while, fewer were expected"


def test_no_more_than_enough_and_one_at_least(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Seconds(monkeypatch)
    assert train(Pace(40.0, 500), Course([Change(0, 400)]), clock, [0.01]) == 500
    clock.now = 100.0
    late = train(Pace(40.0, 500), Course([Change(0, 400)]), clock, [1.0])
    assert late <= 4, "past its time, it ends"


def test_validation_is_no_step_and_its_time_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, course, pace = Seconds(monkeypatch), Course([Change(0, 400)]), Pace(40.0, 10_000)
    pace.look(1, course, 2)
    clock.now = 2.0
    pace.validated(4.0)
    clock.now = 6.0
    change = pace.look(21, course, 2)
    # 20 steps in 2 s; 34 s are left, less two validations of 4 s and a step: 259 more
    assert change is not None and change.steps == pytest.approx(21 + 259, abs=2)


def test_what_comes_after_training_gets_more_time_where_steps_take_longer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ends = []
    for slowest in (2.0, 1.25, 1.0):
        clock = Seconds(monkeypatch)
        pace = Pace(40.0, 10_000, later_s=8.0, step_s=0.05, slowest=slowest)
        train(pace, Course([Change(0, 400)]), clock, [0.15])  # three times as long as foreseen
        ends.append(clock.now)
    assert ends == pytest.approx([32, 38, 40], abs=1.5)


def test_without_a_limit_the_number_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Seconds(monkeypatch)
    assert train(Pace(None, 10_000), Course([Change(0, 400)]), clock, [3.0]) == 400
