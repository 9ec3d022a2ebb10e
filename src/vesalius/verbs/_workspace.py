"""What `fit` stands on: a checked cohort, its target and task, its folds, and what was measured of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from vesalius import cohorts
from vesalius.cohorts._check import Decoded
from vesalius.core import registry
from vesalius.core.case import Case
from vesalius.core.cohort import Assignment, Cohort, TargetInfo
from vesalius.core.disk import output_errors
from vesalius.core.errors import DataError, OutputError, PlanError
from vesalius.core.plan import Plan
from vesalius.core.progress import Progress
from vesalius.plan.facts import Facts, facts
from vesalius.reliability.duplicates import Twins
from vesalius.tasks import _contract as tasks
from vesalius.tasks._contract import Task


@dataclass(frozen=True, eq=False)
class Workspace:
    """Everything that is known before a plan is made. `facts` are by case id."""

    cohort: Cohort
    target: TargetInfo
    task: Task
    assignment: Assignment
    facts: Mapping[str, Facts]

    def cases(self, ids: tuple[str, ...]) -> list[Case]:
        """The cases of those ids, in the cohort's order."""
        wanted = set(ids)
        return [c for c in self.cohort.cases if c.id in wanted]

    @property
    def training(self) -> list[Case]:
        """Every case of every fold: all that may be learned or measured from."""
        return self.cases(tuple(i for fold in self.assignment.folds for i in fold))

    @property
    def test(self) -> list[Case]:
        """The cases held out for the scorecard."""
        return self.cases(self.assignment.test)


class Observer:
    """Measures each case while the check has its pixels anyway: facts for the plan, prints to find twins by."""

    def __init__(self, target: TargetInfo) -> None:
        self.target = target
        self.facts: dict[str, Facts] = {}
        self.twins = Twins()

    def __call__(self, decoded: Decoded) -> None:
        """Take in one case."""
        self.twins(decoded)
        if decoded.fault is not None or decoded.case.reference not in decoded.images:
            return
        image = decoded.images[decoded.case.reference]
        counted = tuple(sorted(decoded.values.get(self.target.name, {}).items()))
        measured = facts(image, decoded.masks.get(self.target.name), case=decoded.case)
        self.facts[decoded.case.id] = replace(measured, voxels=counted)

    @property
    def groups(self) -> dict[str, str]:
        """Cases that show nearly the same image, and so perhaps one patient: no split may part them."""
        return self.twins.groups()

    @property
    def copies(self) -> dict[str, str]:
        """Cases that show the same image. Of a declared test set only these are kept from training: what its
        authors took for different stays so."""
        return self.twins.groups(near=2.0)


def prepare_workspace(
    data: Path | str | Cohort,
    *,
    task: str | None,
    target: str | None,
    columns: Mapping[str, str] | None,
    split: Path | None,
    seed: int,
    folds: int,
    max_set_aside: float,
    progress: Progress,
    assignment: Assignment | None = None,
) -> Workspace:
    """Read, choose the target and the task, decode everything once, assign folds.

    Raises DataError and its kin, UnknownName, PlanError.
    """
    if isinstance(data, Cohort):
        cohort = data
    else:
        cohort = cohorts.read(data, target=target, columns=columns, split=split, max_set_aside=max_set_aside)
    chosen = cohorts.select_target(cohort, target)
    job = choose_task(task, chosen)
    observer = Observer(chosen)
    cohort = cohorts.check(
        cohort, target=chosen.name, progress=progress, max_set_aside=max_set_aside, observe=observer
    )
    chosen = cohort.targets[chosen.name]
    for twin in observer.twins.exact() if chosen.kind == "class" else ():
        if chosen.name in twin.contradicts:  # at least one is wrong, and a person must say which
            progress.note(str(twin))
    missing = job.check(cohort, chosen)
    if missing:
        raise DataError(
            f"{job.name} needs {'; '.join(missing)}", found=f"{len(cohort.cases)} cases in {cohort.root}"
        )
    if assignment is None:
        assignment = cohorts.assign(
            cohort, target=chosen, seed=seed, folds=folds, groups=observer.groups, copies=observer.copies
        )
    return Workspace(cohort, chosen, job, assignment, observer.facts)


def choose_task(name: str | None, target: TargetInfo) -> Task:
    """The task asked for, or the first that learns from such a target. Raises UnknownName, DataError."""
    if name is not None:
        job = tasks.get(name)
        if target.kind not in job.targets:
            raise DataError(
                f"task '{name}' cannot learn from target '{target.name}'",
                found=f"a {target.kind}",
                hint=f"a target of kind {' or '.join(job.targets)}",
            )
        return job
    return tasks.for_target(target.kind, {n: tasks.get(n) for n in registry.names("tasks")})


def no_side_swapped(plan: Plan) -> None:
    """Raises PlanError where the plan mirrors left and right although a label names a side."""
    if not plan.fingerprint.get("sided"):
        return
    for path, axes in (("augment.flip_axes", plan.augment.flip_axes), ("infer.mirror", plan.infer.mirror)):
        if "x" in axes:
            raise PlanError(
                f"{path} would exchange left and right, and a label names a side",
                found=", ".join(axes),
                hint=f"--set {path}=[]",
            )


def untouched(out: Path) -> None:
    """Say before an hour of reading, not after, that nothing is overwritten. Raises OutputError."""
    with output_errors(out):
        if out.exists() and (not out.is_dir() or any(out.iterdir())):
            raise OutputError(f"{out} exists and is not empty; nothing is overwritten", hint="another -o")


def plain(value: Any) -> Any:
    """Arguments as JSON can hold them."""
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, Mapping):
        return {str(k): plain(v) for k, v in value.items()}
    return value
