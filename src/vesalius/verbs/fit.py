"""fit: from data to a run's folder with a bundle, a scorecard and a report; interrupted, it can be resumed."""

from __future__ import annotations

import json
import shlex
import shutil
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from vesalius import cohorts
from vesalius.core.bundle import Bundle, open_bundle, save_bundle
from vesalius.core.cohort import Cohort
from vesalius.core.disk import held, new_folder, write_text
from vesalius.core.errors import Interrupted, OutputError, PlanError, UnknownName, VesaliusError
from vesalius.core.plan import USER, Plan, load_plan, override, save_plan
from vesalius.core.progress import Progress, Silent
from vesalius.core.scorecard import Scorecard, load_scorecard
from vesalius.core.version import VERSION
from vesalius.core.words import counted
from vesalius.infer import predictor
from vesalius.nets import describe
from vesalius.plan import machine as machines
from vesalius.plan.budget import seconds
from vesalius.plan.facts import learned_from, shared_channels
from vesalius.plan.fingerprint import fingerprint
from vesalius.plan.rules import check, draft_plan, staged
from vesalius.reliability.trained_on import FILE, save_trained_on
from vesalius.run.budgeting import SHARE, Limited, budgeted
from vesalius.run.clock import left, on_the_clock
from vesalius.run.init import Start, initial_weights, record, same_meaning, taken_over
from vesalius.run.outcome import calibrated, finish
from vesalius.run.pacing import Clock, Foreseen, clock_for
from vesalius.run.training import train_all
from vesalius.run.workspace import Workspace, no_side_swapped, plain, prepare_workspace, untouched


@dataclass(frozen=True, eq=False)
class Run:
    """What `fit` leaves behind in `path`: plan.json, folds.json, logs/, bundle/, scorecard.json, report.html; and
    trained_on.json, by which its training cases are known again, and which no bundle holds.

    `bundle` and `scorecard` are None after a dry run. `ran_out` says that the clock ended the training.
    """

    path: Path | None
    plan: Plan
    bundle: Bundle | None
    scorecard: Scorecard | None
    ran_out: bool = False


def fit(
    data: Path | str | Cohort,
    out: Path | str | None = None,
    *,
    task: str | None = None,
    target: str | None = None,
    time_limit: str | float | None = None,
    seed: int | None = None,
    folds: int | None = None,
    split: Path | str | None = None,
    columns: Mapping[str, str] | None = None,
    layout: str | None = None,
    labels: Mapping[str, str] | None = None,
    init: Path | str | None = None,
    settings: Mapping[str, Any] | None = None,
    plan: Path | str | Plan | None = None,
    dry_run: bool = False,
    resume: bool = False,
    max_set_aside: float = 0.10,
    device: str | None = None,
    progress: Progress | None = None,
    started: float | None = None,
) -> Run:
    """Train on `data` and score on its test cases; returns the run.

    `labels` says what stands for what among classes and masks' values: `{"benign": "Benign", "NA": "", "255": "1"}`.
    `time_limit` ('10m', seconds) bounds all of it. `folds` trains a member for each fold. `settings` override
    planned values by path (`{"train.steps": 500}`). `plan` is a plan.json to follow instead of the rules'.
    `dry_run` stops at the plan. `resume` goes on in `out` (or the latest unfinished run of this data) where it
    was interrupted; what that run was told of its data, target and time limit need not be told again: it has the
    time that is left, unless `time_limit` gives it another from now on. `started` is the `time.monotonic()` that the
    time limit counts from, by default that of the call.
    Raises VesaliusError's kinds; Interrupted after Ctrl-C, when all is saved.
    """
    began = time.monotonic() if started is None else started
    progress = progress or Silent()
    limit = seconds(time_limit) if time_limit is not None else None
    if resume and plan is not None:
        raise PlanError(
            "a run that is resumed follows its own plan", found="--plan and --resume", hint="one of the two"
        )
    if isinstance(data, Cohort):
        cohorts.assert_untold(labels)
    predictor.device_of(device)  # said before an hour of reading, not after
    settings = dict(settings or {})
    task, target = task or settings.pop("task.name", None), target or settings.pop("task.target", None)
    label = data.root.name if isinstance(data, Cohort) else Path(data).resolve().name.partition(".")[0]
    path = _resumed(out, label) if resume else None
    if path is not None:
        with held(path):  # said at once, not when training begins
            pass
    told = json.loads((path / "run.json").read_text(encoding="utf-8")) if path else {}
    if limit is None and path is not None and not (path / "scorecard.json").is_file():
        limit = left(path, told)
        if limit is not None:
            progress.note(f"{limit:.0f} s of its time limit are left; --time-limit gives it another")
    following = path is not None and (path / "plan.json").is_file()
    given = load_plan(path / "plan.json") if following and path else _given(plan)
    if path is None and out is not None and not dry_run:
        untouched(Path(out))
    seed = seed if seed is not None else given.train.seed if given else 0
    stored = (
        cohorts.load_assignment(path / "folds.json") if path and (path / "folds.json").is_file() else None
    )
    first = Path(init) if init else _told_path(told, "init")
    start = initial_weights(first) if first else None
    origin = start.origin if start else None
    vacancy = machines.Vacancy()
    torch.set_num_threads(vacancy.cores)
    space = prepare_workspace(
        data,
        task=task or (given.task.name if given else None),
        target=target or (given.task.target if given else None),
        columns=columns or told.get("columns"),
        layout=layout or told.get("layout"),
        split=Path(split) if split else _told_path(told, "split"),
        labels=labels or told.get("labels"),
        seed=seed,
        folds=_fold_count(given, settings, folds),
        max_set_aside=max(max_set_aside, told.get("max_set_aside", 0.0)),
        progress=progress if limit is None else Limited(progress, began, limit),
        assignment=stored,
        past=start.past if start else None,
    )
    for item in space.cohort.set_aside:
        progress.note(f"set aside: {item.case}: {item.reason}")
    if "not trained on" in space.assignment.by:
        progress.note(f"split: {space.assignment.by}")
    if following and given is not None:
        _same_run(told, given, space, {"train.seed": seed, **(settings or {})}, origin)
        fixed = check(given, space.task)
        _remember(space, path, start)
        if path is not None and (path / "scorecard.json").is_file():
            progress.note(f"{path} is finished: nothing is left to do")
            return Run(path, fixed, open_bundle(path / "bundle"), load_scorecard(path / "scorecard.json"))
    else:
        fixed = _first_plan(space, given, settings, folds=folds, seed=seed, origin=origin)
    no_side_swapped(fixed)
    if start is not None:
        same_meaning(start, fixed)
    weights = start.weights if start else None
    if fixed.train.threads:
        torch.set_num_threads(fixed.train.threads)
    if dry_run:
        fixed, _ = budgeted(
            space, fixed, limit, began, vacancy=vacancy, progress=progress, device=device, start=weights
        )
        fixed = taken_over(space, fixed, start, progress) if start else fixed
        return Run(None, fixed, None, None)
    fresh = path is None
    path = path or new_folder(Path(out) if out else None, default=label)
    foreseen: Foreseen | None = None
    if not following:
        try:
            fixed, foreseen = budgeted(
                space, fixed, limit, began, vacancy=vacancy, progress=progress, device=device, start=weights
            )
            fixed = taken_over(space, fixed, start, progress) if start else fixed
        except (VesaliusError, KeyboardInterrupt):
            if fresh:
                path.rmdir()  # a plan that cannot be followed leaves nothing behind
            raise
    if fresh:
        arguments = {
            "data": space.cohort.root,
            "seed": seed,
            "time_limit": time_limit,
            "columns": columns,
            "layout": layout,
            "labels": labels,
            "split": Path(split).resolve() if split else None,
            "init": Path(init).resolve() if init else None,
            "max_set_aside": max_set_aside,
        }
        after = round(foreseen.after_s if foreseen else 0.0, 1)
        about = {**plain(arguments), "after_s": after, "data_hash": space.cohort.hash}
        write_text(path / "run.json", json.dumps(about, indent=1) + "\n")
        cohorts.save_assignment(space.assignment, path / "folds.json")
    _remember(space, path, start)
    if not following:
        save_plan(fixed, path / "plan.json")
    progress.note(f"run: {path}")
    after = foreseen.after_s if foreseen else float(told.get("after_s", 0.0))
    deadline = None if limit is None else began + limit * SHARE - after
    clock = clock_for(fixed, deadline, foreseen, device)
    try:
        with held(path), on_the_clock(path, limit, began):
            return _carry_out(
                space, fixed, path, clock=clock, progress=progress, device=device, start=weights
            )
    except (KeyboardInterrupt, Interrupted) as error:
        what = error.what if isinstance(error, Interrupted) else "interrupted; what was trained is saved"
        command = shlex.join(["vesalius", "fit", str(space.cohort.root), "-o", str(path), "--resume"])
        raise Interrupted(what, hint=command) from error


def _carry_out(
    space: Workspace,
    plan: Plan,
    path: Path,
    *,
    clock: Clock,
    progress: Progress,
    device: str | None,
    start: Mapping[str, Any] | None,
) -> Run:
    """Train, calibrate, seal and score what was planned."""
    stages, outcome, plan = train_all(
        space, plan, path, clock=clock, progress=progress, device=device, start=start
    )
    save_plan(plan, path / "plan.json")
    stages = (*stages[:-1], calibrated(space, plan, outcome, stages[-1]))
    bundle = save_bundle(
        path / "bundle",
        stages,
        data_hash=space.cohort.hash,
        made_by=f"vesalius {VERSION}",
        learned=learned_from(space.facts, space.training),
    )
    bundle, scorecard = finish(space, bundle, outcome, path, progress=progress, device=device)
    shutil.rmtree(path / "cache", ignore_errors=True)  # prepared pixels, of no use to anybody now
    return Run(path, plan, bundle, scorecard, outcome.ran_out)


def _given(plan: Path | str | Plan | None) -> Plan | None:
    if plan is None:
        return None
    return plan if isinstance(plan, Plan) else load_plan(Path(plan))


def _fold_count(given: Plan | None, settings: Mapping[str, Any] | None, folds: int | None) -> int:
    if folds is not None:
        return folds
    if settings and "train.folds" in settings:
        text = str(settings["train.folds"])
        if not text.isdecimal() or int(text) < 2:
            raise PlanError("train.folds must be a whole number, at least 2", found=repr(text))
        return int(text)
    return given.train.folds if given else 5


def _resumed(out: Path | str | None, label: str) -> Path:
    """The run to go on with: the one named, or the latest of this data without a sealed bundle."""
    if out is not None:
        if not (Path(out) / "run.json").is_file():
            raise OutputError(f"{out} holds no run to resume", hint="the folder that an earlier `fit` made")
        return Path(out)
    runs = sorted((Path.cwd() / "runs").glob(f"{label}-*/run.json"), key=lambda p: p.stat().st_mtime)
    for found in reversed(runs):
        if not (found.parent / "scorecard.json").is_file():
            return found.parent
    raise OutputError(f"no unfinished run of '{label}' in runs/", hint="-o RUN, or fit without --resume")


def _remember(space: Workspace, path: Path | None, start: Start | None) -> None:
    """Keep in a run's folder, and nowhere else, what it learns from; runs of before get it when they are resumed."""
    if path is not None and not (path / FILE).is_file():
        save_trained_on(record(space, space.assignment, start), path / FILE)


def _told_path(told: Mapping[str, Any], name: str) -> Path | None:
    return Path(told[name]) if told.get(name) else None


def _same_run(
    told: Mapping[str, Any],
    plan: Plan,
    space: Workspace,
    settings: Mapping[str, Any],
    origin: str | None,
) -> None:
    """Refuse to go on with other data, other first weights or other settings than the run began with."""
    if told.get("data_hash") != space.cohort.hash:
        raise OutputError("the data has changed since this run began", found="another hash", hint="a new run")
    if plan.net.init != origin:
        raise PlanError(
            "this run began from other weights", found=str(origin), hint=f"--init with {plan.net.init}"
        )
    named = {"task.name": space.task.name, "task.target": _named(space), **settings}
    before = plan.model_dump(exclude={"reasons"})
    for name, value in named.items():
        if override(plan, {name: value}).model_dump(exclude={"reasons"}) != before:
            raise PlanError(
                "a run that is resumed keeps its plan",
                found=f"{name}={value}",
                hint="the same again, nothing, or a new run",
            )


def _named(space: Workspace) -> str | None:
    return space.target.full_name if space.target else None


def _first_plan(
    space: Workspace,
    given: Plan | None,
    settings: Mapping[str, Any] | None,
    *,
    folds: int | None,
    seed: int,
    origin: str | None,
) -> Plan:
    """The rules' plan or the one given, with what the user set; the number of steps is still open."""
    shared_channels([*space.training, *space.test], space.facts, ())
    if given is not None:
        asked = {"train.seed": seed, "task.name": space.task.name, "task.target": _named(space)}
        now = (given.train.seed, given.task.name, given.task.target)
        plan = given if now == tuple(asked.values()) else override(given, asked)
    else:
        prints = fingerprint(space.cohort, space.facts, space.training, space.target)
        plan = draft_plan(space.task, space.target, prints, machines.measure(), seed=seed)
    made = len(space.assignment.folds)
    if folds is not None and folds > len(space.training):
        raise PlanError(
            f"{folds} folds are more than there are cases to train on",
            found=counted(len(space.training), "case"),
            hint=f"--folds {made}",
        )
    if plan.train.folds != made:
        plan = override(plan, {"train.folds": made}, reason=space.assignment.by)
    if folds is not None:
        plan = override(plan, {"train.members": min(folds, made)})
    elif plan.train.members > made:
        plan = override(plan, {"train.members": made}, reason="one for each fold")
    if origin is not None:
        plan = override(plan, {"net.init": origin})
    if settings and "train.steps" in settings:  # what the clock changed was about other steps
        plan = plan.model_copy(update={"train": plan.train.model_copy(update={"revisions": ()})})
    plan = staged(override(_for_net(plan, settings or {}), settings or {}))
    if given is not None:  # its number of steps is kept, whatever the clock says
        plan = plan.model_copy(update={"reasons": {**plan.reasons, "train.steps": USER}})
    names = [x.name for x in space.labels]
    if plan.task.positive is not None and plan.task.positive not in names:
        raise UnknownName("class", plan.task.positive, names)
    return check(plan, space.task)


def _for_net(plan: Plan, settings: Mapping[str, Any]) -> Plan:
    """The plan without the options of its net, where the user names one of another family."""
    named = str(settings.get("net.name", plan.net.name))
    if named.partition("-")[0] == plan.net.name.partition("-")[0]:
        return plan
    smallest = describe(named).get("SMALLEST", 0.0)
    changed = {"net.options": {}, "net.scale": max(plan.net.scale, smallest)}
    return override(plan, changed, reason=f"what {named} takes; the rules had planned {plan.net.name}")
