"""What a training step takes, measured on real ones."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

import torch

from vesalius.core.bundle import State
from vesalius.core.errors import BudgetError, out_of_memory
from vesalius.core.plan import PhasePlan, Plan, override
from vesalius.learn.loop import assert_finite
from vesalius.learn.optimise import rate
from vesalius.learn.recipes import contract as recipes
from vesalius.learn.recipes.contract import Member, Recipe
from vesalius.learn.stepper import fabric_for
from vesalius.prepare.batch import Example
from vesalius.tasks.contract import Task


def time_step(
    task: Task,
    plan: Plan,
    state: State,
    examples: Sequence[Example],
    *,
    seconds: float = 4.0,
    steps: int = 3,
    device: str | None = None,
) -> float:
    """Return the median seconds of a training step of this plan, augmentation included, measured for about `seconds`.

    The whole net is timed in this process, also where several will share it. At least that many `steps` are made; the
    first counts only where it is the only one. Where the plan has phases, it is their mean, each by its share of the
    steps.

    Raises BudgetError where not even one step fits the machine's memory.
    """
    if plan.train.shard != "none":  # those that it will be shared with take no part here
        plan = override(plan, {"train.shard": "none"}, reason="timed by one process")
    fabric = fabric_for(plan, device)
    try:
        recipe = recipes.begin(
            Member(task, plan, state, examples, 0, fabric, steps=plan.train.steps, timed=True)
        )
        timed = _Timed(recipe, plan, seconds, steps)
        if not plan.train.phases:
            return timed.median()
        return sum(phase.share * timed.median(phase) for phase in plan.train.phases)
    except (MemoryError, RuntimeError) as error:
        if not out_of_memory(error):
            raise
        raise BudgetError(
            "a training step does not fit into memory",
            hint="--set train.recompute=true, train.accumulate=2, train.batch=1 or a smaller size",
        ) from error


@dataclass
class _Timed:
    """A recipe whose steps are timed, for about `seconds` in all phases together."""

    recipe: Recipe
    plan: Plan
    seconds: float
    steps: int

    def median(self, phase: PhasePlan | None = None) -> float:
        """Return the median seconds of a step, of a phase where one is named."""
        recipe, plan = self.recipe, self.plan
        allowed = self.seconds / max(1, len(plan.train.phases))
        if phase is not None:
            recipe.enter(phase)
        times: list[float] = []
        began = time.monotonic()
        for step in range(1000):
            start = time.monotonic()
            loss = recipe.step(step, rate(step, plan.train))
            if step == 0:
                assert_finite(loss, recipe.given.task)
            if recipe.device.type == "cuda":
                torch.cuda.synchronize(recipe.device)
            times.append(time.monotonic() - start)
            if step >= self.steps - 1 and time.monotonic() - began > allowed:
                break
        late = sorted(times[1:] or times)
        return late[len(late) // 2]
