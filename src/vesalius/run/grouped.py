"""What of a plan goes by groups of patients: the column, its bands, and whether there are enough patients for it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from vesalius.core.bundle import State
from vesalius.core.case import Case
from vesalius.core.errors import PlanError
from vesalius.core.groups import Grouping, grouping
from vesalius.core.plan import Plan, override
from vesalius.core.subgroups import SMALLEST
from vesalius.core.words import counted
from vesalius.run.workspace import Workspace
from vesalius.tasks import contract
from vesalius.tasks.contract import Task

WHY_BY = "the column of --by, whose groups {what} goes by"
WHY_BOUNDS = "ages in years, or as many training cases in each band"


def grouped(plan: Plan, space: Workspace, by: Sequence[str] | None) -> Plan:
    """Return the plan with the column by whose groups it goes, and the bands of it; as it is where it goes by none.

    Raises PlanError where no column is named, or where the groups are too small for what is asked; DataError where no
    training case has the column.
    """
    wanted = by_groups(plan)
    if not wanted:
        return plan
    column = plan.train.by or next(iter(by or ()), None)
    if column is None:
        raise PlanError(
            f"train.{wanted[0]} goes by groups of patients, and no column says which these are",
            hint="--by sex, or --set train.by=sex",
        )
    way = grouping(space.training, column)
    if column != plan.train.by:
        plan = override(plan, {"train.by": column}, reason=WHY_BY.format(what=f"train.{wanted[0]}"))
    if way.bounds != plan.train.by_bounds:
        if "train.by_bounds" in plan.reasons:
            way = Grouping(column, plan.train.by_bounds)
        else:
            plan = override(plan, {"train.by_bounds": list(way.bounds)}, reason=WHY_BOUNDS)
    _assert_large(plan, space, way, wanted)
    return plan


def by_groups(plan: Plan) -> list[str]:
    """Return which settings of a plan's training go by groups."""
    train = plan.train
    on = {
        "select": train.select == "worst_group",
        "balance_groups": train.balance_groups,
        "group_thresholds": train.group_thresholds != "none",
    }
    return [name for name, wanted in on.items() if wanted]


def group_thresholds(
    task: Task,
    cases: Sequence[Case],
    raw: Sequence[Any],
    truths: Sequence[Any],
    state: State,
    plan: Plan,
    calibration: Mapping[str, Any],
) -> dict[str, Any]:
    """Return what `core/groups.fitted_for` takes: the grouping, and the thresholds of each group of enough patients.

    All are of validation cases. `best` does best by the planned rule in each group; `sensitivity` keeps in each group
    the sensitivity that the thresholds of all cases have over all groups.
    """
    way = Grouping(str(plan.train.by), plan.train.by_bounds)
    keep = None
    if plan.train.group_thresholds == "sensitivity":
        keep = task.sensitivities(raw, truths, state=state, calibration=calibration)
    found, n = {}, {}
    for group in dict.fromkeys(g for case in cases if (g := way.of(case)) is not None):
        at = [k for k, case in enumerate(cases) if way.of(case) == group]
        if len({cases[k].patient or cases[k].id for k in at}) < SMALLEST:
            continue
        own = task.thresholds(
            [raw[k] for k in at],
            [truths[k] for k in at],
            state=state,
            plan=plan,
            calibration=calibration,
            sensitivity=keep,
        )
        if own:
            found[group], n[group] = own, len(at)
    return {"grouping": way.json(), "thresholds": found, "n": n}


def _assert_large(plan: Plan, space: Workspace, way: Grouping, wanted: Sequence[str]) -> None:
    """Raise PlanError where fewer than two groups have enough patients for what goes by them."""
    folds = [space.cases(fold) for fold in space.assignment.folds[: plan.train.members]]
    if "select" in wanted:
        for fold in folds:
            _two_large(fold, way, "train.select=worst_group", "the validation cases of a member")
    if "group_thresholds" in wanted:
        if not contract.get(plan.task.name).has_thresholds(space.target):
            raise PlanError(
                f"task {plan.task.name} has no thresholds of this target that groups could have",
                found=f"train.group_thresholds={plan.train.group_thresholds}",
                hint="--set train.group_thresholds=none",
            )
        said = "all validation cases together"
        _two_large([c for fold in folds for c in fold], way, "train.group_thresholds", said)
    if "balance_groups" in wanted and len({way.of(c) for c in space.training}) < 2:
        raise PlanError(
            f"all training cases are of one group by '{way.column}', so there is nothing to balance",
            hint="--set train.balance_groups=false",
        )


def _two_large(cases: Sequence[Case], way: Grouping, what: str, where: str) -> None:
    patients: dict[str, set[str]] = {}
    for case in cases:
        group = way.of(case)
        if group is not None:
            patients.setdefault(group, set()).add(case.patient or case.id)
    if sum(len(who) >= SMALLEST for who in patients.values()) < 2:
        sizes = ", ".join(f"{name} {len(who)}" for name, who in patients.items()) or "no group"
        raise PlanError(
            f"{what} needs two groups of at least {counted(SMALLEST, 'patient')} among {where}",
            found=sizes,
            hint="another column, or fewer members (train.members) and folds (--folds)",
        )
