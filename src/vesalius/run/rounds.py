"""Rounds of labelling, simulated: labels of a pool are hidden, and each strategy says which to uncover next.

Every strategy begins with the same cases, drawn by the seed. A round fits a net to what is labelled, with a fixed
number of steps, so that a busy machine changes nothing; scores it on test cases that are never suggested; and uncovers
the cases that the strategy takes of the rest. Each fit is a cell of a grid, so that what was killed goes on.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from vesalius import cohorts
from vesalius.core.case import Case
from vesalius.core.errors import DataError, PlanError
from vesalius.core.image import Array
from vesalius.core.index import Index
from vesalius.core.progress import Progress, Silent
from vesalius.core.scorecard import save_scorecard
from vesalius.core.seeds import seed_of
from vesalius.core.words import counted
from vesalius.run import strategies
from vesalius.run.finished import Run
from vesalius.run.grid import Cell, Filled, carry_out, opened
from vesalius.run.limits.planning import unshortened
from vesalius.run.neighbours import beside
from vesalius.run.pool import Measuring, asked_of, pool_of
from vesalius.run.strategies.contract import Pool
from vesalius.run.suggesting import as_the_run
from vesalius.run.transfer_cells import to_be_resumed
from vesalius.run.transfer_setting import Setting

RANDOM = "random"  # what every strategy is held against
TEST, RUN = "test.json", "run"


@dataclass(frozen=True, kw_only=True)
class Rounds:
    """How labelling goes: `begin` cases are labelled at first, then `batch` more in each of `rounds` rounds.

    `settings` are the plan's of every fit; they fix `train.steps`. `seeds` decide the first cases, what is drawn, and
    the training.
    """

    begin: int
    batch: int
    rounds: int
    strategies: tuple[str, ...]
    seeds: tuple[int, ...] = (0, 1, 2)
    settings: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if "train.steps" not in self.settings:
            raise PlanError(
                "rounds are fitted with a fixed number of steps", found="none", hint="--set train.steps=300"
            )
        if min(self.begin, self.batch, self.rounds) < 1 or not self.seeds or min(self.seeds) < 0:
            raise PlanError(
                "rounds of labelling need cases to begin with, a batch, a round and a seed",
                found=f"begin {self.begin}, batch {self.batch}, rounds {self.rounds}, seeds {list(self.seeds)}",
            )
        if len({*self.seeds}) < len(self.seeds) or len({*self.strategies}) < len(self.strategies):
            raise PlanError(
                "a seed or a strategy stands there twice", found=f"{self.seeds}, {self.strategies}"
            )
        if RANDOM not in self.strategies:
            raise PlanError("every strategy is held against random", found=", ".join(self.strategies))
        for name in self.strategies:
            strategies.get(name)

    @property
    def budgets(self) -> tuple[int, ...]:
        """How many cases are labelled, round after round, the first fit's first."""
        return tuple(self.begin + k * self.batch for k in range(self.rounds + 1))

    def cell(self, strategy: str, seed: int, number: int) -> str:
        """Return the name of a fit's cell; the first fit of a seed is that of all strategies."""
        return f"seed-{seed}-first" if number == 0 else f"seed-{seed}-{strategy}-{number}"


@dataclass(frozen=True, eq=False)
class Worker:
    """What all cells share: the cases, how they are fitted, and where that is computed."""

    job: Setting
    rounds: Rounds
    fit: Callable[..., Run]
    device: str | None = None

    @property
    def pool(self) -> list[str]:
        """The cases that can be labelled: those of training whose target is known."""
        return poolable(self.job)

    def cells(self) -> tuple[Cell, ...]:
        """Return all fits: of each seed the first one, then round after round of each strategy."""
        found = []
        for seed in self.rounds.seeds:
            for number in range(self.rounds.rounds + 1):
                for name in self.rounds.strategies if number else ("",):
                    before = (self.rounds.cell(name, seed, number - 1),) if number else ()
                    about = {"seed": seed, "strategy": name, "round": number}
                    work = self._work(name, seed, number)
                    own = self.rounds.cell(name, seed, number)
                    found.append(Cell(own, work, about, needs=before, tidy=_tidied))
        return tuple(found)

    def _work(self, strategy: str, seed: int, number: int) -> Callable[..., Mapping[str, Any]]:
        def work(place: Path, before: Mapping[str, Mapping[str, Any]]) -> Mapping[str, Any]:
            if number == 0:
                labelled = self._first(seed)
            else:
                (last,) = before.values()
                if strategy in last.get("cannot", {}):
                    raise DataError(last["cannot"][strategy])
                labelled = [*last["labelled"], *last["next"][strategy]]
            began = time.monotonic()
            run = self._fitted(place / RUN, labelled, seed)
            if run.scorecard is None or run.bundle is None:
                raise PlanError("a fit came to no scorecard", found=str(place / RUN))
            save_scorecard(run.scorecard, place / TEST)
            fitted = time.monotonic() - began
            names = self.rounds.strategies if number == 0 else (strategy,)
            more = number < self.rounds.rounds
            chosen, cannot = self._next(run, labelled, names, seed, number) if more else ({}, {})
            return {
                "labelled": labelled,
                "next": chosen,
                "cannot": cannot,
                "fit_s": round(fitted, 1),
                "choose_s": round(time.monotonic() - began - fitted, 1),
            }

        return work

    def _first(self, seed: int) -> list[str]:
        """Return the cases that are labelled at first: drawn, one of each patient as long as they last."""
        pool = self.pool
        order = np.random.default_rng(seed_of(seed, "first")).permutation(len(pool))
        keys = self._keys(pool)
        first: dict[str, str] = {}
        rest: list[str] = []
        for k in order:
            (rest.append(pool[k]) if keys[k] in first else first.setdefault(keys[k], pool[k]))
        return [*first.values(), *rest][: self.rounds.begin]

    def _keys(self, cases: Sequence[str]) -> list[str]:
        by_id = {c.id: c for c in self.job.cohort.cases}
        linked = cohorts.connected([by_id[i] for i in cases], self.job.groups)
        return [linked[i] for i in cases]

    def _fitted(self, out: Path, labelled: Sequence[str], seed: int) -> Run:
        with unshortened():  # a fit with fewer steps would look like a worse strategy
            return self.fit(
                self.job.cohort[[*labelled, *self.job.test]],
                out,
                task=self.job.task,
                target=self.job.info.full_name,
                settings=dict(self.rounds.settings),
                seed=seed,
                by=(),
                device=self.device,
                resume=to_be_resumed(out),
                progress=False,
            )

    def _next(
        self, run: Run, labelled: Sequence[str], names: Sequence[str], seed: int, number: int
    ) -> tuple[dict[str, list[str]], dict[str, str]]:
        """Return which cases each strategy takes of those that are not labelled, and why others cannot choose."""
        held = set(labelled)
        by_id = {c.id: c for c in self.job.cohort.cases}
        free = [i for i in self.pool if i not in held]
        if names == (RANDOM,):
            seen_ids, known, seen = free, None, None
        else:
            bundle: Any = run.bundle
            middle = as_the_run(bundle, None)
            asked = asked_of(bundle, device=self.device, accept_mismatch=True, middle=middle)
            cases: list[Case] = [by_id[i] for i in free]
            seen, _ = Measuring(asked)(cases, progress=Silent())
            seen_ids, known = [one.case for one in seen], _labelled(run)
        keys = self._keys(seen_ids)
        found: dict[str, list[str]] = {}
        cannot: dict[str, str] = {}
        for name in names:
            strategy = strategies.get(name)
            pool = _bare(keys) if seen is None else pool_of(seen, keys, known, by=strategy.by)
            draw = np.random.default_rng(seed_of(seed, "round", number, name))
            try:
                places = strategy(pool, self.rounds.batch, draw)
            except DataError as error:
                cannot[name] = str(error)
                continue
            if len(places) < self.rounds.batch:  # patients have run out: the rest goes by cases
                open_ = [k for k in range(len(seen_ids)) if k not in set(places)]
                places += [int(k) for k in draw.permutation(open_)[: self.rounds.batch - len(places)]]
            found[name] = [seen_ids[k] for k in places]
        return found, cannot


def poolable(job: Setting) -> list[str]:
    """Return the cases that can be labelled: those of training whose target is known."""
    learned = set(job.learned)
    return [c.id for c in job.cohort.cases if c.id in learned and job.info.name in c.targets]


def simulate(
    job: Setting,
    folder: Path,
    rounds: Rounds,
    *,
    fit: Callable[..., Run],
    progress: Progress | None = None,
    device: str | None = None,
) -> Filled:
    """Do all rounds that are not done yet in `folder`, and return what the cells gave.

    Raises DataError where the pool is too small for them, OutputError where the folder holds other rounds, Interrupted
    after Ctrl-C.
    """
    worker = Worker(job, rounds, fit, device)
    if len(worker.pool) < rounds.budgets[-1]:
        raise DataError(
            "too few cases can be labelled for so many rounds",
            found=f"{counted(len(worker.pool), 'case')} beside those of the test, for {rounds.budgets[-1]}",
            hint="fewer rounds, or smaller batches",
        )
    asked = {
        "data": job.cohort.hash,
        "test": list(job.test),
        "begin": rounds.begin,
        "batch": rounds.batch,
        "rounds": rounds.rounds,
        "settings": dict(rounds.settings),
        "strategies": list(rounds.strategies),
    }
    opened(folder, asked, hint="another folder")
    return carry_out(folder, worker.cells(), name="rounds", progress=progress or Silent())


def _labelled(run: Run) -> Array | None:
    index = beside(run.bundle) if run.bundle is not None else None
    return index.vectors if isinstance(index, Index) else None


def _bare(keys: Sequence[str]) -> Pool:
    numbers = {key: k for k, key in enumerate(dict.fromkeys(keys))}
    return Pool(None, None, None, np.array([numbers[key] for key in keys]))


def _tidied(place: Path) -> None:
    """Remove a fit's run, of which the scorecard is kept."""
    shutil.rmtree(place / RUN, ignore_errors=True)
