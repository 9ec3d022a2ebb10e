"""The number of steps of a run, from its time limit: what is timed, and what is set aside for later."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

from vesalius.core.bundle import State
from vesalius.core.plan import USER, Plan, override, steps_fixed
from vesalius.core.progress import Progress, Silent
from vesalius.core.words import counted
from vesalius.infer import predictor, runs
from vesalius.infer.runs.contract import Members
from vesalius.learn.recipes import contract as recipes
from vesalius.learn.stepper import build
from vesalius.learn.timing import time_step
from vesalius.plan import machine as machines
from vesalius.plan import torch_threads
from vesalius.plan.budget import MINIMUM_STEPS, as_words, budget, too_short, used_up
from vesalius.prepare.batch import Example
from vesalius.run.given import GivenStage
from vesalius.run.handing import asked_by, blank
from vesalius.run.limited import INDEX_SHARE, REPORT_S, SHARE, START_S
from vesalius.run.limits.planning import assert_fits, batch_that_fits
from vesalius.run.novelty import afforded, allowed_s, looked_at
from vesalius.run.pacing import Foreseen
from vesalius.run.precision import precise
from vesalius.run.ready import Ready, begun, with_examples
from vesalius.run.rehearsal import rehearse
from vesalius.run.stages import StagePlan, stages_of
from vesalius.run.workspace import Workspace
from vesalius.tasks.contract import Task

GROUP_S, GROUP_CASE_S = (
    0.3,
    0.0003,
)  # the figures and the test of one group, and what each test case adds to them
PICTURE_S, VOLUME_S = 0.1, 0.3  # that scoring a field takes, such as the surfaces of a mask
MONITOR = 24  # validation cases that are looked at while training, where each takes a while
TIMED = 16  # cases that are prepared first, to time preparation, steps and answers on


@dataclass(frozen=True, eq=False)
class Budgeted:
    """A plan whose number of steps is fixed, what was measured for it, and what was made ready meanwhile."""

    plan: Plan
    foreseen: Foreseen
    ready: Ready


@dataclass(frozen=True, eq=False)
class _Bench:
    """What is timed, and how much of the limit is left. `prepare_s` is what preparing every case will take."""

    space: Workspace
    ready: Ready
    limit: float | None
    began: float
    prepare_s: float
    shares: float  # of time that all stages train for, where the last has 1
    device: str | None
    known: dict[tuple[int, str, str], float] = field(default_factory=dict)
    before_s: float = 0.0  # that the answers of earlier stages to one case take

    @property
    def examples(self) -> Sequence[Example]:
        """The examples that are timed."""
        return tuple(self.ready.examples.values())

    def left(self, after_s: float) -> float | None:
        """Seconds that the last stage may train, where what follows takes so many; None without a limit."""
        if self.limit is None:
            return None
        there = self.limit * SHARE - (time.monotonic() - self.began) - after_s - self.prepare_s
        return there / self.shares

    def tried(self, candidate: Plan) -> float:
        """Make one step of a plan, and return its seconds."""
        job = self.ready
        return time_step(
            job.task, candidate, job.state, self.examples, seconds=0.0, device=self.device, steps=1
        )

    def step_s(self, candidate: Plan, watch_s: float) -> float:
        """Return the least that was measured: what others do on the machine for a moment must not halve a training."""
        job = self.ready
        steps = 3 if watch_s else 2  # the first of them counts for nothing
        took = time_step(
            job.task, candidate, job.state, self.examples, seconds=watch_s, steps=steps, device=self.device
        )
        key = (torch_threads.in_use(), candidate.train.precision, candidate.net.model_dump_json())
        self.known[key] = min(took, self.known.get(key, took))
        return self.known[key]


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
    answered_again: bool = False,
    groups: int = 0,
    given: Mapping[str, GivenStage] | None = None,
) -> Budgeted:
    """Time real steps on a few cases, then plan how many there will be.

    `answered_again` says that each training case will be answered by one member once the training is over, and
    `groups` of how many groups of patients the test cases' figures will be given.
    `given` are the bundles that are stages. `vacancy` has watched how many cores are free since the data was read.
    Raises BudgetError, as soon as it is known, where the time does not suffice for the fewest steps.
    """
    assert_fits(plan)
    bench = _bench(space, plan, limit, began, progress, device, given or {})
    plan = batch_that_fits(plan, bench.tried)
    names = [stage.name for stage in stages_of(plan)]
    rehearse(space, bench.ready, device, given=blank(bench.ready.stage, names))
    plan, slower = _vacant(plan, vacancy, device)
    if limit is not None and not steps_fixed(plan):
        available = bench.left(_after(space, plan, 0.0, slower, answered_again, groups))
        _not_hopeless(bench, plan, available, limit, slower * START_S)
    plan = precise(plan, bench.step_s, left_s=bench.left(0.0))
    one = _time_answer(space.task, plan, bench.ready.state, bench.examples, device, start)
    if limit is not None:
        plan = afforded(plan, allowed_s(limit, 0.0), one * slower)
    index_s = _indexing(space, one, limit)
    early_s = index_s + slower * len(space.test) * bench.before_s
    after = _after(space, plan, one, slower, answered_again, groups) + early_s
    still = len(space.assignment.folds[0]) if space.assignment.folds else 0
    watched_s = (still if plan.train.select == "worst_group" else min(MONITOR, still)) * one
    available = bench.left(after)
    watch_s = 4.0 if available is None else min(4.0, max(0.3, available * 0.015))
    if available is None and steps_fixed(plan):
        watch_s = 0.0  # nothing is decided by it: it only tells how long training will take
    if available is not None:
        plan = _affordable(plan, watched_s, available)
    monitored = watched_s * plan.train.validations

    closed = (
        recipes.get(plan.train.recipe).steps is not None
    )  # one pass over the cases, and what is solved is small
    learned = len(space.training) - still

    def step_s(candidate: Plan) -> float:
        return learned * one if closed else bench.step_s(candidate, watch_s)

    crowded, most = plan.train.threads, plan.train.members
    plan = _threaded(plan, step_s, device)
    pay = None if crowded else plan.train.threads
    fixed, found = budget(
        plan,
        cases=learned,
        available_s=bench.left(after),
        time_step=step_s,
        validation_s=monitored,
        limit_s=limit,
    )
    if limit is None:
        fixed = afforded(fixed, allowed_s(None, found.training_s), one)
    progress.note(
        f"{as_words(fixed.train.members)} of {counted(fixed.train.steps, 'step')} at {found.step_s:.3f} s: "
        f"about {found.training_s / 60:.1f} min of training"
    )
    if not runs.get(
        space.task.run
    ).joins:  # the answers of a further member take too long to be decided on late
        most = fixed.train.members
        after = _after(space, fixed, one, slower, answered_again, groups) + early_s
    case_s = bench.prepare_s / (len(space.training) + len(space.unlabelled))
    foreseen = Foreseen(found.step_s, after, one, most, pay, slower, index_s, case_s)
    return Budgeted(fixed, foreseen, _of_use(bench.ready))


def _bench(
    space: Workspace,
    plan: Plan,
    limit: float | None,
    began: float,
    progress: Progress,
    device: str | None,
    bundles: Mapping[str, GivenStage],
) -> _Bench:
    """Return a few cases prepared, and how long all of them will take, with what earlier stages are asked of them."""
    stages, cases = stages_of(plan), space.training[:TIMED]
    ready = begun(space, stages[-1])
    asked = time.monotonic()
    given = blank(stages[-1], [stage.name for stage in stages])
    ready = with_examples(ready, cases, progress, given=given)
    every = len(space.training) + len(space.unlabelled)
    prepare_s = (time.monotonic() - asked) * every / len(cases)
    before_s = _asked_before(space, stages, bundles, device)
    prepare_s += before_s * every
    shares = sum(stage.share for stage in stages)
    return _Bench(space, ready, limit, began, prepare_s, shares, device, before_s=before_s)


def _asked_before(
    space: Workspace, stages: Sequence[StagePlan], bundles: Mapping[str, GivenStage], device: str | None
) -> float:
    """Return the seconds that the answers of earlier stages to one case take, of those that a later one is given."""
    total, case = 0.0, space.training[0]
    for number in asked_by(stages):
        stage = stages[number]
        if stage.bundle is not None:
            bundle = bundles[stage.name].bundle
            asked = predictor.Predictor(bundle, device=device, accept_mismatch=True)
            total += _second(partial(asked.kept, case, len(bundle.stages) - 1, {}, ways=()))
            continue
        given = blank(stage, [one.name for one in stages])
        job = with_examples(begun(space, stage), [case], Silent(), given=given)
        total += _time_answer(job.task, job.plan, job.state, list(job.examples.values()), device, None)
    return total


def _second(work: Callable[[], object]) -> float:
    """Return the seconds that something takes the second time."""
    work()
    again = time.monotonic()
    work()
    return time.monotonic() - again


def _of_use(ready: Ready) -> Ready:
    """Return what training can use again; without the examples where the last stage is given parts of the cases."""
    return ready if ready.stage.takes is None else replace(ready, examples={})


def _vacant(plan: Plan, vacancy: machines.Vacancy, device: str | None) -> tuple[Plan, float]:
    """Fewer threads where others use this machine; and how much longer a single thread takes for it, 1 or more."""
    free = vacancy.free()
    if free is None:
        return plan, 1.0
    slower = 1 / max(0.5, min(1.0, free))
    fixed = plan.train.threads is not None or steps_fixed(plan)
    threads = machines.fitting(free, vacancy.cores)
    if fixed or threads >= vacancy.cores or predictor.device_of(device).type != "cpu":
        return plan, slower
    torch_threads.use(threads)
    why = f"{free:.1f} of {vacancy.cores} cores were free when the run began; it follows what is free"
    return override(plan, {"train.threads": threads}, reason=why), slower


def _not_hopeless(bench: _Bench, plan: Plan, available: float | None, limit: float, timing_s: float) -> None:
    """Raises BudgetError where a single step shows that the time does not suffice, whatever else would be measured."""
    if available is None:
        return
    if available <= timing_s:
        needed = limit - available + timing_s
        raise used_up(needed, limit, "too little is left for training after reading and checking")
    warmed = bench.tried(plan) / 5  # a first step takes longer; five times as long is usual
    if available < warmed * MINIMUM_STEPS:
        raise too_short(1, available, warmed, limit_s=limit)


def _threaded(plan: Plan, step_s: Callable[[Plan], float], device: str | None) -> Plan:
    """Half of the cores where that is quicker: on a machine that others use too, threads wait for one another."""
    cores = torch_threads.in_use()
    fixed = plan.train.threads is not None or steps_fixed(plan)
    if fixed or cores < 2 or predictor.device_of(device).type != "cpu":
        return plan
    every = step_s(plan)
    torch_threads.use(cores // 2)
    half = step_s(plan)
    if half < 0.9 * every:
        why = f"{half:.3f} s a step, against {every:.3f} s with {cores}: this machine is not ours alone"
        return override(plan, {"train.threads": cores // 2}, reason=why)
    torch_threads.use(cores)
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


def _indexing(space: Workspace, answer_s: float, limit: float | None) -> float:
    """Return the seconds that are set aside for an index of the training cases, one pass a case at most."""
    return 0.0 if limit is None else min(INDEX_SHARE * limit, len(space.training) * answer_s)


def _after(space: Workspace, plan: Plan, answer_s: float, slower: float, again: bool, groups: int) -> float:
    """Seconds that scoring, the bundle and the report will take, where one model answers in `answer_s`.

    `slower` is how much longer a thread takes because of what else this machine does. `again` says that each training
    case is answered, too, by the member that never saw it; `groups` are those that figures are given for.
    """
    fields = plan.data.sampling == "patches" or runs.get(space.task.run).on_grid
    each = 0.01 if not fields else PICTURE_S if plan.data.dims == 2 else VOLUME_S
    tested, once_more = len(space.test), len(space.training) if again else 0
    grouped = groups * (GROUP_S + tested * GROUP_CASE_S)
    scoring = slower * (REPORT_S + (tested + once_more) * each + grouped)
    return (
        scoring + (tested * plan.train.members + once_more + looked_at(plan, len(space.training))) * answer_s
    )
