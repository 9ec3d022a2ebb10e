"""search: plans tried on held-out folds at equal cost; the best, if it beats the default one, becomes a run."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

from vesalius import cohorts
from vesalius.core.bundle import Bundle
from vesalius.core.cluster_address import ClusterAddress, read_address
from vesalius.core.cohort import Cohort
from vesalius.core.disk import assert_apart, held, write_text
from vesalius.core.errors import OutputError, PlanError
from vesalius.core.progress import Progress, Silent, watched
from vesalius.plan.budget import seconds
from vesalius.run.begin import Asked
from vesalius.run.clock import CLOCK, left, on_the_clock
from vesalius.run.finished import Run, place_of
from vesalius.run.grid import ASKED, opened
from vesalius.search import page, result, samplers
from vesalius.search.confirm import Confirming
from vesalius.search.helpers import helped
from vesalius.search.result import Search
from vesalius.search.store import DEFAULT, FAILED
from vesalius.search.times import BESIDE, shared
from vesalius.search.verdict import decided
from vesalius.verbs._search_elsewhere import at_work
from vesalius.verbs._searching import Job, Wanted, help_with, joined, reasons_of, tested, until_of, variations
from vesalius.verbs.fit import carried_out

__all__ = ["Search", "search"]
TRIALS, FINALISTS = 50, 3
LEAD = "lead"  # in a search's folder: held by the process that ends it
LIMIT = "limit.json"  # there, too: the time limit that was given last


def search(
    data: Path | str | Cohort,
    out: Path | str | None = None,
    *,
    trials: int = TRIALS,
    time_limit: str | float | None = None,
    time_per_trial: str | float | None = None,
    sampler: str = samplers.USUAL,
    space: Path | str | Mapping[str, Any] | None = None,
    workers: int = 1,
    cluster: str | None = None,
    finalists: int = FINALISTS,
    ensemble: int = 1,
    task: str | None = None,
    target: str | None = None,
    seed: int | None = None,
    folds: int | None = None,
    split: Path | str | None = None,
    columns: Mapping[str, str] | None = None,
    layout: str | None = None,
    labels: Mapping[str, str] | None = None,
    init: Run | Bundle | Path | str | None = None,
    settings: Mapping[str, Any] | None = None,
    preset: str | None = None,
    dry_run: bool = False,
    no_train: bool = False,
    resume: bool = False,
    max_set_aside: float = 0.10,
    device: str | None = None,
    progress: Progress | bool | None = None,
) -> Search:
    """Try plans on validation cases, and train the best as an ordinary run, or the default one where none beats it.

    Each trial trains one member from the same first weights for the same time and answers the same cases of a fold
    that it did not learn from; none sees a test case. The first is the default plan. The few best and the default one
    are then trained with other folds held out, and the best is taken only where its gain is beyond noise there. Begun
    again with the same `out`, here or in other processes, a search goes on where it was.

    Args:
        data: A path as for `read`, or a cohort.
        out: The search's folder, by default `runs/search-<data>`: its store, `search.json`, `.html`, and the run.
        trials: How many plans are tried at most, the default one among them.
        time_limit: For all of it, the run included: `"2h"`, or seconds.
        time_per_trial: How long each plan is trained; by default a share of the time limit, and without one the planned
            number of steps or what is enough for so many cases.
        sampler: `tpe`, `gp`, `random`, or `hyperband`, which ends trials early that fall behind.
        space: A YAML or JSON file, or a mapping: by path of the plan a list of values or a range; by default what the
            task's plan exposes (`dry_run` says it).
        workers: How many processes try plans at the same time on this machine; they share its cores.
        cluster: A Ray cluster whose machines try them instead, `workers` at a time: `"ray://HOST:PORT"`, or `"ray://local"`,
            which starts one here for as long.
        finalists: How many of the best are trained again with other folds held out.
        ensemble: How many of the best plans the members of the run are trained by, in turn; they share the net of the
            one that is taken.
        task: The question, one of `vesalius tasks`; by default it follows from the target.
        target: What to learn, where there are several.
        seed: Decides folds, first weights and what is tried.
        folds: How many parts the training patients are dealt into.
        split: A CSV with the columns `case,split`.
        columns: What a table's columns are, where their names do not tell: `{"covariate": "age,sex"}`.
        layout: How to read it, where it could be read in several ways; one of `vesalius layouts`.
        labels: What stands for what among classes and masks' values: `{"NA": "", "255": "1"}`.
        init: What to begin from, as in `fit`; every trial keeps the net of weights that are named here.
        settings: Planned values by path that every trial has; they are not searched.
        preset: One of `vesalius presets`, over which plans are tried.
        dry_run: Stop at the space.
        no_train: Stop at the verdict: nothing is trained on all folds, and no test case is scored.
        resume: Go on with the search in `out`, which must be there.
        max_set_aside: The share of faulty cases to bear.
        device: `cpu`, `cuda`, `cuda:1`; by default a GPU where there is one.
        progress: A `Progress`; True, False or None: by default a bar shows itself on a terminal and in a
            notebook.

    Returns:
        The search: its trials, the verdict, the importance of each part, and the run's folder and test figure.

    Raises:
        DataError: The data cannot be learned from.
        PlanError: The space, or what was set, cannot be followed, or the default plan cannot be trained.
        UnknownName: There is no sampler, path of a plan, net, … of that name.
        BudgetError: The time is not enough for so many trials.
        OutputError: `out` holds something else, or a search for which something else was asked.
        MissingExtra: Optuna is not installed, or Ray for a cluster.
        ClusterError: The cluster is not there, or its machines are not alike.
        UsageError: The address of the cluster is none.
        Interrupted: Ctrl-C; what is finished is kept, and the same call goes on.
    """
    samplers.assert_known(sampler)
    address = None if cluster is None else read_address(cluster)
    if not dry_run:
        samplers.library()
    _assert_counts(trials=trials, workers=workers, finalists=finalists, ensemble=ensemble)
    began = time.monotonic()
    folder = folder_of(data, out)
    if not isinstance(data, Cohort):
        assert_apart(Path(data), folder)
    if resume and not (folder / ASKED).is_file():
        raise OutputError(
            f"{folder} holds no search to resume", hint="the folder that an earlier `search` made"
        )
    limit = None if time_limit is None else seconds(time_limit)
    each = _kept_each(folder) if time_per_trial is None else seconds(time_per_trial)
    shown = watched(progress)
    asked = Asked(
        data=data,
        began=began,
        task=task,
        target=target,
        settings=dict(settings or {}),
        time_limit=limit,
        seed=seed,
        folds=folds,
        split=Path(split) if split else None,
        columns=columns,
        layout=layout,
        labels=labels,
        init=None if init is None else place_of(init),
        preset=preset,
        verb="search",
        max_set_aside=max_set_aside,
        device=device,
        progress=shown,
    )
    job = Job(
        Wanted(
            fit=asked,
            folder=folder,
            times=shared(limit, each, trials=trials, workers=workers),
            trials=trials,
            sampler=sampler,
            workers=workers,
            finalists=finalists,
            ensemble=ensemble,
            space=space,
            began=began,
            progress=shown,
        )
    )
    if dry_run:
        return job.found((), ())
    opened(folder, job.decisive, hint="another -o")
    write_text(folder / result.SPACE, str(job.space))
    return _carried_out(job, limit, train=not no_train, address=address)


def folder_of(data: Path | str | Cohort, out: Path | str | None) -> Path:
    """Return the folder of a search: the one that is named, or `runs/search-<data>`."""
    return Path(out) if out is not None else Path("runs") / f"search-{cohorts.name_of(data)}"


def _assert_counts(**counts: int) -> None:
    for name, value in counts.items():
        least = 2 if name == "trials" else 1
        if value < least:
            raise PlanError(f"--{name} must be at least {least}", found=str(value), hint=f"--{name} {least}")


def _carried_out(
    job: Job, limit: float | None, *, train: bool, address: ClusterAddress | None = None
) -> Search:
    """Try plans together with others that work in the folder; one process ends it, with the run."""
    wanted = job.wanted
    with ExitStack() as stack:
        if not _leads(wanted.folder, stack):
            job.work(until_of(wanted, wanted.times.trials_s))
            note = "Another process works on this search, too, and trains its run."
            return job.found(tuple(job.store.all()), (note,))
        limit = _left_of(wanted.folder, limit)
        stack.enter_context(on_the_clock(wanted.folder, limit, wanted.began))
        used = 0.0 if limit is None or wanted.fit.time_limit is None else float(wanted.fit.time_limit) - limit
        wanted = replace(wanted, began=wanted.began - used)  # as if it had never been stopped
        job.wanted = wanted
        _ = job.store  # made before others ask for it
        _tried(job, address)
        found = _judged(job)
        page.write(found, wanted.folder)
        if train:
            found = _trained(job, found)
            page.write(found, wanted.folder)
        shutil.rmtree(wanted.folder / "work", ignore_errors=True)
        return found


def _tried(job: Job, address: ClusterAddress | None) -> None:
    """Try plans by workers on this machine, or by those of a cluster."""
    wanted = job.wanted
    until = until_of(wanted, wanted.times.trials_s)
    if address is not None:
        with at_work(job, address) as deal:
            deal(until)
        return
    with helped(help_with, _silent(wanted), many=wanted.workers - 1, progress=wanted.progress):
        job.work(until)


def _silent(wanted: Wanted) -> Wanted:
    """Return what another process of this search is asked, which counts its time from its own beginning."""
    end = wanted.times.trials_s
    left_s = None if end is None else max(0.0, wanted.began + end - time.monotonic())
    times = replace(wanted.times, trials_s=left_s)
    return replace(wanted, times=times, progress=Silent(), fit=replace(wanted.fit, progress=Silent()))


def _leads(folder: Path, stack: ExitStack) -> bool:
    """Return whether this process ends the search: the first that is there does."""
    (folder / LEAD).touch()
    try:
        stack.enter_context(held(folder / LEAD))
    except OutputError:
        return False
    return True


def _left_of(folder: Path, limit: float | None) -> float | None:
    """Return the seconds that are left of a limit, of which earlier processes may have used some, of one of theirs."""
    if limit is None:
        return None
    before = json.loads((folder / LIMIT).read_text(encoding="utf-8")) if (folder / LIMIT).is_file() else None
    there = left(folder, {}) if before is not None and (folder / CLOCK).is_file() else None
    write_text(folder / LIMIT, json.dumps(limit) + "\n")
    return limit if there is None else max(0.0, there + limit - float(before or 0.0))


def _kept_each(folder: Path) -> float | None:
    """Return the seconds of each trial of a search that goes on; None where there is none, or it has no such time."""
    kept = folder / ASKED
    if not kept.is_file():
        return None
    found = json.loads(kept.read_text(encoding="utf-8")).get("time_per_trial")
    return None if found is None else float(found)


def _judged(job: Job) -> Search:
    """Return the search with its finalists and its verdict. Raises PlanError where the default plan failed."""
    wanted, trials = job.wanted, tuple(job.store.all())
    default = next((t for t in trials if t.number == DEFAULT), None)
    if default is None or default.score is None:
        why = default.reason if default and default.state == FAILED else "it was not finished"
        raise PlanError(
            "the default plan could not be trained, and nothing can be held against it", found=why
        )
    confirming = Confirming(
        folder=wanted.folder,
        again=job.again,
        others=len(job.scores.groups) - 1,
        most=wanted.finalists,
        progress=wanted.progress,
        until=until_of(wanted, wanted.times.confirm_s),
        each_s=BESIDE * (wanted.times.each_s or 0.0),
    )
    job.scores.looks = 1
    finalists, notes = confirming.finalists(trials)
    found = job.found(trials, notes)
    verdict = decided(finalists, trials=len(trials), primary=found.primary)
    return replace(found, finalists=finalists, verdict=verdict, importance=job.store.importance())


def _trained(job: Job, found: Search) -> Search:
    """Return the search with the run of the plan that was taken, and what it came to on the test cases."""
    wanted, trial = job.wanted, found.chosen
    name = "run-default" if trial is None else f"run-{trial.number:04d}"
    path = wanted.folder / name
    if path.exists() and not (path / "run.json").is_file():
        shutil.rmtree(path)  # it was killed before it was begun
    limit = wanted.fit.time_limit
    left_s = None if limit is None else max(1.0, float(limit) - (time.monotonic() - wanted.began))
    chosen = {} if trial is None else dict(trial.settings)
    members, note = joined(found, wanted.ensemble)
    if len(members) > 1:
        chosen["train.varied"] = variations(members)
    asked = replace(
        wanted.fit,
        began=time.monotonic(),
        out=path,
        settings={**wanted.fit.settings, **chosen},
        said=reasons_of(found, job.plan, members),
        time_limit=left_s,
        progress=wanted.progress,
    )
    run = carried_out(asked, resume=path.exists())
    earlier = [one.parent.name for one in wanted.folder.glob("run-*/scorecard.json") if one.parent != path]
    notes = [f"The test cases were scored before, too, for {one}." for one in earlier]
    notes += [note] if note else []
    numbers = tuple(t.number for t in members)
    told = (*found.notes, *notes)
    return replace(found, run=str(path), members=numbers, test=tested(run, found.primary), notes=told)
