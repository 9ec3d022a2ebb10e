"""What `fit` stands on: a checked cohort, its target and task, its folds, and what was measured of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from vesalius import cohorts
from vesalius.cohorts import Decoded, Overlap
from vesalius.cohorts.targets import contract as kinds
from vesalius.core.case import Case
from vesalius.core.cohort import Assignment, Cohort, Label, TargetInfo
from vesalius.core.disk import output_errors
from vesalius.core.errors import DataError, OutputError, PlanError
from vesalius.core.plan import Plan
from vesalius.core.progress import Progress
from vesalius.core.statistics import Statistics
from vesalius.core.words import counted
from vesalius.plan.facts import Facts, facts
from vesalius.plan.summary import summary
from vesalius.prepare.case import BLANK
from vesalius.reliability.duplicates import Twins
from vesalius.reliability.marks import Marks
from vesalius.run.past import Past
from vesalius.run.shots import with_shots
from vesalius.tasks import contract
from vesalius.tasks.contract import Task

TEST_FRACTION = 0.2  # of the patients, where the data declare no test split
ENOUGH_NEW = (
    2 * TEST_FRACTION
)  # of the cases: with fewer, a test set of new ones alone would be too small, or odd


@dataclass(frozen=True, eq=False)
class Workspace:
    """Everything that is known before a plan is made. `facts` are by case id; by its `marks` a case is known again.

    `seen` are the cases that the weights to begin from were trained on, with the fold that they had; `overlap` says in
    words what is known of that. `groups` are cases that show nearly the same image, which no split may part; they
    are looked for where the folds are made, which was before where the run is `resumed`.
    """

    cohort: Cohort
    target: TargetInfo | None
    task: Task
    assignment: Assignment
    facts: Mapping[str, Facts]
    marks: Marks
    overlap: str = ""
    seen: Mapping[str, int | None] = field(default_factory=dict)
    groups: Mapping[str, str] = field(default_factory=dict)
    resumed: bool = False

    @property
    def labels(self) -> tuple[Label, ...]:
        """The labels of the target; none without one."""
        return self.target.labels if self.target else ()

    def cases(self, ids: tuple[str, ...]) -> list[Case]:
        """Return the cases of those ids, in the cohort's order."""
        wanted = set(ids)
        return [c for c in self.cohort.cases if c.id in wanted]

    @property
    def leaking(self) -> list[Case]:
        """The test cases that the weights to begin from were trained on."""
        return [c for c in self.test if c.id in self.seen]

    @property
    def training(self) -> list[Case]:
        """Every case of every fold: all that may be learned or measured from."""
        return self.cases(tuple(i for fold in self.assignment.folds for i in fold))

    @property
    def learned(self) -> list[Case]:
        """The cases of which anything is learned: all of every fold, but of few shots these alone."""
        few = self.assignment.shots is not None
        return self.cases(self.assignment.training(0)) if few else self.training

    @cached_property
    def summary(self) -> Statistics:
        """The statistics of the cases that are learned from."""
        return summary(self.cohort, self.facts, self.learned, self.target)

    @property
    def unlabelled(self) -> list[Case]:
        """The cases without the target that the planned recipe learns from, too."""
        return self.cases(self.assignment.beside)

    @property
    def test(self) -> list[Case]:
        """The cases held out for the scorecard."""
        return self.cases(self.assignment.test)


class Observer:
    """Measures each case while the check has its pixels anyway: facts for the plan, prints to find twins by."""

    def __init__(self, target: TargetInfo | None) -> None:
        self.target = target.name if target else ""
        self.kind = None if target is None else kinds.of(target.kind)
        self.facts: dict[str, Facts] = {}
        self.twins = Twins()
        self.marks = Marks()

    def __call__(self, decoded: Decoded) -> None:
        """Take in one case."""
        self.twins(decoded)
        self.marks(decoded)
        image = decoded.reference if decoded.case.images else BLANK
        if decoded.fault is not None or image is None:
            return
        counted = tuple(sorted(decoded.values.get(self.target, {}).items()))
        beside = {n: i for n, i in decoded.images.items() if n != decoded.case.reference}
        held = decoded.case.targets.get(self.target)
        things = () if self.kind is None or held is None else self.kind.extents(held)
        mask = decoded.masks.get(self.target)
        around = None if self.kind is None or held is None else self.kind.around(held, image.shape)
        measured = facts(
            image,
            mask,
            case=decoded.case,
            beside=beside,
            things=things,
            around=around,
            courses=decoded.courses,
        )
        self.facts[decoded.case.id] = replace(measured, voxels=counted)

    def recount(self, before: Case, after: Case) -> None:
        """Count a mask's voxels by its labels, where the check found that its values stand for others."""
        found, name = self.facts.get(after.id), self.target
        if found is not None and found.voxels:
            counts = cohorts.recounted({name: dict(found.voxels)}, before, after)[name]
            self.facts[after.id] = replace(found, voxels=tuple(sorted(counts.items())))

    @property
    def apart(self) -> dict[str, str]:
        """Cases whose images cannot be channels of one grid, as nothing is known to resample by; and why."""
        faults = {case: [b.fault for b in f.sources.beside if b.fault] for case, f in self.facts.items()}
        return {case: found[0] for case, found in faults.items() if found}

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
    past: Past | None = None,
    layout: str | None = None,
    labels: Mapping[str, str] | None = None,
    shots: int | None = None,
    with_test: bool = False,
    beside: Sequence[Past] = (),
    link: bool = False,
) -> Workspace:
    """Read, choose the target and the task, decode everything once, assign folds.

    With `link` it is known which cases belong together by their images, too, where an assignment is given.

    With `shots` so many cases of each label are drawn to be learned from (see `run/shots.py`).
    `past` is that of the weights to begin from: nothing that they learned from is tested on. `beside` are those of
    bundles that are earlier stages: what they learned from is not drawn to be tested on, where enough else is there.
    `with_test` leaves nothing to test on, whatever the data declare.
    Raises DataError and its kin, UnknownName, PlanError.
    """
    cohort = cohorts.open_cohort(
        data,
        layout=layout,
        target=target,
        columns=columns,
        split=split,
        labels=labels,
        max_set_aside=max_set_aside,
    )
    job, chosen = contract.choose(cohort, task=task, target=target)
    observer = Observer(chosen)
    cohort, chosen = _checked(cohort, chosen, observer, progress, max_set_aside)
    if not (job.takes_incomplete and cohorts.brings_sets(cohort, observer.apart)):
        cohort = cohorts.with_complete(cohort, observer.apart)
        cohorts.enforce_limit(cohort, max_set_aside)
    missing = job.check(cohort, chosen)
    if missing:
        raise DataError(
            f"{job.name} needs {'; '.join(missing)}",
            found=f"{counted(len(cohort.cases), 'case')} in {cohort.root}",
        )
    given = assignment is not None
    overlap = None if past is None else _inherited(past, cohort, chosen, observer.marks, given=given)
    groups: Mapping[str, str] = observer.groups if link or assignment is None else {}
    if assignment is None:
        assignment = cohorts.assign(
            _undivided(cohort) if with_test else cohort,
            target=chosen,
            seed=seed,
            folds=folds,
            test_fraction=0.0 if with_test else TEST_FRACTION,
            groups=groups,
            copies=observer.copies,
            overlap=None if with_test else _with_beside(overlap, beside, cohort, chosen, observer.marks),
        )
        if shots is not None:
            assignment = with_shots(
                assignment,
                cohort,
                shots=shots,
                target=chosen,
                facts=observer.facts,
                seed=seed,
                groups=groups,
            )
    said = "" if past is None else _said(past, overlap, cohort, assignment, observer.marks)
    seen = overlap.trained if overlap is not None else {}
    facts, marks = observer.facts, observer.marks
    return Workspace(cohort, chosen, job, assignment, facts, marks, said, seen, groups, resumed=given)


def _undivided(cohort: Cohort) -> Cohort:
    """Return the cohort without the split that its data declare."""
    return replace(cohort, cases=tuple(replace(case, split=None) for case in cohort.cases))


def _checked(
    cohort: Cohort, chosen: TargetInfo | None, observer: Observer, progress: Progress, max_set_aside: float
) -> tuple[Cohort, TargetInfo | None]:
    """Return the cohort and its target after every case was decoded; copies with other labels are told."""
    as_read = {c.id: c for c in cohort.cases}
    name = chosen.name if chosen else None
    cohort = cohorts.check(
        cohort, target=name, progress=progress, max_set_aside=max_set_aside, observe=observer
    )
    for case in cohort.cases:
        observer.recount(as_read[case.id], case)
    if chosen is None:
        return cohort, None
    chosen = replace(cohort.targets[chosen.name], beside=chosen.beside)
    for twin in observer.twins.exact() if kinds.of(chosen.kind).nominal else ():
        if chosen.name in twin.contradicts:  # at least one is wrong, and a person must say which
            progress.note(str(twin))
    return cohort, chosen


def _inherited(
    past: Past, cohort: Cohort, chosen: TargetInfo | None, marks: Marks, *, given: bool
) -> Overlap | None:
    """Return which cases the weights to begin from learned from; `given` says that the folds are there already."""
    splits = {c.split for c in cohort.cases if chosen is None or chosen.name in c.targets}
    declared = given or "test" in splits or {"train", "val"} <= splits
    return past.inherited(cohort, marks, declared=declared)


def _with_beside(
    overlap: Overlap | None, beside: Sequence[Past], cohort: Cohort, chosen: TargetInfo | None, marks: Marks
) -> Overlap | None:
    """Return the overlap by which a test set is drawn, with what bundles that are earlier stages learned from.

    A declared split stays as it is, and where too few cases are new to these bundles, all may be tested on.
    """
    splits = {c.split for c in cohort.cases if chosen is None or chosen.name in c.targets}
    seen: dict[str, int | None] = {}
    for past in beside:
        found = past.overlap(cohort, marks)
        seen |= dict.fromkeys(found.trained if found is not None else ())
    known = overlap or Overlap(" and ".join(past.of for past in beside))
    every = {**seen, **known.trained}
    new = sum(c.id not in every for c in cohort.cases)
    if not seen or splits & {"test", "val"} or new < ENOUGH_NEW * len(cohort.cases):
        return overlap
    return replace(known, trained=every)


def _said(past: Past, overlap: Overlap | None, cohort: Cohort, assignment: Assignment, marks: Marks) -> str:
    """Return what is known of test cases that the weights to begin from were trained on, in a sentence."""
    unchecked = past.unchecked(cohort, marks)
    if overlap is None:
        return unchecked
    n = sum(c in overlap.trained for c in assignment.test)
    many = f"{n or 'none'} of the {len(assignment.test)} test cases"
    found = f"{past.of}, from which this run began, was trained on {many}"
    return "; ".join(filter(None, (found, unchecked)))


def no_side_swapped(plan: Plan) -> None:
    """Raise PlanError where the plan mirrors left and right although a label names a side."""
    if plan.fingerprint.get("sided"):
        assert_unmirrored(plan)


def assert_unmirrored(plan: Plan, where: str = "") -> None:
    """Raise PlanError where a plan mirrors left and right. `where` is the path of a stage in the plan of a run."""
    for path, axes in (("augment.flip_axes", plan.augment.flip_axes), ("infer.mirror", plan.infer.mirror)):
        if "x" in axes:
            raise PlanError(
                f"{where}{path} would exchange left and right, and a label names a side",
                found=", ".join(axes),
                hint=f"--set {where}{path}=[]",
            )


def untouched(out: Path) -> None:
    """Say before an hour of reading, not after, that nothing is overwritten. Raises OutputError."""
    with output_errors(out):
        if out.exists() and (not out.is_dir() or any(out.iterdir())):
            begun = (out / "run.json").is_file() and not (out / "scorecard.json").is_file()
            hint = (
                "--resume to go on with the run that was begun there, or another -o"
                if begun
                else "another -o"
            )
            raise OutputError(f"{out} exists and is not empty; nothing is overwritten", hint=hint)


def plain(value: Any) -> Any:
    """Return arguments as JSON can hold them."""
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, Mapping):
        return {str(k): plain(v) for k, v in value.items()}
    return value
