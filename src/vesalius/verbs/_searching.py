"""One process's part of a search: the data read, the default plan, what is tried, and what a plan comes to."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from vesalius.core.errors import DataError, PlanError, VesaliusError
from vesalius.core.plan import Plan, steps_fixed, value_at
from vesalius.core.progress import Progress, Silent
from vesalius.infer.predictor import device_of
from vesalius.plan import machine as machines
from vesalius.run.begin import Asked, begin
from vesalius.run.finished import Run
from vesalius.run.plan_figures import PlanScore, comparable
from vesalius.run.plan_scores import PlanScores
from vesalius.run.reading import read_workspace
from vesalius.run.unlabelled import with_unlabelled
from vesalius.run.varied import may_vary
from vesalius.run.workspace import plain
from vesalius.search import samplers
from vesalius.search.dealing import Dealer, Elsewhere
from vesalius.search.exposed import exposed
from vesalius.search.given import read_space
from vesalius.search.result import Search, TestFigure
from vesalius.search.space import Space
from vesalius.search.store import DEFAULT, RESULT, TRIALS, Store, Trialled
from vesalius.search.times import BESIDE, Times
from vesalius.search.work import Look, Worker


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """What was asked for, in the types that the work takes; `fit` is what a run of the default plan would be asked."""

    fit: Asked
    folder: Path
    times: Times
    trials: int
    sampler: str
    workers: int
    finalists: int
    ensemble: int
    space: Path | str | Mapping[str, Any] | None
    began: float
    threads: int | None = None  # of each trial; by default the workers share this machine's cores
    progress: Progress = field(default_factory=Silent)


class Job:
    """One process's part of a search: the data read, the default plan, the space, and what scores plans."""

    def __init__(self, wanted: Wanted, number: int = 0) -> None:
        self.wanted, self.number = wanted, number
        begun = begin(wanted.fit)
        if wanted.fit.settings.get("train.shots"):
            raise PlanError("few shots are not searched over", hint="no train.shots")
        self.space_of_cases = read_workspace(begun)
        if len(self.space_of_cases.assignment.folds) < 2:
            raise DataError("a search needs at least two folds, one to learn from and one to validate")
        cores = machines.measure().cores
        shared = max(1, cores // wanted.workers) if wanted.workers > 1 else None
        self.scores = PlanScores(
            begun=begun,
            space=self.space_of_cases,
            folder=wanted.folder / "work" / str(number),
            seconds=wanted.times.each_s,
            threads=shared if wanted.threads is None else min(wanted.threads, cores),
            looks=samplers.looks_of(wanted.sampler),
        )
        self.plan: Plan = self.scores.plan({})[1]
        self.scores.space = self.space_of_cases = with_unlabelled(self.space_of_cases, self.plan)
        if steps_fixed(self.plan):
            self.scores.seconds = None  # the steps are counted, whatever the clock says

    @cached_property
    def space(self) -> Space:
        """What is searched. Raises PlanError, UnknownName."""
        wanted, task = self.wanted, self.space_of_cases.task
        if wanted.space is not None:
            return read_space(wanted.space, self.plan, task, chosen=tuple(wanted.fit.settings))
        gpu = device_of(wanted.fit.device).type != "cpu"
        chosen = tuple(wanted.fit.settings)
        return exposed(self.plan, task, gpu=gpu, chosen=chosen, labels=bool(self.space_of_cases.labels))

    @property
    def decisive(self) -> dict[str, Any]:
        """All that decides what a trial gives; trials, workers and the time limit may be others later."""
        wanted, fit, cases = self.wanted, self.wanted.fit, self.space_of_cases
        told: dict[str, Any] = plain(
            {
                "data": cases.cohort.hash,
                "task": cases.task.name,
                "target": cases.target.full_name if cases.target else None,
                "folds": [list(ids) for ids in cases.assignment.folds],
                "sampler": wanted.sampler,
                "seed": self.scores.begun.seed,
                "time_per_trial": wanted.times.each_s,
                "settings": {name: str(value) for name, value in sorted(fit.settings.items())},
                "preset": fit.preset,
                "init": fit.init,
                "space": self.space.to_json(),
            }
        )
        return told

    @cached_property
    def store(self) -> Store:
        """The trials, which this process shares with others."""
        wanted, seed = self.wanted, self.scores.begun.seed
        return Store(wanted.folder, self.space, wanted.sampler, wanted.trials, seed, wanted.workers)

    def work(self, until: float | None) -> None:
        """Try plans until none is left, or the time is over."""
        Worker(
            store=self.store,
            measure=self.measure,
            forget=self.forget,
            progress=self.wanted.progress,
            until=until,
            each_s=BESIDE * (self.wanted.times.each_s or 0.0),
            number=self.number,
        ).work()

    def again(self, settings: Mapping[str, Any], group: int, name: str) -> Mapping[str, Any]:
        """Return what a plan comes to where another group of folds is held out."""
        return self.scores.score(settings, self.scores.groups[group], name=name).to_json()

    def deal(self, elsewhere: Elsewhere, until: float | None) -> None:
        """Let workers elsewhere try plans until none is left, or the time is over."""
        Dealer(
            store=self.store,
            elsewhere=elsewhere,
            progress=self.wanted.progress,
            until=until,
            each_s=BESIDE * (self.wanted.times.each_s or 0.0),
        ).work()

    def forget(self, name: str) -> None:
        """Remove what a training left that does not go on."""
        self.scores.forget(name)

    def measure(self, settings: Mapping[str, Any], name: str, look: Look) -> Mapping[str, Any]:
        """Return what a plan comes to, as the store keeps it. Raises PlanError where it cannot be compared."""
        others = (p for p in self.scores.folder.parent.glob("*") if p != self.scores.folder)
        self.scores.take_over(name, others)  # what a worker that is gone had begun
        found = self.scores.score(settings, self.scores.groups[0], name=name, look=look)
        losses = any(path.startswith("loss") for path in self.space.paths)
        comparable([found, *self._default()], losses=losses)
        return found.to_json()

    def _default(self) -> list[PlanScore]:
        """Return what the default plan came to, once it is measured; the files tell it to whoever has no store."""
        file = self.wanted.folder / TRIALS / f"{DEFAULT:04d}" / RESULT
        told = json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}
        names = PlanScore.__dataclass_fields__
        return [PlanScore(**{k: v for k, v in told.items() if k in names})] if "score" in told else []

    def found(self, trials: tuple[Trialled, ...], notes: tuple[str, ...]) -> Search:
        """Return the search as far as it is known."""
        wanted, cases, scores = self.wanted, self.space_of_cases, self.scores
        default = next((t for t in trials if t.number == DEFAULT), None)
        told = default.result if default else {}
        return Search(
            data=wanted.fit.label,
            data_hash=cases.cohort.hash,
            task=cases.task.name,
            target=cases.target.full_name if cases.target else None,
            primary=cases.task.primary,
            by=str(told.get("by", "")),
            sampler=wanted.sampler,
            seed=scores.begun.seed,
            asked=wanted.trials,
            seconds=scores.seconds,
            cases=int(told.get("cases", 0)),
            patients=int(told.get("patients", 0)),
            space=self.space.to_json(),
            reasons={part.path: part.why for part in self.space.parts},
            default={path: value_at(self.plan, path) for path in self.space.paths},
            trials=trials,
            notes=notes,
        )


def joined(found: Search, most: int) -> tuple[list[Trialled], str]:
    """Return the best trials that can be members of one stage with the one that was taken, which comes first.

    They share its net, its loss and what it is shown. Also, in words, how many others are better than the last of them.
    """
    chosen = found.chosen
    if chosen is None:
        return (
            [],
            "" if most < 2 else "The default plan is taken alone: no trial beats it, and none joins it.",
        )
    kept = _shared(chosen)
    others = sorted(
        (t for t in found.done if t.number != chosen.number and t.number != DEFAULT and _shared(t) == kept),
        key=lambda t: (-float(t.score or 0.0), t.number),
    )
    members = [chosen, *others[: most - 1]]
    few = f"{len(members)} of {most} trials share the net, the loss and the images of the one that was taken"
    return members, f"The ensemble is smaller than was asked for: {few}." if len(members) < most else ""


def _shared(trial: Trialled) -> dict[str, Any]:
    return {path: value for path, value in trial.settings.items() if not may_vary(path)}


def variations(members: Sequence[Trialled]) -> list[dict[str, Any]]:
    """Return what is other for each member than for the first, as `train.varied` has it."""
    first = members[0].settings
    return [{path: v for path, v in t.settings.items() if v != first.get(path)} for t in members]


def until_of(wanted: Wanted, end_s: float | None) -> float | None:
    return None if end_s is None else wanted.began + end_s


def help_with(wanted: Wanted, number: int) -> None:
    """Try plans in a process of its own."""
    wanted = replace(wanted, began=time.monotonic())
    with suppress(
        VesaliusError
    ):  # the process that began this one says what is wrong, and Ctrl-C reaches both
        Job(wanted, number).work(until_of(wanted, wanted.times.trials_s))


def reasons_of(found: Search, plan: Plan, members: Sequence[Trialled]) -> dict[str, str]:
    """Return the reasons that the run's plan gives: of each value that was found, or of the net where none was."""
    trial = found.chosen
    if trial is None:
        why = plan.reasons.get("net.name", "")
        text = (
            f"a search of {len(found.trials)} trials found nothing that beats the default plan beyond noise"
        )
        return {"net.name": "; ".join(filter(None, (why, text)))}
    what = f"found by search: trial {trial.number} of {len(found.trials)}, {found.primary} {trial.score:.3f}"
    what += f" on validation, the default plan's {found.default_score:.3f}"
    several = ", ".join(str(t.number) for t in members)
    also = {"train.varied": f"found by search: members follow the trials {several} in turn"}
    return {**dict.fromkeys(trial.settings, what), **(also if len(members) > 1 else {})}


def tested(run: Run, primary: str) -> TestFigure | None:
    """Return the run's figure on its test cases: the one that trials were scored by, or else the report's first."""
    if run.scorecard is None or not run.scorecard.metrics:
        return None
    metrics = run.scorecard.metrics
    name = primary if primary in metrics else next(iter(metrics))
    one = metrics[name]
    return TestFigure(name, one.value, one.low, one.high, one.n)
