"""Who is tested on and who is learned from, the same for all fits of a transfer table; labels are hidden by patient.

Nobody learns from a test case: pre-training is given the training pictures alone, without any label; a fit is given the
training cases that keep their label, and the test cases as a declared test split, which no choice within it looks at.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from vesalius import cohorts
from vesalius.core.case import Case
from vesalius.core.cohort import Assignment, Cohort, TargetInfo
from vesalius.core.errors import DataError, UnknownName
from vesalius.core.groups import value_of
from vesalius.core.words import counted
from vesalius.run.arms import Level
from vesalius.run.workspace import Workspace


@dataclass(frozen=True, eq=False)
class Shift:
    """A group that is tested on and not learned from: the cases whose `column` holds `value`."""

    column: str
    value: str

    @property
    def words(self) -> str:
        """What it is called."""
        return f"{self.column}={self.value}"

    def holds(self, case: Case) -> bool:
        """Return whether a case is of that group."""
        found = value_of(case, self.column)
        return found is not None and (f"{found:g}" if isinstance(found, float | int) else found) == self.value


@dataclass(frozen=True, eq=False)
class Setting:
    """On what a transfer table stands: the cases by their part in it, and what all fits share.

    `cohort` holds the training and the test cases, `test` declared so; `shifted` are the cases of the group that is
    only tested on. `groups` are near duplicates (case id → group), which no label is hidden apart.
    """

    cohort: Cohort
    info: TargetInfo
    task: str
    test: tuple[str, ...]
    learned: tuple[str, ...]
    shifted: tuple[Case, ...]
    by: str
    groups: Mapping[str, str]
    shift: Shift | None = None

    def labelled(self, level: Level, seed: int, *, unlabelled: bool = False) -> Cohort:
        """Return the training cases that keep their label and the test cases; with `unlabelled` the others, too."""
        name = self.info.name
        hidden = cohorts.with_share_of_labels(
            self.cohort,
            name,
            share=level.share,
            count=level.count,
            seed=seed,
            keep=self.test,
            groups=self.groups,
        )
        return hidden if unlabelled else hidden[[c.id for c in hidden.cases if name in c.targets]]

    @property
    def pictures(self) -> Cohort:
        """The training cases without any target: what pre-training may see."""
        part = self.cohort[list(self.learned)]
        bare = tuple(replace(c, targets={}, split=None) for c in part.cases)
        return replace(part, cases=bare, targets={}, hash="", digests={})


def setting(space: Workspace, shift: Shift | None) -> Setting:
    """Return who is tested on and who is learned from. Raises DataError, UnknownName for a shift that nobody is of."""
    cohort, info = space.cohort, space.target
    if info is None:
        raise DataError("a transfer table needs a target to learn", found="a task without one")
    shifted: tuple[Case, ...] = ()
    assignment = space.assignment
    if shift is not None:
        shifted = tuple(c for c in cohort.cases if shift.holds(c) and info.name in c.targets)
        if not shifted:
            _no_such_group(cohort, shift)
        cohort = _without_shift(cohort, shift, space.groups)
        assignment = cohorts.assign(cohort, target=info, seed=0, groups=space.groups)
    if not assignment.test:
        raise DataError("a transfer table needs test cases that nobody learns from", found="none")
    learned = _learned(assignment, cohort, info.name, space.groups)
    part = cohort[[c.id for c in cohort.cases if c.id in {*learned, *assignment.test}]]
    declared = cohorts.with_declared_test(part, assignment.test)
    return Setting(
        declared,
        info,
        space.task.name,
        assignment.test,
        learned,
        shifted,
        assignment.by,
        space.groups,
        shift,
    )


def _no_such_group(cohort: Cohort, shift: Shift) -> None:
    """Raise UnknownName for a column, or for a value of it, that no case has."""
    there = {name for c in cohort.cases for name in c.covariates}
    values = {str(v) for c in cohort.cases if (v := value_of(c, shift.column)) is not None}
    if not values:
        raise UnknownName("column", shift.column, there)
    raise UnknownName(f"value of column '{shift.column}'", shift.value, values)


def _without_shift(cohort: Cohort, shift: Shift, groups: Mapping[str, str]) -> Cohort:
    """Return the cases that are not of the group, nor of a patient, nor near a duplicate, of one that is."""
    keys = cohorts.connected(cohort.cases, groups)
    there = {keys[c.id] for c in cohort.cases if shift.holds(c)}
    left = [c.id for c in cohort.cases if keys[c.id] not in there]
    if len(left) < 3:
        raise DataError(
            f"without {shift.words} too few cases are left to learn from",
            found=counted(len(left), "case"),
            hint="another column, or data of several groups",
        )
    return cohort[left]


def _learned(
    assignment: Assignment, cohort: Cohort, target: str, groups: Mapping[str, str]
) -> tuple[str, ...]:
    """Return the training cases, and the cases without a target that share no patient with a test case."""
    keys = cohorts.connected(cohort.cases, groups)
    tested = {keys[c] for c in assignment.test}
    trained = {c for fold in assignment.folds for c in fold}
    free = [c.id for c in cohort.cases if target not in c.targets and c.split in (None, "train")]
    beside = {c for c in free if keys[c] not in tested}
    return tuple(c.id for c in cohort.cases if c.id in trained | beside)
