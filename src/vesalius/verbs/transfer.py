"""transfer: what weights to begin from are worth on one's own data, over shares of the labels and under a shift."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from vesalius import cohorts
from vesalius.core.cohort import Cohort
from vesalius.core.disk import assert_apart
from vesalius.core.errors import DataError, UnknownName, VesaliusError
from vesalius.core.progress import Progress, watched
from vesalius.core.words import counted
from vesalius.evaluate import transfer as tables
from vesalius.evaluate.paired import NO_PATIENTS
from vesalius.evaluate.transfer import Transfer
from vesalius.plan.budget import seconds
from vesalius.run.arms import NOTHING, WEIGHTS, Arm, Level, chosen, levels
from vesalius.run.grid import carry_out, left_s, opened
from vesalius.run.transfer_cells import SHIFTED, TEST, How, cells, net_of
from vesalius.run.transfer_setting import Setting, Shift, setting
from vesalius.run.transfer_table import Made, assert_figure, collapsed, failures, metric_of, table
from vesalius.run.workspace import Workspace, prepare_workspace
from vesalius.verbs.fit import fit
from vesalius.verbs.pretrain import pretrain

__all__ = ["Arm", "Transfer", "transfer"]
ONE_SEED = "Intervals are over patients alone: with one training an arm, its luck is in none of them."


@dataclass(frozen=True, kw_only=True)
class _Asked:
    """What was asked for, in the types that the work takes."""

    arms: tuple[Arm, ...]
    levels: tuple[Level, ...]
    seeds: tuple[int, ...]
    limit: float | None
    pretrain_limit: float | None
    shift: Shift | None
    settings: Mapping[str, Any] = field(default_factory=dict)
    pretrain_settings: Mapping[str, Any] = field(default_factory=dict)
    recipe: str | None = None


def transfer(
    data: Path | str | Cohort,
    out: Path | str | None = None,
    *,
    task: str | None = None,
    target: str | None = None,
    shares: Sequence[float] | None = None,
    counts: Sequence[int] | None = None,
    seeds: Sequence[int] = (0, 1, 2),
    arms: Sequence[str | Arm] | None = None,
    init: str | None = WEIGHTS,
    time_limit: str | float | None = "90s",
    pretrain_limit: str | float | None = "5m",
    recipe: str | None = None,
    shift: Mapping[str, str] | None = None,
    metric: str | None = None,
    settings: Mapping[str, Any] | None = None,
    pretrain_settings: Mapping[str, Any] | None = None,
    split: Path | str | None = None,
    columns: Mapping[str, str] | None = None,
    layout: str | None = None,
    labels: Mapping[str, str] | None = None,
    max_set_aside: float = 0.10,
    keep: bool = False,
    device: str | None = None,
    resamples: int = 1000,
    progress: Progress | bool | None = None,
) -> Transfer:
    """Fit from several beginnings at several numbers of labels, and return what each is worth on the same test cases.

    Nobody learns from a test case, and all arms are tested on the same ones. Labels are hidden by patient and spread
    over the classes; the fewer are among the more. Begun again with the same `out`, the grid goes on where it was.

    Args:
        data: A path as for `read`, or a cohort.
        out: The grid's folder, by default `runs/transfer-<data>`: its cells, `transfer.json`, `.csv` and `.html`.
        task: The question, one of `vesalius tasks`; by default it follows from the target.
        target: What to learn, where there are several.
        shares: Which shares of the training labels are kept, by default all and a tenth.
        counts: How many of them are kept, in place of shares.
        seeds: Each is a training of every arm, with labels, weights and batches of its own.
        arms: `nothing`, `weights`, `self` (self-supervised on all training pictures), `both`; by default all four. An
            `Arm` is one of your own. All are held against `nothing`.
        init: The weights of the arms `weights` and `both`, as for `fit`; `"none"` for no such arms. Their net is that
            of all arms, unless `settings` name another.
        time_limit: For each fit; None where `settings` fix the steps.
        pretrain_limit: For each pre-training; there is one a seed.
        recipe: How to pre-train, one of `vesalius recipes`; by default the rules choose.
        shift: `{"scanner": "B"}`: the cases of that group are not learned from, and are a second test set.
        metric: The figure of the table, by default the first of a report (AUC, Dice, mean absolute error).
        settings: Planned values of every fit by path: `{"net.name": "resnet-18"}`.
        pretrain_settings: Planned values of every pre-training, beside those of `settings` that are of net and data.
        split: A CSV with the columns `case,split`.
        columns: What a table's columns are, where their names do not tell: `{"covariate": "age,sex"}`.
        layout: How to read it, where it could be read in several ways; one of `vesalius layouts`.
        labels: What stands for what among classes and masks' values: `{"NA": "", "255": "1"}`.
        max_set_aside: The share of faulty cases to bear.
        keep: Keep the run of every fit, and not only its scorecards and its plan; that takes disk.
        device: `cpu`, `cuda`, `cuda:1`; by default a GPU where there is one.
        resamples: How many times patients are drawn for the intervals.
        progress: A `Progress`; True, False or None: by default a bar shows itself on a terminal and in a
            notebook.

    Returns:
        The table: each arm at each number of labels on each test set, with intervals and a verdict.

    Raises:
        DataError: The data cannot be learned from, or no fit was finished.
        UnknownName: There is no arm, column, target, … of that name.
        OutputError: `out` holds something else, or a grid for which something else was asked.
        Interrupted: Ctrl-C; what is finished is kept, and the same call goes on.
    """
    asked = _Asked(
        arms=chosen(arms, init),
        levels=levels(shares, counts),
        seeds=_different(seeds),
        limit=None if time_limit is None else seconds(time_limit),
        pretrain_limit=None if pretrain_limit is None else seconds(pretrain_limit),
        shift=_shift(shift),
        settings=dict(settings or {}),
        pretrain_settings={**_shared(settings or {}), **(pretrain_settings or {})},
        recipe=recipe,
    )
    shown = watched(progress)
    folder = folder_of(data, out)
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
    job = setting(space, asked.shift)
    net, encoder, notes = _net(space, asked, init)
    opened(folder, _decisive(job, space, asked))
    how = How(
        fit=fit,
        pretrain=pretrain,
        limit=asked.limit,
        pretrain_limit=asked.pretrain_limit,
        settings=asked.settings,
        pretrain_settings=asked.pretrain_settings,
        recipe=recipe,
        net=net,
        encoder=encoder,
        device=device,
        keep=keep,
    )
    work = cells(job, asked.arms, how, levels=asked.levels, seeds=asked.seeds)
    shown.note(_foreseen(folder, work, asked))
    filled = carry_out(folder, work, name="fits", progress=shown, go_on="the same again, with the same -o,")
    made = Made(folder, filled, asked.arms, asked.levels, asked.seeds)
    found = _tabled(made, job, space, asked, metric=metric, resamples=resamples, notes=notes)
    tables.write(found, folder)
    return found


def folder_of(data: Path | str | Cohort, out: Path | str | None) -> Path:
    """Return the folder of a grid: the one that is named, or `runs/transfer-<data>`."""
    return Path(out) if out is not None else Path("runs") / f"transfer-{cohorts.name_of(data)}"


def _shared(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings of a fit that its pre-training must share: the net, and how images are prepared."""
    return {name: value for name, value in settings.items() if name.startswith(("net.", "data."))}


def _different(seeds: Sequence[int]) -> tuple[int, ...]:
    found = tuple(dict.fromkeys(int(s) for s in seeds))
    if not found or min(found) < 0:
        raise DataError("a transfer table needs a seed, and none below 0", found=str(list(seeds)))
    return found


def _shift(given: Mapping[str, str] | None) -> Shift | None:
    if not given:
        return None
    if len(given) > 1:
        raise DataError(
            "a shift is one column with one value", found=", ".join(f"{k}={v}" for k, v in given.items())
        )
    column, value = next(iter(given.items()))
    return Shift(column, str(value))


def _decisive(job: Setting, space: Workspace, asked: _Asked) -> dict[str, Any]:
    """Return all that decides what every cell gives; arms, numbers of labels and seeds may be added later."""
    return {
        "data": space.cohort.hash,
        "task": job.task,
        "target": job.info.full_name,
        "test": list(job.test),
        "shift": job.shift.words if job.shift else None,
        "time_limit": asked.limit,
        "time_limit_of_pre-training": asked.pretrain_limit,
        "settings": {name: str(value) for name, value in sorted(asked.settings.items())},
    }


def _net(
    space: Workspace, asked: _Asked, init: str | None
) -> tuple[dict[str, Any], dict[str, Any], tuple[str, ...]]:
    """Return the settings by which all arms have the net of the weights, of a fit and of a pre-training, and notes."""
    weights = next((a.init for a in asked.arms if a.init != "none"), init or "none")
    if weights == "none":
        return {}, {}, ()
    try:
        net, encoder = net_of(space, weights, asked.settings)
    except VesaliusError as error:
        if isinstance(error, UnknownName) and weights == init:
            raise  # misspelt: better said now than by every fit
        if all(a.init == "none" for a in asked.arms):
            return {}, {}, ()
        return (
            {},
            {},
            (f"The net of {weights} is not known, so that other arms have the rules' own: {error}",),
        )
    return net, encoder, ()


def _foreseen(folder: Path, work: Sequence[Any], asked: _Asked) -> str:
    """Return what will be done and how long it will take, in a sentence."""
    before = sum(cell.name.startswith("pretrain-") for cell in work)
    parts = [counted(len(work) - before, "fit")]
    parts += [counted(before, "pre-training")] if before else []
    if asked.limit is None or (before and asked.pretrain_limit is None):
        return f"{' and '.join(parts)}; how long they take follows from their steps"
    total, left = sum(cell.foreseen_s for cell in work), left_s(folder, work)
    done = "" if left == total else f", of which {_minutes(total - left)} are done"
    return f"{' and '.join(parts)}: at most about {_minutes(total)}{done}"


def _minutes(s: float) -> str:
    return f"{s / 60:.0f} min" if s >= 90 else f"{s:.0f} s"


def _tabled(
    made: Made,
    job: Setting,
    space: Workspace,
    asked: _Asked,
    *,
    metric: str | None,
    resamples: int,
    notes: tuple[str, ...],
) -> Transfer:
    """Return the table of what the cells gave."""
    answer, name = metric_of(made, metric)
    tests = {"test": TEST} | ({job.shift.words: SHIFTED} if job.shift else {})
    lines, sets = table(made, tests, answer=answer, metric=name, resamples=resamples)
    known = space.cohort.patients_known
    told = [*notes, *failures(made), *collapsed(made)]
    told += [ONE_SEED] if len(asked.seeds) == 1 else []
    told += [] if known else [NO_PATIENTS]
    nets = {str(r["net"]) for r in made.filled.results.values() if "net" in r}
    told += [f"The arms do not have one net: {', '.join(sorted(nets))}."] if len(nets) > 1 else []
    return Transfer(
        data=cohorts.name_of(space.cohort),
        data_hash=space.cohort.hash,
        answer=answer,
        target=job.info.full_name,
        metric=name,
        against=NOTHING,
        seeds=asked.seeds,
        split=job.by,
        patients_known=known,
        tests=sets,
        lines=lines,
        notes=tuple(told),
        limit_s=asked.limit,
        pretrain_s=asked.pretrain_limit if any(a.pretrained for a in asked.arms) else None,
        net=next(iter(nets)) if len(nets) == 1 else "",
        resamples=resamples,
        settings={k: str(v) for k, v in asked.settings.items()},
    )
