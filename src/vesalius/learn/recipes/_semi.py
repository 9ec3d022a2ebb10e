"""What recipes share that learn from cases without a target: draws, views, and a weight that grows from nothing."""

from __future__ import annotations

import math
from abc import abstractmethod
from typing import ClassVar

import torch
from pydantic import Field
from torch import Tensor, nn

from vesalius.core.errors import PlanError
from vesalius.core.plan import Section
from vesalius.infer.asked import inferred
from vesalius.learn.examples import Batches, batches
from vesalius.learn.recipes.contract import Member
from vesalius.learn.recipes.supervised import Supervised
from vesalius.learn.unlabelled import beside, strong, weak
from vesalius.prepare.batch import Batch
from vesalius.prepare.opinion import Opinion


class SemiOptions(Section):
    """What such recipes can be told.

    `weight` is what learning without targets counts for beside the loss, once it has grown over the share `ramp` of the
    steps. `ratio` is how many unlabelled cases there are in a step for each labelled one. `strength` is how much
    further than planned the changes of a strong view go.
    """

    weight: float | None = Field(1.0, ge=0)
    ramp: float = Field(0.3, ge=0, le=1)
    ratio: float = Field(1.0, gt=0, le=16)
    strength: float = Field(1.5, ge=0, le=10)


def ramped(step: int, steps: float) -> float:
    """Return how much of its weight a term has at a step: exp(-5 (1 - t)²), from 1/148 to 1 after so many `steps`.

    Laine and Aila 2017 (Temporal ensembling, arXiv 1610.02242).
    """
    t = 1.0 if steps <= 0 else min(1.0, step / steps)
    return math.exp(-5.0 * (1.0 - t) ** 2)


class SemiSupervised(Supervised):
    """The task's loss on labelled cases, and a term of cases whose targets are not looked at.

    These are all of the member's cases, labelled ones among them, as in the papers. A recipe says in `term` what is
    learned of them.
    """

    Options = SemiOptions
    unlabelled: ClassVar[bool] = True

    def __init__(self, given: Member, options: SemiOptions) -> None:
        super().__init__(given, options)
        self.knobs = options
        self.beside = beside(given.task, given.plan, given.examples, given.number, ratio=options.ratio)

    def batches(self) -> Batches:
        """Return what draws the batches of labelled cases."""
        return self.labelled(self.given.number)

    def labelled(self, number: int) -> Batches:
        """Return what draws batches of labelled cases as a member of that number does."""
        given = self.given
        labelled = [e for e in given.examples if e.case_id not in given.unlabelled]
        return batches(labelled, given.plan, number, task=given.task)

    def step(self, step: int, lr: float) -> Tensor:
        """Take one optimiser step on a batch of labelled cases and one of others."""
        stepper = self.stepper
        loss = stepper.gradients(step, self.draw(step, self.device))
        term = self.weight(step) * self.term(step)
        if term.requires_grad:
            stepper.fabric.backward(term)
        stepper.apply(step, lr)
        return loss + term.detach()

    @abstractmethod
    def term(self, step: int) -> Tensor:
        """Return what is learned without targets at a step, a single number with what its gradients need."""

    def weight(self, step: int) -> float:
        """Return what it counts for at a step."""
        told = 1.0 if self.knobs.weight is None else self.knobs.weight
        return told * ramped(step, self.knobs.ramp * self.given.steps)

    def weak(self, step: int, view: str = "weak") -> Batch:
        """Return the step's unlabelled cases, weakly changed."""
        batch = self.beside(step, self.device)
        return weak(batch, self.given.plan, self.beside.generator(step, view))

    def strong(self, step: int, batch: Batch, opinion: Opinion) -> tuple[Batch, Opinion, Tensor]:
        """Return them strongly changed, the opinion about them moved alike, and where that is known."""
        generator = self.beside.generator(step, "strong")
        return strong(batch, opinion, self.given.plan, generator, strength=self.knobs.strength)

    def opinion(self, raw: Tensor) -> Opinion:
        """Return what raw outputs say. Raises PlanError for a task whose raw outputs cannot be compared."""
        given = self.given
        found = given.task.opinion(raw.float(), given.state)
        if found is None:
            raise PlanError(
                f"recipe '{given.plan.train.recipe}' compares what models say, and {given.task.name} does not tell it",
                hint="--set train.recipe=supervised, or an `opinion` in the task's file",
            )
        return found

    def answered(self, model: nn.Module, batch: Batch) -> Opinion:
        """Return what a model says of a batch as it answers: in evaluation mode, without gradients."""
        model.eval()
        with torch.no_grad(), self.stepper.fabric.autocast():
            return self.opinion(inferred(self.given.task, model, batch, torch.Generator().manual_seed(0)))
