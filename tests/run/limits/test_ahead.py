"""Looking ahead: what is of use only when all is done is refused early, and other work never is."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from vesalius.core.errors import BudgetError
from vesalius.core.progress import Silent, listening, track, watched
from vesalius.run.limits import ahead
from vesalius.run.limits.allowance import Allowance


class Clock:
    """A clock that goes on by what each case takes; energy goes at 20 W."""

    def __init__(self) -> None:
        self.now = 0.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(ahead, "time", made)
    return made


def block(clock: Clock, *, whole: int, **limits: Any) -> Any:
    class Watch:
        allowed, reached = Allowance(**limits), ""

        def __init__(self) -> None:
            self.whole = whole

        @property
        def time_s(self) -> float:
            return clock.now

        def energy(self) -> Any:
            return SimpleNamespace(joules=20 * clock.now)

    return Watch()


def work(progress: ahead.Ahead, clock: Clock, seconds: list[float]) -> int:
    done = 0
    for took in track(seconds, progress, "score", len(seconds)):
        clock.now += took
        done += 1
    return done


def test_the_first_case_counts_for_nothing_and_a_limit_that_can_be_kept_is(clock: Clock) -> None:
    watch = block(clock, whole=1, time_s=40.0)
    assert work(ahead.Ahead(Silent(), watch), clock, [15.0, *[1.0] * 20]) == 21


def test_a_limit_that_cannot_be_kept_is_refused_with_one_that_would_do(clock: Clock) -> None:
    """10 s, then 2 s a case of 99 more: after the second, 208 s are foreseen, and 1.3 times that is 4.5 minutes."""
    watch = block(clock, whole=1, time_s=60.0)
    with pytest.raises(
        BudgetError, match=r"time limit of 60 s is too short.*until 208 s.*--time-limit 5m, or fewer"
    ):
        work(ahead.Ahead(Silent(), watch), clock, [10.0, *[2.0] * 99])
    assert clock.now == 12.0


def test_energy_is_looked_at_in_the_same_way(clock: Clock) -> None:
    watch = block(clock, whole=1, energy_j=3000.0)
    with pytest.raises(
        BudgetError, match=r"energy limit of 3000J is too small.*will take 1.16Wh.*--energy-limit 1.5Wh"
    ):
        work(ahead.Ahead(Silent(), watch), clock, [10.0, *[2.0] * 99])


def test_work_of_which_parts_are_kept_is_never_refused(clock: Clock) -> None:
    watch = block(clock, whole=0, time_s=60.0)
    assert work(ahead.Ahead(Silent(), watch), clock, [10.0, *[2.0] * 99]) == 100


def test_every_verb_is_heard_inside_the_block_and_none_outside() -> None:
    own = Silent()
    with listening(lambda shown: ahead.Ahead(shown, block(Clock(), whole=0))):
        inside = watched(own)
        assert isinstance(inside, ahead.Ahead) and inside.shown is own
        assert isinstance(watched(False), ahead.Ahead)
    assert watched(own) is own
