"""Promises of what a task says of itself, and of the cohorts that it takes and refuses."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from vesalius import metrics
from vesalius.core import registry
from vesalius.core.answers import kinds
from vesalius.core.cohort import Cohort
from vesalius.core.plan import parse_plan
from vesalius.infer import runs
from vesalius.infer.sound import assert_sound
from vesalius.tasks import contract
from vesalius.testing.promise import promised, require
from vesalius.testing.trial import TaskTrial


def is_found_by_its_name(trial: TaskTrial) -> None:
    """Require that the registry finds the task under its own name, and describes it."""
    name = trial.task.name
    with promised(f"{trial}: it is registered under its name"):
        require(contract.get(name) is trial.task, f"{trial}: the registered task '{name}' is this one")
    require(registry.names("tasks")[name].strip(), f"{trial}: its file's first line, or NAMES, describes it")


def names_what_it_takes_and_gives(trial: TaskTrial) -> None:
    """Require a kind of answer, targets, roles of nets and a way of running that exist."""
    task = trial.task
    require(task.answer in kinds(), f"{trial}: `answer` is a registered kind, not {task.answer!r}")
    some = bool(task.targets) or not task.needs_target
    require(some, f"{trial}: `targets` names kinds of target, or `needs_target` is False")
    require(task.roles, f"{trial}: `roles` names the roles of the nets that it takes")
    known = registry.names(runs.KIND)
    require(task.run in known, f"{trial}: `run` is one of {', '.join(known)}, not {task.run!r}")
    recipes = registry.names("learn.recipes")
    require(task.recipe in recipes, f"{trial}: `recipe` is one of {', '.join(recipes)}, not {task.recipe!r}")


def names_a_metric_of_its_answer(trial: TaskTrial) -> None:
    """Require that `primary` is a metric of its kind of answer, where that kind has metrics and there is a truth."""
    kind, primary = trial.task.answer.__name__, trial.task.primary
    require(primary, f"{trial}: `primary` names the metric that picks the checkpoint")
    if metrics.judges(kind) and trial.task.targets:
        with promised(f"{trial}: `primary` is a metric of {kind}"):
            metrics.describe(kind, primary)


def holds_nothing(trial: TaskTrial) -> None:
    """Require that the instance has no attributes: what is learned lives in the State and in the model."""
    require_empty(trial, "")


def require_empty(trial: TaskTrial, when: str) -> None:
    """Require that the instance has no attributes; `when` says in words after what."""
    held = ", ".join(vars(trial.task))
    require(not held, f"{trial}: its instance holds nothing{when}, and this one holds {held}")


def says_what_an_empty_cohort_lacks(trial: TaskTrial) -> None:
    """Require that `check` says in words what an empty cohort lacks, where the task needs a target."""
    with promised(f"{trial}: `check` looks at an empty cohort"):
        missing = trial.task.check(Cohort(root=Path("nowhere"), layout="none", cases=()), None)
    words = all(isinstance(m, str) and m for m in missing)
    require(words, f"{trial}: `check` returns words, not {missing!r}")
    require(
        missing or not trial.task.needs_target, f"{trial}: `check` says that an empty cohort lacks a target"
    )


def takes_its_cohort(trial: TaskTrial) -> None:
    """Require that `check` has nothing to say against the cohort."""
    missing = trial.task.check(trial.space.cohort, trial.space.target)
    require(missing == (), f"{trial}: `check` takes the cohort, and says that it lacks {', '.join(missing)}")


def is_planned_with_reasons(trial: TaskTrial) -> None:
    """Require a plan for this task and target, with a reason for each value, that JSON gives back."""
    plan, target = trial.plan, trial.space.target
    require(plan.task.name == trial.task.name, f"{trial}: its plan is for it, not for {plan.task.name}")
    named = None if target is None else target.full_name
    require(plan.task.target == named, f"{trial}: its plan is about {named}, not {plan.task.target}")
    silent = [path for path, reason in plan.reasons.items() if not str(reason).strip()]
    require(not silent, f"{trial}: each planned value has a reason, and {', '.join(silent)} has none")
    with promised(f"{trial}: its plan is read again"):
        again = parse_plan(json.loads(plan.model_dump_json()))
    kept = again.model_dump_json() == plan.model_dump_json()
    require(kept, f"{trial}: its plan is the same when it is read again")


def has_the_names_that_are_needed(trial: TaskTrial) -> None:
    """Require that the task, its kind of answer and the metrics of that have every name, each to be called as it is."""
    with promised(f"{trial}: it has what is needed of it"):
        assert_sound(trial.task)


DESCRIBED: tuple[Callable[[TaskTrial], None], ...] = (
    is_found_by_its_name,
    has_the_names_that_are_needed,
    names_what_it_takes_and_gives,
    names_a_metric_of_its_answer,
    holds_nothing,
    says_what_an_empty_cohort_lacks,
    takes_its_cohort,
    is_planned_with_reasons,
)
