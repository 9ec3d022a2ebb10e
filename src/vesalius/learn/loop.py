"""The loop: steps, moving average, validation, checkpoints; nothing of any task but its contract."""

from __future__ import annotations

import math
import signal
import threading
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import astuple, dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from vesalius.core.bundle import State
from vesalius.core.errors import DataError, Interrupted, VesaliusError
from vesalius.core.plan import Plan
from vesalius.core.progress import Progress
from vesalius.learn import checkpoint as checkpoints
from vesalius.learn.checkpoint import Checkpoint
from vesalius.learn.course import Change, Course, Pace, planned
from vesalius.learn.log import Log
from vesalius.learn.optimise import rate
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
    fabric = fabric_for(plan, device)
    course = _course(saved, plan, name, member, pace)
    without = frozenset(unlabelled)
    recipe = recipes.begin(
        Member(
            task,
            plan,
            state,
            examples,
            member,
            fabric,
            start,
            unlabelled=without,
            steps=course.first,
            held=held or Held(),
            teacher=teacher,
        )
    )
    if saved.step:
        recipe.restore(saved)
    saved.loss_sum, saved.part_sum = saved.loss_sum.to(fabric.device), saved.part_sum.to(fabric.device)
    now = _Training(
        plan=plan,
        recipe=recipe,
        saved=saved,
        course=course,
        validate=validate,
        marks=sorted(_marks(plan, course.first)) if validate else [],
        points=sorted(_evenly(course.first, POINTS)),
        log=Log(folder / "logs", label, from_step=saved.step),
        progress=progress,
        label=label,
        path=path,
        deadline=deadline,
        pace=pace,
    )
    progress.start(label, course.steps)
    progress.advance(label, saved.step)
    try:
        with _interruptible() as stop:
            if not saved.step and (before := recipe.looked()):
                now.log.row(0, before)
                saved.history.append({"step": 0.0, **before})
            while saved.step < course.steps:
                late = now.step()
                if now.ends(stop, late=late):
                    break
                now.revise()
                now.keep_at_times()
        saved.done = True
        _keep(recipe, saved, path)
    finally:
        now.log.close()
        progress.finish(label)
    return _trained(saved)


@dataclass(eq=False, kw_only=True)
class _Training:
    """One member while it is trained: what is saved of it, and what its steps need beside that."""

    plan: Plan
    recipe: Recipe
    saved: Checkpoint
    course: Course
    validate: Validate | None
    marks: Sequence[int]
    points: Sequence[int]
    log: Log
    progress: Progress
    label: str
    path: Path
    deadline: float | None
    pace: Pace | None
    last_save: float = field(default_factory=time.monotonic)
    phase: int = -1

    def step(self) -> bool:
        """Make a step, and validate where that is due; return whether the deadline is over."""
        saved, step = self.saved, self.saved.step
        torch_threads.use(self.course.threads_at(step))
        at, phases = self.course.position(step), self.plan.train.phases
        if phases and (now := span_at(at, phases, self.course.first).number) != self.phase:
            self.recipe.enter(phases[now])
            self.phase = now
        lr = rate(at, self.plan.train, self.course.first)
        loss = self.recipe.step(step, lr)
        if step == 0:
            assert_finite(loss, self.recipe.given.task)
        saved.loss_sum, saved.loss_n = saved.loss_sum + loss, saved.loss_n + 1
        saved.part_sum, saved.part_n = saved.part_sum + loss, saved.part_n + 1
        saved.step = step + 1
        if self.course.passes(step, self.points):
            saved.losses.append([float(saved.step), float(saved.part_sum) / saved.part_n])
            saved.part_sum, saved.part_n = torch.zeros_like(saved.part_sum), 0
        late = self.deadline is not None and time.monotonic() > self.deadline
        if self.course.passes(step, self.marks) or late:
            self._look(lr)
        self.progress.advance(self.label)
        return late

    def _look(self, lr: float) -> None:
        """Validate, and log the mean loss since the last time. Raises VesaliusError where that is not finite."""
        saved = self.saved
        mean = float(saved.loss_sum) / saved.loss_n
        if not math.isfinite(mean):
            raise VesaliusError(
                f"the loss is not finite at step {saved.step}",
                hint="--set train.lr= a tenth of what it was",
            )
        figures = {"loss": mean, "lr": lr}
        saved.loss_sum, saved.loss_n = torch.zeros_like(saved.loss_sum), 0
        began = time.monotonic()
        _validate(self.recipe, self.plan, saved, self.validate, figures)
        if self.pace:
            self.pace.validated(time.monotonic() - began)
        self.log.row(saved.step, figures)
        saved.history.append({"step": float(saved.step), **figures})
        self.progress.advance(self.label, 0, ", ".join(f"{k} {v:.4g}" for k, v in figures.items()))

    def ends(self, stop: threading.Event, *, late: bool) -> bool:
        """Return whether this was the last step before its time. Raises Interrupted, after saving, where told to."""
        saved, steps = self.saved, self.course.steps
        if stop.is_set():
            _keep(self.recipe, saved, self.path)
            raise Interrupted(f"interrupted at step {saved.step} of {steps}; saved", hint="--resume")
        patience = self.plan.train.patience
        tired = patience is not None and saved.stale >= patience
        if late or tired:
            saved.ran_out = late and saved.step < steps
        return late or tired

    def revise(self) -> None:
        """Ask the clock, and take in what it changes from the next step on."""
        saved, course = self.saved, self.course
        if not self.pace or saved.step >= course.steps:
            return
        here = course.position(saved.step)
        change = self.pace.look(saved.step, course, sum(mark > here for mark in self.marks))
        if change is None:
            return
        if change.steps != course.steps:
            self.progress.start(self.label, change.steps)
        course.changes.append(change)
        saved.changes.append(list(astuple(change)))

    def keep_at_times(self) -> None:
        """Save where the last time is long ago."""
        if time.monotonic() - self.last_save > self.plan.train.checkpoint_every_s:
            _keep(self.recipe, self.saved, self.path)
            self.last_save = time.monotonic()


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


def _validate(
    recipe: Recipe, plan: Plan, saved: Checkpoint, validate: Validate | None, figures: dict[str, float]
) -> None:
    score = float("nan")
    looked = recipe.looked()
    figures |= looked
    if "score" in looked:
        score = looked["score"]
    elif validate is not None:
        with recipe.answering() as model:
            score = validate(model)
        figures["score"] = score
    known = math.isfinite(score)
    scores = [s for h in saved.history if math.isfinite(s := h.get("score", float("nan")))]
    better = known and score >= max(scores, default=float("-inf"))
    saved.stale = 0 if better or not known else saved.stale + 1
    # where nothing tells two checkpoints apart, the latest weights are the best known
    if better or not (known or scores) or not saved.best or plan.train.select == "last":
        saved.best, saved.best_score, saved.best_step = recipe.weights(), score, saved.step


def _keep(recipe: Recipe, saved: Checkpoint, path: Path) -> None:
    if saved.done:  # of what is finished only the chosen weights are of use
        saved.model, saved.average, saved.optimizer, saved.extra = {}, {}, {}, {}
    else:
        recipe.keep(saved)
    checkpoints.save(saved, path)


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
