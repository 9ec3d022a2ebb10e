"""What the members of a bundle say of the cases of their own folds, which they never saw: calibrated, and as rows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from vesalius.answers import contract
from vesalius.compress.opened import Opened
from vesalius.core.answers import Answer
from vesalius.core.bundle import Bundle, Stage
from vesalius.core.case import Case
from vesalius.core.errors import DataError
from vesalius.core.groups import fitted_for
from vesalius.core.progress import Progress, track
from vesalius.core.scorecard import Scorecard
from vesalius.evaluate.scorecard import scorecard
from vesalius.infer import runs
from vesalius.infer.asked import checked
from vesalius.infer.predictor import Predictor
from vesalius.infer.runs.contract import Members
from vesalius.metrics import Rows
from vesalius.prepare.batch import Example
from vesalius.prepare.case import BLANK
from vesalius.run.members import Outcome, member_of
from vesalius.run.out_of_fold import SPLIT, on_own_folds
from vesalius.run.outcome import calibrated


@dataclass(frozen=True, eq=False)
class Said:
    """What members said, raw, of the cases that they never saw, by case id.

    `held_out` are raw outputs of runs that keep them, `checked` what a task that checks makes of its own.
    """

    held_out: Mapping[str, Any]
    checked: Mapping[str, Any]

    @property
    def outcome(self) -> Outcome:
        """It as what training gives, for what is fitted on it."""
        return Outcome((), (), self.held_out, False, checked=self.checked)


def said_by(
    opened: Opened, bundle: Bundle, examples: Mapping[str, Example], *, device: str | None, progress: Progress
) -> Said:
    """Return what each member says of the prepared cases of its own fold; nothing where nobody is calibrated by it."""
    stage, task = bundle.stages[0], opened.space.task
    run = runs.get(task.run)
    if not (run.held_out or task.checks):
        return Said({}, {})
    predictor = Predictor(bundle, device=device, accept_mismatch=True)
    found: dict[str, Any] = {}
    for name, model in zip(stage.members, predictor.stages[0].models, strict=True):
        ids = opened.space.assignment.folds[member_of(name)]
        held = [examples[i] for i in ids if i in examples]
        members = Members(task, [model], stage.plan, predictor.device)
        raw = track(run.raw(members, held), progress, "out of fold", len(held))
        for example, one in zip(held, raw, strict=True):
            found[example.case_id] = one if run.held_out else checked(task, one, example, stage.state)
    return Said(found, {}) if run.held_out else Said({}, found)


def calibration_of(opened: Opened, bundle: Bundle, said: Said) -> Mapping[str, Any]:
    """Return what the task fits anew on what the members of a compressed bundle said; nothing where it fits nothing."""
    stage = bundle.stages[0]
    return calibrated(opened.space, stage.plan, said.outcome, replace(stage, calibration={})).calibration


def rows_of(opened: Opened, bundle: Bundle, said: Said, *, device: str | None, progress: Progress) -> Rows:
    """Return the metric's row of each case that a member never saw, in the order of their ids.

    Raises DataError where none of them could be answered.
    """
    handling, name = contract.of(opened.answer), bundle.stages[0].plan.task.target or ""
    made: dict[str, Any] = {}
    for case, answer in _answers(opened, bundle, said, device, progress):
        if name in case.targets:
            truth = handling.truth(case.targets[name], case)
            made[case.id] = handling.measure(answer, truth, case)
    if not made:
        raise DataError("none of the cases that the members never saw could be answered")
    ids = sorted(made)
    return handling.rows([made[i] for i in ids], ids)


def card_of(opened: Opened, bundle: Bundle, rows: Rows) -> Scorecard:
    """Return the scorecard of such rows."""
    known = opened.patients
    return scorecard(
        rows,
        opened.answer,
        split=SPLIT,
        data_hash=opened.space.cohort.hash,
        patients=[known.get(case) for case in rows.case_ids],
        bundle=bundle.hash,
        target=bundle.stages[0].plan.task.target,
    )


def only(rows: Rows, ids: set[str]) -> Rows:
    """Return the rows of these cases."""
    places = [k for k, case in enumerate(rows.case_ids) if case in ids]
    columns = {name: column[places] for name, column in rows.columns.items()}
    chosen = tuple(rows.case_ids[k] for k in places)
    return replace(rows, case_ids=chosen, columns=columns, prepared={})


def _answers(
    opened: Opened, bundle: Bundle, said: Said, device: str | None, progress: Progress
) -> Iterator[tuple[Case, Answer]]:
    stage: Stage = bundle.stages[0]
    if said.held_out:
        for i, raw in said.held_out.items():
            case = opened.space.cohort.case(i)
            fitted = fitted_for(stage.calibration, case)
            yield case, opened.space.task.decode(raw, stage.state, fitted, BLANK)
        return
    folds = opened.space.assignment.folds
    yield from on_own_folds(bundle, opened.space.cohort, folds, progress=progress, device=device)
