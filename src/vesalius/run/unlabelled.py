"""Cases without the target: learned from, too, where a recipe does so; and tried by `fit` where nobody chose a recipe.

None of a patient that is tested is learned from, nor by a member of one that validates it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from vesalius import cohorts
from vesalius.core.plan import USER, Plan, override
from vesalius.core.seeds import seed_of
from vesalius.core.words import counted, listed
from vesalius.learn.recipes import contract as recipes
from vesalius.run.begin import Begun
from vesalius.run.pacing import Foreseen
from vesalius.run.planning import Planned, fix_steps
from vesalius.run.stages import by_truth, stages_of
from vesalius.run.trials import Trial, tried
from vesalius.run.verdict import Candidate, Verdict
from vesalius.run.workspace import Workspace

NAME = "unlabelled"  # of the trial
RECIPE, MANY = "train.recipe", "train.unlabelled"
PREPARING = 0.15  # of the time for training: what preparing cases without the target may take at most
ENOUGH = 1.0  # times as many cases without the target as with it: with fewer there is little to gain


def with_unlabelled(space: Workspace, plan: Plan) -> Workspace:
    """Return the workspace with the unlabelled cases that the planned recipe learns from; with none where it does not.

    A run that is resumed keeps those that it began with: what links cases by their pixels was known only then.
    """
    if not recipes.get(plan.train.recipe).unlabelled:
        return _with(space, ()) if space.assignment.unlabelled else space
    return _at_most(found(space), plan.train.unlabelled, plan)


def _at_most(space: Workspace, most: int | None, plan: Plan) -> Workspace:
    """Return the workspace with at most so many unlabelled cases, drawn by the seed."""
    beside = space.assignment.beside
    if most is None or len(beside) <= most:
        return space
    kept = set(sorted(beside, key=lambda i: seed_of(plan.train.seed, NAME, i))[:most])
    return _with(space, tuple(tuple(i for i in ids if i in kept) for ids in space.assignment.unlabelled))


def found(space: Workspace) -> Workspace:
    """Return the workspace with every unlabelled case that may be learned from."""
    target, assignment = space.target, space.assignment
    if target is None or assignment.unlabelled or space.resumed:
        return space
    made = cohorts.with_unlabelled(assignment, space.cohort, target=target.name, groups=space.groups)
    return replace(space, assignment=made)


def _with(space: Workspace, unlabelled: tuple[tuple[str, ...], ...]) -> Workspace:
    return replace(space, assignment=replace(space.assignment, unlabelled=unlabelled))


def to_try(begun: Begun, space: Workspace, plan: Plan) -> Workspace | None:
    """Return the workspace with its unlabelled cases where `fit` is to find out whether they help; else None.

    It is not where a plan is given or followed, where somebody chose the recipe, where no case lacks the target, or
    where the last stage is given answers of an earlier one, which is not trained yet.
    """
    free = begun.given is None and not begun.follows and RECIPE not in plan.reasons
    free = free and by_truth(stages_of(plan))
    if not free or recipes.get(plan.train.recipe).unlabelled or not space.task.semi_supervised(space.target):
        return None
    with_all = found(space)
    return with_all if with_all.assignment.beside else None


def affordable(begun: Begun, space: Workspace, planned: Planned) -> Workspace:
    """Return the workspace with no more unlabelled cases than can be prepared in a part of the time for training.

    They are drawn by the seed. A run that goes on in its folder keeps those that it began with.
    """
    seen, plan = planned.foreseen, planned.plan
    if begun.limit_s is None or begun.path is not None or seen is None or not seen.case_s:
        return space
    return _at_most(space, int(PREPARING * _training_s(plan, seen) / seen.case_s), plan)


def _training_s(plan: Plan, seen: Foreseen) -> float:
    """Return how long all of the training is foreseen to take."""
    return seen.step_s * plan.train.steps * plan.train.members


def announced(space: Workspace, plan: Plan) -> Plan:
    """Return the plan that says what would be tried, for a run that stops at its plan."""
    names = listed(space.task.semi_supervised(space.target))
    return override(
        plan, {RECIPE: plan.train.recipe}, reason=f"{_many(space)}; fit tries {names} on held-out folds"
    )


def decided(
    begun: Begun, first: Plan, space: Workspace, planned: Planned, path: Path
) -> tuple[Workspace, Planned]:
    """Find out whether unlabelled cases help, and return the workspace and the plan to go on with.

    `space` holds the unlabelled cases; `planned` is the plain plan, and `first` the same while its steps were open.
    What was tried, what it cost and what came of it is the reason of `train.recipe`.
    """
    plan, names = planned.plan, space.task.semi_supervised(space.target)
    few = _too_few(space)
    verdict, ready = Verdict(None, f"not tried: {few}", spent=False), None
    if not few and planned.foreseen is not None:
        verdict, ready = tried(_trial(begun, space, plan, planned.foreseen, path))
    settings: dict[str, Any] = {RECIPE: plan.train.recipe}
    if verdict.chosen:
        settings = dict(verdict.chosen.settings)
    used = "are learned from, too" if verdict.chosen else "are not learned from"
    reason = f"{_many(space)} and {used}; {listed(names)} {verdict.why}"
    begun.asked.progress.note(reason)
    planned = replace(planned, ready=ready or planned.ready)
    return _fixed(begun, first, space, planned, reason, settings=settings, spent=verdict.spent)


def _trial(begun: Begun, space: Workspace, plan: Plan, seen: Foreseen, path: Path) -> Trial:
    """Return the question whether one of the task's recipes is better than the plain plan."""
    start, names = begun.start, space.task.semi_supervised(space.target)
    many = {} if begun.limit_s is None else {MANY: len(space.assignment.beside)}
    return Trial(
        name=NAME,
        space=space,
        plan=plan,
        candidates=[Candidate(name, {RECIPE: name, **many}) for name in names],
        training_s=_training_s(plan, seen),
        step_s=seen.step_s,
        answer_s=seen.answer_s,
        limited=begun.limit_s is not None and plan.reasons.get("train.steps") != USER,
        path=path,
        progress=begun.asked.progress,
        device=begun.asked.device,
        start=start.weights if start else None,
    )


def _fixed(
    begun: Begun,
    first: Plan,
    space: Workspace,
    planned: Planned,
    reason: str,
    *,
    settings: Mapping[str, Any],
    spent: bool,
) -> tuple[Workspace, Planned]:
    """Return what to go on with: the plan with its recipe and the reason, its steps fixed anew where time was spent."""
    if not spent:
        plan = override(planned.plan, settings, reason=reason)
        return with_unlabelled(space, plan), replace(planned, plan=plan)
    plan = override(first, settings, reason=reason)
    space = with_unlabelled(space, plan)
    made = fix_steps(begun, space, plan)
    return space, replace(made, ready=planned.ready or made.ready)


def _too_few(space: Workspace) -> str:
    """Return why there is little to gain, by the counts alone; empty where there may be."""
    labelled, beside = len(space.assignment.training(0)), len(space.assignment.unlabelled[0])
    if beside < ENOUGH * labelled:
        many = f"{beside} usable and in time to be prepared"
        return f"{many} are fewer than the {labelled} that a member learns from with it"
    return ""


def _many(space: Workspace) -> str:
    n = len(space.assignment.beside)
    return f"{counted(n, 'training case lacks', 'training cases lack')} the target"
