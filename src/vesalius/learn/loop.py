"""The loop: steps, moving average, validation, checkpoints; nothing of any task but its contract."""

from __future__ import annotations

import math
import signal
import threading
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, nullcontext, suppress
from dataclasses import astuple, dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from vesalius.core.bundle import State
from vesalius.core.errors import DataError, Interrupted, VesaliusError
from vesalius.core.plan import Plan
from vesalius.core.progress import Progress, Silent
from vesalius.learn import checkpoint as checkpoints
from vesalius.learn.checkpoint import Checkpoint
from vesalius.learn.course import Change, Course, Pace, planned
from vesalius.learn.log import Log
from vesalius.learn.optimise import rate
from vesalius.learn.parallel import calls
from vesalius.learn.parallel.calls import Call
from vesalius.learn.parallel.crew import Crew, current
from vesalius.learn.phases import span_at
from vesalius.learn.recipes import contract as recipes
from vesalius.learn.recipes.contract import Held, Member, Recipe
from vesalius.learn.stepper import fabric_for
from vesalius.plan import torch_threads
from vesalius.prepare.batch import Example
from vesalius.tasks.contract import Task

Validate = Callable[[nn.Module], float]


POINTS = 30  # of the loss, to be drawn


@dataclass(frozen=True, eq=False)
class Trained:
    """One member's outcome: its chosen weights, the score that chose them, and whether the clock ended it.

    `course` holds the number of steps that it began with and every change to it; `last_step` is the last one made.
    `losses` are `(step, mean loss since the one before)`, more of them than there are validations, to be drawn.
    """

    weights: dict[str, Tensor]
    score: float
    step: int
    last_step: int
    ran_out: bool
    history: tuple[dict[str, float], ...]
    course: tuple[Change, ...] = ()
    losses: tuple[tuple[float, float], ...] = ()


def train(
    task: Task,
    plan: Plan,
    state: State,
    examples: Sequence[Example],
    validate: Validate | None,
    *,
    member: int,
    folder: Path,
    progress: Progress,
    name: str = "member",
    deadline: float | None = None,
    pace: Pace | None = None,
    device: str | None = None,
    start: Mapping[str, Tensor] | None = None,
    unlabelled: Collection[str] = (),
    held: Held | None = None,
    teacher: nn.Module | None = None,
) -> Trained:
    """Train one member, from its checkpoint below `folder` where there is one; logs go there too.

    `validate` gives the score of a model, larger is better; the best checkpoint is kept. `deadline` is a
    `time.monotonic()`: past it, training stops at the next checkpoint and says so. `pace` may change the number of
    steps and of threads on the way; what it changed is in the checkpoint. Raises Interrupted on Ctrl-C, after saving.
    `start` are weights to begin from (see `stepper.transfer`), and `unlabelled` the ids of the examples that lack the
    target, for recipes that learn from them, too; `held` is what a recipe may look at, and `teacher` a
    model that it may learn from. How a step is taken is the planned recipe's business.
    """
    label = f"{name}-{member}"
    path = folder / "checkpoints" / f"{label}.pt"
    saved = checkpoints.load(path) if path.is_file() else Checkpoint()
    if saved.done:
        return _trained(saved)
    crew = current()
    course = _course(saved, plan, name, member, pace)
    call = Call(
        task=task,
        plan=plan,
        state=state,
        examples=examples,
        member=member,
        device=device,
        start=start,
        unlabelled=frozenset(unlabelled),
        teacher=teacher,
        saved=saved,
        changes=course.changes,
        validates=validate is not None,
    )
    if crew.alone and plan.train.devices > 1:
        progress.note(f"{label}: {plan.train.devices} processes are planned, and this one trains alone")
    with ExitStack() as block:
        block.enter_context(calls.handed(crew, call, folder / "cache" / f"crew-{label}.bin"))
        now = _begun(crew, call, held)
        now.validate, now.path, now.label, now.progress = validate, path, label, progress
        now.deadline, now.pace = deadline, pace
        now.log = Log(folder / "logs", label, from_step=saved.step)
        block.callback(progress.finish, label)
        block.callback(now.log.close)
        progress.start(label, course.steps)
        progress.advance(label, saved.step)
        now.run(block.enter_context(_interruptible()))
    return _trained(saved)


def follow(crew: Crew) -> None:
    """Take part in every training that the leader calls, until it says that all is over.

    Nothing is written here. Raises CrewLost, and what a step raises.
    """
    with _deaf():
        while (call := calls.next_call(crew)) is not None:
            with suppress(Interrupted):  # which the leader says
                _begun(crew, call).run(threading.Event())


def _begun(crew: Crew, call: Call, held: Held | None = None) -> _Training:
    """Return a member where its checkpoint left it."""
    plan, saved, course = call.plan, call.saved, Course(call.changes)
    fabric = fabric_for(plan, crew.device(call.device))
    given = Member(
        call.task,
        plan,
        call.state,
        call.examples,
        call.member,
        fabric,
        call.start,
        unlabelled=call.unlabelled,
        steps=course.first,
        held=held or Held(),
        teacher=call.teacher,
    )
    recipe = recipes.begin(given)
    if saved.step:
        recipe.restore(saved)
    saved.loss_sum, saved.part_sum = saved.loss_sum.to(fabric.device), saved.part_sum.to(fabric.device)
    return _Training(
        crew=crew,
        plan=plan,
        recipe=recipe,
        saved=saved,
        course=course,
        marks=sorted(_marks(plan, course.first)) if call.validates else [],
        points=sorted(_evenly(course.first, POINTS)),
    )


@dataclass(eq=False, kw_only=True)
class _Training:
    """One member while it is trained: what is saved of it, and what its steps need; on followers, those alone."""

    crew: Crew
    plan: Plan
    recipe: Recipe
    saved: Checkpoint
    course: Course
    marks: Sequence[int]
    points: Sequence[int]
    validate: Validate | None = None
    log: Log | None = None
    progress: Progress = field(default_factory=Silent)
    label: str = ""
    path: Path | None = None
    deadline: float | None = None
    pace: Pace | None = None
    last_save: float = field(default_factory=time.monotonic)
    phase: int = -1

    def run(self, stop: threading.Event) -> None:
        """Make all steps that are left. What a clock, a signal or a validation decides is the leader's to decide."""
        saved, crew = self.saved, self.crew
        before = self.recipe.looked() if crew.leads and not saved.step else {}
        if before:
            self._row(0, before)
            saved.history.append({"step": 0.0, **before})
        with nullcontext() if crew.alone else torch_threads.only(self._own(torch_threads.in_use())):
            while saved.step < self.course.steps:
                late = self.step()
                if self.ends(stop, late=late):
                    break
                self.revise()
                self.keep_at_times()
        saved.done = True
        self._keep()
        self.crew.count_time()

    def _own(self, threads: int) -> int:
        """Return how many of so many threads this process computes with: its share of those of its machine."""
        return max(1, threads // self.crew.local_size) if threads else 0

    def step(self) -> bool:
        """Make a step, and validate where that is due; return whether the deadline is over."""
        saved, step = self.saved, self.saved.step
        torch_threads.use(self._own(self.course.threads_at(step)))
        at, phases = self.course.position(step), self.plan.train.phases
        if phases and (now := span_at(at, phases, self.course.first).number) != self.phase:
            self.recipe.enter(phases[now])
            self.phase = now
        lr = rate(at, self.plan.train, self.course.first)
        with self.crew.together():
            loss = self.recipe.step(step, lr)
        if step == 0 and self.crew.leads:
            assert_finite(loss, self.recipe.given.task)
        saved.loss_sum, saved.loss_n = saved.loss_sum + loss, saved.loss_n + 1
        saved.part_sum, saved.part_n = saved.part_sum + loss, saved.part_n + 1
        saved.step = step + 1
        if self.course.passes(step, self.points):
            saved.losses.append([float(saved.step), float(saved.part_sum) / saved.part_n])
            saved.part_sum, saved.part_n = torch.zeros_like(saved.part_sum), 0
        (late,) = self.crew.agree(self.deadline is not None and time.monotonic() > self.deadline)
        if self.course.passes(step, self.marks) or late:
            self._look(lr)
        self.progress.advance(self.label)
        return bool(late)

    def _look(self, lr: float) -> None:
        """Validate, and log the mean loss since the last time. Raises VesaliusError where that is not finite."""
        saved = self.saved
        mean = float(saved.loss_sum) / saved.loss_n
        if self.crew.leads and not math.isfinite(mean):
            raise VesaliusError(
                f"the loss is not finite at step {saved.step}",
                hint="--set train.lr= a tenth of what it was",
            )
        figures = {"loss": mean, "lr": lr}
        saved.loss_sum, saved.loss_n = torch.zeros_like(saved.loss_sum), 0
        began = time.monotonic()
        self._validate(figures)
        if self.pace:
            self.pace.validated(time.monotonic() - began)
        self._row(saved.step, figures)
        saved.history.append({"step": float(saved.step), **figures})
        self.progress.advance(self.label, 0, ", ".join(f"{k} {v:.4g}" for k, v in figures.items()))

    def _validate(self, figures: dict[str, float]) -> None:
        """Let the leader look at what would answer now; all processes give their part of weights that are kept."""
        saved, recipe, crew = self.saved, self.recipe, self.crew
        score = float("nan")
        looked = recipe.looked() if crew.leads else {}
        figures |= looked
        if "score" in looked:
            score = looked["score"]
        (asks,) = crew.agree(self.validate is not None and "score" not in looked)
        if asks:
            with recipe.answering() as model:
                if self.validate is not None:
                    score = self.validate(model)
                    figures["score"] = score
        known = math.isfinite(score)
        scores = [s for h in saved.history if math.isfinite(s := h.get("score", float("nan")))]
        better = known and score >= max(scores, default=float("-inf"))
        saved.stale = 0 if better or not known else saved.stale + 1
        # where nothing tells two checkpoints apart, the latest weights are the best known
        kept = better or not (known or scores) or not saved.best or self.plan.train.select == "last"
        (kept_by_all,) = crew.agree(kept)
        if kept_by_all:
            saved.best, saved.best_score, saved.best_step = recipe.weights(), score, saved.step

    def _row(self, step: int, figures: dict[str, float]) -> None:
        if self.log is not None:
            self.log.row(step, figures)

    def ends(self, stop: threading.Event, *, late: bool) -> bool:
        """Return whether this was the last step before its time. Raises Interrupted, after saving, where told to."""
        saved, steps = self.saved, self.course.steps
        patience = self.plan.train.patience
        stopped, tired = self.crew.agree(stop.is_set(), patience is not None and saved.stale >= patience)
        if stopped:
            self._keep()
            self.crew.count_time()
            raise Interrupted(f"interrupted at step {saved.step} of {steps}; saved", hint="--resume")
        if late or tired:
            saved.ran_out = late and saved.step < steps
        return late or bool(tired)

    def revise(self) -> None:
        """Ask the clock, and take in what it changes from the next step on."""
        saved, course = self.saved, self.course
        change = None
        if self.pace and saved.step < course.steps:
            here = course.position(saved.step)
            change = self.pace.look(saved.step, course, sum(mark > here for mark in self.marks))
        told = (-1, 0, 0) if change is None else astuple(change)
        told = self.crew.agree(*told)
        if told[0] < 0:
            return
        change = Change(*told)
        if change.steps != course.steps:
            self.progress.start(self.label, change.steps)
        course.changes.append(change)
        saved.changes.append(list(astuple(change)))

    def keep_at_times(self) -> None:
        """Save where the last time is long ago."""
        (due,) = self.crew.agree(time.monotonic() - self.last_save > self.plan.train.checkpoint_every_s)
        if due:
            self._keep()
            self.last_save = time.monotonic()

    def _keep(self) -> None:
        """Save the checkpoint, to which every process may give its part; the leader alone writes."""
        saved = self.saved
        if saved.done:  # of what is finished only the chosen weights are of use
            saved.model, saved.average, saved.optimizer, saved.extra = {}, {}, {}, {}
        else:
            self.recipe.keep(saved)
        if self.path is not None:
            checkpoints.save(saved, self.path)


def assert_finite(loss: Tensor, task: Task) -> None:
    """Raise DataError where already the first loss, of a model that has learned nothing, is not finite."""
    if not bool(torch.isfinite(loss).all()):
        raise DataError(
            f"task {task.name}: the loss is not finite from the first step on, before anything is learned",
            found=f"{float(loss):g}",
            hint="look at `loss`, and at what `encode` and `state` give it: a division by zero, a log of zero, NaN",
        )


def _trained(saved: Checkpoint) -> Trained:
    return Trained(
        saved.best,
        saved.best_score,
        saved.best_step,
        saved.step,
        saved.ran_out,
        tuple(saved.history),
        tuple(Change(*c) for c in saved.changes),
        tuple((step, mean) for step, mean in saved.losses),
    )


def _course(saved: Checkpoint, plan: Plan, stage: str, member: int, pace: Pace | None) -> Course:
    """Return the member's course: its checkpoint's, or the plan's; with the threads in use where they may change."""
    changes = [Change(*c) for c in saved.changes] or planned(plan, stage, member)
    if pace and pace.threads and not changes[0].threads:
        changes[0] = replace(changes[0], threads=torch_threads.in_use())
    course = Course(changes)
    torch_threads.use(course.threads_before(saved.step))
    saved.changes = [list(astuple(c)) for c in changes]
    return course


def _marks(plan: Plan, steps: int | None = None) -> set[int]:
    """After which of that many steps (the planned number) to validate: evenly spread, the last among them."""
    return _evenly(steps or plan.train.steps, plan.train.validations)


def _evenly(steps: int, many: int) -> set[int]:
    """After which of so many steps to do something that many times: evenly spread, the last among them."""
    n = min(many, steps)
    return {round((k + 1) * steps / n) for k in range(n)}


@contextmanager
def _interruptible() -> Iterator[threading.Event]:
    """While inside, Ctrl-C asks to stop after the step; a second one stops at once."""
    stop = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield stop
        return
    before = signal.getsignal(signal.SIGINT)

    def ask(number: int, frame: Any) -> None:
        stop.set()
        signal.signal(signal.SIGINT, before)

    signal.signal(signal.SIGINT, ask)
    try:
        yield stop
    finally:
        signal.signal(signal.SIGINT, before)


@contextmanager
def _deaf() -> Iterator[None]:
    """While inside, Ctrl-C is the leader's to hear: it ends what all do after the step that they are at."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
