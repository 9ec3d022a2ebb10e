"""simulate_labelling: what the strategies of `suggest` would have gained on data whose labels are known."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from vesalius import cohorts
from vesalius.core.cohort import Cohort
from vesalius.core.disk import assert_apart
from vesalius.core.errors import DataError, PlanError
from vesalius.core.progress import Progress, watched
from vesalius.core.registry import names
from vesalius.core.words import counted
from vesalius.evaluate.paired import NO_PATIENTS
from vesalius.run import strategies as ways
from vesalius.run.grid import Filled
from vesalius.run.labelling_curve import LabellingCurve, write
from vesalius.run.rounds import RANDOM, Rounds, poolable, simulate
from vesalius.run.rounds_curve import curve
from vesalius.run.suggesting import unusable
from vesalius.run.transfer_setting import Setting, setting
from vesalius.run.transfer_table import assert_figure
from vesalius.run.workspace import prepare_workspace
from vesalius.verbs.fit import fit

__all__ = ["LabellingCurve", "simulate_labelling"]
STEPS = "train.steps"
ONE_SEED = "Intervals are over patients alone: with one seed, the luck of the first cases and of a training is in none."


def simulate_labelling(
    data: Path | str | Cohort,
    out: Path | str | None = None,
    *,
    count: int = 50,
    begin: int | None = None,
    rounds: int = 5,
    strategies: Sequence[str] | None = None,
    seeds: Sequence[int] = (0, 1, 2),
    settings: Mapping[str, Any] | None = None,
    metric: str | None = None,
    task: str | None = None,
    target: str | None = None,
    split: Path | str | None = None,
    columns: Mapping[str, str] | None = None,
    layout: str | None = None,
    labels: Mapping[str, str] | None = None,
    max_set_aside: float = 0.10,
    device: str | None = None,
    resamples: int = 1000,
    progress: Progress | bool | None = None,
) -> LabellingCurve:
    """Hide the labels of a cohort, uncover them as each strategy asks for them, and hold every strategy against random.

    All strategies begin with the same cases. A round fits a net from the plan's beginning, with a fixed number of
    steps, so that a busy machine or a limit changes nothing; scores it on test cases that are never suggested; and
    uncovers the cases that the strategy takes. Begun again with the same `out`, it goes on where it was.

    Args:
        data: A cohort whose target is known, or its path as for `read`.
        out: The folder of the rounds, by default `runs/suggest-<data>`: their cells, `curve.json`, `.csv` and `.html`.
        count: How many cases are labelled in each round.
        begin: How many are labelled at first, drawn at random; by default as many.
        rounds: How many rounds there are.
        strategies: Some of `vesalius strategies`, by default all that can choose among such answers. All are held
            against `random`, which is always among them.
        seeds: Each decides the first cases, what is drawn, and the training.
        settings: Planned values of every fit by path, `train.steps` among them: `{"train.steps": 300}`.
        metric: The figure of the curves, by default the first of a report (AUC, Dice, mean absolute error).
        task: The question, one of `vesalius tasks`; by default it follows from the target.
        target: What to learn, where there are several.
        split: A CSV with the columns `case,split`.
        columns: What a table's columns are, where their names do not tell.
        layout: How to read it, where it could be read in several ways; one of `vesalius layouts`.
        labels: What stands for what among classes and masks' values.
        max_set_aside: The share of faulty cases to bear.
        device: `cpu`, `cuda`, `cuda:1`; by default a GPU where there is one.
        resamples: How many times patients are drawn for the intervals.
        progress: A `Progress`; True, False or None: by default a bar shows itself on a terminal and in a notebook.

    Returns:
        Each strategy's figure at each number of labels, and its difference to random with as many, with intervals over
        test patients and seeds.

    Raises:
        PlanError: The number of steps is not fixed, or nothing is asked for.
        DataError: Too few cases can be labelled, a strategy that was named cannot choose among such answers, or no fit
            was finished.
        UnknownName: There is no strategy, column, target, … of that name.
        OutputError: `out` holds something else, or rounds for which something else was asked.
        Interrupted: Ctrl-C; what is finished is kept, and the same call goes on.
    """
    wanted = tuple(dict.fromkeys((RANDOM, *(sorted(names(ways.KIND)) if strategies is None else strategies))))
    asked = Rounds(
        begin=count if begin is None else begin,
        batch=count,
        rounds=rounds,
        strategies=wanted,
        seeds=tuple(dict.fromkeys(int(s) for s in seeds)),
        settings=dict(settings or {}),
    )
    shown, steps = watched(progress), _steps(asked.settings[STEPS])
    folder = Path(out) if out is not None else folder_of(data)
    if not isinstance(data, Cohort):
        assert_apart(Path(data), folder)
    space = prepare_workspace(
        data,
        task=task,
        target=target,
        columns=columns,
        split=None if split is None else Path(split),
        seed=0,
        folds=5,
        max_set_aside=max_set_aside,
        progress=shown,
        layout=layout,
        labels=labels,
    )
    assert_figure(space.task, metric)
    left_out = _left_out(unusable(space.task, wanted), named=strategies is not None)
    asked = replace(asked, strategies=tuple(name for name in wanted if name not in left_out))
    job = setting(space, None)
    fits = len(asked.seeds) * (1 + rounds * len(asked.strategies))
    shown.note(f"{counted(fits, 'fit')} of {counted(steps, 'step')}, with at most {asked.budgets[-1]} labels")
    new = not folder.exists()
    filled = simulate(job, folder, asked, fit=fit, progress=shown, device=device)
    if (
        new and not filled.results
    ):  # such as a setting that is misspelt: nothing is kept that stands in its way
        shutil.rmtree(folder)
    points = curve(folder, filled, asked, metric=metric, resamples=resamples)
    cannot, failed = _failures(filled, asked)
    notes = [ONE_SEED] if len(asked.seeds) == 1 else []
    notes += [] if space.cohort.patients_known else [NO_PATIENTS]
    found = LabellingCurve(
        data=cohorts.name_of(space.cohort),
        data_hash=space.cohort.hash,
        answer=space.task.answer.__name__,
        target=job.info.full_name,
        metric=points[0].metric,
        begin=asked.begin,
        batch=asked.batch,
        steps=steps,
        seeds=asked.seeds,
        pool=len(poolable(job)),
        test_cases=len(job.test),
        test_patients=_patients(job),
        patients_known=space.cohort.patients_known,
        split=job.by,
        points=points,
        left_out={**left_out, **cannot},
        failed=failed,
        notes=tuple(notes),
        resamples=resamples,
        settings={k: str(v) for k, v in asked.settings.items()},
        path=folder,
    )
    write(found, folder)
    return found


def folder_of(data: Path | str | Cohort) -> Path:
    """Return where the rounds of some data lie by default: `runs/suggest-<data>`."""
    return Path("runs") / f"suggest-{cohorts.name_of(data)}"


def _steps(told: Any) -> int:
    """Return how many steps each fit has. Raises PlanError."""
    try:
        return int(told)
    except (TypeError, ValueError) as error:
        raise PlanError("the number of steps is a whole number", found=f"{STEPS}={told}") from error


def _left_out(cannot: Mapping[str, str], *, named: bool) -> dict[str, str]:
    """Return which strategies are left out, and why. Raises DataError where they were named."""
    for name, why in cannot.items():
        if named:
            raise DataError(
                f"the strategy {name} cannot be held against random", found=why, hint="leave it out"
            )
    return dict(cannot)


def _failures(filled: Filled, asked: Rounds) -> tuple[dict[str, str], dict[str, str]]:
    """Return which strategies the first answers showed to be unable to choose, and which other fits failed, and why."""
    cannot: dict[str, str] = {}
    cells: set[str] = set()
    for seed in asked.seeds:
        first = filled.results.get(asked.cell("", seed, 0), {})
        for name, why in first.get("cannot", {}).items():
            cannot[name] = why
            cells |= {asked.cell(name, seed, k) for k in range(1, asked.rounds + 1)}
    return cannot, {name: why for name, why in filled.failed.items() if name not in cells}


def _patients(job: Setting) -> int:
    tested = set(job.test)
    return len({c.patient or c.id for c in job.cohort.cases if c.id in tested})
