"""From what the files of a model, and a person, say of it to an ordinary plan whose every value has its reason."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from vesalius import losses
from vesalius.core import registry
from vesalius.core.bundle import State
from vesalius.core.cohort import Label, TargetInfo
from vesalius.core.errors import PlanError
from vesalius.core.plan import NetPlan, Plan, override, parse_plan
from vesalius.core.words import counted, listed
from vesalius.imports.contract import Told
from vesalius.infer.asked import learned
from vesalius.nets import describe
from vesalius.plan import rules
from vesalius.plan.draft import Draft
from vesalius.tasks import contract as tasks
from vesalius.tasks.contract import Task

ELSEWHERE = "trained elsewhere: not known"
SAID = "told at the import"
DRAWN, NAMED = (
    "mask",
    "class",
)  # the kinds of target that are assumed of nets whose answers are dense, or are not


def task_of(told: Told, *, dense: bool) -> Task:
    """Return the task that was told, else the usual one of nets whose answers are dense, or not. Raises UnknownName."""
    return tasks.get(told.task) if told.task else tasks.default_for(DRAWN if dense else NAMED)


def target_of(task: Task, labels: Sequence[Label], *, dense: bool) -> TargetInfo:
    """Return the target that the model answers, called after its task. Raises PlanError for a task of other targets."""
    kind = DRAWN if dense else NAMED
    if kind not in task.targets:
        raise PlanError(
            f"an import makes no {task.name} of a model",
            found=f"the task answers {listed(task.targets)}",
            hint=f"--task {tasks.default_for(kind).name}, or a task that takes a target of kind {kind}",
        )
    return TargetInfo("target", kind, tuple(labels))


def labels_of(
    told: Told, outputs: int, *, dense: bool, known: Sequence[str] = (), what: str = "the file"
) -> tuple[Label, ...]:
    """Return the labels of so many outputs, of which the first is the background where they are dense.

    What a person says comes before what is `known`, the background left out. Raises PlanError where nobody says all.
    """
    first = 1 if dense else 0
    names = dict(told.labels) or {k: str(name) for k, name in enumerate(known, start=first)}
    wanted = list(range(first, outputs))
    if sorted(names) != wanted or len(set(names.values())) != len(names):
        behind = " after the background, 0" if dense else ""
        raise PlanError(
            f"{what} has {counted(outputs, 'output')}, and it must be said what each stands for",
            found=", ".join(f"{k}={v}" for k, v in sorted(names.items())) or "no labels",
            hint=f"--labels {first}=NAME for each of {wanted[0]} to {wanted[-1]}{behind}, each with another name"
            if wanted
            else "a model of at least one label",
        )
    return tuple(Label(k, names[k]) for k in wanted)


def planned(
    task: Task,
    target: TargetInfo,
    values: Mapping[str, tuple[Any, str]],
    *,
    told: Told,
    members: int = 1,
) -> Plan:
    """Return the plan of an imported model; `values` are planned values by path with the reason of each.

    What stands in a plan and only training needs says that it was done elsewhere. Raises PlanError, UnknownName.
    """
    draft = Draft()
    draft.set("task.name", task.name, SAID if told.task else "what the net's outputs are")
    draft.set("task.target", target.name, "an import has no cohort that would name it")
    for path, (value, why) in values.items():
        draft.set(path, value.model_dump() if isinstance(value, NetPlan) else value, why)
    draft.propose("data.sampling", sampling(task), f"as {task.name} is answered")
    draft.propose("loss.name", losses.default_for(target.kind), ELSEWHERE)
    draft.propose("train.steps", 1, ELSEWHERE)
    draft.propose("train.batch", 1, ELSEWHERE)
    draft.propose("train.members", members, f"{counted(members, 'set')} of weights")
    draft.propose("train.folds", max(2, members), ELSEWHERE)
    draft.propose("infer.novelty", "none", "no training case is at hand to fit a detector on")
    data = draft.json()
    lacking = [path for path in ("data.size", "data.normalise") if path not in draft.values]
    open_ = {p: v for p, v in told.settings.items() if p in lacking}
    if len(open_) < len(lacking):
        path = next(p for p in lacking if p not in open_)
        raise PlanError(f"nothing says {_ASKED[path][0]}", hint=_ASKED[path][1])
    for path in lacking:  # so that a plan can be parsed, before what was told is set as anywhere else
        blank = [1, 1, 1] if path == "data.size" else [{"method": "zscore"}] * data["data"]["channels"]
        data["data"][path.partition(".")[2]] = blank
    plan = parse_plan(data)
    if told.settings:
        plan = override(plan, told.settings, reason=SAID)
    return rules.check(plan, task) if plan.net.name in registry.names("nets") else plan


_ASKED = {
    "data.size": ("the size of the images that the net sees", "--set data.size=[1,224,224], as z, y, x"),
    "data.normalise": ("how its images were normalised", "--normalise zscore, imagenet, none or 0..255"),
}


def sampling(task: Task) -> str:
    """Return whether a task sees images whole or in patches."""
    found: str = registry.literals("infer.runs", task.run)["SAMPLING"]
    return found


def state_of(task: Task, target: TargetInfo, plan: Plan) -> State:
    """Return what the task keeps of its labels, learned from no case. Raises what the task raises without any."""
    return learned(task, [], target, plan)


def is_dense(net: NetPlan) -> bool:
    """Return whether a net gives a value for each point."""
    return bool(describe(net.name).get("ROLE") == "dense")
