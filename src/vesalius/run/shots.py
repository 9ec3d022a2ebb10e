"""Few shots in a run: which cases are drawn to be learned from, and what the plan is then."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from vesalius import cohorts
from vesalius.cohorts.targets import contract as kinds
from vesalius.core.case import Case
from vesalius.core.cohort import Assignment, Cohort, TargetInfo
from vesalius.core.errors import PlanError
from vesalius.core.plan import AS_MANY, USER, Plan, override
from vesalius.learn.recipes import contract as recipes
from vesalius.nets import describe
from vesalius.plan.facts import Facts

FEWEST = 2  # cases of a label from which a strength can be chosen by leaving one out
WHY = {
    "linear": "few shots: a regularised linear layer on frozen features is hard to beat (Tian et al. 2020, "
    "arXiv 2003.11539)",
    "prototypes": "one shot: of one case a label nothing can be left out by which a strength is chosen",
}
COLUMNS = "hypercolumn"  # the dense net that is an encoder's maps and nothing else
ONE_MEMBER = "few shots: all of them are learned from, so there are no folds of them"


def with_shots(
    assignment: Assignment,
    cohort: Cohort,
    *,
    shots: int,
    target: TargetInfo | None,
    facts: Mapping[str, Facts],
    seed: int,
    groups: Mapping[str, str],
) -> Assignment:
    """Return the assignment with `shots` training cases of each label to learn from (see `cohorts.draw_shots`).

    Of numbers so many are drawn in all, one from each of as many parts of the cases, from the lowest to the highest.
    Raises DataError where a label has too few, PlanError where the target has neither labels nor numbers.
    """
    if target is None:
        raise PlanError("--shots draws cases of each label, and no target is learned", hint="--target NAME")
    training = {i for fold in assignment.folds for i in fold}
    cases = [c for c in cohort.cases if c.id in training and target.name in c.targets and c.split != "val"]
    parts = parts_of(cases, target, shots)
    held = labels_of(cases, target, facts) if parts is None else parts
    drawn = cohorts.draw_shots(
        assignment,
        cohort,
        shots=shots if parts is None else 1,
        labels=lambda case: held.get(case.id, ()),
        seed=seed,
        groups=groups,
        said="of each label" if parts is None else f"of each of {shots} parts from the lowest to the highest",
    )
    return replace(drawn, shots=shots)


def labels_of(
    cases: Sequence[Case], target: TargetInfo, facts: Mapping[str, Facts]
) -> dict[str, tuple[str, ...]]:
    """Return the labels of each case: of names those it has, `""` for none; of what is drawn those that are there.

    Raises PlanError for a target without labels.
    """
    kind = kinds.of(target.kind)
    if kind.named:
        return {c.id: kind.names_in(c.targets[target.name]) or ("",) for c in cases}
    if not kind.drawn:
        raise PlanError(
            f"few shots are drawn by label, and target '{target.name}' has none",
            found=f"a target of kind {target.kind}",
            hint="without --shots",
        )
    there = {c.id: {v for v, n in facts[c.id].voxels if n} for c in cases if c.id in facts}
    return {case: tuple(x.name for x in target.labels if x.value in found) for case, found in there.items()}


def parts_of(cases: Sequence[Case], target: TargetInfo, parts: int) -> dict[str, tuple[str, ...]] | None:
    """Return in which of `parts` parts of equal size each case's number lies; None where targets are no numbers."""
    kind = kinds.of(target.kind)
    numbers = {c.id: kind.number_of(c.targets[target.name]) for c in cases}
    known = {case: number for case, number in numbers.items() if number is not None}
    if kind.named or len(known) < len(cases):
        return None
    ordered = sorted(known, key=lambda case: (known[case], case))
    return {
        case: (f"{target.name}, part {k * parts // len(ordered) + 1} of {parts}",)
        for k, case in enumerate(ordered)
    }


def few_shots(plan: Plan, shots: int | None) -> Plan:
    """Return the rules' plan for a run that learns from few shots: one member, and a last layer on frozen features."""
    if shots is None:
        return plan
    recipe = "linear" if shots >= FEWEST else "prototypes"
    plan = override(plan, {"train.shots": shots})
    plan = override(plan, {"train.recipe": recipe}, reason=WHY[recipe])
    return override(plan, {"train.members": 1}, reason=ONE_MEMBER)


def frozen_columns(plan: Plan, settings: Mapping[str, Any]) -> Plan:
    """Return the plan with an encoder's stacked maps in place of a decoder over it, where nothing of a net is learned.

    A decoder's weights would stay random. A net that the user named stays.
    """
    recipe = str(settings.get("train.recipe", plan.train.recipe))
    named = any(path.startswith("net.") for path in settings)
    if named or recipes.get(recipe).steps is None or "encoder" not in plan.net.options:
        return plan
    known = describe(COLUMNS)["OPTIONS"]
    options = {name: value for name, value in plan.net.options.items() if name in known}
    why = "nothing of the net is learned, so it is an encoder whose weights are known, without a decoder"
    return override(plan, {"net.name": COLUMNS, "net.scale": 1.0, "net.options": options}, reason=why)


def as_many_steps(plan: Plan) -> Plan:
    """Return the plan with as many steps as its recipe makes, where that follows from no time.

    Nothing of the net is learned then: neither phases nor coarser maps of a decoder have a meaning.
    """
    steps = recipes.get(plan.train.recipe).steps
    if steps is None:
        return plan
    idle: dict[str, Any] = {}
    if plan.train.phases and plan.reasons.get("train.phases") != USER:
        idle["train.phases"] = []
    if plan.loss.deep_supervision and plan.reasons.get("loss.deep_supervision") != USER:
        idle["loss.deep_supervision"] = False
    if idle:
        plan = override(plan, idle, reason=f"recipe {plan.train.recipe} learns nothing below the last layer")
    return override(plan, {"train.steps": steps}, reason=f"{AS_MANY}: {plan.train.recipe}")


def assert_few(plan: Plan, folds: int | None) -> None:
    """Raise PlanError where folds or members are asked for of few shots."""
    if plan.train.shots is None:
        return
    if folds is not None or plan.train.members > 1:
        asked: Any = f"--folds {folds}" if folds is not None else f"train.members={plan.train.members}"
        raise PlanError(
            "few shots are all learned from by one member, so there are no folds of them",
            found=f"--shots {plan.train.shots} and {asked}",
            hint="one of the two",
        )
