"""The stages before the last: what a user leaves open is chosen by their own task, and each of them is checked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from vesalius.cohorts import select_target
from vesalius.core.cohort import TargetInfo
from vesalius.core.errors import DataError, PlanError
from vesalius.core.plan import EarlierPlan, Plan, override
from vesalius.core.progress import Silent
from vesalius.infer import handover
from vesalius.infer.features import features
from vesalius.infer.predictor import Predictor
from vesalius.infer.runs.contract import Members
from vesalius.learn.stepper import build
from vesalius.plan import machine as machines
from vesalius.plan.fingerprint import fingerprint, sided
from vesalius.plan.rules import check, draft_plan, for_net
from vesalius.plan.summary import summary
from vesalius.run.given import GivenStage
from vesalius.run.handing import blank
from vesalius.run.ready import begun, with_examples
from vesalius.run.stages import StagePlan, stages_of
from vesalius.run.workspace import Workspace, assert_unmirrored
from vesalius.tasks import contract
from vesalius.tasks.contract import Task

CHOSEN = (
    "task",
    "data",
    "augment",
    "net",
    "nets",
    "loss",
    "infer",
)  # sections in which a task chooses for itself


def filled(plan: Plan, space: Workspace) -> Plan:
    """Return the plan, its earlier stages with what their own tasks choose where they are not the last stage's task.

    Raises UnknownName or DataError for a task or a target that does not exist, or that do not fit.
    """
    stages = tuple(_filled(stage, plan, space) for stage in plan.earlier)
    return plan if stages == plan.earlier else plan.model_copy(update={"earlier": stages})


def with_taken(plan: Plan, space: Workspace, given: Mapping[str, GivenStage]) -> Plan:
    """Return the plan that says for each stage which channels, and how many features, it is given of earlier ones."""
    if not plan.earlier:
        return plan
    for number in range(len(plan.earlier) + 1):
        stages = stages_of(plan)
        if stages[number].bundle is not None:
            continue
        channels: dict[str, list[str]] = {}
        vectors: dict[str, int] = {}
        for one in stages[number].taken:
            source = stages[one["stage"]]
            if handover.get(one["as"]).vector:
                vectors[source.name] = _many(one["stage"], one["as"], stages, space, given)
            elif names := _channels(one["as"], source, space, given):
                channels[source.name] = names
        changed = _other_taken(stages[number].plan, channels, vectors)
        plan = _set_taken(plan, number, changed)
    return plan


def _channels(how: str, source: StagePlan, space: Workspace, given: Mapping[str, GivenStage]) -> list[str]:
    """Return what the channels are called that a stage hands over."""
    if source.bundle is not None:
        last = given[source.name].last
        task, state = contract.get(last.plan.task.name), last.state
    else:
        job = begun(space, source)
        task, state = job.task, job.state
    return list(handover.get(how).channels(task, state, source.name))


def _many(
    number: int, how: str, stages: Sequence[StagePlan], space: Workspace, given: Mapping[str, GivenStage]
) -> int:
    """Return how many numbers a stage hands over, as it does for the first training case."""
    source, case = stages[number], space.training[0]
    if source.bundle is not None:
        bundle = given[source.name].bundle
        predictor = Predictor(bundle, device="cpu", accept_mismatch=True)
        return len(predictor.kept(case, len(bundle.stages) - 1, {}, ways=(how,))[how])
    names = [stage.name for stage in stages]
    job = with_examples(begun(space, source), [case], Silent(), given=blank(source, names))
    model = build(job.task, job.plan, job.state, 0).eval()
    members = Members(job.task, [model], job.plan, next(model.parameters()).device)
    return len(next(features(members, list(job.examples.values()))))


def _other_taken(
    plan: Plan, channels: Mapping[str, list[str]], vectors: Mapping[str, int]
) -> dict[str, tuple[Any, str]]:
    """Return what is to be other in a stage's plan, by path, with the reason, for it to see what it is given."""
    changed: dict[str, tuple[Any, str]] = {}
    if {name: list(labels) for name, labels in plan.data.taken.items()} != channels:
        changed["data.taken"] = (
            dict(channels),
            "what earlier stages say, in channels behind the image's own",
        )
    if dict(plan.sources.vectors) != vectors:
        changed["sources.vectors"] = (dict(vectors), "the features of earlier stages' nets")
    if vectors and not plan.sources.joined:
        changed["sources.fusion"] = ("attention", "features of an earlier stage come together with the image")
    if vectors and plan.augment.mixup:
        changed["augment.mixup"] = (0.0, "cases of several sources are not mixed with one another")
    return changed


def _set_taken(plan: Plan, number: int, changed: Mapping[str, tuple[Any, str]]) -> Plan:
    """Return the plan of a run with something set in the plan of one of its stages."""
    if number == len(plan.earlier):
        for path, (value, why) in changed.items():
            plan = override(plan, {path: value}, reason=why)
        return plan
    own = plan.earlier[number]
    settings = {**own.settings, **{path: value for path, (value, _) in changed.items()}}
    stage = own.model_copy(update={"settings": settings})
    stages = (*plan.earlier[:number], stage, *plan.earlier[number + 1 :])
    return plan if not changed else plan.model_copy(update={"earlier": stages})


def assert_stages(plan: Plan, space: Workspace, given: Mapping[str, GivenStage]) -> None:
    """Raise PlanError, DataError or UnknownName for stages that cannot be trained as planned.

    `given` are the bundles that are stages.
    """
    stages = stages_of(plan)
    if not plan.earlier:
        return
    _assert_named(stages, plan)
    for number, stage in enumerate(stages):
        if stage.bundle is not None:
            continue
        task, target = _asked(stage.plan.task.name, stage.plan.task.target, space)
        if number < len(stages) - 1:
            check(stage.plan, task)
            task.check_plan(stage.plan, target)
            _assert_learnable(stage, task, target, space)
            if target is not None and sided(target.labels):
                assert_unmirrored(stage.plan, f"earlier.{stage.name}.")
        for one in stage.taken:
            _assert_handed(one["as"], stage, stages[one["stage"]], space, given)


def _filled(stage: EarlierPlan, plan: Plan, space: Workspace) -> EarlierPlan:
    if stage.bundle is not None:
        return stage
    own = stage.settings
    target = own.get("task.target", plan.task.target)
    named = own.get("task.name")
    if named is None and space.target is not None and target is not None:
        kind = select_target(space.cohort, target).kind
        named = space.task.name if kind in space.task.targets else contract.default_for(kind).name
    if named is None or named == plan.task.name:
        chosen = _other(for_net(plan, own), plan)
        return stage.model_copy(update={"settings": {**chosen, **own}}) if chosen else stage
    task, info = _asked(named, target, space)
    facts = {
        name: replace(found, voxels=()) for name, found in space.facts.items()
    }  # of the last stage's labels
    prints = fingerprint(summary(space.cohort, facts, space.training, info), info)
    draft = draft_plan(task, info, prints, machines.measure(), seed=plan.train.seed)
    chosen = _other(for_net(draft, own), plan)
    return stage.model_copy(update={"settings": {**chosen, "task.name": named, **own}})


def _other(draft: Plan, plan: Plan) -> Mapping[str, Any]:
    """Return in which values a draft differs from a plan where a task chooses for itself, by path."""
    one, two = draft.model_dump(mode="json"), plan.model_dump(mode="json")
    return {
        f"{section}.{field}": value
        for section in CHOSEN
        for field, value in one[section].items()
        if two[section].get(field) != value
    }


def _asked(task: str, target: str | None, space: Workspace) -> tuple[Task, TargetInfo | None]:
    known, chosen = space.target, contract.get(task)
    if known is not None and target == known.full_name and known.kind in chosen.targets:
        return chosen, known
    return contract.choose(space.cohort, task=task, target=target)


def _assert_learnable(stage: StagePlan, task: Task, target: TargetInfo | None, space: Workspace) -> None:
    missing = task.check(space.cohort, target)
    if missing:
        raise DataError(f"the stage '{stage.name}' ({task.name}) needs {'; '.join(missing)}")
    if target is not None and not any(target.name in case.targets for case in space.training):
        raise DataError(
            f"no training case has the target '{target.name}' of the stage '{stage.name}'",
            hint="a target that cases have which the last stage learns from",
        )


def _assert_named(stages: Sequence[StagePlan], plan: Plan) -> None:
    """Raise PlanError where a stage whose answer is an image of the case is called as another image is."""
    for stage in stages:
        for one in stage.taken:
            name = stages[one["stage"]].name
            _assert_seen(one["as"], name, stage)
            if name in (*stage.plan.data.images, *stage.plan.sources.apart):
                raise PlanError(
                    f"the stage '{name}' is called as an image of the cases is",
                    hint="another name for the stage",
                )


def _assert_seen(how: str, name: str, stage: StagePlan) -> None:
    """Raise PlanError where a stage is given channels, and there is no one image for them to lie on."""
    chosen = stage.plan.sources
    if name not in stage.plan.data.taken or not chosen.joined:
        return
    apart = all(image in chosen.apart for image in stage.plan.data.images)
    if apart or chosen.visits > 1:
        what = (
            "each have a grid of their own"
            if apart
            else "are of several visits, of which one alone is answered"
        )
        raise PlanError(
            f"the stage '{stage.name}' takes the '{how}' of the stage '{name}', and its images {what}",
            hint="--set takes.how=features",
        )


def _assert_handed(
    how: str, stage: StagePlan, source: StagePlan, space: Workspace, given: Mapping[str, GivenStage]
) -> None:
    """Raise PlanError where a stage takes of another what that cannot say."""
    own = source.bundle is None
    task = contract.get(source.plan.task.name if own else given[source.name].last.plan.task.name)
    if handover.get(how).vector and not contract.get(stage.plan.task.name).sees_vectors:
        raise PlanError(
            f"the stage '{stage.name}' is given '{how}' of the stage '{source.name}', and sees images alone",
            found=f"the task {stage.plan.task.name}",
            hint="--set takes.how=channel, or map",
        )
    fault = handover.get(how).fault(task)
    if fault is None:
        return
    target = space.cohort.targets.get(source.plan.task.target or "") if own else None
    kind = f"answers of kind {task.answer.__name__}" if target is None else f"a {target.kind}"
    what = "a part of the image" if handover.get(how).part else f"its '{how}'"
    raise PlanError(
        f"the stage '{stage.name}' takes {what} from the stage '{source.name}', which {fault}",
        found=kind,
        hint="takes of a stage whose target is drawn on the image, or takes.how=features",
    )
