"""The clock of a run: how long each member may train, whether another one is worth its time, and what became of it."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from vesalius.core.plan import USER, Plan, Revision, override, steps_fixed
from vesalius.infer import predictor
from vesalius.learn.course import Change, Pace
from vesalius.learn.loop import Trained
from vesalius.plan import machine as machines
from vesalius.plan.budget import as_words, few_steps, most_steps
from vesalius.plan.threads import Threads

SLOWEST = 2.0  # times as long as on a machine with nothing else to do is what comes after training taken to be at most
GRACE, GRACE_S = 0.02, 0.5  # of a member's time, and seconds: how late its last step may be
KEPT = 0.75  # of few steps: enough that a member which was planned is not given up


@dataclass(frozen=True, slots=True)
class Foreseen:
    """What was measured before training: seconds of a step, of everything after training, of one case's answer.

    `index_s` are those, among what comes after, that are set aside for an index of the training cases; `case_s` are
    those that preparing a case takes.
    """

    step_s: float
    after_s: float
    answer_s: float
    most: int  # members, where there is time for them
    threads: int | None = None  # the most that pay, where it was measured
    slower: float = 1.0  # how much longer a thread took then for what else the machine did
    index_s: float = 0.0
    case_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Clock:
    """When training must end, and whether its steps, members and threads may follow the time there is.

    `deadline` is a `time.monotonic()`; None where there is no limit. What the user set is not `free` to change.
    """

    deadline: float | None
    free: bool = False
    threads: bool = False
    foreseen: Foreseen | None = None
    early: bool = False

    def pace(self, deadline: float | None, most: int) -> Pace | None:
        """Return what fits one member's steps and threads to the time until `deadline`, with at most `most` steps.

        Returns None where neither may be changed: the user set both, or there is no limit and no choice of threads.
        """
        follows = self.free and deadline is not None
        most_threads = (self.foreseen.threads if self.foreseen else None) or machines.measure().cores
        watch = Threads(most_threads) if self.threads else None
        if not follows and watch is None:
            return None
        until = deadline if follows else None
        if self.foreseen is None:
            return Pace(until, most, watch)
        seen = self.foreseen
        slowest = max(1.0, SLOWEST / seen.slower)
        return Pace(until, most, watch, later_s=seen.after_s, step_s=seen.step_s, slowest=slowest)

    def share(self, members: int, held_out: int) -> float | None:
        """Until when the next of so many members may train, and then answer what it held out."""
        if self.deadline is None:
            return None
        now = time.monotonic()
        answers = held_out * self.foreseen.answer_s if self.foreseen else 0.0
        return now + max(0.0, (self.deadline - now) / members - answers)

    def hard(self, share: float | None) -> float | None:
        """Return when training stops whatever its schedule says: a little after the moment that it aims at."""
        if share is None or not self.free:
            return share
        return share + max(GRACE_S, GRACE * (share - time.monotonic()))

    def most_steps(self, plan: Plan, cases: int) -> int:
        """Return the most steps that a member of that plan gets, however much time there is."""
        most = most_steps(plan, cases)
        return min(plan.train.steps, most) if self.early else most

    def first(self, share: float, rest: float = 1.0) -> Clock:
        """Return the clock of an earlier stage, which makes no more steps than planned.

        It has `share` of the time, of which later stages have `rest`.
        """
        if self.deadline is None:
            return replace(self, early=True)
        now = time.monotonic()
        return replace(self, deadline=now + (self.deadline - now) * share / (rest + share), early=True)

    def members_left(self, plan: Plan, cases: int, done: int, left: int, step_s: float | None) -> int:
        """Return how many more members to train after `done` of them: none that would get too few steps."""
        if not self.free or self.deadline is None or not step_s or plan.reasons.get("train.members") == USER:
            return left
        steps = (self.deadline - time.monotonic()) / step_s
        few = few_steps(plan, cases)
        kept = min(left, int(steps / (KEPT * few)))
        more = min(self.foreseen.most - done, int(steps / few)) if self.foreseen else 0
        return max(kept, more, 1 if left and steps >= few / 2 else 0)


def clock_for(plan: Plan, deadline: float | None, foreseen: Foreseen | None, device: str | None) -> Clock:
    """Return the clock of a run of that plan."""
    free = not steps_fixed(plan) and not plan.train.revisions
    on_cpu = predictor.device_of(device).type == "cpu"
    threads = free and on_cpu and plan.reasons.get("train.threads") != USER
    return Clock(deadline, free and deadline is not None, threads, foreseen)


def settled(plan: Plan, trained: Mapping[str, Sequence[Trained]]) -> Plan:
    """Return the plan as it was carried out: the last stage's members and steps, and every change on the way.

    `trained` are the members of each stage by its name. A plan whose steps nothing changed stays as it is.
    """
    *_, members = trained.values()
    whole = {stage: [_as_made(t) for t in each] for stage, each in trained.items()}
    changed = any(len(course) > 1 for each in whole.values() for course in each)
    known = [t for t in members if t.course]
    if (
        steps_fixed(plan)
        or not known
        or (not changed and len(members) == plan.train.members)
        or plan.train.revisions
    ):
        return plan
    if len(members) != plan.train.members:
        why = f"planned were {plan.train.members}; the time that was left decided"
        plan = override(plan, {"train.members": len(members)}, reason=why)
    revisions = [
        Revision(stage=stage, member=k, step=c.step, steps=c.steps, threads=c.threads or None)
        for stage, each in whole.items()
        for k, course in enumerate(each)
        for c in course
    ]
    if not changed:
        return plan
    ends = [t.last_step for t in known]
    told = plan.reasons.get("train.steps", "")
    if any(begun != end for begun, end in zip([t.course[0].steps for t in known], ends, strict=True)):
        said = ", ".join(map(str, ends))
        told = (
            f"{told}; {plan.train.steps} were planned, and as the time went {as_words(len(ends))} made {said}"
        )
    plan = override(plan, {"train.steps": max(ends)}, reason=told)
    return plan.model_copy(update={"train": plan.train.model_copy(update={"revisions": tuple(revisions)})})


def _as_made(trained: Trained) -> tuple[Change, ...]:
    """Return a member's course, the end by the clock as its last change."""
    if not trained.ran_out or not trained.course:
        return trained.course
    return (*trained.course, Change(trained.last_step, trained.last_step))
