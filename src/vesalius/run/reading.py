"""Reading what a run stands on: the cohort, decoded once and checked, its target and its folds."""

from __future__ import annotations

from vesalius.core.errors import DataError, OutputError, PlanError, UnknownName
from vesalius.plan import torch_threads
from vesalius.run.begin import Begun
from vesalius.run.limited import Limited
from vesalius.run.workspace import Workspace, prepare_workspace


def read_workspace(begun: Begun) -> Workspace:
    """Return what a run stands on, and say what was set aside.

    Raises DataError and its kin, UnknownName, PlanError; BudgetError as soon as reading is seen to take too long. For a
    run that is opened again these are one OutputError: what it began with could be read, so it is not there any more.
    """
    progress = begun.asked.progress
    torch_threads.use(begun.vacancy.cores)
    try:
        space = _prepared(begun)
    except (DataError, UnknownName) as error:
        if begun.path is None or (isinstance(error, UnknownName) and error.name == begun.asked.target):
            raise
        raise OutputError(
            "these data, as they are told, are not those that this run began with",
            found=error.what + (f", {error.found}" if error.found else ""),
            hint=f"the data of before ({begun.told.get('data')}) told as then, or a new run",
        ) from error
    for item in space.cohort.set_aside:
        progress.note(f"set aside: {item.case}: {item.reason}")
    if "not trained on" in space.assignment.by or (
        space.assignment.shots is not None and begun.start is None
    ):
        progress.note(f"split: {space.assignment.by}")
    return space


def _prepared(begun: Begun) -> Workspace:
    asked, given, progress = begun.asked, begun.given, begun.asked.progress
    return prepare_workspace(
        asked.data,
        task=asked.task or (given.task.name if given else None),
        target=asked.target or (given.task.target if given else None),
        columns=asked.columns,
        layout=asked.layout,
        split=asked.split,
        labels=asked.labels,
        seed=begun.seed,
        folds=_fold_count(begun),
        max_set_aside=asked.max_set_aside,
        progress=progress if begun.limit_s is None else Limited(progress, asked.began, begun.limit_s),
        assignment=begun.assignment,
        past=begun.start.past if begun.start else None,
        shots=shots_asked(begun),
        with_test=asked.with_test,
        beside=[one.past for one in begun.stages.values()],
    )


def shots_asked(begun: Begun) -> int | None:
    """Return how many cases of each label are to be learned from; None for all. Raises PlanError."""
    text = str(begun.asked.settings.get("train.shots", ""))
    if begun.asked.shots is None and text not in ("", "None", "null"):
        if not text.isdecimal() or int(text) < 1:
            raise PlanError("train.shots must be a whole number, at least 1", found=repr(text))
        return int(text)
    return begun.asked.shots or (begun.given.train.shots if begun.given else None)


def _fold_count(begun: Begun) -> int:
    """Return how many folds are made where the data declare none."""
    asked = begun.asked
    if asked.folds is not None:
        return asked.folds
    if shots_asked(begun) is not None:
        return 2  # those that validate, and the shots
    if "train.folds" in asked.settings:
        text = str(asked.settings["train.folds"])
        if not text.isdecimal() or int(text) < 2:
            raise PlanError("train.folds must be a whole number, at least 2", found=repr(text))
        return int(text)
    return begun.given.train.folds if begun.given else 5
