"""What a plan comes to on held-out folds, at a budget that is the same for all plans: one member, the same cases."""

from __future__ import annotations

import hashlib
import math
import os
import shutil
import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from torch import nn

from vesalius.core.disk import output_errors
from vesalius.core.errors import BudgetError, PlanError
from vesalius.core.plan import Plan, override, steps_fixed
from vesalius.core.progress import Progress, Silent
from vesalius.core.seeds import seed_of
from vesalius.core.words import counted
from vesalius.infer import runs
from vesalius.learn.loop import Trained
from vesalius.learn.recipes import contract as recipes
from vesalius.learn.timing import time_step
from vesalius.learn.validate import Validator
from vesalius.nets import count_parameters, describe
from vesalius.plan import torch_threads
from vesalius.plan.budget import MINIMUM_STEPS, enough_steps
from vesalius.run.begin import Begun, with_weights
from vesalius.run.budgeting import MONITOR
from vesalius.run.fold_training import MEMBER, FoldTraining, held
from vesalius.run.handing import Handing
from vesalius.run.limits.planning import assert_fits
from vesalius.run.plan_figures import PlanScore, patients_drawn
from vesalius.run.planning import assert_meaning, choose_plan
from vesalius.run.ready import BUDGETED, Ready, made_ready
from vesalius.run.stages import by_truth, stages_of
from vesalius.run.training import loaded
from vesalius.run.trials import TIMED, held_out
from vesalius.run.workspace import Workspace

KEPT = 2  # preparations that stay in memory
Look = Callable[[int, float], None]  # after the k-th look while training, from 1: the score by then
OF_LEARNING = (  # of `train`: what no state and no prepared example depends on
    "batch", "optimizer", "optimizer_options", "layer_decay", "weight_decay", "schedule", "schedule_options", "warmup",
    "ema", "clip_norm", "precision", "patience", "select", "checkpoint_every_s", "enough", "phases", "lora", "balance",
)  # fmt: skip
UNPREPARED: dict[str, Any] = {  # what differs between plans whose cases are prepared alike
    **BUDGETED,
    "preset": True,
    "augment": True,
    "loss": True,
    "net": True,  # its role stays in the key
    "train": {*BUDGETED["train"], *OF_LEARNING},
}


@dataclass(frozen=True, eq=False)
class TrainedPlan:
    """One member as it was trained on some folds, and what judges it on the others, whose cases are of `patients`."""

    job: Ready
    model: nn.Module
    judge: Validator
    patients: Sequence[str]
    result: Trained


@dataclass(eq=False, kw_only=True)
class PlanScores:
    """Scores plans on the cases of one workspace, each trained from the same first weights for the same time.

    `settings` of a plan are over what the user set in `begun`. `seconds` is how long a training takes; None trains for
    the planned number of steps, or what is enough for so many cases. `looks` is how often a plan is scored while it is
    trained. Examples lie in `folder` beyond a quarter of the memory, checkpoints always.
    """

    begun: Begun
    space: Workspace
    folder: Path
    seconds: float | None
    threads: int | None = None
    looks: int = 1
    progress: Progress = field(default_factory=Silent)
    _ready: dict[str, Ready] = field(default_factory=dict)

    @cached_property
    def groups(self) -> tuple[tuple[int, ...], ...]:
        """The folds that are held out together: plans are compared on the first, the others are left to confirm by."""
        first = held_out(self.space)[0]
        rest = [k for k in range(len(self.space.assignment.folds)) if k not in first]
        size = len(first)
        others = [tuple(rest[k : k + size]) for k in range(0, len(rest), size)]
        return (first, *(group for group in others if len(group) == size))

    def plan(self, settings: Mapping[str, Any]) -> tuple[Begun, Plan]:
        """Return the plan that the rules make with these settings, and the run with the weights that it begins from.

        Raises PlanError and UnknownName for what cannot be followed.
        """
        asked = self.begun.asked
        asked = replace(asked, settings={**asked.settings, **settings}, progress=Silent())
        begun = replace(self.begun, asked=asked)
        plan = choose_plan(begun, self.space)
        begun = with_weights(begun, plan)
        assert_meaning(begun, plan)
        stages = stages_of(plan)
        if not by_truth(stages):
            raise PlanError(
                "plans are compared by their last stage alone, and this one is given what a model finds before it",
                hint="a plan of one stage, or one whose last stage is given a crop around the truth",
            )
        return begun, plan

    def score(
        self, settings: Mapping[str, Any], group: Sequence[int], *, name: str, look: Look | None = None
    ) -> PlanScore:
        """Train the plan with these settings on all folds but a group's, and return what it comes to on that group.

        `name` is that of its checkpoint, by which a training that was killed goes on. `look` is told of each score on
        the way; what it raises ends the training. Raises VesaliusError's kinds, and what torch raises.
        """
        began = time.monotonic()
        one = self.trained(settings, group, name=name, look=look)
        model, judge, patients, result = one.model, one.judge, one.patients, one.result
        scorer = judge.scorer(model)
        score = scorer.of(np.arange(len(judge.examples)))
        if not math.isfinite(score):
            raise PlanError("the plan's score is not a number on the validation cases", found=scorer.by)
        drawn = [scorer.of(at) for at in patients_drawn(patients, self.begun.seed)]
        done = PlanScore(
            score=score,
            draws=tuple(v if math.isfinite(v) else None for v in drawn),
            by=scorer.by,
            steps=result.last_step,
            seconds=round(time.monotonic() - began, 2),
            cases=len(judge.examples),
            patients=len(set(patients)),
            parameters=count_parameters(model),
        )
        self.forget(name)
        return done

    def trained(
        self,
        settings: Mapping[str, Any],
        group: Sequence[int],
        *,
        name: str,
        look: Look | None = None,
        learn: Collection[str] | None = None,
    ) -> TrainedPlan:
        """Train the plan with these settings on all folds but a group's, or on the cases `learn` of these.

        `name` and `look` are as for `score`, whose errors it raises.
        """
        begun, plan = self.plan(settings)
        assert_fits(plan)
        job = self._prepared(plan)
        arm = self._arm(plan, job, group)
        job = replace(job, stage=replace(job.stage, plan=arm))
        judge, patients = self._judge(job, plan, group)
        training = FoldTraining(
            space=self.space,
            group=group,
            seconds=None if steps_fixed(plan) else self.seconds,
            folder=self.folder,
            progress=self.progress,
            device=begun.asked.device,
            start=begun.start.weights if begun.start else None,
            learn=learn,
        )
        looked: list[float] = []

        def watched(model: nn.Module) -> float:
            looked.append(judge(model))
            if look is not None:
                look(len(looked), looked[-1])
            return looked[-1]

        result = training.trained(job, arm, name=name, validate=watched if self.looks > 1 else None)
        if training.seconds is not None and recipes.get(plan.train.recipe).steps is None:
            self._assert_enough(result.last_step)
        model = loaded(job, result, begun.asked.device).models[0]
        return TrainedPlan(job, model, judge, patients, result)

    def ready(self, settings: Mapping[str, Any]) -> Ready:
        """Return the last stage of the plan with these settings as it is trained here, every case prepared."""
        _, plan = self.plan(settings)
        job = self._prepared(plan)
        return replace(job, stage=replace(job.stage, plan=self._arm(plan, job, self.groups[0])))

    def forget(self, name: str) -> None:
        """Remove what a training left that does not go on."""
        self._checkpoint(self.folder, name).unlink(missing_ok=True)

    def take_over(self, name: str, folders: Iterable[Path]) -> bool:
        """Have a training go on where who worked in one of these folders left it, if that is later than what is here.

        Nobody may work on it any more. Returns whether a checkpoint was there. Raises OutputError.
        """
        own = self._checkpoint(self.folder, name)
        with output_errors(own):
            there = [p for p in (self._checkpoint(folder, name) for folder in folders) if p.is_file()]
            last = max(
                (*there, *([own] if own.is_file() else [])), key=lambda p: p.stat().st_mtime, default=own
            )
            if last != own:
                own.parent.mkdir(parents=True, exist_ok=True)
                last.replace(own)
            for path in there:
                path.unlink(missing_ok=True)
        return last != own

    def _checkpoint(self, folder: Path, name: str) -> Path:
        return folder / "checkpoints" / f"{name}-{MEMBER}.pt"

    def release(self) -> None:
        """Remove the cases that this process prepared; checkpoints, and what other processes prepared, stay."""
        self._ready.clear()
        shutil.rmtree(self._cache, ignore_errors=True)

    @property
    def _cache(self) -> Path:
        """Where this process keeps prepared cases; another one that works in the same folder has its own."""
        return self.folder / "cache" / str(os.getpid())

    def _prepared(self, plan: Plan) -> Ready:
        """Return the last stage with every case prepared; plans that prepare them alike share it."""
        stages = stages_of(plan)
        number = len(stages) - 1
        role = describe(plan.net.name).get("ROLE")
        dumped = stages[number].plan.model_dump_json(exclude=UNPREPARED)
        key = hashlib.sha256(f"{role} {dumped}".encode()).hexdigest()[:16]
        if key not in self._ready:
            while len(self._ready) >= KEPT:
                oldest = next(iter(self._ready))
                del self._ready[oldest]
                shutil.rmtree(self._cache / oldest, ignore_errors=True)
            cache = self._cache / key
            given = Handing(self.space, stages, cache, device=self.begun.asked.device).of(number)
            self._ready[key] = made_ready(
                self.space, stages, number, cache, before=None, given=given, progress=self.progress
            )
        found = self._ready.pop(key)
        self._ready[key] = found  # the last used is let go of last
        return replace(found, stage=stages[number])

    def _arm(self, plan: Plan, job: Ready, group: Sequence[int]) -> Plan:
        """Return the stage's plan as it is carried out here: one member, whose last weights count."""
        fixed: dict[str, Any] = {
            "train.members": 1,
            "train.validations": max(1, self.looks),
            "train.patience": None,
            "train.select": "last",
            "train.revisions": [],
        }
        if self.threads is not None:
            fixed["train.threads"] = self.threads
            torch_threads.use(self.threads)
        arm = override(job.plan, fixed)
        if steps_fixed(plan) or recipes.get(plan.train.recipe).steps is not None:
            return arm
        if self.seconds is None:
            learned = len(self.space.training) - len(held(self.space, group))
            return override(arm, {"train.steps": enough_steps(arm, learned)})
        few = list(job.examples.values())[:TIMED]
        device = self.begun.asked.device
        took = time_step(job.task, arm, job.state, few, seconds=0.02 * self.seconds, device=device)
        steps = int(self.seconds / took)
        self._assert_enough(2 * steps)  # the clock may find more than a short look foretold
        return override(arm, {"train.steps": max(1, steps)})

    def _assert_enough(self, steps: int) -> None:
        """Raise BudgetError where the time of a training is too short to learn anything that tells plans apart."""
        if steps < MINIMUM_STEPS:
            raise BudgetError(
                f"the time of a trial is too short for the minimum of {MINIMUM_STEPS} steps",
                found=f"about {counted(steps, 'step')} in {self.seconds:g} s",
                hint="a longer --time-per-trial, or a smaller net",
            )

    def _judge(self, job: Ready, plan: Plan, group: Sequence[int]) -> tuple[Validator, list[str]]:
        """Return what scores a model on the cases of a group, and whose each of these is.

        Where each case takes a while these are some that the seed draws, the same for every plan.
        """
        ids = [i for i in held(self.space, group) if i in job.examples]
        if not runs.get(job.task.run).joins and len(ids) > MONITOR:
            ids = sorted(ids, key=lambda i: seed_of(self.begun.seed, "asked", i))[:MONITOR]
        cases = {c.id: c for c in self.space.cases(tuple(ids))}
        examples = [job.examples[i] for i in ids]
        truths = [job.task.truth(cases[i], job.state) for i in ids]
        judge = Validator(job.task, stages_of(plan)[-1].plan, job.state, examples, truths)
        return judge, [cases[i].patient or i for i in ids]
