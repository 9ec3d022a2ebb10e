"""fit: from data to a run's folder with a bundle, a scorecard and a report; interrupted, it can be resumed."""

from __future__ import annotations

import shutil
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from vesalius.core.bundle import Bundle
from vesalius.core.cohort import Cohort
from vesalius.core.plan import Plan
from vesalius.core.progress import Progress, watched
from vesalius.core.subgroups import SMALLEST
from vesalius.evaluate.cards.about import NOTHING
from vesalius.evaluate.cards.reading import read_about
from vesalius.run import crewed, folder, neighbours, out_of_fold, unlabelled
from vesalius.run.begin import Asked, Begun, begin, reopen, with_weights
from vesalius.run.finished import Run, keep_ran_out, place_of, run_at
from vesalius.run.outcome import finish
from vesalius.run.pacing import clock_for
from vesalius.run.planning import Planned, assert_meaning, choose_plan, fix_steps
from vesalius.run.reading import read_workspace
from vesalius.run.sealing import seal
from vesalius.run.spending import TRAINING, spending
from vesalius.run.training import train_all
from vesalius.run.workspace import Workspace

__all__ = ["Run", "carried_out", "fit"]


def fit(
    data: Path | str | Cohort,
    out: Path | str | None = None,
    *,
    task: str | None = None,
    target: str | None = None,
    time_limit: str | float | None = None,
    seed: int | None = None,
    folds: int | None = None,
    shots: int | None = None,
    split: Path | str | None = None,
    columns: Mapping[str, str] | None = None,
    layout: str | None = None,
    labels: Mapping[str, str] | None = None,
    init: Run | Bundle | Path | str | None = None,
    settings: Mapping[str, Any] | None = None,
    plan: Path | str | Plan | None = None,
    preset: str | None = None,
    by: Sequence[str] | None = None,
    smallest_group: int = SMALLEST,
    dry_run: bool = False,
    resume: bool = False,
    max_set_aside: float = 0.10,
    device: str | None = None,
    about: Path | str | Mapping[str, Any] | None = None,
    stages: Mapping[str, Run | Bundle | Path | str] | None = None,
    progress: Progress | bool | None = None,
    started: float | None = None,
) -> Run:
    """Train on `data`, calibrate, score on its test cases, and leave a run behind.

    Args:
        data: A path as for `read`, or a cohort.
        out: The run's folder, by default `runs/<data>-<n>`; nothing is overwritten.
        task: The question, one of `vesalius tasks`; by default it follows from the target.
        target: What to learn, where there are several; or a table's column that is one.
        time_limit: For all of it: `"10m"`, `"1h30m"`, or seconds.
        seed: Decides folds, weights and batches.
        folds: How many parts the training patients are dealt into; one member is trained for each, and
            answers the cases of its fold, which it never saw (`Run.out_of_fold`).
        shots: Learn from so many training cases of each label only, drawn by the seed, one a patient, on frozen
            features of the weights that `init` names; the other training cases validate.
        split: A CSV with the columns `case,split`.
        columns: What a table's columns are, where their names do not tell: `{"covariate": "age,sex"}`.
        layout: How to read it, where it could be read in several ways; one of `vesalius layouts`.
        labels: What stands for what among classes and masks' values: `{"NA": "", "255": "1"}`.
        init: What to begin from: a run, a bundle, the path of one, a file of weights, or the name of weights that pip
            installs (`mobilenetv2-imagenet`); "none" for random weights. The test cases of a run stay test cases.
            By default pictures begin from installed weights of ImageNet, and all else from random ones.
        settings: Planned values by path, over the rules': `{"train.steps": 500}`.
        plan: A plan, or the path of a plan.json, to follow instead of the rules.
        preset: One of `vesalius presets` (`quick`, `good`, `best`, `finetune`, `lora` …): it changes what the rules
            chose, and gives its reasons; `settings` win over it.
        by: Columns by whose groups the report gives every figure, too, and which `train.select=worst_group` and its
            kin go by; by default those of people that there are (sex, age, site …), and `()` for none.
        smallest_group: Patients that a group must have for its figures to be given.
        dry_run: Stop at the plan.
        resume: Go on in `out`, or in the latest unfinished run of this data, where it was interrupted. What
            that run was told need not be told again; it has the time that is left, unless `time_limit` gives it
            another from now on.
        max_set_aside: The share of faulty cases to bear.
        device: `cpu`, `cuda`, `cuda:1`; by default a GPU where there is one.
        about: What only a person knows of the model (its use, its users, its maker), for its card: a mapping, or a
            file as `vesalius card --template` writes one.
        stages: Bundles that are stages before the one that is trained, by a name of their own: `{"vessels": run}`. The
            net is given what they find, or see, beside the image; `settings` of `takes` say what.
        progress: A `Progress`; True, False or None: by default a bar shows itself on a terminal and in a
            notebook.
        started: The `time.monotonic()` that the time limit counts from, by default that of the call.

    Returns:
        The run: its folder, plan, bundle and scorecard. After a dry run it has the plan alone.

    Raises:
        DataError: The data cannot be learned from, or too much of it is faulty.
        PlanError: The plan, or what was set, cannot be followed.
        BudgetError: The time or the memory is not enough.
        UnknownName: There is no task, net, target, … of that name; the message says the closest.
        OutputError: `out` holds something.
        Interrupted: Ctrl-C; all is saved, and `resume` goes on.
    """
    others = dict(settings or {})
    asked = Asked(
        data=data,
        began=time.monotonic() if started is None else started,
        out=None if out is None else Path(out),
        task=task or others.pop("task.name", None),
        target=target or others.pop("task.target", None),
        settings=others,
        time_limit=time_limit,
        seed=seed,
        folds=folds,
        shots=shots,
        split=Path(split) if split else None,
        columns=columns,
        layout=layout,
        labels=labels,
        init=None if init is None else place_of(init),
        plan=plan,
        preset=preset,
        by=None if by is None else tuple(by),
        smallest_group=smallest_group,
        dry_run=dry_run,
        max_set_aside=max_set_aside,
        device=device,
        about=None if about is None else read_about(about),
        stages={name: place_of(one) for name, one in (stages or {}).items()},
        progress=watched(progress),
    )
    return carried_out(asked, resume=resume)


def carried_out(asked: Asked, *, resume: bool = False) -> Run:
    """Return the run that is asked for, trained, sealed and scored; `fit` says what it raises.

    Where several processes are to train it, they are started, or joined where a launcher started this one.
    """
    return crewed.led(_carried_out, asked, resume=resume)


def _carried_out(asked: Asked, *, resume: bool = False) -> Run:
    begun = reopen(asked) if resume else begin(asked)
    space = read_workspace(begun)
    chosen = choose_plan(begun, space)
    begun = with_weights(begun, chosen)
    trying = unlabelled.to_try(begun, space, chosen)
    space = unlabelled.with_unlabelled(space, chosen)
    if begun.finished is not None:
        return _as_it_was(begun, space, begun.finished)
    assert_meaning(begun, chosen)
    if asked.dry_run:
        chosen = chosen if trying is None else unlabelled.announced(trying, chosen)
        return Run(None, fix_steps(begun, space, chosen).plan, None, None)
    with folder.opened(begun) as path:
        crewed.tell_folder(path)
        planned = fix_steps(begun, space, chosen)
    if trying is not None:
        trying = unlabelled.affordable(begun, trying, planned)
        folder.write_begun(begun, trying, planned, path)
        with folder.at_work(begun, trying, path):
            space, planned = unlabelled.decided(begun, chosen, trying, planned, path)
    folder.write_down(begun, space, planned, path)
    crewed.keep_record(path)
    with folder.at_work(begun, space, path):
        return _trained(begun, space, planned, path)


def _trained(begun: Begun, space: Workspace, planned: Planned, path: Path) -> Run:
    """Train, seal and score what was planned."""
    device, progress = begun.asked.device, begun.asked.progress
    clock = clock_for(planned.plan, folder.deadline(begun, planned), planned.foreseen, device)
    with spending(path, TRAINING, device):
        trained, plan = train_all(
            space,
            planned.plan,
            path,
            clock=clock,
            progress=progress,
            device=device,
            start=begun.start.weights if begun.start else None,
            ready=planned.ready,
            given=begun.stages,
            index_until=folder.index_until(begun, planned),
        )
    outcome = trained[-1].outcome
    about = begun.asked.about or NOTHING
    bundle = seal(space, plan, trained, path, about=about, given=begun.stages, device=device)
    if begun.asked.folds is not None or out_of_fold.is_free(plan):
        out_of_fold.write(space, bundle, outcome, path, progress=progress, device=device)
    asked = begun.asked
    bundle, scorecard = finish(
        space,
        bundle,
        outcome,
        path,
        by=asked.by,
        smallest_group=asked.smallest_group,
        progress=progress,
        device=device,
    )
    neighbours.write(space, bundle, trained[-1].vectors, path)
    shutil.rmtree(path / "cache", ignore_errors=True)  # prepared pixels, of no use to anybody now
    if outcome.ran_out:
        keep_ran_out(path)
    return Run(path, plan, bundle, scorecard, outcome.ran_out)


def _as_it_was(begun: Begun, space: Workspace, path: Path) -> Run:
    """Return a run that is finished, as it lies there."""
    folder.keep_record(space, path, begun.start)
    asked = begun.asked
    neighbours.made_again(space, path, given=begun.stages, progress=asked.progress, device=asked.device)
    begun.asked.progress.note(f"{path} is finished: nothing is left to do")
    return run_at(path)
