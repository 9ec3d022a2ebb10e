"""The loop: steps, moving average, validation, checkpoints; nothing of any task but its contract."""

from __future__ import annotations

import math
import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import astuple, dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from vesalius import nets
from vesalius.core.bundle import State
from vesalius.core.errors import BudgetError, Interrupted, VesaliusError
from vesalius.core.plan import Plan
from vesalius.core.progress import Progress
from vesalius.core.seeds import seed_of
from vesalius.learn import checkpoint as checkpoints
from vesalius.learn.checkpoint import Checkpoint
from vesalius.learn.course import Change, Course, Pace, planned
from vesalius.learn.examples import batches
from vesalius.learn.log import Log
from vesalius.learn.optimise import Average, optimizer, rate
from vesalius.learn.weights import fit_of
from vesalius.prepare.batch import Batch, Example
from vesalius.tasks.contract import Task

Validate = Callable[[nn.Module], float]


@dataclass(frozen=True, eq=False)
class Trained:
    """One member's outcome: its chosen weights, the score that chose them, and whether the clock ended it.

    `course` holds the number of steps that it began with and every change to it; `last_step` is the last one made.
    """

    weights: dict[str, Tensor]
    score: float
    step: int
    last_step: int
    ran_out: bool
    history: tuple[dict[str, float], ...]
    course: tuple[Change, ...] = ()


class Objective(nn.Module):
    """A model and its task's loss as one module, so that devices, precision and gradients are Fabric's business."""

    def __init__(self, task: Task, model: nn.Module) -> None:
        super().__init__()
        self.task, self.model = task, model

    def forward(self, fields: dict[str, Any], generator: torch.Generator) -> dict[str, Tensor]:
        """The named terms of the loss. `fields` are a Batch's."""
        return self.task.loss(self.model, Batch(**fields), generator)


def build(
    task: Task, plan: Plan, state: State, member: int, start: Mapping[str, Tensor] | None = None
) -> nn.Module:
    """A fresh model of a member, its weights drawn from the run's seed and the member alone.

    Where `start` has a tensor of the same name and shape (of another bundle, pre-trained), it is taken over.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed_of(plan.train.seed, member, "weights"))
        model = task.build(plan, state, nets)
    if start:
        transfer(model, start)
    layout = torch.channels_last_3d if plan.data.dims == 3 else torch.channels_last
    return model.to(memory_format=layout)  # type: ignore[call-overload, no-any-return]


def transfer(model: nn.Module, start: Mapping[str, Tensor]) -> int:
    """Copy every tensor of `start` that fits by name and shape; returns how many did. Raises PlanError for none."""
    taken = fit_of(model, start).taken
    model.load_state_dict({k: start[k] for k in taken}, strict=False)
    return len(taken)


def fabric_for(plan: Plan, device: str | None = None) -> Any:
    """Lightning Fabric on the device there is, in the planned precision."""
    from lightning_fabric import Fabric

    kind = torch.device(device).type if device else ("cuda" if torch.cuda.is_available() else "cpu")
    return Fabric(
        accelerator=kind, devices=1, precision="bf16-mixed" if plan.train.precision == "bf16" else "32-true"
    )


class Stepper:
    """One member in training: its model, optimiser and moving average, advanced a step at a time."""

    def __init__(
        self,
        task: Task,
        plan: Plan,
        state: State,
        member: int,
        fabric: Any,
        start: Mapping[str, Tensor] | None = None,
    ) -> None:
        self.plan, self.member, self.fabric = plan, member, fabric
        self.model = build(task, plan, state, member, start)
        self.optimizer_ = optimizer(self.model, plan.train)
        self.objective, self.wrapped = fabric.setup(Objective(task, self.model), self.optimizer_)
        self.average = Average(self.model, plan.train.ema) if plan.train.ema else None

    def step(self, step: int, batch: Batch, lr: float | None = None) -> Tensor:
        """One optimiser step; returns the loss, detached and still on the device. Without `lr`, the planned rate's."""
        train = self.plan.train
        self._seed(seed_of(train.seed, self.member, "step", step))
        generator = torch.Generator().manual_seed(seed_of(train.seed, self.member, "loss", step))
        for group in self.optimizer_.param_groups:
            group["lr"] = rate(step, train) if lr is None else lr
        if not self.model.training:
            self.model.train()
        fields = {name: getattr(batch, name) for name in batch.__dataclass_fields__}
        loss = torch.stack(list(self.objective(fields, generator).values())).sum()
        self.fabric.backward(loss)
        if train.clip_norm:
            torch.nn.utils.clip_grad_norm_(self.model.parameters(), train.clip_norm, foreach=True)
        self.wrapped.step()
        self.wrapped.zero_grad()
        if self.average:
            self.average.update(step)
        return loss.detach()

    def _seed(self, seed: int) -> None:
        """Seed what dropout and its kin draw from; torch.manual_seed, without its calls for devices not in use."""
        torch.default_generator.manual_seed(seed)
        if self.fabric.device.type == "cuda":
            torch.cuda.manual_seed(seed)

    def weights(self) -> dict[str, Tensor]:
        """What answers are made with: the moving average, or the weights themselves."""
        chosen = self.average.values if self.average else self.model.state_dict()
        return {k: v.detach().cpu().clone() for k, v in chosen.items()}

    @contextmanager
    def averaged(self) -> Iterator[nn.Module]:
        """The model with the averaged weights in evaluation mode, put back afterwards."""
        own = {k: v.detach().clone() for k, v in self.model.state_dict().items()} if self.average else None
        if self.average:
            self.model.load_state_dict(self.average.values)
        self.model.eval()
        try:
            yield self.model
        finally:
            if own is not None:
                self.model.load_state_dict(own)
            self.model.train()

    def restore(self, saved: Checkpoint) -> None:
        """Go back to where a checkpoint was."""
        self.model.load_state_dict(saved.model)
        self.optimizer_.load_state_dict(saved.optimizer)
        if self.average:
            self.average.load(saved.average)


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
) -> Trained:
    """Train one member, from its checkpoint below `folder` where there is one; logs go there too.

    `validate` gives the score of a model, larger is better; the best checkpoint is kept. `deadline` is a
    `time.monotonic()`: past it, training stops at the next checkpoint and says so. `pace` may change the number of
    steps and of threads on the way; what it changed is in the checkpoint. Raises Interrupted on Ctrl-C, after saving.
    `start` are weights to begin from (see `transfer`).
    """
    label = f"{name}-{member}"
    path = folder / "checkpoints" / f"{label}.pt"
    saved = checkpoints.load(path) if path.is_file() else Checkpoint()
    if saved.done:
        return _trained(saved)
    fabric = fabric_for(plan, device)
    stepper = Stepper(task, plan, state, member, fabric, start)
    if saved.step:
        stepper.restore(saved)
    draw = batches(examples, plan, member)
    course = _course(saved, plan, name, member, pace)
    marks = sorted(_marks(plan, course.first)) if validate else []
    log = Log(folder / "logs", label, from_step=saved.step)
    progress.start(label, course.steps)
    progress.advance(label, saved.step)
    last_save = time.monotonic()
    saved.loss_sum = saved.loss_sum.to(fabric.device)
    try:
        with _interruptible() as stop:
            while saved.step < course.steps:
                step = saved.step
                if threads := course.threads_at(step):
                    torch.set_num_threads(threads)
                lr = rate(course.position(step), plan.train, course.first)
                loss = stepper.step(step, draw(step, fabric.device), lr)
                saved.loss_sum, saved.loss_n = saved.loss_sum + loss, saved.loss_n + 1
                saved.step = step + 1
                late = deadline is not None and time.monotonic() > deadline
                if course.passes(step, marks) or late:
                    mean = float(saved.loss_sum) / saved.loss_n
                    if not math.isfinite(mean):
                        raise VesaliusError(
                            f"the loss is not finite at step {saved.step}",
                            hint="--set train.lr= a tenth of what it was",
                        )
                    figures = {"loss": mean, "lr": lr}
                    saved.loss_sum, saved.loss_n = torch.zeros_like(saved.loss_sum), 0
                    began = time.monotonic()
                    _validate(stepper, saved, validate, figures)
                    if pace:
                        pace.validated(time.monotonic() - began)
                    log.row(saved.step, figures)
                    saved.history.append({"step": float(saved.step), **figures})
                    progress.advance(label, 0, ", ".join(f"{k} {v:.4g}" for k, v in figures.items()))
                progress.advance(label)
                tired = plan.train.patience is not None and saved.stale >= plan.train.patience
                if stop.is_set() or late or tired:
                    if stop.is_set():
                        _keep(stepper, saved, path)
                        raise Interrupted(
                            f"interrupted at step {saved.step} of {course.steps}; saved", hint="--resume"
                        )
                    saved.ran_out = late and saved.step < course.steps
                    break
                if pace and saved.step < course.steps:
                    _revise(pace, course, saved, marks, progress, label)
                if time.monotonic() - last_save > plan.train.checkpoint_every_s:
                    _keep(stepper, saved, path)
                    last_save = time.monotonic()
        saved.done = True
        _keep(stepper, saved, path)
    finally:
        log.close()
        progress.finish(label)
    return _trained(saved)


def _trained(saved: Checkpoint) -> Trained:
    return Trained(
        saved.best,
        saved.best_score,
        saved.best_step,
        saved.step,
        saved.ran_out,
        tuple(saved.history),
        tuple(Change(*c) for c in saved.changes),
    )


def _course(saved: Checkpoint, plan: Plan, stage: str, member: int, pace: Pace | None) -> Course:
    """The member's course: its checkpoint's, or the plan's; with the threads in use where they may change."""
    changes = [Change(*c) for c in saved.changes] or planned(plan, stage, member)
    if pace and pace.threads and not changes[0].threads:
        changes[0] = replace(changes[0], threads=torch.get_num_threads())
    course = Course(changes)
    if threads := course.threads_before(saved.step):
        torch.set_num_threads(threads)
    saved.changes = [list(astuple(c)) for c in changes]
    return course


def _revise(
    pace: Pace, course: Course, saved: Checkpoint, marks: Sequence[int], progress: Progress, label: str
) -> None:
    """Ask the clock, and take in what it changes from the next step on."""
    here = course.position(saved.step)
    change = pace.look(saved.step, course, sum(mark > here for mark in marks))
    if change is None:
        return
    if change.steps != course.steps:
        progress.start(label, change.steps)
    course.changes.append(change)
    saved.changes.append(list(astuple(change)))


def _marks(plan: Plan, steps: int | None = None) -> set[int]:
    """After which of that many steps (the planned number) to validate: evenly spread, the last among them."""
    steps = steps or plan.train.steps
    n = min(plan.train.validations, steps)
    return {round((k + 1) * steps / n) for k in range(n)}


def _validate(
    stepper: Stepper, saved: Checkpoint, validate: Validate | None, figures: dict[str, float]
) -> None:
    score = float("nan")
    if validate is not None:
        with stepper.averaged() as model:
            score = validate(model)
        figures["score"] = score
    known = math.isfinite(score)
    scores = [s for h in saved.history if math.isfinite(s := h.get("score", float("nan")))]
    better = known and score >= max(scores, default=float("-inf"))
    saved.stale = 0 if better or not known else saved.stale + 1
    # where nothing tells two checkpoints apart, the latest weights are the best known
    if better or not (known or scores) or not saved.best or stepper.plan.train.select == "last":
        saved.best, saved.best_score, saved.best_step = stepper.weights(), score, saved.step


def _keep(stepper: Stepper, saved: Checkpoint, path: Path) -> None:
    saved.model = {k: v.detach().cpu() for k, v in stepper.model.state_dict().items()}
    saved.average = {k: v.cpu() for k, v in stepper.average.values.items()} if stepper.average else {}
    saved.optimizer = stepper.optimizer_.state_dict()
    if saved.done:
        saved.model, saved.average, saved.optimizer = {}, {}, {}
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


def time_step(
    task: Task,
    plan: Plan,
    state: State,
    examples: Sequence[Example],
    *,
    seconds: float = 4.0,
    steps: int = 3,
    device: str | None = None,
) -> float:
    """Median seconds of a real training step of this plan, augmentation included; measured for about `seconds`.

    At least that many `steps` are made; the first counts only where it is the only one.

    Raises BudgetError where not even one step fits the machine's memory.
    """
    fabric = fabric_for(plan, device)
    try:
        stepper = Stepper(task, plan, state, 0, fabric)
        draw = batches(examples, plan, 0)
        times: list[float] = []
        began = time.monotonic()
        for step in range(1000):
            start = time.monotonic()
            stepper.step(step, draw(step, fabric.device))
            if fabric.device.type == "cuda":
                torch.cuda.synchronize()
            times.append(time.monotonic() - start)
            if step >= steps - 1 and time.monotonic() - began > seconds:
                break
    except (MemoryError, torch.OutOfMemoryError) as error:
        raise BudgetError(
            "a training step does not fit into memory", hint="--set train.batch=1 or a smaller size"
        ) from error
    late = sorted(times[1:] or times)
    return late[len(late) // 2]
