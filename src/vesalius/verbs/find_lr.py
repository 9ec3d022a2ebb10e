"""find_lr: which learning rate suits these data and this net, by a short training whose rate grows."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vesalius.answers.drawing.rates import draw_rates, write_rates
from vesalius.core.bundle import Bundle
from vesalius.core.cohort import Cohort
from vesalius.core.errors import OutputError, PlanError
from vesalius.core.plan import Plan, override
from vesalius.core.progress import Progress, Silent
from vesalius.core.shown import Shown
from vesalius.core.words import counted
from vesalius.learn.rates import suggested, sweep
from vesalius.plan import torch_threads
from vesalius.run.begin import Asked, begin, with_weights
from vesalius.run.finished import Run, place_of
from vesalius.run.planning import assert_meaning, choose_plan, fix_steps
from vesalius.run.reading import read_workspace
from vesalius.run.ready import begun as ready_of
from vesalius.run.ready import training_cases, with_examples
from vesalius.run.stages import stages_of
from vesalius.run.unlabelled import with_unlabelled

MOST = 2000  # cases that are prepared for it: steps draw from them


@dataclass(frozen=True, eq=False)
class LearningRates(Shown):
    """What a learning-rate range test found: a rate, its loss and the average of the losses so far, for each step.

    `suggestion` is the rate to train with, None where none follows; `reason` says by which rule, or why not. `plan` is
    the plan that was tried, with its own rate.
    """

    rates: tuple[float, ...]
    losses: tuple[float, ...]
    averages: tuple[float, ...]
    suggestion: float | None
    reason: str
    plan: Plan

    @property
    def svg(self) -> str:
        """The picture, as SVG."""
        return draw_rates(self.rates, self.losses, self.averages, suggestion=self.suggestion).decode()

    def write(self, path: Path | str) -> None:
        """Write the picture, as SVG, PNG or PDF by its suffix. Raises OutputError."""
        write_rates(Path(path), self.rates, self.losses, self.averages, suggestion=self.suggestion)

    def __str__(self) -> str:
        rate = "none" if self.suggestion is None else f"{self.suggestion:.2g}"
        return f"suggested rate: {rate}; planned: {self.plan.train.lr:.2g}; {self.reason}"

    def __repr__(self) -> str:
        return f"LearningRates(suggestion={self.suggestion}, steps={len(self.rates)})"

    def _repr_html_(self) -> str:
        picture = self.svg
        return f"<div><p>{self}</p>{picture[picture.index('<svg') :]}</div>"


def find_lr(
    data: Path | str | Cohort,
    *,
    task: str | None = None,
    target: str | None = None,
    time_limit: str | float | None = None,
    seed: int | None = None,
    split: Path | str | None = None,
    columns: Mapping[str, str] | None = None,
    layout: str | None = None,
    labels: Mapping[str, str] | None = None,
    init: Run | Bundle | Path | str | None = None,
    settings: Mapping[str, Any] | None = None,
    plan: Path | str | Plan | None = None,
    preset: str | None = None,
    steps: int = 100,
    low: float = 1e-6,
    high: float = 10.0,
    max_set_aside: float = 0.10,
    device: str | None = None,
    progress: Progress | None = None,
) -> LearningRates:
    """Train for some steps whose learning rate grows, and return the losses and the rate that follows; nothing is kept.

    The plan is that of `fit`: with a `time_limit` that `fit` will have, the net is as wide as it will be then.
    Only cases that the first member trains on are used. The rule is Gugger's (2018) reading of Smith's range test
    (2017): a tenth of the rate at which the averaged loss is lowest. The rate is `train.lr`, the highest of the
    planned schedule.

    Args:
        data: A path as for `read`, or a cohort.
        task: The question; by default it follows from the target.
        target: What to learn, where there are several.
        time_limit: The limit that `fit` will have.
        seed: As for `fit`.
        split: A CSV with the columns `case,split`.
        columns: What a table's columns are, where their names do not tell: `{"covariate": "age,sex"}`.
        layout: How to read it, where it could be read in several ways; one of `vesalius layouts`.
        labels: What stands for what among classes and masks' values: `{"NA": "", "255": "1"}`.
        init: What to begin from, as in `fit`.
        settings: Planned values by path, over the rules'.
        plan: A plan, or the path of a plan.json, to follow instead of the rules.
        preset: One of `vesalius presets`.
        steps: How many steps the rate grows over; 20 at least, and fewer than 100 are said to be few.
        low: The rate of the first step.
        high: The rate of the last step.
        max_set_aside: The share of faulty cases to bear.
        device: `cpu`, `cuda`, `cuda:1`; by default a GPU where there is one.
        progress: A `Progress`; True, False or None: by default a bar shows itself on a terminal and in a
            notebook.

    Returns:
        Each step's rate, loss and averaged loss, the suggestion with its reason, and the plan.

    Raises:
        PlanError: The rate cannot grow so, or the plan cannot be followed.
        DataError: The data cannot be learned from.
    """
    if steps < 20 or not 0 < low < high:
        raise PlanError(
            "the rate must grow over 20 steps or more",
            found=f"{counted(steps, 'step')} from {low:g} to {high:g}",
        )
    asked = Asked(
        data=data,
        began=time.monotonic(),
        task=task,
        target=target,
        time_limit=time_limit,
        seed=seed,
        split=Path(split) if split else None,
        columns=columns,
        layout=layout,
        labels=labels,
        init=None if init is None else place_of(init),
        settings=dict(settings or {}),
        plan=plan,
        preset=preset,
        dry_run=True,
        max_set_aside=max_set_aside,
        device=device,
        progress=progress or Silent(),
    )
    begun = begin(asked)
    space = read_workspace(begun)
    chosen = choose_plan(begun, space)
    begun = with_weights(begun, chosen)
    space = with_unlabelled(space, chosen)
    assert_meaning(begun, chosen)
    if begun.limit_s is not None:
        chosen = fix_steps(begun, space, chosen).plan
    torch_threads.use(chosen.train.threads)
    last = stages_of(chosen)[-1]
    if last.takes is not None:
        raise PlanError(
            "the rate of a stage that is given something of an earlier one is found without the stage before it",
            hint="--set locate=null, or a plan of one stage",
        )
    wanted = set(space.assignment.training(0))
    cases = [c for c in training_cases(space, last) if c.id in wanted][:MOST]
    ready = with_examples(ready_of(space, last), [*cases, *space.unlabelled], asked.progress)
    swept = override(last.plan, {"train.phases": [], "train.steps": steps})
    found = sweep(
        ready.task,
        swept,
        ready.state,
        list(ready.examples.values()),
        low=low,
        high=high,
        steps=steps,
        progress=asked.progress,
        device=device,
        start=begun.start.weights if begun.start else None,
        unlabelled=[c.id for c in space.unlabelled],
    )
    rate, why = suggested(found)
    return LearningRates(found.rates, found.losses, found.averages, rate, why, chosen)


def assert_writable(path: Path) -> None:
    """Say before the work, not after it, that nothing is overwritten. Raises OutputError."""
    if path.exists():
        raise OutputError(f"{path} exists; nothing is overwritten", hint="another -o")
