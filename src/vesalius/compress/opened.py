"""What is compressed, opened: a bundle with the cases that its members learned from and those that they never saw."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from vesalius import cohorts, metrics
from vesalius.compress.contract import COMPRESSED, TORCH, Member, Model, Source
from vesalius.core.bundle import Bundle, Stage
from vesalius.core.case import Case
from vesalius.core.cohort import Assignment, Cohort
from vesalius.core.errors import DataError, PlanError
from vesalius.core.plan import Plan
from vesalius.core.progress import Progress
from vesalius.core.seeds import seed_of
from vesalius.infer.predictor import Predictor
from vesalius.run.members import member_of
from vesalius.run.past import Past, past_of_bundle
from vesalius.run.ready import Ready, made_ready
from vesalius.run.stages import stages_of
from vesalius.run.workspace import Workspace, prepare_workspace
from vesalius.tasks import contract as tasks

SEED = 0
MORE = 2  # times as many cases without the target as with it, at most


@dataclass(frozen=True, eq=False, kw_only=True)
class Reading:
    """How the data are read: as the other verbs take it; what is None is as the bundle's run was told."""

    columns: Mapping[str, str] | None = None
    layout: str | None = None
    labels: Mapping[str, str] | None = None
    split: Path | None = None


@dataclass(frozen=True, eq=False)
class Opened:
    """A bundle with its data. `space` has its run's own folds; `past` is what is known of what it learned from.

    `notes` are sentences that the report must say before any figure.
    """

    bundle: Bundle
    space: Workspace
    past: Past
    notes: tuple[str, ...] = ()

    @property
    def stage(self) -> Stage:
        """The one stage."""
        return self.bundle.stages[0]

    @property
    def plan(self) -> Plan:
        """The plan of the stage."""
        return self.stage.plan

    @property
    def numbers(self) -> tuple[int, ...]:
        """The numbers of the members, which are those of the folds that they never saw."""
        return tuple(member_of(name) for name in self.stage.members)

    @property
    def answer(self) -> str:
        """The kind of answer."""
        return self.space.task.answer.__name__

    @property
    def held_out(self) -> list[Case]:
        """The cases of the members' own folds."""
        return self.space.cases(tuple(i for k in self.numbers for i in self.space.assignment.folds[k]))

    @property
    def patients(self) -> dict[str, str]:
        """Whose each case is, by its id, where that is known."""
        known = self.space.cohort.patients_known
        return {c.id: c.patient for c in self.space.cohort.cases if known and c.patient is not None}


def assert_possible(bundle: Bundle) -> None:
    """Raise PlanError for a bundle that cannot be compressed, whatever its data."""
    if len(bundle.stages) > 1:
        raise PlanError(
            "a bundle of several stages cannot be compressed",
            found=", ".join(stage.name for stage in bundle.stages),
            hint="compress the bundle of each stage, then join them with `vesalius fit --stage`",
        )
    stage = bundle.stages[0]
    if stage.runtime != TORCH:
        raise PlanError(
            "this bundle is compressed already", found=f"runtime {stage.runtime}", hint="the original"
        )
    if COMPRESSED in stage.extras:
        raise PlanError(
            "this bundle is compressed already, and a drop is held against the original alone",
            found=str(stage.extras[COMPRESSED].values.get("ways")),
            hint="the original, with --ways FIRST+SECOND",
        )
    answer = tasks.get(stage.plan.task.name).answer.__name__
    if not metrics.judges(answer) or stage.plan.task.target is None:
        raise PlanError(
            f"nothing says how good the answers of {stage.plan.task.name} are, so no drop could be bounded"
        )


def opened(
    bundle: Bundle, data: Path | str | Cohort | None, reading: Reading, *, progress: Progress
) -> Opened:
    """Return a bundle with its data: those of its run, or `data`, with the folds that its members were trained on.

    Raises PlanError for a bundle that cannot be compressed; DataError where the data are not given or not there, and
    where nothing says which of the cases each member never saw.
    """
    assert_possible(bundle)
    plan, past = bundle.stages[0].plan, past_of_bundle(bundle)
    run = bundle.path.resolve().parent if bundle.path.resolve().name == "bundle" else None
    told = _told(run, bundle)
    place = data if data is not None else told.get("data")
    if place is None:
        raise DataError(
            f"nothing says which data {bundle.name} learned from", hint="vesalius compress BUNDLE DATA"
        )
    if data is None and not Path(str(place)).exists():
        raise DataError(
            f"the data of this run are not at {place} any more", hint="vesalius compress RUN DATA"
        )
    folds = run / "folds.json" if run is not None and told else None
    given = cohorts.load_assignment(folds) if folds is not None and folds.is_file() else None
    space = prepare_workspace(
        place,
        task=plan.task.name,
        target=plan.task.target,
        columns=reading.columns or told.get("columns"),
        split=reading.split or (Path(told["split"]) if told.get("split") else None),
        seed=int(told.get("seed") or 0),
        folds=plan.train.folds,
        max_set_aside=float(told.get("max_set_aside", 0.1)),
        progress=progress,
        assignment=given or Assignment((), (), "unknown"),
        link=True,
        layout=reading.layout or told.get("layout"),
        labels=reading.labels or told.get("labels"),
    )
    if given is None or space.cohort.hash != bundle.data_hash:
        space = replace(space, assignment=_folds_known(past, space))
    found = Opened(bundle, space, past, _notes(past, space))
    _assert_held_out(found)
    return found


def source_of(opened: Opened, folder: Path, *, until: float | None, progress: Progress) -> Source:
    """Return what the ways are given: the members, and the prepared cases of which each learned.

    Prepared cases that do not fit into memory lie in `folder`.
    """
    stage, space = opened.stage, with_unlabelled(opened.space)
    ready = Ready(stages_of(stage.plan)[0], space.task, stage.state)
    job = made_ready(space, stages_of(stage.plan), 0, folder, before=ready, given=None, progress=progress)
    models = Predictor(opened.bundle, device="cpu", accept_mismatch=True).stages[0].models
    members = tuple(
        Member(number, model.eval()) for number, model in zip(opened.numbers, models, strict=True)
    )
    return Source(
        bundle=opened.bundle,
        task=space.task,
        model=Model(stage.plan, stage.state, members, extras={}),
        examples=job.examples,
        learned_ids={k: space.assignment.training(k) for k in opened.numbers},
        unlabelled_ids=seen_by_all(space.assignment, opened.numbers),
        seed=SEED,
        until=until,
    )


def with_unlabelled(space: Workspace) -> Workspace:
    """Return the workspace with the cases that lack the target, as far as they may be learned from, for students.

    None is of a patient who is tested on, none shows the very image of a test case or of one in a fold, and there are
    at most twice as many as labelled ones. A run that learned from such cases keeps its own.
    """
    assignment = space.assignment
    if space.target is None or assignment.unlabelled:
        return space
    given = cohorts.with_unlabelled(assignment, space.cohort, target=space.target.name, groups=space.groups)
    marks = space.marks.pixels()
    labelled = {m for ids in (assignment.test, *assignment.folds) for i in ids for m in marks.get(i, ())}
    most = MORE * len(space.training)
    fresh = [i for i in given.beside if not labelled.intersection(marks.get(i, ()))]
    chosen = set(sorted(fresh, key=lambda i: seed_of(SEED, "unlabelled", i))[:most])
    unlabelled = tuple(tuple(i for i in ids if i in chosen) for ids in given.unlabelled)
    return replace(space, assignment=replace(assignment, unlabelled=unlabelled))


def seen_by_all(assignment: Assignment, numbers: tuple[int, ...]) -> tuple[str, ...]:
    """Return the cases without the target that every member may learn from: none of a patient of any's own fold."""
    each = [set(assignment.unlabelled[k]) for k in numbers if k < len(assignment.unlabelled)]
    return tuple(i for i in assignment.beside if each and all(i in one for one in each))


def _told(run: Path | None, bundle: Bundle) -> dict[str, Any]:
    """Return what a run was told of its data; nothing where the bundle lies in no run of its own."""
    try:
        told: dict[str, Any] = (
            {} if run is None else json.loads((run / "run.json").read_text(encoding="utf-8"))
        )
    except (OSError, ValueError):
        return {}
    return told if told.get("data_hash") == bundle.data_hash else {}


def _folds_known(past: Past, space: Workspace) -> Assignment:
    """Return which fold each case was of, by the record of the bundle's run.

    Raises DataError where there is no such record, or where no case is known again.
    """
    overlap = past.overlap(space.cohort, space.marks)
    if overlap is None:
        raise DataError(
            f"nothing says which of these cases the members of {past.of} never saw",
            found="a bundle without its run's folder",
            hint="the run's folder, which knows its folds",
        )
    folds = tuple(
        tuple(case for case, fold in overlap.trained.items() if fold == k) for k in range(overlap.folds)
    )
    if not any(folds):
        raise DataError(
            f"{past.of} learned from none of these cases, so none can calibrate or judge what is made of it",
            hint="the data that it learned from",
        )
    return Assignment(tuple(overlap.tested), folds, "as in the run of the bundle")


def _assert_held_out(opened: Opened) -> None:
    """Raise DataError where a member has no case of its own fold, or none that it learned from."""
    assignment = opened.space.assignment
    for number in opened.numbers:
        if number >= len(assignment.folds) or not assignment.folds[number]:
            raise DataError(
                f"no case is known that member {number} never saw, so nothing could judge a smaller one",
                hint="all the data that the run learned from",
            )
        if not assignment.training(number):
            raise DataError(f"no case is there of those that member {number} learned from")


def _notes(past: Past, space: Workspace) -> tuple[str, ...]:
    """Return what must be said of the cases before any figure."""
    notes = []
    if past.began and past.record is not None and len(past.record.runs) > 1:
        notes.append(
            "The weights that the run began from learned from other runs' cases, which may be among these."
        )
    if not space.cohort.patients_known:
        notes.append("No patients are known, so each case counts as one: bounds may be too narrow.")
    return tuple(notes)
