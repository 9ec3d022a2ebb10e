"""Out of fold: what each member says of the cases of its own fold, which it never saw; as a table and a scorecard."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from vesalius import metrics
from vesalius.answers import contract
from vesalius.core.answers import Answer
from vesalius.core.bundle import Bundle, Stage
from vesalius.core.case import Case
from vesalius.core.cohort import Cohort
from vesalius.core.disk import write_text
from vesalius.core.errors import DataError, VesaliusError
from vesalius.core.frames import pandas
from vesalius.core.groups import fitted_for
from vesalius.core.plan import Plan
from vesalius.core.progress import Progress
from vesalius.core.scorecard import Banner, Scorecard, load_scorecard, save_scorecard
from vesalius.core.shown import Shown
from vesalius.core.words import counted
from vesalius.evaluate.scorecard import scorecard
from vesalius.infer import handover, runs
from vesalius.infer.each import answers
from vesalius.infer.predictor import Predictor
from vesalius.prepare.case import BLANK
from vesalius.run.handing import EARLIER
from vesalius.run.ledger import as_csv
from vesalius.run.members import Outcome, member_of
from vesalius.run.workspace import Workspace
from vesalius.tasks import contract as tasks

TABLE, CARD = "out_of_fold.csv", "out_of_fold.json"
SPLIT = "out of fold"
NAMES = ("case", "patient")  # columns that stay text: `007` is no number


@dataclass(frozen=True, eq=False)
class OutOfFold(Shown):
    """What each member of a run said of the cases that it never saw, a row a case, and how good that is.

    `rows` have the case, its patient and its fold, the answer's columns as `predict` writes them, what is so, and how
    right the answer is (`score`, the larger the better); all of them are text, as in the run's `out_of_fold.csv`.
    """

    rows: tuple[Mapping[str, str], ...]
    scorecard: Scorecard

    def __len__(self) -> int:
        return len(self.rows)

    def __repr__(self) -> str:
        return f"OutOfFold({counted(len(self), 'case')}, {self.scorecard!r})"

    def to_polars(self) -> Any:
        """Return the rows as a polars DataFrame; names of cases and patients are text, other types are inferred."""
        import polars as pl

        kept = dict.fromkeys((n for n in NAMES if self.rows and n in self.rows[0]), pl.String)
        text = io.BytesIO(as_csv(self.rows).encode())
        return pl.read_csv(text, infer_schema_length=None, schema_overrides=kept)

    def to_pandas(self) -> Any:
        """Return the rows as a pandas DataFrame. Raises MissingExtra where pandas is not installed."""
        return pandas().read_csv(io.StringIO(as_csv(self.rows)), dtype=dict.fromkeys(NAMES, "str"))


def load(path: Path) -> OutOfFold:
    """Return what a run's folder holds of it. Raises DataError where it holds nothing."""
    if not (path / TABLE).is_file():
        raise DataError(
            f"{path} holds no answers out of fold",
            hint="fit with --folds N: each member then answers the fold that it never saw",
        )
    with (path / TABLE).open(newline="", encoding="utf-8") as file:
        rows = tuple(dict(row) for row in csv.DictReader(file))
    return OutOfFold(rows, load_scorecard(path / CARD))


def is_free(plan: Plan) -> bool:
    """Return whether the members' answers about their own folds are there anyway, for calibration."""
    return runs.get(tasks.get(plan.task.name).run).held_out


def write(
    space: Workspace,
    bundle: Bundle,
    outcome: Outcome,
    path: Path,
    *,
    progress: Progress,
    device: str | None,
) -> OutOfFold | None:
    """Write the table and the scorecard into a run's folder; None for answers that no metric judges."""
    task = tasks.get(bundle.stages[-1].plan.task.name)
    if space.target is None or not metrics.judges(task.answer.__name__):
        return None
    handling, name = contract.of(task.answer), space.target.name
    cases: list[Case] = []
    made: list[Any] = []
    lines: list[dict[str, Any]] = []
    folds = {i: k for k, ids in enumerate(space.assignment.folds) for i in ids}
    for case, answer in _said(space, bundle, outcome, progress, device):
        if name not in case.targets:
            continue
        truth = handling.truth(case.targets[name], case)
        measured = handling.measure(answer, truth, case)
        cases.append(case)
        made.append(measured)
        score, _ = handling.rate(answer, truth, measured)
        lines.append({**contract.columns(answer), "score": f"{score:.6g}"})
    if not cases:
        return None
    table = handling.rows(made, [c.id for c in cases])
    rows = []
    for k, (case, line) in enumerate(zip(cases, lines, strict=True)):
        figures = {n: v for n, v in handling.case(table, k).items() if not isinstance(v, Mapping)}
        about = {"case": case.id, "patient": case.patient or "", "fold": folds[case.id]}
        rows.append({n: _text(v) for n, v in {**about, **line, **figures}.items()})
    card = scorecard(
        table,
        task.answer.__name__,
        split=SPLIT,
        data_hash=space.cohort.hash,
        patients=[c.patient if space.cohort.patients_known else None for c in cases],
        bundle=bundle.hash,
        target=name,
        told=_told(space, bundle, outcome, len(cases)),
    )
    write_text(path / TABLE, as_csv(rows))
    save_scorecard(card, path / CARD)
    return OutOfFold(tuple(rows), card)


def _said(
    space: Workspace, bundle: Bundle, outcome: Outcome, progress: Progress, device: str | None
) -> Iterator[tuple[Case, Answer]]:
    """Yield each case of a kept member's fold with what that member alone answers."""
    stage = bundle.stages[-1]
    task = tasks.get(stage.plan.task.name)
    if outcome.held_out:  # what they said for calibration
        for i, raw in outcome.held_out.items():
            case = space.cohort.case(i)
            yield case, task.decode(raw, stage.state, fitted_for(stage.calibration, case), BLANK)
        return
    yield from on_own_folds(bundle, space.cohort, space.assignment.folds, progress=progress, device=device)


def on_own_folds(
    bundle: Bundle,
    cohort: Cohort,
    folds: Sequence[Sequence[str]],
    *,
    progress: Progress,
    device: str | None,
    levels: bool = False,
) -> Iterator[tuple[Case, Answer]]:
    """Yield the cases of each member's own fold with what that member alone answers, one case in memory at a time.

    With `levels` answers that have a field keep how likely each label is at each point.
    """
    stage = bundle.stages[-1]
    by_id = {c.id: c for c in cohort.cases}
    for name in stage.members:
        k = member_of(name)
        alone = replace(stage, members=(name,))
        before = [_unseen(one, k, stage.plan) for one in bundle.stages[:-1]]
        single = replace(bundle, stages=(*before, alone))
        predictor = Predictor(single, device=device, accept_mismatch=True, levels=levels)
        cases = [by_id[i] for i in folds[k] if i in by_id]
        for found in answers(predictor, cases, progress=progress):
            if isinstance(found.answer, VesaliusError):
                progress.note(f"not answered out of fold: {found.case.id}: {found.answer}")
            else:
                yield found.case, found.answer


def _unseen(stage: Stage, fold: int, plan: Plan) -> Stage:
    """Return an earlier stage as its member alone that never saw a fold, where it was trained here and has one."""
    trained = {one.name for one in plan.earlier if one.bundle is None}
    own = [m for m in stage.members if member_of(m) == fold]
    return replace(stage, members=tuple(own)) if own and stage.name in trained else stage


def _told(space: Workspace, bundle: Bundle, outcome: Outcome, answered: int) -> tuple[Banner, ...]:
    """Return what must be read before these figures: whose they are, and what makes them too good."""
    plan = bundle.stages[-1].plan
    said = [
        f"Each of these {counted(answered, 'training case')} was answered by the one member that never saw it, "
        "not by the ensemble that the bundle is."
    ]
    if bundle.stages[-1].calibration:
        said.append("Temperature and thresholds were fitted on these very answers.")
    if plan.train.select != "last":
        said.append("Each member's best checkpoint was chosen on them.")
    if _seen_before(bundle, outcome):
        said.append("Earlier stages have members that learned from some of these cases.")
    if any(i in space.seen for i in space.assignment.training(-1)):
        said.append("The weights that the run began from were trained on some of them.")
    missing = len(space.training) - answered
    if missing:
        said.append(f"{counted(missing, 'case')} of folds without a member that answers are missing.")
    return (Banner(SPLIT, " ".join(said)),)


def _seen_before(bundle: Bundle, outcome: Outcome) -> bool:
    """Return whether an earlier stage was asked about cases that it learned from, or its truth stood for its answer."""
    if any(banner.kind == EARLIER for banner in outcome.before):
        return True
    by_truth = any(handover.get(one["as"]).truth for one in bundle.stages[-1].taken)
    return len(bundle.stages) > 1 and (by_truth or not bundle.stages[-1].taken)


def _text(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.6g}"
    return "|".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
