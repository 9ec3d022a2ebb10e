"""compare: two runs, bundles or predictions on the same cases, paired; each difference with an interval and a test."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from vesalius import cohorts, metrics
from vesalius.answers import contract
from vesalius.cohorts.targets import contract as kinds
from vesalius.core.bundle import Bundle, name_of
from vesalius.core.case import Case
from vesalius.core.cohort import Cohort
from vesalius.core.disk import new_folder
from vesalius.core.errors import DataError
from vesalius.core.progress import Progress, Silent
from vesalius.core.scorecard import Scorecard, load_scorecard
from vesalius.core.words import counted
from vesalius.evaluate import comparison
from vesalius.evaluate.answered import score_cases
from vesalius.evaluate.comparison import Comparison
from vesalius.evaluate.paired import NO_PATIENTS, assert_comparable, differences, each_case, together
from vesalius.metrics import Rows
from vesalius.plan import machine as machines
from vesalius.plan import torch_threads
from vesalius.reliability.marks import Marks
from vesalius.run.finished import Run, bundle_of
from vesalius.run.past import past_of_bundle
from vesalius.run.stopping import all_or_nothing
from vesalius.run.unseen import UNCHECKED, Choice, of_another_tool, unseen
from vesalius.verbs.evaluate import bundle_at, learned_labels, score_foreign, target_of

__all__ = ["Comparison", "compare"]

CARD = "scorecard.json"
What = Run | Bundle | Scorecard | Path | str


@dataclass(frozen=True, eq=False)
class _Side:
    """One of the two: what it is called, its scorecard, and the rows that this was computed from."""

    name: str
    card: Scorecard
    rows: Rows
    patients: Mapping[str, str]


def compare(
    first: What,
    second: What,
    data: Path | str | Cohort | None = None,
    out: Path | str | None = None,
    *,
    split: str | None = None,
    target: str | None = None,
    columns: Mapping[str, str] | None = None,
    layout: str | None = None,
    labels: Mapping[str, str] | None = None,
    device: str | None = None,
    accept_mismatch: bool = False,
    resamples: int = 1000,
    seed: int = 0,
    progress: Progress | None = None,
) -> Comparison:
    """Compare two runs, bundles, scorecards or folders (or tables) of predictions on the same cases, paired.

    Without `data` the scorecards that two runs, or two evaluations, left behind are compared, whose cases must be
    the very same, with the same truth. With `data` both are scored on its cases as `evaluate` does it; a case
    that either was trained on is left out, as far as that is known, and the notes say so. Patients are drawn for
    the 95 % interval of each difference, and exchanged for its test.

    Args:
        first: A run, a bundle, a scorecard, or the path of one or of predictions.
        second: The other one; differences are the second less the first.
        data: A cohort with the truth, or its path as for `read`.
        out: A new folder for `compare.html` and `comparison.json`.
        split: With `data`: which of its cases: `train`, `val`, `test` or `all`.
        target: The truth, where there are several.
        columns: What a table's columns are, where their names do not tell: `{"covariate": "age,sex"}`.
        layout: How to read it, where it could be read in several ways; one of `vesalius layouts`.
        labels: What stands for what among classes and masks' values: `{"NA": "", "255": "1"}`.
        device: `cpu`, `cuda`, `cuda:1`; by default a GPU where there is one.
        accept_mismatch: Score images of another modality or unit than a bundle learned from, too.
        resamples: How many times patients are drawn.
        seed: Of these draws.
        progress: A `Progress`; True, False or None: by default a bar shows itself on a terminal and in a
            notebook.

    Returns:
        Each difference with its interval and a test, and how right both are on each case.

    Raises:
        DataError: The two cannot be compared: other cases, another truth, another kind of answer.
        OutputError: `out` holds something.
        Interrupted: Ctrl-C; nothing is left behind.
    """
    progress = progress or Silent()
    names = comparison.names_apart(_name(first), _name(second))
    folder = None
    if data is None:
        sides = (_stored(first, names[0]), _stored(second, names[1]))
        notes: tuple[str, ...] = ()
    else:
        how = {"split": split, "target": target, "columns": columns, "layout": layout, "labels": labels}
        sides, notes = _scored(
            (first, second),
            names,
            data,
            how,
            device=device,
            accept_mismatch=accept_mismatch,
            progress=progress,
        )
    assert_comparable(sides[0].card, sides[1].card, names)
    found = _compared(sides, notes, resamples=resamples, seed=seed)
    if out is not None:
        folder = new_folder(Path(out), default="comparison")
        with all_or_nothing(folder):
            comparison.write(found, folder)
    return found


def _compared(sides: tuple[_Side, _Side], notes: tuple[str, ...], *, resamples: int, seed: int) -> Comparison:
    a, b = sides
    answer, names = a.card.answer, (a.name, b.name)
    first, second, judged = contract.of(answer).alike(a.rows, b.rows)
    rows = together(answer, first, second if judged else _in_order_of(a.card, b))
    ids = rows.case_ids[: len(rows) // 2]
    known = all(i in a.patients for i in ids)
    patients = [a.patients[i] if known else f"case {i}" for i in ids]
    said = [[b.text for b in s.card.banners] + [t for t in (s.card.overlap,) if t] for s in sides]
    told = [*notes, *([judged] if judged else []), *comparison.told(names, said)]
    if not known:
        told.append(NO_PATIENTS)
    if a.card.bundle and a.card.bundle == b.card.bundle:
        told.insert(0, "Both are the same bundle.")
    return Comparison(
        names=names,
        answer=answer,
        target=a.card.target,
        split=a.card.split if a.card.split == b.card.split else f"{a.card.split}, {b.card.split}",
        n_cases=len(ids),
        n_patients=len(set(patients)),
        patients_known=known,
        data_hash=a.card.data_hash,
        differences=differences(answer, rows, patients=patients, names=names, resamples=resamples, seed=seed),
        cases=each_case(answer, rows),
        notes=tuple(told),
        resamples=resamples,
        seed=seed,
        bundles=(a.card.bundle, b.card.bundle),
    )


def _in_order_of(first: Scorecard, second: _Side) -> Rows:
    """Return the second rows with their labels in the order of the first card."""
    if tuple(first.labels) == tuple(second.card.labels):
        return second.rows
    again = contract.of(first.answer).again(replace(second.card, labels=first.labels))
    return second.rows if again is None else again


# --- scorecards that are there


def _stored(what: What, name: str) -> _Side:
    """Return what a scorecard holds of single cases. Raises DataError where it holds none."""
    card = _card_of(what)
    if card is None:
        raise DataError(
            f"{name} has no scorecard with its cases",
            hint="a run's folder, or that of `evaluate -o`; or DATA to score both on: compare(first, second, DATA)",
        )
    if not metrics.judges(card.answer):
        raise DataError(f"{name}: answers of kind {card.answer} have no figures to compare")
    rows = contract.of(card.answer).again(card) if card.cases else None
    if rows is None:
        raise DataError(
            f"the scorecard of {name} does not hold the figures of single cases",
            hint="DATA to score both on: compare(first, second, DATA)",
        )
    return _Side(name, card, rows, card.patients)


def _card_of(what: What) -> Scorecard | None:
    """Return the scorecard with its cases that is at hand; None where there is none."""
    if isinstance(what, Scorecard):
        return what
    if isinstance(what, Run):
        return what.scorecard
    path = what.path.parent if isinstance(what, Bundle) and what.path.name == "bundle" else None
    if isinstance(what, str | Path):
        path = Path(what)
        if not path.exists():
            raise DataError(f"nothing at {path}", hint="a run, a bundle, an evaluation, or predictions")
        path = path.parent if path.name == "bundle" else path
    if path is None:
        return None
    file = path / CARD if path.is_dir() else path
    found = load_scorecard(file) if file.name.endswith(".json") and file.is_file() else None
    return found if found is not None and found.cases else None


def _name(what: What) -> str:
    if isinstance(what, Scorecard):
        return f"scorecard {what.bundle[:8] or what.split}"
    if isinstance(what, Run):
        return what.path.name if what.path is not None else "a dry run"
    if isinstance(what, Bundle):
        return what.name
    path = Path(what)
    return path.parent.name if path.name == CARD else name_of(path)


# --- scored anew


def _scored(
    both: tuple[What, What],
    names: tuple[str, str],
    data: Path | str | Cohort,
    how: Mapping[str, Any],
    *,
    device: str | None,
    accept_mismatch: bool,
    progress: Progress,
) -> tuple[tuple[_Side, _Side], tuple[str, ...]]:
    """Score both on the cases of the data that neither was trained on; and say which were left out."""
    torch_threads.use(machines.measure().cores)
    models = [_model_of(what) for what in both]
    first = next((m for m in models if isinstance(m, Bundle)), None)
    with all_or_nothing():
        cohort = _read(data, how)
        info = target_of(cohort, how["target"], first)
        target = None if info is None else info.name
        for other in models:
            if target is None and not isinstance(other, Bundle):
                raise DataError("predictions are compared with a bundle by a target", hint="--target NAME")
            if target is not None and isinstance(other, Bundle):
                target_of(cohort, target, other)  # one that cannot be held against it is refused
        marks = Marks()
        cohort = cohorts.check(cohort, target=target, progress=progress, max_set_aside=1.0, observe=marks)
        choices = _choices(models, cohort, target, how["split"], marks)
        ids = {c.id for c in choices[0].cases} & {c.id for c in choices[1].cases}
        if not ids:
            raise DataError(
                f"no case is left that neither {names[0]} nor {names[1]} was trained on",
                found=" and ".join(counted(len(c.cases), "case") for c in choices),
                hint="other data, or a split that both kept from training",
            )
        sides = [
            _side(model, name, cohort, target, ids, choice, device, accept_mismatch, progress)
            for model, name, choice in zip(models, names, choices, strict=True)
        ]
    shared = set(sides[0].rows.case_ids) & set(sides[1].rows.case_ids)
    if not shared:
        raise DataError("no case was answered by both", hint="predictions of the same cases")
    dropped = len(ids) - len(shared)
    notes = [f"{counted(dropped, 'case')} that only one of them answered were left out."] if dropped else []
    apart = {c.id for choice in choices for c in choice.cases} - ids
    if apart:
        notes.append(f"{counted(len(apart), 'case')} were left out, as one of the two was trained on them.")
    return (_only(sides[0], shared), _only(sides[1], shared)), tuple(notes)


def _model_of(what: What) -> Bundle | Path:
    """Return a bundle, or where predictions lie."""
    if isinstance(what, Scorecard):
        raise DataError("a scorecard cannot be scored on other data", hint="the run or the bundle it is of")
    if isinstance(what, Run | Bundle):
        return bundle_of(what)
    return bundle_at(Path(what)) or Path(what)


def _read(data: Path | str | Cohort, how: Mapping[str, Any]) -> Cohort:
    if isinstance(data, Cohort):
        cohorts.assert_untold(how["labels"])
        return data
    told = {name: how[name] for name in ("layout", "columns", "target", "labels")}
    return cohorts.read(data, max_set_aside=1.0, **told)


def _choices(
    models: list[Bundle | Path], cohort: Cohort, target: str | None, split: str | None, marks: Marks
) -> list[Choice]:
    """Return the cases of each: for a bundle those that it was not trained on, for predictions those of the other."""
    own = [
        unseen(cohort, target, split, past_of_bundle(m), marks) if isinstance(m, Bundle) else None
        for m in models
    ]
    known = next((choice for choice in own if choice is not None), None)
    other = None if known is not None else of_another_tool(cohort, target, split)
    beside = other or replace(known or Choice((), ""), overlap=UNCHECKED, banner="", left_out=0)
    return [beside if choice is None else choice for choice in own]


def _side(
    model: Bundle | Path,
    name: str,
    cohort: Cohort,
    target: str | None,
    ids: set[str],
    choice: Choice,
    device: str | None,
    accept_mismatch: bool,
    progress: Progress,
) -> _Side:
    """Score one of the two on the chosen cases, its truth in the labels that it learned.

    Without a target the truth is what the bundle's task takes for it. Raises DataError where no case has one.
    """
    own = cohort
    if target is not None and isinstance(model, Bundle) and kinds.of(cohort.targets[target].kind).drawn:
        own = kinds.of(cohort.targets[target].kind).aligned(cohort, target, learned_labels(model))
    cases: list[Case] = [c for c in own.cases if c.id in ids]
    if isinstance(model, Bundle):
        tally, card = score_cases(
            model,
            cases,
            split=choice.split,
            data_hash=cohort.hash,
            patients_known=cohort.patients_known,
            progress=progress,
            device=device,
            target=target,
            accept_mismatch=accept_mismatch,
        )
    else:
        tally, card = score_foreign(model, cases, own, own.targets[str(target)], choice.split, progress)
    if not tally.has_truth:
        raise DataError(
            f"{name} learned without a target, and these data hold no truth to compare it by",
            hint="data with what it learned from, such as reports",
        )
    card = replace(choice.told(card), left_out=0)
    return _Side(name, card, tally.rows()[0], card.patients)


def _only(side: _Side, ids: set[str]) -> _Side:
    """Return one of the two with the cases that both answered."""
    keep = np.array([k for k, case in enumerate(side.rows.case_ids) if case in ids], dtype=np.int64)
    columns = {name: column[keep] for name, column in side.rows.columns.items()}
    chosen = tuple(side.rows.case_ids[int(k)] for k in keep)
    rows = replace(side.rows, case_ids=chosen, columns=columns, prepared={})
    cases = tuple(case for case in side.card.cases if case["case"] in ids)
    return replace(side, rows=rows, card=replace(side.card, cases=cases))
