"""Training every stage and every member of a plan, and writing their weights."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from vesalius.core.bundle import Stage, State
from vesalius.core.case import Case
from vesalius.core.disk import write_bytes
from vesalius.core.plan import Plan
from vesalius.core.progress import Progress
from vesalius.evaluate.banners import of_training
from vesalius.infer import runs
from vesalius.infer.runs.contract import Members
from vesalius.learn.examples import prepare_examples
from vesalius.learn.loop import Trained, build, train
from vesalius.learn.validate import Validator
from vesalius.plan import machine as machines
from vesalius.prepare.batch import Example
from vesalius.run.budgeting import MONITOR
from vesalius.run.locate import coarse_plan, crop_to_truth
from vesalius.run.members import Outcome, kept_of, steps_of
from vesalius.run.pacing import Clock, settled
from vesalius.run.workspace import Workspace
from vesalius.tasks.contract import Task


@dataclass(frozen=True, eq=False)
class Job:
    """What one stage's training needs at hand."""

    name: str
    task: Task
    plan: Plan
    state: State
    examples: Mapping[str, Example]


def train_all(
    space: Workspace,
    plan: Plan,
    path: Path,
    *,
    clock: Clock,
    progress: Progress,
    device: str | None,
    start: Mapping[str, Any] | None,
) -> tuple[tuple[Stage, ...], Outcome, Plan]:
    """Train every stage and member.

    Returns the stages, what the last one said of its validation cases, and the plan as it was carried out.
    """
    done: dict[str, Outcome] = {}
    jobs: list[tuple[Job, dict[str, Any] | None]] = []
    folder = path / "bundle"
    if plan.locate is not None:
        coarse = coarse_plan(plan)
        job = _job("locate", space, coarse, path, progress)
        first = clock.first(plan.locate.share)
        done[job.name] = _members(job, space, path, clock=first, progress=progress, device=device, start=None)
        jobs.append((job, None))
    crop = None
    takes: dict[str, Any] | None = None
    name = space.task.name
    if plan.locate is not None:
        crop = crop_to_truth(plan, space.task.state(space.training, space.target, plan))
        takes = {"stage": 0, "as": "crop", "margin_mm": plan.locate.margin_mm}
    job = _job(name, space, plan, path, progress, crop)
    done[name] = _members(job, space, path, clock=clock, progress=progress, device=device, start=start)
    jobs.append((replace(job, state=job.task.remember(space.training, job.state)), takes))
    plan = settled(plan, {stage: outcome.trained for stage, outcome in done.items()})
    stages = []
    for number, (job, takes) in enumerate(jobs):
        carried_out = plan if job.name == name else coarse_plan(plan)
        job = replace(job, plan=carried_out)
        stages.append(_stage(job, done[job.name], folder, number, takes=takes))
    before = of_training(done["locate"].steps, "finding the region") if plan.locate is not None else ()
    return tuple(stages), replace(done[name], before=before), plan


def _job(
    name: str,
    space: Workspace,
    plan: Plan,
    path: Path,
    progress: Progress,
    crop: Callable[[Case], Case] | None = None,
) -> Job:
    state = space.task.state(space.training, space.target, plan)
    memory = machines.measure().memory // 4
    prepared = prepare_examples(
        space.task,
        space.training,
        plan,
        state,
        progress=progress,
        folder=path / "cache" / name,
        memory_bytes=memory,
        crop=crop,
    )
    return Job(name, space.task, plan, state, {e.case_id: e for e in prepared})


def _members(
    job: Job,
    space: Workspace,
    path: Path,
    *,
    clock: Clock,
    progress: Progress,
    device: str | None,
    start: Mapping[str, Any] | None,
) -> Outcome:
    """Train each member on all folds but its own, which validates it; how many there are follows the clock."""
    trained: list[Trained] = []
    answers: list[dict[str, Any]] = []
    step_s: float | None = None
    run = runs.get(job.task.run)
    while True:
        member = len(trained)
        left = _left(job, space, path, clock, member, step_s)
        if left < 1:
            break
        held = [i for i in space.assignment.folds[member] if i in job.examples]
        learned = [job.examples[i] for i in space.assignment.training(member) if i in job.examples]
        watched = [job.examples[i] for i in held][: None if run.joins else MONITOR]
        truths = [job.task.truth(space.cohort.case(e.case_id), job.state) for e in watched]
        share = clock.share(left, len(held) if run.held_out else 0)
        pace = clock.pace(share, clock.most_steps(job.plan, len(learned)))
        result = train(
            job.task,
            job.plan,
            job.state,
            learned,
            Validator(job.task, job.plan, job.state, watched, truths) if watched else None,
            member=member,
            folder=path,
            progress=progress,
            name=job.name,
            deadline=clock.hard(share),
            pace=pace,
            device=device,
            start=start,
        )
        if pace is not None and pace.measured_s is not None:
            step_s = pace.measured_s
        if result.ran_out:
            planned = result.course[-1].steps if result.course else job.plan.train.steps
            progress.note(f"{job.name}-{member}: the time ran out at step {result.last_step} of {planned}")
        trained.append(result)
        answers.append(
            _held_out(job, result, [job.examples[i] for i in held], device) if run.held_out else {}
        )
    steps = tuple(steps_of(t, job.plan) for t in trained)
    kept = kept_of(steps)
    said = {i: raw for k in kept for i, raw in answers[k].items()}
    outcome = Outcome(tuple(trained), kept, said, any(t.ran_out for t in trained), steps)
    if outcome.left_out:
        progress.note(f"{job.name}: {outcome.left_out}")
    return outcome


def _left(job: Job, space: Workspace, path: Path, clock: Clock, member: int, step_s: float | None) -> int:
    """How many members are still to be trained, the next one among them; one that was begun is finished."""
    left = max(0, job.plan.train.members - member)
    if member == 0:
        return left
    folds = space.assignment.folds
    cases = len(space.assignment.training(member)) if member < len(folds) else 0
    found = min(clock.members_left(job.plan, cases, member, left, step_s), len(folds) - member)
    return max(found, int((path / "checkpoints" / f"{job.name}-{member}.pt").is_file()))


def _held_out(job: Job, result: Trained, held: Sequence[Example], device: str | None) -> dict[str, Any]:
    """What a member says, raw, of the cases it never saw."""
    if not held:
        return {}
    model = build(job.task, job.plan, job.state, 0)
    model.load_state_dict(result.weights)
    model.to(device or ("cuda" if torch.cuda.is_available() else "cpu")).eval()
    members = Members(job.task, [model], job.plan, next(model.parameters()).device)
    raw = runs.get(job.task.run).raw(members, held)
    return {e.case_id: r for e, r in zip(held, raw, strict=True)}


def _stage(
    job: Job, outcome: Outcome, folder: Path, number: int, *, takes: Mapping[str, Any] | None
) -> Stage:
    """Write the members' weights and describe the stage."""
    from safetensors.torch import save

    names = []
    for k in outcome.kept:
        weights = {n: t.contiguous() for n, t in outcome.trained[k].weights.items()}
        name = f"weights-{number}-{k}.safetensors"

        write_bytes(folder / name, save(weights))
        names.append(name)
    return Stage(job.name, _plan_kept(job.plan, outcome), job.state, tuple(names), takes=takes)


def _plan_kept(plan: Plan, outcome: Outcome) -> Plan:
    """The plan as it was followed, with the reason why fewer members answer than were planned."""
    if not outcome.left_out:
        return plan
    why = f"{plan.reasons.get('train.members', 'planned')}; {outcome.left_out}"
    return plan.model_copy(update={"reasons": {**plan.reasons, "train.members": why}})
