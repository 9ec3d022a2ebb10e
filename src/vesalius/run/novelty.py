"""What tells cases apart that are unlike those of training: fitted when a stage's members are trained."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from vesalius.cohorts.targets import contract as kinds
from vesalius.core.bundle import State
from vesalius.core.case import Case
from vesalius.core.errors import DataError
from vesalius.core.plan import USER, Plan, override
from vesalius.core.progress import Progress
from vesalius.core.seeds import seed_of
from vesalius.infer import handover
from vesalius.infer.alarm import RECORD, Alarm, fitted, gathered
from vesalius.infer.drift import DRIFT, referenced
from vesalius.infer.drifting import whose
from vesalius.infer.layers import Features
from vesalius.infer.predictor import device_of
from vesalius.infer.runs.contract import Members
from vesalius.learn.stepper import build
from vesalius.plan.rules import FEWEST_HELD_OUT, NONE
from vesalius.prepare.batch import Example
from vesalius.run.members import Outcome
from vesalius.run.ready import Ready
from vesalius.run.stages import StagePlan
from vesalius.run.workspace import Workspace

HELD_OUT = 0.4  # of the cases that are looked at: at most so many decide where the alarm is raised
TIME, TIME_S = (
    0.04,
    60.0,
)  # the share of the time that looking at cases may take, and seconds where there is no limit
ENOUGH = 48  # cases, of which HELD_OUT are the fewest that will do
SAME = 1e-3  # by how much features may differ, as a share, when a case comes beside others or alone


def judges(stages: Sequence[StagePlan]) -> StagePlan | None:
    """Return the stage whose layers tell strange cases: the last of those trained here that are given the whole image.

    A stage that is given a part is shown something like it whatever the image is, and its training cases were cut by
    the truth.
    """
    whole = [
        stage
        for stage in stages
        if stage.bundle is None and not any(handover.get(one["as"]).part for one in stage.taken)
    ]
    return whole[-1] if whole else None


def allowed_s(limit_s: float | None, training_s: float) -> float:
    """Return how many seconds looking at cases may take: a small share of a run's limit, or of its training."""
    return TIME * limit_s if limit_s is not None else max(TIME * training_s, TIME_S)


def afforded(plan: Plan, seconds: float, answer_s: float) -> Plan:
    """Return the plan, with fewer cases to look at where all of them would take more than so many seconds.

    `answer_s` is how long one model's answer to one case takes. Where too few would be left, nothing is planned to tell
    strange cases; what the user set stays.
    """
    wanted = plan.infer
    if wanted.novelty == NONE or "infer.novelty_cases" in plan.reasons:
        return plan
    most = int(seconds / max(answer_s / _views(plan), 1e-6))
    if most >= wanted.novelty_cases:
        return plan
    if int(HELD_OUT * most) < FEWEST_HELD_OUT:
        if plan.reasons.get("infer.novelty") == USER:
            why = "the fewest that say how often it is wrong"
            return override(plan, {"infer.novelty_cases": ENOUGH}, reason=why)
        why = f"looking at {ENOUGH} cases would take more than the {seconds:.0f} s that there are for it"
        return override(plan, {"infer.novelty": NONE}, reason=why)
    why = f"so many can be looked at within {seconds:.0f} s"
    return override(plan, {"infer.novelty_cases": most}, reason=why)


def looked_at(plan: Plan, cases: int) -> float:
    """Return how many answers of one model, of so many cases, the look at them takes."""
    return 0.0 if plan.infer.novelty == NONE else min(plan.infer.novelty_cases, cases) / _views(plan)


def _views(plan: Plan) -> int:
    return 1 << len(plan.infer.mirror)


def extras(
    job: Ready, space: Workspace, outcome: Outcome, *, weights: str, progress: Progress, device: str | None
) -> Mapping[str, State]:
    """Return what tells strange cases, and a drift of many, by the first member that is kept, if it can be had.

    `weights` is the file of that member's weights. What is said where it cannot be had is noted.
    """
    planned = job.plan.infer
    if planned.novelty == NONE:
        return {}
    member = outcome.kept[0]
    where = device_of(device)
    model = build(job.task, job.plan, job.state, 0)
    model.load_state_dict(outcome.trained[member].weights)
    members = Members(job.task, [model.to(where).eval()], job.plan, where)
    return told_by(members, job, space, member, weights=weights, progress=progress)


def told_by(
    members: Members, job: Ready, space: Workspace, member: int, *, weights: str, progress: Progress
) -> Mapping[str, State]:
    """Return what tells strange cases, and a drift of many, by one member, if it can be had.

    `members` is that member alone as it answers, `member` its number, and `weights` the file of its weights. What is
    said where it cannot be had is noted.
    """
    planned = job.plan.infer
    learned = _chosen(job, space.assignment.training(member), planned.novelty_cases, job.plan)
    held = _chosen(job, space.assignment.folds[member], int(HELD_OUT * planned.novelty_cases), job.plan)
    learned = learned[: planned.novelty_cases - len(held)]
    words, exclusive = _groups(job, space, learned)
    name = f"{job.name}: {planned.novelty}"
    progress.start(name, len(learned) + len(held))
    try:
        _assert_alone(members, learned[:2])
        seen = [gathered(members, part) for part in (learned, held)]
        alarm = fitted(
            planned.novelty,
            *seen,
            member=weights,
            groups=words,
            logits=exclusive and _logits(seen[1], job),
            rate=planned.alarm_rate,
        )
    except DataError as error:
        progress.note(f"{job.name}: nothing tells cases apart that are unlike those of training: {error}")
        return {}
    finally:
        progress.finish(name)
    if alarm.rate > planned.alarm_rate:
        progress.note(
            f"{job.name}: {alarm.rate:.1%} of ordinary cases raise the alarm, not {planned.alarm_rate:.1%}: "
            f"{alarm.held_out} held-out cases can promise no less"
        )
    apart = [seen[1][k] for k in one_a_patient([space.cohort.case(e.case_id) for e in held])]
    return {RECORD: alarm.state(), **_drift(alarm, seen[0], apart, job=job, progress=progress)}


def one_a_patient(held: Sequence[Case]) -> list[int]:
    """Return which cases are the first of their patients: a drift counts one case of each, here and there."""
    first: dict[str, int] = {}
    for k, case in enumerate(held):
        first.setdefault(whose(case.id, case.patient), k)
    return list(first.values())


def _drift(
    alarm: Alarm,
    learned: Sequence[Features],
    held: Sequence[Features],
    *,
    job: Ready,
    progress: Progress,
) -> Mapping[str, State]:
    """Return the reference that a drift is told by; nothing where it cannot be had, which is noted."""
    try:
        return {DRIFT: referenced(alarm, learned, held).state()}
    except DataError as error:
        progress.note(f"{job.name}: nothing tells a drift of new cases: {error}")
        return {}


def _chosen(job: Ready, ids: Sequence[str], most: int, plan: Plan) -> list[Example]:
    """Return the examples of some of the cases, drawn by the run's seed, in their order."""
    there = [i for i in ids if i in job.examples]
    if len(there) > most:
        generator = np.random.default_rng(seed_of(plan.train.seed, job.name, RECORD))
        there = [there[k] for k in sorted(generator.choice(len(there), most, replace=False))]
    return [job.examples[i] for i in there]


def _groups(job: Ready, space: Workspace, learned: Sequence[Example]) -> tuple[list[str] | None, bool]:
    """Return the group of each training case, and whether groups exclude one another without an order.

    A group is what the target names, where a case has one name: its class, or its grade. Other targets make none.
    """
    info = space.cohort.targets.get(job.plan.task.target or "")
    kind = None if info is None else kinds.of(info.kind)
    if info is None or kind is None or not kind.named or kind.several:
        return None, False
    targets = [space.cohort.case(e.case_id).targets.get(info.name) for e in learned]
    return [(kind.word(t) or "") if t is not None else "" for t in targets], kind.nominal


def _logits(seen: Sequence[Features], job: Ready) -> bool:
    """Return whether raw outputs have a number for each label."""
    labels = len(job.state.values.get("labels", ()))
    return all(f.raw is not None and len(f.raw) == labels > 1 for f in seen)


def _assert_alone(members: Members, few: Sequence[Example]) -> None:
    """Raise DataError where what the layers show of a case depends on the cases beside it."""
    beside, alone = gathered(members, few), [gathered(members, [e])[0] for e in few]
    for one, other in zip(beside, alone, strict=True):
        pairs = [(one.layers[name], other.layers.get(name)) for name in one.layers]
        if not all(b is not None and np.allclose(a, b, rtol=SAME, atol=SAME) for a, b in pairs):
            raise DataError(
                "what the layers of the model show of a case depends on the cases beside it",
                hint="infer.novelty=none in the plan, and no alarm",
            )
