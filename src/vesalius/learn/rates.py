"""The learning-rate range test: the loss while the rate grows from step to step, and the rate that follows from it.

Smith 2017 (Cyclical learning rates, WACV, arXiv 1506.01186) lets the rate grow over one short training and looks at
where the loss falls and where it breaks. Gugger 2018 ("How do you find a good learning rate", as in fastai) says how
to read it: the rate grows by a factor, the loss is averaged, the test ends where that average is four times its best,
and the rate to take is a tenth of the one at its minimum. His weight of 0.98 averages over fifty steps; in a short test
that average lags so far behind that its minimum lies where the loss rises, so here it is a tenth of the steps at most.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from torch import Tensor

from vesalius.core.bundle import State
from vesalius.core.plan import Plan
from vesalius.core.progress import Progress
from vesalius.learn.recipes import contract as recipes
from vesalius.learn.recipes.contract import Member
from vesalius.learn.stepper import fabric_for
from vesalius.prepare.batch import Example
from vesalius.tasks.contract import Task

RULE = "a tenth of the rate at which the averaged loss was lowest (Gugger 2018, after Smith 2017, arXiv 1506.01186)"
WEIGHT = 0.98  # of what was, in the average of the loss: fifty steps, or a tenth of all where these are fewer
ENOUGH = 100  # steps, from which a test is trusted without a word
BROKEN = 4.0  # times the best average: the test ends
TENTH = 0.1
FELL = 0.95  # of the first average: a loss that never got there was lowered by no rate


@dataclass(frozen=True)
class Sweep:
    """A rate, its loss and the average of the losses so far, for each step; `broke` says that the loss broke out.

    `steps` were planned.
    """

    rates: tuple[float, ...]
    losses: tuple[float, ...]
    averages: tuple[float, ...]
    broke: bool
    steps: int = ENOUGH


def sweep(
    task: Task,
    plan: Plan,
    state: State,
    examples: Sequence[Example],
    *,
    low: float,
    high: float,
    steps: int,
    progress: Progress,
    device: str | None = None,
    start: Mapping[str, Tensor] | None = None,
    unlabelled: Collection[str] = (),
) -> Sweep:
    """Take real steps of the planned training, each at a higher rate than the one before; nothing of it is kept.

    `unlabelled` are the ids of the examples that lack the target.
    """
    fabric = fabric_for(plan, device)
    without = frozenset(unlabelled)
    recipe = recipes.begin(
        Member(task, plan, state, examples, 0, fabric, start, unlabelled=without, steps=steps)
    )
    rates: list[float] = []
    losses: list[float] = []
    averages: list[float] = []
    running, best, broke = 0.0, math.inf, False
    weight = min(WEIGHT, 1 - 10 / steps)
    progress.start("find-lr", steps)
    try:
        for step in range(steps):
            rate = low * (high / low) ** (step / (steps - 1))
            loss = float(recipe.step(step, rate))
            if not math.isfinite(loss):
                broke = True
                break
            running = weight * running + (1 - weight) * loss
            average = running / (1 - weight ** (step + 1))
            rates, losses, averages = [*rates, rate], [*losses, loss], [*averages, average]
            best = min(best, average)
            progress.advance("find-lr", text=f"loss {loss:.4g} at {rate:.2g}")
            if average > BROKEN * best and best > 0:
                broke = True
                break
    finally:
        progress.finish("find-lr")
    return Sweep(tuple(rates), tuple(losses), tuple(averages), broke, steps)


def suggested(found: Sweep) -> tuple[float | None, str]:
    """Return the rate that follows from a sweep, and why; None where none follows, and why not."""
    if len(found.averages) < 10:
        return None, f"the loss broke after {len(found.averages)} steps: begin with a lower rate (low)"
    place = min(range(len(found.averages)), key=found.averages.__getitem__)
    rate, least = found.rates[place], found.averages[place]
    if least > FELL * found.averages[0]:
        return None, (
            f"no rate lowered the averaged loss by a twentieth (from {found.averages[0]:.4g} to {least:.4g} at most): "
            "more steps, or a target that cannot be learned from these images"
        )
    few = (
        f"; {found.steps} steps are few, and another seed may say another: {ENOUGH} or more are usual"
        if found.steps < ENOUGH
        else ""
    )
    if not found.broke and place == len(found.averages) - 1:
        return None, (
            f"the averaged loss was still falling at the highest rate that was tried ({rate:.2g}), so its lowest "
            f"point is not known: more steps, or a higher rate at the end (high){few}"
        )
    why = f"{RULE}: it was {least:.4g} at {rate:.2g}{few}"
    return _two_digits(TENTH * rate), why


def _two_digits(value: float) -> float:
    return float(f"{value:.1e}")
