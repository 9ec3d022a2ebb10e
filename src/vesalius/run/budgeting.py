"""The number of steps of a run, from its time limit: what is timed, and what is set aside for later."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch

from vesalius.core.bundle import State
from vesalius.core.errors import PlanError
from vesalius.core.plan import USER, Plan, override
from vesalius.core.progress import Progress
from vesalius.core.words import counted
from vesalius.infer import predictor, runs
from vesalius.infer.runs.contract import Members
from vesalius.learn.examples import prepare_examples
from vesalius.learn.loop import build, time_step
from vesalius.plan import machine as machines
from vesalius.plan.budget import MINIMUM_STEPS, as_words, budget, too_short, used_up
from vesalius.prepare.batch import Example
from vesalius.run.pacing import Foreseen
from vesalius.run.workspace import Workspace
from vesalius.tasks.contract import Task

MONITOR = 24  # validation cases that are looked at while training, where each takes a while
REPORT_S = 3.0  # what the scorecard, its plots and the bundle take at the end, where nothing else runs
LOOK_AHEAD_S = 1.0  # of reading, before it says how long all of it will take
START_S = 4.5  # what loading the rest and timing steps takes before training, where nothing else runs
SHARE = 0.96  # of the time limit; the rest is for what no measurement foresaw


class Limited:
    """Progress that refuses a time limit as soon as reading the data alone is seen to take too much of it."""

    def __init__(self, shown: Progress, began: float, limit: float) -> None:
        self.shown, self.began, self.limit = shown, began, limit
        self.total: int | None = None
        self.since, self.done = began, 0

    def start(self, name: str, total: int | None = None) -> None:
        """A piece of work begins."""
        self.shown.start(name, total)
        self.total, self.since, self.done = total, time.monotonic(), 0

    def advance(self, name: str, done: int = 1, text: str = "") -> None:
        """Count, and look ahead. Raises BudgetError."""
        self.shown.advance(name, done, text)
        self.done += done
        spent = time.monotonic() - self.since
        if not self.total or not self.done or spent < LOOK_AHEAD_S:
            return
        ahead = self.since - self.began + spent / self.done * self.total
        if ahead > self.limit * SHARE:
            why = f"reading and checking {counted(self.total, 'case')} takes all of it"
            raise used_up(ahead + START_S + REPORT_S, self.limit, why)

    def finish(self, name: str) -> None:
        """It is over."""
        self.shown.finish(name)

    def note(self, text: str) -> None:
        """A line worth reading."""
        self.shown.note(text)


def budgeted(
    space: Workspace,
    plan: Plan,
    limit: float | None,
    began: float,
    *,
    vacancy: machines.Vacancy,
    progress: Progress,
    device: str | None,
    start: Mapping[str, Any] | None,
) -> tuple[Plan, Foreseen]:
    """Time real steps on a few cases, then plan how many there will be; returns what was measured, too.

    `vacancy` has watched how many cores are free since the data was read. Raises BudgetError, as soon as it is known,
    where the time does not suffice for the fewest steps.
    """
    _fits_memory(plan)
    state = space.task.state(space.training, space.target, plan)
    cases = space.training[:16]
    asked = time.monotonic()
    examples = prepare_examples(space.task, cases, plan, state, progress=progress)
    prepare_s = (time.monotonic() - asked) * len(space.training) / len(cases)
    plan, slower = _vacant(plan, vacancy, device)
    n = len(space.training)
    still = len(space.assignment.folds[0]) if space.assignment.folds else 0
    most = plan.train.members

    def left(after: float) -> float | None:
        if limit is None:
            return None
        there = limit * SHARE - (time.monotonic() - began) - after - prepare_s
        return there / (1 + (plan.locate.share if plan.locate else 0.0))

    if limit is not None and plan.reasons.get("train.steps") != USER:
        available = left(_after(space, plan, 0.0, slower))
        _not_hopeless(space, plan, state, examples, available, limit, slower * START_S, device)
    one = _time_answer(space.task, plan, state, examples, device, start)
    after = _after(space, plan, one, slower)
    available = left(after)
    watch = 4.0 if available is None else min(4.0, max(0.3, available * 0.015))
    if available is not None:
        plan = _affordable(plan, min(MONITOR, still) * one, available)
    monitored = min(MONITOR, still) * one * plan.train.validations

    known: dict[tuple[int, str], float] = {}

    def step_s(candidate: Plan) -> float:
        """The least that was measured: what others do on the machine for a moment must not halve a training."""
        took = time_step(space.task, candidate, state, examples, seconds=watch, device=device)
        key = (torch.get_num_threads(), candidate.net.model_dump_json())
        known[key] = min(took, known.get(key, took))
        return known[key]

    crowded = plan.train.threads
    plan = _threaded(plan, step_s, device)
    pay = None if crowded else plan.train.threads
    fixed, found = budget(
        plan,
        cases=n - still,
        available_s=left(after),
        time_step=step_s,
        validation_s=monitored,
        limit_s=limit,
    )
    progress.note(
        f"{as_words(fixed.train.members)} of {fixed.train.steps} steps at {found.step_s:.3f} s: "
        f"about {found.training_s / 60:.1f} min of training"
    )
    if not runs.get(
        space.task.run
    ).joins:  # the answers of a further member take too long to be decided on late
        most, after = fixed.train.members, _after(space, fixed, one, slower)
    return fixed, Foreseen(found.step_s, after, one, most, pay, slower)


def _vacant(plan: Plan, vacancy: machines.Vacancy, device: str | None) -> tuple[Plan, float]:
    """Fewer threads where others use this machine; and how much longer a single thread takes for it, 1 or more."""
    free = vacancy.free()
    if free is None:
        return plan, 1.0
    slower = 1 / max(0.5, min(1.0, free))
    fixed = plan.train.threads is not None or plan.reasons.get("train.steps") == USER
    threads = machines.fitting(free, vacancy.cores)
    if fixed or threads >= vacancy.cores or predictor.device_of(device).type != "cpu":
        return plan, slower
    torch.set_num_threads(threads)
    why = f"{free:.1f} of {vacancy.cores} cores were free when the run began; it follows what is free"
    return override(plan, {"train.threads": threads}, reason=why), slower


def _not_hopeless(
    space: Workspace,
    plan: Plan,
    state: State,
    examples: Sequence[Example],
    available: float | None,
    limit: float,
    timing_s: float,
    device: str | None,
) -> None:
    """Raises BudgetError where a single step shows that the time does not suffice, whatever else would be measured."""
    if available is None:
        return
    if available <= timing_s:
        needed = limit - available + timing_s
        raise used_up(needed, limit, "too little is left for training after reading and checking")
    first = time_step(space.task, plan, state, examples, seconds=0.0, device=device, steps=1)
    warmed = first / 5  # a first step takes longer; five times as long is usual
    if available < warmed * MINIMUM_STEPS:
        raise too_short(1, available, warmed, limit_s=limit)


def _fits_memory(plan: Plan) -> None:
    """Raises PlanError where not even a batch's input and its copies fit into memory, before any is made."""
    needed = 8 * 4 * plan.train.batch * plan.data.channels * math.prod(plan.data.size)  # bytes, as floats
    there = machines.measure().memory
    if needed > there:
        raise PlanError(
            "a batch does not fit into memory",
            found=f"{plan.train.batch} of {'×'.join(map(str, plan.data.size))} where {there / 2**30:.0f} GiB are free",
            hint="a smaller train.batch or data.size",
        )


def _threaded(plan: Plan, step_s: Callable[[Plan], float], device: str | None) -> Plan:
    """Half of the cores where that is quicker: on a machine that others use too, threads wait for one another."""
    cores = torch.get_num_threads()
    fixed = plan.train.threads is not None or plan.reasons.get("train.steps") == USER
    if fixed or cores < 2 or predictor.device_of(device).type != "cpu":
        return plan
    every = step_s(plan)
    torch.set_num_threads(cores // 2)
    half = step_s(plan)
    if half < 0.9 * every:
        why = f"{half:.3f} s a step, against {every:.3f} s with {cores}: this machine is not ours alone"
        return override(plan, {"train.threads": cores // 2}, reason=why)
    torch.set_num_threads(cores)
    return plan


def _affordable(plan: Plan, validation_s: float, left: float) -> Plan:
    """Fewer validations where all of them would take more than a tenth of the time."""
    allowed = int(0.1 * left / plan.train.members / max(validation_s, 1e-6))
    if allowed >= plan.train.validations or plan.reasons.get("train.validations") == USER:
        return plan
    return override(plan, {"train.validations": max(1, allowed)}, reason="a tenth of the time, no more")


def _time_answer(
    task: Task,
    plan: Plan,
    state: State,
    examples: Sequence[Example],
    device: str | None,
    start: Mapping[str, Any] | None,
) -> float:
    """Seconds one model takes for one prepared case, the second time it is asked."""
    where = predictor.device_of(device)
    model = build(task, plan, state, 0, start).to(where).eval()
    return runs.get(task.run).time(Members(task, [model], plan, where), examples)


def _after(space: Workspace, plan: Plan, answer_s: float, slower: float) -> float:
    """Seconds that scoring, the bundle and the report will take, where one model answers in `answer_s`.

    `slower` is how much longer a thread takes because of what else this machine does.
    """
    each = 0.3 if plan.data.sampling == "patches" else 0.01
    return slower * (REPORT_S + len(space.test) * each) + len(space.test) * answer_s * plan.train.members
