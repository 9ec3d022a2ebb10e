"""scale: what a larger net, more labels or more compute would bring on one's own data, with intervals."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from vesalius import cohorts
from vesalius.core.cohort import Cohort
from vesalius.core.disk import assert_apart
from vesalius.core.errors import DataError, OutputError, PlanError, VesaliusError
from vesalius.core.progress import Progress, watched
from vesalius.core.words import counted
from vesalius.evaluate.paired import NO_PATIENTS
from vesalius.plan.budget import seconds
from vesalius.run.begin import NOTHING, Asked, begin
from vesalius.run.grid import ASKED, Filled, carry_out, left_s, opened
from vesalius.run.plan_scores import PlanScores
from vesalius.run.reading import read_workspace
from vesalius.run.scaling.grid import BESIDE, STEPS, Fit, Worker, fits, planned_steps, step_seconds
from vesalius.run.scaling.result import Scaling, write
from vesalius.run.scaling.study import ERROR, LOSS, Place, Study, places, studied
from vesalius.run.workspace import Workspace
from vesalius.scaling.optimum import Optimum, optimum

__all__ = ["Scaling", "scale"]
SIZES, SHARES, LENGTHS, SEEDS = (0.125, 0.25, 0.5, 1.0), (0.125, 0.25, 0.5, 1.0), (0.25, 0.5, 1.0), (0, 1)
LATE = 1.1  # times its time limit: when no further fit is begun
OWN = ("net.scale", "train.seed", "train.shots", "train.folds", "train.members")
ONE_SEED = "With one seed the noise between trainings is known from how places scatter around the law alone."
FROM_NOTHING = (
    "Every net begins from random weights, as installed ones fit one size alone; with them fewer labels do."
)


def scale(
    data: Path | str | Cohort,
    out: Path | str | None = None,
    *,
    sizes: Sequence[float] = SIZES,
    shares: Sequence[float] = SHARES,
    lengths: Sequence[float] = LENGTHS,
    seeds: Sequence[int] = SEEDS,
    time_limit: str | float | None = None,
    settings: Mapping[str, Any] | None = None,
    task: str | None = None,
    target: str | None = None,
    split: Path | str | None = None,
    columns: Mapping[str, str] | None = None,
    layout: str | None = None,
    labels: Mapping[str, str] | None = None,
    max_set_aside: float = 0.10,
    device: str | None = None,
    resume: bool = False,
    progress: Progress | bool | None = None,
) -> Scaling:
    """Fit nets of several sizes on growing shares of the training patients, and say what more of each would bring.

    All fits have the same number of steps, begin from random weights and are measured on the same held-out patients,
    which are not the test's. Shares are nested and by patient. Begun again with the same `out`, it goes on.

    Args:
        data: A path as for `read`, or a cohort.
        out: The folder, by default `runs/scale-<data>`: the fits' cells, `scale.json`, `scale.html`.
        sizes: Values of `net.scale`, the dial of width and depth; four of them for a law of parameters.
        shares: Shares of the training patients, 1 among them; four of them for a law of labels.
        lengths: Shares of the steps, 1 among them, at which every size is trained on all patients: for the law of
            compute. `(1,)` for none.
        seeds: Each is a fit at every place, with patients, weights and batches of its own.
        time_limit: For all of it: the number of steps follows from it, where `settings` do not fix it. A tenth later
            no further fit is begun, and the same call goes on.
        settings: Planned values of every fit by path, `train.steps` among them: `{"train.steps": 300}`.
        task: The question, one of `vesalius tasks`; by default it follows from the target.
        target: What to learn, where there are several.
        split: A CSV with the columns `case,split`.
        columns: What a table's columns are, where their names do not tell.
        layout: How to read it, where it could be read in several ways; one of `vesalius layouts`.
        labels: What stands for what among classes and masks' values.
        max_set_aside: The share of faulty cases to bear.
        device: `cpu`, `cuda`, `cuda:1`; by default a GPU where there is one.
        resume: Go on with the scaling in `out`, which must be there.
        progress: A `Progress`; True, False or None: by default a bar shows itself on a terminal and in a notebook.

    Returns:
        What was measured, the laws with their intervals, what they forecast, and how a forecast did on the largest net
        and the full cohort when these took no part.

    Raises:
        DataError: The data cannot be learned from, two shares hold the same cases, or no fit was finished.
        PlanError: What was set cannot be followed.
        BudgetError: The time is too short for so many fits.
        OutputError: `out` holds something else, or a scaling for which something else was asked.
        LimitReached: The time was over before all fits were made; what is finished is kept, and the same call goes on.
        Interrupted: Ctrl-C; what is finished is kept, and the same call goes on.
    """
    began, shown = time.monotonic(), watched(progress)
    asked = fits(
        _sorted(sizes, "sizes", most=16.0),
        _shares(shares, "shares"),
        _shares(lengths, "lengths"),
        _seeds(seeds),
    )
    folder = folder_of(data, out)
    if not isinstance(data, Cohort):
        assert_apart(Path(data), folder)
    if resume and not (folder / ASKED).is_file():
        raise OutputError(
            f"{folder} holds no scaling to resume", hint="the folder that an earlier `scale` made"
        )
    chosen = dict(settings or {})
    for name in OWN:
        if name in chosen:
            raise PlanError(f"{name} is what a scaling decides itself", found=f"{name}={chosen[name]}")
    limit = None if time_limit is None else seconds(time_limit)
    begun = begin(
        Asked(
            data=data,
            began=began,
            task=task,
            target=target,
            settings={k: v for k, v in chosen.items() if k != STEPS},
            time_limit=limit,
            seed=0,
            split=Path(split) if split else None,
            columns=columns,
            layout=layout,
            labels=labels,
            init=NOTHING,
            verb="scale",
            max_set_aside=max_set_aside,
            device=device,
            progress=shown,
        )
    )
    space = read_workspace(begun)
    if len(space.assignment.folds) < 2:
        raise DataError("a scaling needs at least two folds, one to learn from and one to measure on")
    work = folder.parent / f".{folder.name}-work"  # beside it, as it is used before the folder is begun
    unfinished = work.exists()  # of an earlier call, or of one that is at work now
    scores = PlanScores(begun=begun, space=space, folder=work, seconds=None)
    try:
        _assert_different(Worker(scores=scores, steps=1), asked)
        step_s = step_seconds(scores, sorted({f.size for f in asked}), asked[0].seed)
        left = None if begun.limit_s is None else max(0.0, begun.limit_s - (time.monotonic() - began))
        steps = _steps(chosen.get(STEPS), folder) or planned_steps(scores, asked, step_s, left)
        worker = Worker(scores=scores, steps=steps)
        opened(folder, _decisive(space, worker, chosen))
    except (VesaliusError, KeyboardInterrupt):
        scores.release()
        if not unfinished:
            shutil.rmtree(work, ignore_errors=True)
        raise
    cells = worker.cells(asked, {size: BESIDE * s * steps for size, s in step_s.items()})
    left_now = left_s(folder, cells)
    shown.note(
        f"{counted(len(cells), 'fit')} of {counted(steps, 'step')}: about {left_now / 60:.1f} min are left"
    )
    ends = None if limit is None else began + LATE * limit
    filled = carry_out(folder, cells, name="fits", progress=shown, ends=ends)
    found = _found(filled, asked, worker, chosen)
    write(found, folder)
    shutil.rmtree(work, ignore_errors=True)
    return found


def folder_of(data: Path | str | Cohort, out: Path | str | None) -> Path:
    """Return the folder of a scaling: the one that is named, or `runs/scale-<data>`."""
    return Path(out) if out is not None else Path("runs") / f"scale-{cohorts.name_of(data)}"


def _sorted(given: Sequence[float], what: str, *, most: float) -> tuple[float, ...]:
    found = tuple(sorted({float(v) for v in given}))
    if not found or not all(0 < v <= most for v in found):
        raise DataError(f"{what} lie above 0 and up to {most:g}", found=str(list(given)))
    return found


def _shares(given: Sequence[float], what: str) -> tuple[float, ...]:
    found = _sorted(given, what, most=1.0)
    if found[-1] != 1:
        raise DataError(
            f"1 must be among the {what}", found=str(list(given)), hint="the whole is measured, too"
        )
    return found


def _seeds(given: Sequence[int]) -> tuple[int, ...]:
    found = tuple(dict.fromkeys(int(s) for s in given))
    if not found or min(found) < 0:
        raise DataError("a scaling needs a seed, and none below 0", found=str(list(given)))
    return found


def _steps(told: Any, folder: Path) -> int | None:
    """Return the steps that were set, or those of a scaling that goes on; None where they are open."""
    if told is None:
        kept = folder / ASKED
        return (
            int(json.loads(kept.read_text(encoding="utf-8")).get("steps", 0)) or None
            if kept.is_file()
            else None
        )
    if not str(told).isdecimal() or int(told) < 1:
        raise PlanError("the number of steps is a whole number, at least 1", found=f"{STEPS}={told}")
    return int(told)


def _assert_different(worker: Worker, asked: Sequence[Fit]) -> None:
    """Raise DataError where two shares hold as many cases: patients are too few for so small ones."""
    counts: dict[int, float] = {}
    for share in sorted({f.share for f in asked}):
        many = len(worker.learned(share, asked[0].seed))
        if many in counts:
            raise DataError(
                f"the shares {counts[many]:g} and {share:g} hold the same {counted(many, 'case')}",
                hint="larger --shares, or more patients",
            )
        counts[many] = share


def _decisive(space: Workspace, worker: Worker, chosen: Mapping[str, Any]) -> dict[str, Any]:
    """Return all that decides what every fit gives; sizes, shares, lengths and seeds may be added later."""
    return {
        "data": space.cohort.hash,
        "task": space.task.name,
        "target": space.target.full_name if space.target else None,
        "held_out": list(worker.held),
        "steps": worker.steps,
        "settings": {name: str(value) for name, value in sorted(chosen.items()) if name != STEPS},
    }


def _found(filled: Filled, asked: Sequence[Fit], worker: Worker, chosen: Mapping[str, Any]) -> Scaling:
    """Return what the fits came to."""
    space, rows = worker.scores.space, list(filled.results.values())
    measured = places(asked, filled.results)
    if not measured:
        raise DataError("no fit was finished", found=next(iter(filled.failed.values()), "no cell"))
    studies = tuple(s for m in (LOSS, ERROR) if (s := studied(measured, m)) is not None)
    held = space.cases(worker.held)
    known, counts = space.cohort.patients_known, sorted({p.parameters for p in measured})
    notes = [FROM_NOTHING]
    notes += [ONE_SEED] if len({f.seed for f in asked}) == 1 else []
    notes += [] if known else [NO_PATIENTS]
    if len(counts) < len({p.size for p in measured}):
        notes.append(
            "Two sizes are nets of equally many parameters: fewer places tell of parameters than were asked."
        )
    if filled.failed:
        notes.append(f"{counted(len(filled.failed), 'fit')} failed, and the laws stand on the others.")
    return Scaling(
        data=cohorts.name_of(space.cohort),
        data_hash=space.cohort.hash,
        task=space.task.name,
        target=space.target.full_name if space.target else "",
        primary=space.task.primary,
        net=", ".join(sorted({str(r["net"]) for r in rows})),
        steps=worker.steps,
        batch=int(rows[0]["batch"]),
        seeds=tuple(dict.fromkeys(f.seed for f in asked)),
        held_cases=len(held),
        held_patients=len({c.patient or c.id for c in held}),
        patients_known=known,
        split=space.assignment.by,
        flops_by=", ".join(sorted({str(r["flops_by"]) for r in rows})),
        places=measured,
        studies=studies,
        optimum=_best(studies, measured),
        failed=dict(filled.failed),
        notes=tuple(notes),
        settings={k: str(v) for k, v in chosen.items()},
    )


def _best(studies: Sequence[Study], measured: Sequence[Place]) -> Optimum | None:
    """Return the best size for the largest compute that was measured; None without a law of parameters and steps."""
    study = next((s for s in studies if s.measure == LOSS), None)
    if study is None or study.steps is None or study.steps.law is None:
        return None
    sizes = np.log([p.parameters for p in measured])
    slope, level = np.polyfit(sizes, np.log([p.flops / p.steps for p in measured]), 1)
    budget = max(p.flops for p in measured)
    return optimum(study.steps, lambda n: float(np.exp(level + slope * np.log(n))), budget)
