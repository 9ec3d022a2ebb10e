"""A member's course: where each step lies on its schedule, though the number of steps may change on the way."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from vesalius.core.plan import Plan
from vesalius.plan.threads import Threads

FIRST_S, NEXT_S = (
    0.5,
    1.0,
)  # of training, before the number of steps is looked at for the first time, and again
BETWEEN = 0.05  # of the time left, between two looks
ROUNDING = 1e-6  # of a step
WORTH = 0.04  # of the steps left: a change that is smaller is not made


@dataclass(frozen=True, slots=True)
class Change:
    """From `step` on there are `steps` in all; `threads` compute, or as many as before where it is 0."""

    step: int
    steps: int
    threads: int = 0


class Course:
    """The changes so far, the first of which is at step 0, and what follows from them."""

    def __init__(self, changes: Sequence[Change]) -> None:
        self.changes = list(changes)

    @property
    def first(self) -> int:
        """The number of steps that the schedule was made for."""
        return self.changes[0].steps

    @property
    def steps(self) -> int:
        """The number of steps as it stands now."""
        return self.changes[-1].steps

    def position(self, step: int) -> float:
        """Return where the schedule is before that step, in steps of `first`: the step itself if nothing has changed.

        Each step goes an equal part of the way that is left, so that the schedule ends with the last step.
        """
        done, at, steps = 0.0, 0, self.first
        for change in self.changes:
            if change.step > step:
                break
            if change.steps != steps:
                done += (1 - done) * (change.step - at) / max(1, steps - at)
                at, steps = change.step, change.steps
        if at == 0 and steps == self.first:
            return step
        return self.first * (done + (1 - done) * (step - at) / max(1, steps - at))

    def passes(self, step: int, marks: Sequence[int]) -> bool:
        """Return whether that step is the last one, or goes past one of the marks, which are in steps of `first`."""
        if step + 1 >= self.steps:
            return True
        before, after = self.position(step) + ROUNDING, self.position(step + 1) + ROUNDING
        return any(before < mark <= after for mark in marks)

    def threads_at(self, step: int) -> int:
        """Return the threads that a change at that very step asks for, 0 for none."""
        return next((c.threads for c in reversed(self.changes) if c.step == step), 0)

    def threads_before(self, step: int) -> int:
        """Return the threads in use when that step begins, 0 where no change said."""
        return next((c.threads for c in reversed(self.changes) if c.step <= step and c.threads), 0)


def planned(plan: Plan, stage: str, member: int) -> list[Change]:
    """Return the changes that a plan holds for a member; without any, its number of steps alone."""
    told = [r for r in plan.train.revisions if (r.stage, r.member) == (stage, member)]
    told.sort(key=lambda r: r.step)
    found = [Change(r.step, max(r.steps, r.step), r.threads or 0) for r in told]
    return found if found and found[0].step == 0 else [Change(0, plan.train.steps), *found]


@dataclass
class Pace:
    """The clock beside one member's training: from time to time it says how many steps there is time for.

    `deadline` is a `time.monotonic()`, None where the number of steps stays; `enough` bounds it. `later_s` is how long
    what comes after training takes where a step takes `step_s`: beside other work it takes longer, too, and it is taken
    to be at most `slowest` times as long.
    """

    deadline: float | None
    enough: int
    threads: Threads | None = None
    later_s: float = 0.0
    step_s: float | None = None
    slowest: float = 2.0
    measured_s: float | None = field(default=None, init=False)
    _validation_s: float = field(default=0.0, init=False)
    _since: float = field(default=0.0, init=False)
    _step: int = field(default=-1, init=False)

    def validated(self, took_s: float) -> None:
        """Take in how long a validation took; it counts for no step."""
        self._validation_s = took_s
        self._since += took_s

    def look(self, step: int, course: Course, validations: int) -> Change | None:
        """After `step` steps, with that many validations to come: what changes, or None."""
        now = time.monotonic()
        if self._step < 0:  # the first step of a process makes what the others find ready
            self._since, self._step = now, step
            return None
        wanted = self.threads.look() if self.threads else None
        if wanted is not None:  # what a step takes is another matter now
            self._since, self._step, self.measured_s = now, step, None
            return Change(step, course.steps, wanted)
        steps = self._affordable(step, course, validations, now)
        return None if steps == course.steps else Change(step, steps)

    def _affordable(self, step: int, course: Course, validations: int, now: float) -> int:
        """Return how many steps there will be in all, as far as is known now."""
        spent = now - self._since
        if self.deadline is None or spent <= 0 or step <= self._step:
            return course.steps
        shortest = FIRST_S if self.measured_s is None else NEXT_S
        if spent < max(shortest, BETWEEN * (self.deadline - now)):
            return course.steps
        recent = spent / (step - self._step)
        self.measured_s = recent if self.measured_s is None else (recent + self.measured_s) / 2
        self._since, self._step = now, step
        left = self.deadline - self._extra_s() - now - validations * self._validation_s - self.measured_s
        found = step + max(1, int(left / self.measured_s))
        found = max(step + 1, min(found, self.enough))
        worth = max(1.0, WORTH * (course.steps - step))
        return found if abs(found - course.steps) > worth else course.steps

    def _extra_s(self) -> float:
        """Return how much longer than foreseen what follows will take, where steps take longer than foreseen."""
        if not self.step_s or self.measured_s is None:
            return 0.0
        return self.later_s * (min(self.slowest, max(1.0, self.measured_s / self.step_s)) - 1)
