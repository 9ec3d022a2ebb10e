"""Labelling by rounds: every strategy of `suggest` against random on a phantom, BUSI and Hippocampus. About 6 hours.

Labels of a pool are hidden and uncovered as each strategy asks for them; every fit has the same number of steps. Test
cases are never suggested. Nothing is chosen by these figures but what the page says of the strategies.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks import _fits, _quick
from benchmarks._figures import Figure
from vesalius.core.progress import Silent
from vesalius.core.registry import names
from vesalius.run.rounds import RANDOM, Rounds, simulate
from vesalius.run.rounds_curve import Point, curve, verdicts
from vesalius.run.transfer_setting import setting
from vesalius.run.workspace import prepare_workspace
from vesalius.verbs.fit import fit
from vesalius.verbs.phantom import phantom

SECTION = "Label what pays"
SOAK = False
SEEDS = (0, 1, 2)
RESAMPLES = 1000
COMMON: dict[str, Any] = {"train.members": 1, "train.threads": 2, "infer.novelty": "none", "train.batch": 8}


@dataclass(frozen=True)
class Task:
    """What is labelled: the data, its target, how many cases at first and in a round, and the fits' settings."""

    name: str
    target: str | None
    begin: int
    batch: int
    rounds: int = 5
    settings: dict[str, Any] = field(default_factory=dict)
    split: str | None = None


TASKS = (
    Task("phantom", "class", 10, 10, settings={"data.size": [1, 48, 48], "train.steps": 150, "net.scale": 0.25}),
    Task("busi", "class", 20, 20, settings={"data.size": [1, 64, 64], "train.steps": 300, "net.scale": 0.5}),
    Task(
        "hippocampus", None, 4, 4, settings={"train.steps": 150, "net.scale": 0.5, "train.batch": 2},
        split="hippocampus_split.csv",
    ),
)  # fmt: skip


def run(folder: Path, *, seeds: Sequence[int], quick: bool = False) -> list[Figure]:
    """A curve a strategy and data set. Quick: small phantoms, one seed, two rounds, three strategies."""
    rows: list[Figure] = []
    for task in TASKS[:2] if quick else TASKS:
        rows += measured(task, folder / task.name, seeds[:1] if quick else seeds, quick=quick)
    return rows


def measured(task: Task, folder: Path, seeds: Sequence[int], *, quick: bool) -> list[Figure]:
    """All points of one data set, and a sentence a strategy. What is finished is not done again."""
    kept = folder if quick else _fits.KEPT / "suggest" / task.name
    split = None if quick or task.split is None else _fits.shared(task.split)
    space = prepare_workspace(
        _data(task, folder, quick=quick), task=None, target=None if quick else task.target, columns=None,
        split=split, seed=0, folds=5, max_set_aside=0.1, progress=Silent(), layout=None, labels=None,
    )  # fmt: skip
    few = {"train.steps": 4, "net.scale": 0.125, "train.batch": 2} if quick else {}
    rounds = Rounds(
        begin=4 if quick else task.begin,
        batch=3 if quick else task.batch,
        rounds=2 if quick else task.rounds,
        strategies=_strategies(task, quick=quick),
        seeds=tuple(seeds),
        settings={**COMMON, **task.settings, **few},
    )
    filled = simulate(setting(space, None), kept / "rounds", rounds, fit=fit)
    points = curve(kept / "rounds", filled, rounds, resamples=50 if quick else RESAMPLES)
    rows = [_row(task, point, len(seeds)) for point in points]
    rows += [Figure(f"suggest, {task.name}: {text}", "") for text in verdicts(points)]
    return rows + [
        Figure(f"suggest, {task.name}: {k} failed", "", note=why) for k, why in filled.failed.items()
    ]


def _strategies(task: Task, *, quick: bool) -> tuple[str, ...]:
    """Every strategy that the answers can serve: a class has no place, a mask one measure of doubt alone."""
    if quick:
        return (RANDOM, "both", "uncertainty")
    left_out = "uncertainty-margin" if task.target is None else "foreground"
    return tuple(name for name in sorted(names("run.strategies")) if name != left_out)


def _data(task: Task, folder: Path, *, quick: bool) -> Path:
    if quick:
        return _quick.pictures(folder)
    if task.name == "phantom":
        options = {"size": 48, "contrast": 40.0}
        made = folder / "data"
        if not made.exists():
            phantom(made, cases=600, kind="blob", seed=0, options=options)
        return made / "cohort.csv"
    return _fits.shared(task.name)


def _row(task: Task, point: Point, seeds: int) -> Figure:
    against = ""
    if point.difference is not None and point.difference.value is not None:
        low, high = point.difference.low, point.difference.high
        against = f"less random {point.difference.value:+.4f}"
        against += "" if low is None or high is None else f" [{low:+.4f}, {high:+.4f}]"
        against += {True: ": better", False: ": worse", None: ""}[point.better]
    figure = point.figure
    value = "none" if figure.value is None else f"{figure.value:.4f}"
    value += "" if figure.low is None or figure.high is None else f" [{figure.low:.4f}, {figure.high:.4f}]"
    what = f"suggest, {task.name}: {point.metric}, {point.labels} labels, {point.strategy}"
    return Figure(what, value, seed=f"{seeds} seeds", note=against)
