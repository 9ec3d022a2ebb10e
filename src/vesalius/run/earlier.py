"""The stages before the last: what a user leaves open is chosen by their own task, and each of them is checked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from vesalius.cohorts import select_target
from vesalius.core.cohort import TargetInfo
from vesalius.core.errors import DataError, PlanError
from vesalius.core.plan import EarlierPlan, Plan, override
from vesalius.infer import handover
from vesalius.plan import machine as machines
from vesalius.plan.fingerprint import fingerprint, sided
from vesalius.plan.rules import check, draft_plan, for_net
from vesalius.plan.summary import summary
from vesalius.run.given import GivenStage
from vesalius.run.ready import begun
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
    """Return the plan that says for each stage which channels it is given of earlier ones, and what they are called."""
    if not plan.earlier:
        return plan
    for number in range(len(plan.earlier) + 1):
        stages = stages_of(plan)
        found: dict[str, list[str]] = {}
        for one in stages[number].taken:
            way, source = handover.get(one["as"]), stages[one["stage"]]
            if source.bundle is not None:
                last = given[source.name].last
                names = way.channels(contract.get(last.plan.task.name), last.state, source.name)
            else:
                job = begun(space, source)
                names = way.channels(job.task, job.state, source.name)
            if names:
                found[source.name] = list(names)
        if number == len(plan.earlier):
            return _with_taken(plan, found)
        plan = _early_with_taken(plan, number, found)
    return plan


def _with_taken(plan: Plan, found: Mapping[str, list[str]]) -> Plan:
    now = {name: list(labels) for name, labels in plan.data.taken.items()}
    if now == found:
        return plan
    return override(plan, {"data.taken": found}, reason="what the stages before say, as takes has it")


def _early_with_taken(plan: Plan, number: int, found: Mapping[str, list[str]]) -> Plan:
    own = plan.earlier[number]
    if own.settings.get("data.taken", {}) == found:
        return plan
    stage = own.model_copy(update={"settings": {**own.settings, "data.taken": dict(found)}})
    stages = (*plan.earlier[:number], stage, *plan.earlier[number + 1 :])
    return plan.model_copy(update={"earlier": stages})


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
            if name in (*plan.data.images, *plan.sources.apart):
                raise PlanError(
                    f"the stage '{name}' is called as an image of the cases is",
                    hint="another name for the stage",
                )


def _assert_handed(
    how: str, stage: StagePlan, source: StagePlan, space: Workspace, given: Mapping[str, GivenStage]
) -> None:
    """Raise PlanError where a stage takes of another what that cannot say."""
    own = source.bundle is None
    task = contract.get(source.plan.task.name if own else given[source.name].last.plan.task.name)
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
