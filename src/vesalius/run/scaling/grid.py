"""The fits of a scaling, cells of a grid: sizes of net, shares of the training patients, lengths of training, seeds.

No fit sees a test case, nor one of the folds that are held out, which are the same for all and on which loss and score
are measured. All have the same number of steps (or the share of it that their length says), no fit is ended early, and
the last weights count: neither the best of a training nor the best of the seeds is taken.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from vesalius import cohorts
from vesalius.core.errors import BudgetError, DataError, PlanError
from vesalius.core.words import counted
from vesalius.learn.flops import step_flops
from vesalius.learn.timing import time_step
from vesalius.learn.validate import LOSS
from vesalius.nets import count_parameters
from vesalius.plan.budget import MINIMUM_STEPS, enough_steps
from vesalius.run.fold_training import held
from vesalius.run.grid import Cell, Work
from vesalius.run.limits.planning import unshortened
from vesalius.run.plan_scores import PlanScores
from vesalius.run.trials import TIMED

SCALE, STEPS, SEED = "net.scale", "train.steps", "train.seed"
BESIDE = 1.25  # times the steps of a fit: what it takes with its answers
SPENT = 0.9  # of a time limit, which the fits are planned for


@dataclass(frozen=True)
class Fit:
    """One fit: the scale of its net, the share of the training patients, the share of the steps, its seed."""

    size: float
    share: float
    length: float
    seed: int

    @property
    def name(self) -> str:
        """What its cell is called, and its folder."""
        return f"size-{self.size:g}-share-{self.share:g}-length-{self.length:g}-seed-{self.seed}"


def fits(
    sizes: Sequence[float], shares: Sequence[float], lengths: Sequence[float], seeds: Sequence[int]
) -> tuple[Fit, ...]:
    """Return all fits: every size on every share with all steps, and every size on all patients at every length."""
    return tuple(
        Fit(size, share, length, seed)
        for seed in seeds
        for size in sizes
        for share in shares
        for length in (lengths if share == 1 else (1.0,))
    )


@dataclass(frozen=True, eq=False, kw_only=True)
class Worker:
    """What makes the fits. `settings` of a plan are over what the user set, `steps` is how many a whole fit has."""

    scores: PlanScores
    steps: int

    @property
    def held(self) -> tuple[str, ...]:
        """The cases that loss and score are measured on."""
        return held(self.scores.space, self.scores.groups[0])

    def learned(self, share: float, seed: int) -> tuple[str, ...]:
        """Return the cases that a fit learns from: whole patients, the fewer among the more of the same seed."""
        space = self.scores.space
        if space.target is None:
            raise DataError("a scaling needs a target to learn", found="a task without one")
        out = set(self.held)
        ids = [c.id for c in space.training if c.id not in out]
        part = space.cohort[ids]
        part = replace(part, cases=tuple(replace(c, split=None) for c in part.cases))
        kept = cohorts.with_share_of_labels(
            part, space.target.name, share=share, seed=seed, groups=space.groups
        )
        return tuple(c.id for c in kept.cases if space.target.name in c.targets)

    def settings(self, fit: Fit) -> dict[str, Any]:
        """Return what of the plan is other for one fit."""
        steps = max(1, round(self.steps * fit.length))
        return {SCALE: fit.size, STEPS: steps, SEED: fit.seed}

    def cells(self, asked: Sequence[Fit], each_s: Mapping[float, float]) -> tuple[Cell, ...]:
        """Return the fits as cells of a grid; `each_s` is how long a whole fit of each size takes."""
        return tuple(
            Cell(f.name, self._work(f), {"steps": self.steps}, f.length * each_s.get(f.size, 0.0))
            for f in asked
        )

    def _work(self, fit: Fit) -> Work:
        def work(place: Path, _: Mapping[str, Mapping[str, Any]]) -> Mapping[str, Any]:
            began = time.monotonic()
            learn = self.learned(fit.share, fit.seed)
            settings = self.settings(fit)
            with unshortened():  # a fit with fewer steps would look like a worse net
                one = self.scores.trained(settings, self.scores.groups[0], name=fit.name, learn=set(learn))
            if one.result.last_step != settings[STEPS]:
                raise PlanError(
                    "a fit did not make the steps of all others",
                    found=f"{one.result.last_step} of {settings[STEPS]}",
                )
            loss = one.judge.loss(one.model)
            scorer = one.judge.scorer(one.model)
            score = None if scorer.by == LOSS else scorer.of(np.arange(len(one.judge.examples)))
            parameters = count_parameters(one.model)
            device = self.scores.begun.asked.device
            few = list(one.job.examples.values())[:TIMED]
            counted_ = step_flops(one.job.task, one.job.plan, one.job.state, few, device=device)
            self.scores.forget(fit.name)
            patients = {c.patient or c.id for c in self.scores.space.cases(learn)}
            return {
                "loss": loss,
                "score": score if score is not None and np.isfinite(score) else None,
                "labels": len(learn),
                "patients": len(patients),
                "parameters": parameters,
                "step_flops": counted_ or 6.0 * parameters * one.job.plan.train.batch,
                "flops_by": "counted" if counted_ else "6 · parameters · batch",
                "steps": one.result.last_step,
                "net": one.job.plan.net.name,
                "batch": one.job.plan.train.batch,
                "seconds": round(time.monotonic() - began, 2),
            }

        return work


def step_seconds(scores: PlanScores, sizes: Sequence[float], seed: int) -> dict[float, float]:
    """Return the seconds of a training step of each size, measured."""
    found = {}
    for size in sizes:
        job = scores.ready({SCALE: size, STEPS: MINIMUM_STEPS, SEED: seed})
        few = list(job.examples.values())[:TIMED]
        device = scores.begun.asked.device
        found[size] = time_step(job.task, job.plan, job.state, few, seconds=0.5, device=device)
    return found


def planned_steps(
    scores: PlanScores, asked: Sequence[Fit], step_s: Mapping[float, float], limit: float | None
) -> int:
    """Return the steps of a whole fit: enough for so many cases, or as many as all fits have time for.

    Raises BudgetError where these are too few to learn anything.
    """
    job = scores.ready({SCALE: asked[0].size, SEED: asked[0].seed, STEPS: MINIMUM_STEPS})
    learned = len(scores.space.training) - len(held(scores.space, scores.groups[0]))
    steps = enough_steps(job.plan, learned)
    if limit is None:
        return steps
    each = BESIDE * sum(fit.length * step_s[fit.size] for fit in asked)
    steps = min(steps, int(SPENT * limit / each))
    if steps < MINIMUM_STEPS:
        raise BudgetError(
            f"the time is too short for {counted(len(asked), 'fit')} of at least {MINIMUM_STEPS} steps",
            found=f"{counted(steps, 'step')} each in {limit:.0f} s",
            hint="fewer sizes, shares or seeds, or a longer --time-limit",
        )
    return steps
