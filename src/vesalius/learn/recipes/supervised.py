"""The task's loss on batches of its examples: one model, one optimiser, and a moving average where one is planned."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import ClassVar

from torch import Tensor, nn

from vesalius.core.plan import PhasePlan, Section
from vesalius.learn.checkpoint import Checkpoint
from vesalius.learn.examples import Batches, batches
from vesalius.learn.recipes.contract import Member, Recipe
from vesalius.learn.stepper import Stepper

NAMES = {"supervised": "The task's loss on batches of its examples"}


class Supervised(Recipe):
    """The usual training. Recipes that add to it override `batches` or `step`."""

    shards: ClassVar[bool] = True

    def __init__(self, given: Member, options: Section) -> None:
        super().__init__(given, options)
        self.stepper = Stepper(given.task, given.plan, given.state, given.number, given.fabric, given.start)
        self.draw = self.batches()

    def batches(self) -> Batches:
        """Return what draws the batches."""
        return batches(self.given.examples, self.given.plan, self.given.number, task=self.given.task)

    def step(self, step: int, lr: float) -> Tensor:
        """Draw a batch and take one optimiser step on it."""
        return self.stepper.step(step, self.draw(step, self.device), lr)

    def enter(self, phase: PhasePlan) -> None:
        """Freeze the parts that the phase names, and let all others learn."""
        self.stepper.freeze(phase.frozen)

    def weights(self) -> dict[str, Tensor]:
        """Return the moving average, or the weights themselves."""
        return self.stepper.weights()

    def answering(self) -> AbstractContextManager[nn.Module]:
        """Give the model with those weights."""
        return self.stepper.averaged()

    def keep(self, saved: Checkpoint) -> None:
        """Keep model, optimiser and average."""
        self.stepper.keep(saved)

    def restore(self, saved: Checkpoint) -> None:
        """Go back to model, optimiser and average."""
        self.stepper.restore(saved)


RECIPE = Supervised
