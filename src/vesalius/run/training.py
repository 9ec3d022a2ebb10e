"""Training every stage and every member of a plan."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from vesalius.core.bundle import Bundle, Stage, State
from vesalius.core.image import Array
from vesalius.core.plan import Plan
from vesalius.core.progress import Progress
from vesalius.core.scorecard import Banner
from vesalius.evaluate.banners import of_collapse, of_training
from vesalius.infer import runs
from vesalius.infer.asked import checked
from vesalius.infer.runs.contract import Members
from vesalius.learn.loop import Trained, train
from vesalius.learn.recipes import contract as recipes
from vesalius.learn.stepper import build
from vesalius.learn.validate import Validator
from vesalius.prepare.batch import Example
from vesalius.run import neighbours, novelty
from vesalius.run.budgeting import MONITOR
from vesalius.run.given import GivenStage, places_of
from vesalius.run.handing import Handing, asked_by
from vesalius.run.looking import held_of
from vesalius.run.members import Outcome, kept_of, steps_of, weights_file
from vesalius.run.outcome import calibrated
from vesalius.run.pacing import Clock, settled
from vesalius.run.ready import Ready, made_ready
from vesalius.run.sealing import written
from vesalius.run.stages import StagePlan, stages_of
from vesalius.run.trained import TrainedStage
from vesalius.run.varied import varied
from vesalius.run.workspace import Workspace


def train_all(
    space: Workspace,
    plan: Plan,
    path: Path,
    *,
    clock: Clock,
    progress: Progress,
    device: str | None,
    start: Mapping[str, Any] | None,
    ready: Ready | None = None,
    given: Mapping[str, GivenStage] | None = None,
    index_until: float | None = None,
) -> tuple[tuple[TrainedStage, ...], Plan]:
    """Train every stage and member; `ready` is what was prepared already. An index of the training cases must be there
    at `index_until`, a `time.monotonic()`, or is given up.

    `given` are the bundles that are stages; they are not trained, and asked about the training cases by later ones.

    Returns the stages that were trained, of which the last one's outcome has the banners of the earlier ones, and the
    plan as it was carried out.
    """
    stages = stages_of(plan)
    done: list[TrainedStage] = []
    vectors: Mapping[str, Array] = {}
    handing = Handing(space, stages, path / "cache", given or {}, device)
    asked, places = asked_by(stages), places_of(stages, given or {})
    banners: list[Banner] = []
    for number, stage in enumerate(stages):
        if stage.bundle is not None:
            continue
        job = made_ready(
            space,
            stages,
            number,
            path / "cache" / stage.name,
            before=ready,
            given=handing.of(number),
            progress=progress,
        )
        handing.rest()
        for banner in handing.banners(number):
            progress.note(f"{stage.name}: {banner.text}")
            banners.append(banner)
        last, rest = stage is stages[-1], sum(later.share for later in stages[number + 1 :])
        outcome = _members(
            job,
            space,
            path,
            clock=clock if last else clock.first(stage.share, rest),
            progress=progress,
            device=device,
            start=start if last else None,
        )
        if last:
            job = replace(job, state=_remembered(job, space, outcome))
            vectors = _vectors(job, space, outcome, index_until, progress, device)
        extras: Mapping[str, State] = {}
        if stage is novelty.judges(stages):
            weights = weights_file(places[number], outcome.kept[0])
            extras = novelty.extras(job, space, outcome, weights=weights, progress=progress, device=device)
        done.append(TrainedStage(replace(job, examples={}), outcome, extras, vectors))
        if number in asked:
            _let_ask(handing, number, done[-1], space, path / "bundle")
    *early, main = done
    said = tuple(
        b for d in early for b in (*of_training(d.outcome.steps, d.job.stage.purpose), *d.outcome.before)
    )
    said = (*said, *banners)
    last_one = replace(main, outcome=replace(main.outcome, before=(*said, *main.outcome.before)))
    plan = settled(plan, {d.job.name: d.outcome.trained for d in done})
    return _as_carried_out((*early, last_one), stages_of(plan)), plan


def _let_ask(handing: Handing, number: int, trained: TrainedStage, space: Workspace, folder: Path) -> None:
    """Let later stages ask a stage that was trained: its weights are written, and it is calibrated as it will be."""
    stage = written(trained, folder, number)
    stage = calibrated(space, stage.plan, trained.outcome, stage)
    ahead = [Stage(one.name, one.plan, State(), ()) for one in handing.stages[:number]]
    bundle = Bundle(folder, (*ahead, stage), space.cohort.hash, "", "")
    handing.add(number, bundle, number, {k: k for k in range(number)})


def _as_carried_out(done: Sequence[TrainedStage], stages: Sequence[StagePlan]) -> tuple[TrainedStage, ...]:
    """Return the stages with their plans as the clock left them."""
    own = [stage for stage in stages if stage.bundle is None]
    return tuple(replace(d, job=replace(d.job, stage=stage)) for d, stage in zip(done, own, strict=True))


def _remembered(job: Ready, space: Workspace, outcome: Outcome) -> State:
    """Return the state with what its task remembers after training, of the first member that is kept."""
    model = build(job.task, job.plan, job.state, 0)
    model.load_state_dict(outcome.trained[outcome.kept[0]].weights)
    examples = [job.examples[c.id] for c in space.learned if c.id in job.examples]
    beside: dict[str, Any] = {}
    if "held" in inspect.signature(job.task.remember).parameters:
        beside = {"held": frozenset(space.assignment.folds[outcome.kept[0]])}
    return job.task.remember(model.eval(), examples, job.state, cases=space.learned, **beside)


def _members(
    job: Ready,
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
        beside = [job.examples[i] for ids in space.assignment.unlabelled[member : member + 1] for i in ids]
        many = None if run.joins or job.plan.train.select == "worst_group" else MONITOR
        watched = [job.examples[i] for i in held][:many]
        truths = [job.task.truth(space.cohort.case(e.case_id), job.state) for e in watched]
        asked = run.held_out or job.task.checks
        share = clock.share(left, len(held) if asked else 0)
        pace = clock.pace(share, clock.most_steps(job.plan, len(learned)))
        looked_at = held_of(space, [job.examples[i] for i in held])
        result = train(
            job.task,
            varied(job.plan, member),
            job.state,
            [*learned, *beside],
            Validator(job.task, job.plan, job.state, watched, truths) if watched else None,
            member=member,
            folder=path,
            progress=progress,
            name=job.name,
            deadline=clock.hard(share),
            pace=pace,
            device=device,
            start=start,
            unlabelled=[e.case_id for e in beside],
            held=looked_at,
        )
        seen = recipes.get(job.plan.train.recipe).said(result.history, looked_at)
        if seen:
            progress.note(f"{job.name}-{member}: {seen}")
        if pace is not None and pace.measured_s is not None:
            step_s = pace.measured_s
        if result.ran_out:
            planned = result.course[-1].steps if result.course else job.plan.train.steps
            progress.note(f"{job.name}-{member}: the time ran out at step {result.last_step} of {planned}")
        trained.append(result)
        answers.append(_held_out(job, result, [job.examples[i] for i in held], device) if asked else {})
    steps = tuple(steps_of(t, job.plan) for t in trained)
    kept = kept_of(steps)
    said = {i: raw for k in kept for i, raw in answers[k].items()}
    wrong = [recipes.get(job.plan.train.recipe).wrong(t.history) for t in trained]
    marks = tuple(of_collapse(text, job.stage.purpose) for text in wrong if text)
    for mark in marks:
        progress.note(mark.text)
    outcome = Outcome(tuple(trained), kept, {}, any(t.ran_out for t in trained), steps, marks)
    outcome = replace(outcome, held_out=said) if run.held_out else replace(outcome, checked=said)
    if outcome.left_out:
        progress.note(f"{job.name}: {outcome.left_out}")
    return outcome


def _left(job: Ready, space: Workspace, path: Path, clock: Clock, member: int, step_s: float | None) -> int:
    """Return how many members are still to be trained, the next one among them; one that was begun is finished."""
    left = max(0, job.plan.train.members - member)
    if member == 0:
        return left
    folds = space.assignment.folds
    cases = len(space.assignment.training(member)) if member < len(folds) else 0
    found = min(clock.members_left(job.plan, cases, member, left, step_s), len(folds) - member)
    return max(found, int((path / "checkpoints" / f"{job.name}-{member}.pt").is_file()))


def _held_out(job: Ready, result: Trained, held: Sequence[Example], device: str | None) -> dict[str, Any]:
    """Return what a member says, raw, of the cases it never saw; or what a task that `checks` makes of that."""
    if not held:
        return {}
    raw = zip(held, runs.get(job.task.run).raw(loaded(job, result, device), held), strict=True)
    if runs.get(job.task.run).held_out:
        return {e.case_id: r for e, r in raw}
    return {e.case_id: checked(job.task, r, e, job.state) for e, r in raw}


def loaded(job: Ready, result: Trained, device: str | None) -> Members:
    """Return one member as it answers."""
    model = build(job.task, job.plan, job.state, 0)
    model.load_state_dict(result.weights)
    model.to(device or ("cuda" if torch.cuda.is_available() else "cpu")).eval()
    return Members(job.task, [model], job.plan, next(model.parameters()).device)


def _vectors(
    job: Ready,
    space: Workspace,
    outcome: Outcome,
    until: float | None,
    progress: Progress,
    device: str | None,
) -> dict[str, Array]:
    """Return the first kept member's features of the training cases."""
    if not outcome.kept:
        return {}
    examples = {c.id: job.examples[c.id] for c in space.training if c.id in job.examples}
    first = loaded(job, outcome.trained[outcome.kept[0]], device)
    return neighbours.vectors_of(first, examples, until=until, progress=progress)
