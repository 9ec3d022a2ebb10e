"""What a training step computes: floating-point operations, counted by torch on a real step of the plan."""

from __future__ import annotations

from collections.abc import Sequence

from torch.utils.flop_counter import FlopCounterMode

from vesalius.core.bundle import State
from vesalius.core.plan import Plan
from vesalius.learn.optimise import rate
from vesalius.learn.recipes import contract as recipes
from vesalius.learn.recipes.contract import Member
from vesalius.learn.stepper import fabric_for
from vesalius.prepare.batch import Example
from vesalius.tasks.contract import Task


def step_flops(
    task: Task, plan: Plan, state: State, examples: Sequence[Example], *, device: str | None = None
) -> float | None:
    """Return the operations of one step, forward and backward: those of convolutions and matrix products.

    None where torch counts none, as of nets that have neither.
    """
    fabric = fabric_for(plan, device)
    recipe = recipes.begin(Member(task, plan, state, examples, 0, fabric, steps=plan.train.steps, timed=True))
    counter = FlopCounterMode(display=False)
    with counter:
        recipe.step(0, rate(0, plan.train))
    return float(counter.get_total_flops()) or None
