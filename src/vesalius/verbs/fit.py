"""fit: from data to a run's folder with a bundle, a scorecard and a report; interrupted, it can be resumed."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from vesalius import __version__, cohorts
from vesalius.core.bundle import Bundle, save_bundle
from vesalius.core.cohort import Cohort
from vesalius.core.disk import new_folder, write_text
from vesalius.core.errors import OutputError, PlanError, VesaliusError
from vesalius.core.plan import USER, Plan, load_plan, override, save_plan
from vesalius.core.progress import Progress, Silent
from vesalius.core.scorecard import Scorecard
from vesalius.infer import predictor
from vesalius.nets import describe
from vesalius.plan import machine as machines
from vesalius.plan.budget import seconds
from vesalius.plan.fingerprint import fingerprint
from vesalius.plan.rules import check, draft_plan, staged
from vesalius.verbs._budgeting import SHARE, budgeted
from vesalius.verbs._init import initial_weights
from vesalius.verbs._outcome import calibrated, finish
from vesalius.verbs._training import train_all
from vesalius.verbs._workspace import Workspace, plain, prepare_workspace


@dataclass(frozen=True, eq=False)
class Run:
    """What `fit` leaves behind in `path`: plan.json, folds.json, logs/, bundle/, scorecard.json, report.html.

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
    init: Path | str | None = None,
    settings: Mapping[str, Any] | None = None,
    plan: Path | str | Plan | None = None,
    dry_run: bool = False,
    resume: bool = False,
    max_set_aside: float = 0.10,
    device: str | None = None,
    progress: Progress | None = None,
) -> Run:
    """Train on `data` and score on its test cases; returns the run.

    `time_limit` ('10m', seconds) bounds all of it. `folds` trains a member for each fold. `settings` override
    planned values by path (`{"train.steps": 500}`). `plan` is a plan.json to follow instead of the rules'.
    `dry_run` stops at the plan. `resume` goes on in `out` (or the latest unfinished run of this data) where it
    was interrupted. Raises VesaliusError's kinds; Interrupted after Ctrl-C, when all is saved.
    """
    began = time.monotonic()
    progress = progress or Silent()
    limit = seconds(time_limit) if time_limit is not None else None
    predictor.device_of(device)  # said before an hour of reading, not after
    label = data.root.name if isinstance(data, Cohort) else Path(data).resolve().name.partition(".")[0]
    given = _given(plan)
    path = _resumed(out, label) if resume else None
    seed = seed if seed is not None else given.train.seed if given else 0
    stored = (
        cohorts.load_assignment(path / "folds.json") if path and (path / "folds.json").is_file() else None
    )
    torch.set_num_threads(machines.measure().cores)
    space = prepare_workspace(
        data,
        task=task or (given.task.name if given else None),
        target=target or (given.task.target if given else None),
        columns=columns,
        split=Path(split) if split else None,
        seed=seed,
        folds=_fold_count(given, settings, folds),
        max_set_aside=max_set_aside,
        progress=progress,
        assignment=stored,
    )
    for item in space.cohort.set_aside:
        progress.note(f"set aside: {item.case}: {item.reason}")
    start, origin = initial_weights(Path(init)) if init else (None, None)
    following = path is not None and (path / "plan.json").is_file()
    if following and path is not None:
        fixed = check(load_plan(path / "plan.json"), space.task)
        _same_data(path, space)
    else:
        fixed = _first_plan(space, given, settings, folds=folds, seed=seed, origin=origin)
    if fixed.train.threads:
        torch.set_num_threads(fixed.train.threads)
    if dry_run:
        fixed, _ = budgeted(space, fixed, limit, began, progress=progress, device=device, start=start)
        return Run(None, fixed, None, None)
    fresh = path is None
    path = path or new_folder(Path(out) if out else None, default=label)
    after = 0.0
    if not following:
        try:
            fixed, after = budgeted(space, fixed, limit, began, progress=progress, device=device, start=start)
        except VesaliusError:
            if fresh:
                path.rmdir()  # a plan that cannot be followed leaves nothing behind
            raise
    if fresh:
        arguments = {"data": space.cohort.root, "seed": seed, "time_limit": time_limit, "columns": columns}
        about = {**plain(arguments), "data_hash": space.cohort.hash}
        write_text(path / "run.json", json.dumps(about, indent=1) + "\n")
        cohorts.save_assignment(space.assignment, path / "folds.json")
    if not following:
        save_plan(fixed, path / "plan.json")
    progress.note(f"run: {path}")
    deadline = None if limit is None else began + limit * SHARE - after
    stages, outcome = train_all(
        space, fixed, path, deadline=deadline, progress=progress, device=device, start=start
    )
    stages = (*stages[:-1], calibrated(space, fixed, outcome, stages[-1]))
    bundle = save_bundle(
        path / "bundle", stages, data_hash=space.cohort.hash, made_by=f"vesalius {__version__}"
    )
    bundle, scorecard = finish(space, bundle, outcome, path, progress=progress, device=device)
    return Run(path, fixed, bundle, scorecard, outcome.ran_out)


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


def _same_data(path: Path, space: Workspace) -> None:
    before = json.loads((path / "run.json").read_text(encoding="utf-8")).get("data_hash")
    if before != space.cohort.hash:
        raise OutputError("the data has changed since this run began", found="another hash", hint="a new run")


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
    if given is not None:
        plan = given if given.train.seed == seed else override(given, {"train.seed": seed})
    else:
        prints = fingerprint(space.cohort, space.facts, space.training, space.target)
        plan = draft_plan(space.task, space.target, prints, machines.measure(), seed=seed)
    made = len(space.assignment.folds)
    if folds is not None and folds > len(space.training):
        raise PlanError(
            f"{folds} folds are more than there are cases to train on",
            found=f"{len(space.training)} cases",
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
    plan = staged(override(_for_net(plan, settings or {}), settings or {}))
    if given is not None:  # its number of steps is kept, whatever the clock says
        plan = plan.model_copy(update={"reasons": {**plan.reasons, "train.steps": USER}})
    return check(plan, space.task)


def _for_net(plan: Plan, settings: Mapping[str, Any]) -> Plan:
    """The plan without the options of its net, where the user names one of another family."""
    named = str(settings.get("net.name", plan.net.name))
    if named.partition("-")[0] == plan.net.name.partition("-")[0]:
        return plan
    smallest = describe(named).get("SMALLEST", 0.0)
    changed = {"net.options": {}, "net.scale": max(plan.net.scale, smallest)}
    return override(plan, changed, reason=f"what {named} takes; the rules had planned {plan.net.name}")
