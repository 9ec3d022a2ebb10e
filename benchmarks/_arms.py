"""Two ways to fit the same data on one split, a run a seed each, and how far they differ, paired by patient."""

from __future__ import annotations

import csv
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from benchmarks import _fits, _record
from benchmarks._figures import Figure
from vesalius import metrics
from vesalius.answers import contract
from vesalius.core.progress import Silent
from vesalius.core.scorecard import Interval, Scorecard, load_scorecard
from vesalius.metrics import Rows, bounds, resample
from vesalius.plan.budget import seconds as parsed_seconds
from vesalius.run.workspace import prepare_workspace

RESAMPLES = 2000


@dataclass(frozen=True)
class Arm:
    """One way to fit: what it is called, and the options of `vesalius fit` that make it."""

    name: str
    options: tuple[str, ...] = ()


def split_file(data: Path, folder: Path) -> Path:
    """Return a CSV with the split that seed 0 deals, so that every run has the same test cases."""
    path = folder / "split.csv"
    if not path.is_file():
        folder.mkdir(parents=True, exist_ok=True)
        space = prepare_workspace(
            data,
            task=None,
            target=None,
            columns=None,
            labels=None,
            layout=None,
            split=None,
            seed=0,
            folds=5,
            max_set_aside=0.1,
            progress=Silent(),
        )
        test = set(space.assignment.test)
        with path.open("w", newline="", encoding="utf-8") as file:
            rows = [[c.id, "test" if c.id in test else "train"] for c in space.cohort.cases]
            csv.writer(file).writerows([["case", "split"], *rows])
    return path


def carried_out(
    data: Path,
    arms: Sequence[Arm],
    folder: Path,
    *,
    seeds: Sequence[int],
    limit: str,
    options: Sequence[str] = (),
    test_split: bool,
) -> Mapping[str, list[_fits.Fitted]]:
    """Run every arm with every seed, alternating; a run in `folder` that is finished is taken, one begun goes on."""
    found: dict[str, list[_fits.Fitted]] = {arm.name: [] for arm in arms}
    for seed in seeds:
        for arm in arms:
            how = (*options, *arm.options)
            found[arm.name].append(
                _one(data, folder / f"{arm.name}-{seed}", how, limit, seed, test_split=test_split)
            )
    return found


def _one(
    data: Path, out: Path, options: Sequence[str], limit: str, seed: int, *, test_split: bool
) -> _fits.Fitted:
    wall = out.with_name(f"{out.name}.wall")
    before = float(wall.read_text()) if wall.is_file() else 0.0
    if (out / "scorecard.json").is_file():
        return _fits.Fitted(out, before, parsed_seconds(limit), load_scorecard(out / "scorecard.json"), "")
    out.parent.mkdir(parents=True, exist_ok=True)
    resume = ("--resume",) if (out / "run.json").is_file() else ()
    began = time.monotonic()
    try:
        _fits.fit(data, out, limit=limit, seed=seed, options=(*options, *resume), test_split=test_split)
    finally:
        wall.write_text(str(before + time.monotonic() - began))
    took = float(wall.read_text())
    return _fits.Fitted(out, took, parsed_seconds(limit), load_scorecard(out / "scorecard.json"), "")


def difference(
    first: Sequence[_fits.Fitted],
    second: Sequence[_fits.Fitted],
    name: str,
    *,
    seed: int = 0,
    seen: Callable[[Rows], Rows] = lambda rows: rows,
) -> Interval:
    """Return the mean over seeds of the second's figure less the first's, with its paired bootstrap over patients.

    `seen` changes what is measured of the first, such as by which rule it calls. Each draw of patients is the same for
    every run of both (Efron & Tibshirani 1993).
    """
    answer = first[0].card.answer
    judge = metrics.for_answer(answer)
    pairs = [(seen(_rows(a.card)), _rows(b.card)) for a, b in zip(first, second, strict=True)]
    ids = pairs[0][0].case_ids
    if any(rows.case_ids != ids for pair in pairs for rows in pair):
        raise RuntimeError("the runs were not scored on the same cases")
    patients = [first[0].card.patients.get(case, f"case {case}") for case in ids]

    def less(index: np.ndarray) -> float:
        each = [judge.summary(b, index).get(name, np.nan) - judge.summary(a, index)[name] for a, b in pairs]
        return float(np.mean(each))

    drawn = resample(patients, np.random.default_rng(seed), RESAMPLES)
    return bounds(less(np.arange(len(ids))), np.array([less(i) for i in drawn]), len(ids))


def _rows(card: Scorecard) -> Rows:
    rows = contract.of(card.answer).again(card)
    if rows is None:
        raise RuntimeError("a scorecard does not hold its single cases")
    return rows


def beside_default(
    found: Mapping[str, list[_fits.Fitted]], default: str, names: Sequence[str], *, by: str
) -> list[Figure]:
    """Return what every arm comes to on the fold that each member never saw, and its paired gain over the default.

    `by` says in a word what is drawn for the intervals: a patient, a picture.
    """
    held = {name: [_out_of_fold(fitted) for fitted in fits] for name, fits in found.items()}
    rows = figures(held, names)
    for arm in (name for name in found if name != default):
        for name in names:
            gain = difference(held[default], held[arm], name)
            what = f"{name}: {arm} less the default, out of fold, paired by {by}"
            rows.append(Figure(what, str(gain), note=f"n {gain.n}"))
    return rows


def _out_of_fold(fitted: _fits.Fitted) -> _fits.Fitted:
    return replace(fitted, card=load_scorecard(fitted.run / "out_of_fold.json"))


def figures(found: Mapping[str, list[_fits.Fitted]], names: Sequence[str]) -> list[Figure]:
    """Return every run's figures and its wall time, and each arm's means over the seeds."""
    rows: list[Figure] = []
    for arm, fits in found.items():
        for number, fitted in enumerate(fits):
            for row in (*_fits.beside(fitted, names, number), _fits.wall(fitted, number)):
                rows.append(Figure(f"{arm}: {row.what}", row.value, row.bound, row.holds, row.seed, row.note))
        for name in names:
            note = f"mean of {len(fits)} runs"
            rows.append(Figure(f"{arm}: mean {name}", f"{_fits.mean(fits, name):.4f}", note=note))
    return rows


def kept(name: str) -> Path:
    """Return where the runs of a benchmark stay, so that one that was interrupted goes on."""
    return _record.ROOT / "runs" / "benchmarks" / name
