"""Suggesting: which cases of a pool are free to be suggested, what is labelled already, and which go together."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from vesalius import cohorts
from vesalius.answers import contract
from vesalius.cohorts import Decoded
from vesalius.core.bundle import Bundle
from vesalius.core.case import Case
from vesalius.core.cohort import Cohort
from vesalius.core.errors import DataError, PlanError
from vesalius.core.image import Array
from vesalius.core.index import Index
from vesalius.core.progress import Progress
from vesalius.reliability.duplicates import Twins
from vesalius.reliability.marks import Marks
from vesalius.run import strategies
from vesalius.run.neighbours import beside
from vesalius.run.past import past_of_bundle
from vesalius.run.strategies.contract import FOUND, UNSURE, Pool
from vesalius.run.tabular import read_for
from vesalius.run.vectors import Vectors
from vesalius.tasks.contract import Task


class Looked:
    """What the reading of a pool shows of it: by which pixels a case is known again, and which are nearly the same."""

    def __init__(self) -> None:
        self.marks, self.twins = Marks(), Twins()

    def __call__(self, decoded: Decoded) -> None:
        """Take in one case."""
        self.marks(decoded)
        self.twins(decoded)


def parted(bundle: Bundle, cohort: Cohort, looked: Looked) -> tuple[list[Case], list[Case]]:
    """Return the cases of a pool that are free, and those that have the target or that its run knew."""
    target = bundle.stages[-1].plan.task.target
    overlap = past_of_bundle(bundle).overlap(cohort, looked.marks)
    own = set() if overlap is None else {*overlap.trained, *overlap.tested} - overlap.by_patient
    index = beside(bundle)
    known = frozenset(m for e in index.entries for m in e.marks) if isinstance(index, Index) else frozenset()
    marks = looked.marks.pixels()
    done = {
        c.id
        for c in cohort.cases
        if (target is not None and target in c.targets) or c.id in own or marks.get(c.id, frozenset()) & known
    }
    return [c for c in cohort.cases if c.id not in done], [c for c in cohort.cases if c.id in done]


def grouped(cases: Sequence[Case], looked: Looked, *, same_patient: bool) -> list[str]:
    """Return a name for each case that those share of which one is taken: of a patient, and of nearly one picture.

    With `same_patient` only those of exactly one picture.
    """
    alike = looked.twins.groups(near=2.0) if same_patient else looked.twins.groups()
    bare = [replace(c, patient=None) for c in cases] if same_patient else cases
    linked = cohorts.connected(bare, alike)
    return [linked[c.id] for c in cases]


def suited(pool: Pool) -> str:
    """Return the name of the strategy that suits what is known of a pool."""
    if pool.found is not None and pool.unsure is not None:
        return "foreground"
    if pool.vectors is None:
        return "random" if pool.unsure is None else "uncertainty"
    return "coreset" if pool.unsure is None else "both"


def as_the_run(bundle: Bundle, labelled: Path | str | Cohort | None) -> bool:
    """Return whether a pool is held against a run's index that knows of each image its tile in the middle alone.

    Then the pool's images are seen so, too: features of one tile and of all are no neighbours.
    """
    index = beside(bundle) if labelled is None else None
    return isinstance(index, Index) and index.tiles == "middle"


def unusable(task: Task, names: Iterable[str]) -> dict[str, str]:
    """Return which strategies cannot choose among the answers of a task, each with the reason, before any is made.

    A measure of doubt that the answers do not have would be another one under its name.
    """
    handling = contract.of(task.answer)
    placed = type(handling).found is not contract.Handling.found
    found = {}
    for name in names:
        strategy = strategies.get(name)
        if FOUND in strategy.needs and not placed:
            found[name] = f"answers of {task.name} have no place"
        elif UNSURE in strategy.needs and strategy.by >= len(handling.unsure_by):
            found[name] = f"answers of {task.name} have one measure of how unsure they are"
    return found


def labelled_vectors(
    vectors: Vectors,
    bundle: Bundle,
    done: Sequence[Case],
    labelled: Path | str | Cohort | None,
    layout: str | None,
    columns: Mapping[str, str] | None,
    progress: Progress,
    *,
    looked: Looked,
) -> Array | None:
    """Return the vectors `(M, F)` of what is labelled: of a cohort, or else of the run's training cases; and of `done`.

    The run's are those of its index, where their features are made as the pool's are (`as_the_run`).
    """
    if labelled is not None:
        told = None if isinstance(labelled, Cohort) else columns
        cohort = read_for(
            bundle, labelled, layout=None if isinstance(labelled, Cohort) else layout, columns=told
        )
        return _vectors(vectors, [*cohort.cases, *done], progress)
    index = beside(bundle)
    if not isinstance(index, Index) or vectors.reads:
        return _vectors(vectors, done, progress)
    known, marks = {m for e in index.entries for m in e.marks}, looked.marks.pixels()
    more = _vectors(vectors, [c for c in done if not marks.get(c.id, frozenset()) & known], progress)
    if more is None or more.shape[1:] != index.vectors.shape[1:]:
        return index.vectors
    return np.concatenate([index.vectors, more])


def _vectors(vectors: Vectors, cases: Sequence[Case], progress: Progress) -> Array | None:
    rows: list[Array] = []
    progress.start("labelled", len(cases))
    try:
        for case in cases:
            try:
                rows.append(vectors.of_case(replace(case, targets={})))
            except (DataError, PlanError):  # it cannot be compared, and is labelled all the same
                continue
            finally:
                progress.advance("labelled")
    finally:
        progress.finish("labelled")
    return np.stack(rows) if rows else None
