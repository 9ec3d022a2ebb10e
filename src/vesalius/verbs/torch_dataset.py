"""torch_dataset: cases as a torch Dataset for anybody's own loop, prepared as a plan or a bundle says."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from vesalius import cohorts
from vesalius.cohorts.targets import contract as kinds
from vesalius.core.bundle import Bundle, open_bundle
from vesalius.core.case import Case
from vesalius.core.cohort import Cohort, Label
from vesalius.core.errors import DataError, UnknownName
from vesalius.core.plan import Plan
from vesalius.core.progress import Progress, Silent
from vesalius.core.sealed import MANIFEST
from vesalius.core.words import counted
from vesalius.reliability.marks import Marks
from vesalius.run.begin import Asked, begin
from vesalius.run.dataset import CaseDataset, dataset_of
from vesalius.run.finished import Run
from vesalius.run.past import past_of_bundle
from vesalius.run.planning import choose_plan
from vesalius.run.reading import read_workspace
from vesalius.run.ready import begun as ready_of
from vesalius.run.ready import training_cases
from vesalius.run.stages import stages_of
from vesalius.tasks import contract as tasks

SPLITS = ("train", "val", "test", "all")


def torch_dataset(
    data: Path | str | Cohort,
    plan: Run | Plan | Bundle | Path | str | None = None,
    *,
    split: str | None = None,
    fold: int = 0,
    task: str | None = None,
    target: str | None = None,
    settings: Mapping[str, Any] | None = None,
    seed: int = 0,
    patches: bool | None = None,
    progress: Progress | None = None,
) -> CaseDataset:
    """Return cases as a map-style `torch.utils.data.Dataset`: a dict of tensors each, prepared as `fit` would.

    Everything is decoded once, checked, and faulty cases are left out. Patients are never split. What is learned
    without gradients (labels, means) comes from the bundle, or from the cases that are not tested on. The items
    are described at `CaseDataset`.

    Args:
        data: A path as for `read`, or a cohort.
        plan: A bundle, a run, a plan or its file; without one the rules choose, as in `fit`.
        split: `train`, `val`, `test` or `all` (the default): what `fit` of these data with this `seed` would
            train member `fold` on, validate it on, and test on; of a run's bundle, what that run did.
        fold: Which member's.
        task: The question; by default it follows from the target.
        target: The target, where there are several.
        settings: Planned values by path, over the rules'.
        seed: Decides the folds.
        patches: Whether items are random patches of the planned size; by default those for training are,
            where the plan trains in patches.
        progress: A `Progress`; True, False or None: by default a bar shows itself on a terminal and in a
            notebook.

    Returns:
        The dataset.

    Raises:
        DataError: No case is left, or there is no such fold.
        UnknownName: There is no such split or target.
        PlanError: The plan cannot be followed.
    """
    if split is not None and split not in SPLITS:
        raise UnknownName("split", split, SPLITS)
    progress = progress or Silent()
    given = _given(plan)
    if isinstance(given, Bundle):
        return _of_bundle(data, given, split, fold, target, patches, progress)
    asked = Asked(
        data=data,
        began=time.monotonic(),
        task=task,
        target=target,
        seed=seed,
        settings=dict(settings or {}),
        plan=given,
        dry_run=True,
        progress=progress,
    )
    start = begin(asked)
    space = read_workspace(start)
    chosen = choose_plan(start, space)
    last = stages_of(chosen)[-1]
    state = ready_of(space, last).state
    folds = space.assignment.folds
    if not 0 <= fold < len(folds):
        raise DataError(f"there is no fold {fold}", found=counted(len(folds), "fold"), hint="a number from 0")
    learning = {c.id for c in training_cases(space, last)}
    ids = {
        "train": set(space.assignment.training(fold)) & learning,
        "val": set(folds[fold]) & learning,
        "test": set(space.assignment.test),
    }
    wanted = ids[split] if split in ids else set().union(*ids.values())
    cases = [c for c in space.cohort.cases if c.id in wanted]
    return dataset_of(_some(cases, split), chosen, state, patches=patches, training=split == "train")


def _given(plan: Run | Plan | Bundle | Path | str | None) -> Plan | Bundle | Path | None:
    """Return a plan or a bundle: a folder, or what has a bundle, is one."""
    if isinstance(plan, Run):
        return plan.plan if plan.bundle is None else plan.bundle
    if plan is None or isinstance(plan, Plan | Bundle):
        return plan
    path = Path(plan)
    return open_bundle(path) if path.is_dir() or (path / MANIFEST).exists() else path


def _of_bundle(
    data: Path | str | Cohort,
    bundle: Bundle,
    split: str | None,
    fold: int,
    target: str | None,
    patches: bool | None,
    progress: Progress,
) -> CaseDataset:
    """Return the cases as the last stage of a bundle was given them; their split as its own run had it."""
    stage = bundle.stages[-1]
    marks = Marks()
    cohort = data if isinstance(data, Cohort) else cohorts.read(data, target=target, max_set_aside=1.0)
    name = target or stage.plan.task.target
    name = name if name in cohort.targets else None
    cohort = cohorts.check(cohort, target=name, progress=progress, max_set_aside=1.0, observe=marks)
    if name is not None:
        info = cohort.targets[name]
        task = tasks.get(stage.plan.task.name)
        if info.kind not in task.held_against(stage.state):
            raise DataError(
                f"the bundle cannot learn from target '{name}'", found=f"a target of kind {info.kind}"
            )
        known = tuple(Label(int(x["value"]), str(x["name"])) for x in stage.state.values.get("labels", ()))
        kind = kinds.of(info.kind)
        kind.assert_learned(info, [x.name for x in known])
        if kind.drawn or kind.spelled:
            cohort = kind.aligned(cohort, name, known)
    cases = [c for c in cohort.cases if name is None or name in c.targets]
    if split not in (None, "all"):
        cases = _as_in_its_run(cohort, bundle, cases, str(split), fold, marks)
    return dataset_of(
        _some(cases, split),
        stage.plan,
        stage.state,
        patches=patches,
        training=split == "train",
        bundle=bundle if len(bundle.stages) > 1 else None,
    )


def _as_in_its_run(
    cohort: Cohort, bundle: Bundle, cases: list[Case], split: str, fold: int, marks: Marks
) -> list[Case]:
    """Return the cases of a split as the bundle's run had it; as the data declare it where the run is not known."""
    overlap = past_of_bundle(bundle).overlap(cohort, marks)
    if overlap is None or not (overlap.trained or overlap.tested):
        if not any(c.split for c in cases):
            raise DataError(
                f"which cases are '{split}' is not known: the data declare no split, and {bundle.name} has no record",
                hint="the folder of the bundle's run, data with a split, or split=None",
            )
        return [c for c in cases if c.split == split]
    parts = {
        "train": {i for i, own in overlap.trained.items() if own != fold},
        "val": {i for i, own in overlap.trained.items() if own == fold},
        "test": set(overlap.tested),
    }
    return [c for c in cases if c.id in parts[split]]


def _some(cases: list[Case], split: str | None) -> list[Case]:
    if not cases:
        raise DataError(f"no case is in split '{split or 'all'}'", hint="split=None for all")
    return cases
