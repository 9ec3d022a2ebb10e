"""The stages before the last: what a user leaves open is chosen by their own task, and each of them is checked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from vesalius.cohorts import select_target
from vesalius.cohorts.targets import contract as kinds
from vesalius.core.cohort import TargetInfo
from vesalius.core.errors import DataError, PlanError
from vesalius.core.plan import EarlierPlan, Plan
from vesalius.plan import machine as machines
from vesalius.plan.fingerprint import fingerprint, sided
from vesalius.plan.rules import check, draft_plan, for_net
from vesalius.plan.summary import summary
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


def assert_stages(plan: Plan, space: Workspace) -> None:
    """Raise PlanError, DataError or UnknownName for stages that cannot be trained as planned."""
    stages = stages_of(plan)
    if not plan.earlier:
        return
    for number, stage in enumerate(stages):
        task, target = _asked(stage.plan.task.name, stage.plan.task.target, space)
        if number < len(stages) - 1:
            check(stage.plan, task)
            task.check_plan(stage.plan, target)
            _assert_learnable(stage, task, target, space)
            if target is not None and sided(target.labels):
                assert_unmirrored(stage.plan, f"earlier.{stage.name}.")
        if stage.takes is not None:
            _assert_drawn(stage, stages[stage.takes["stage"]], space)


def _filled(stage: EarlierPlan, plan: Plan, space: Workspace) -> EarlierPlan:
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


def _assert_drawn(stage: StagePlan, source: StagePlan, space: Workspace) -> None:
    target = space.cohort.targets.get(source.plan.task.target or "")
    if target is None or not kinds.of(target.kind).drawn:
        raise PlanError(
            f"the stage '{stage.name}' takes a part of the image from the stage '{source.name}', which learns no place",
            found=f"a {target.kind}" if target else "no target",
            hint="takes of a stage whose target is drawn on the image",
        )
