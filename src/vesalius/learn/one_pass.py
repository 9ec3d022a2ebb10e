"""Recipes of one pass over normal cases: a frozen encoder shows their places, and what is normal follows from these."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor, nn

from vesalius.anomalies.contract import Normality
from vesalius.core.errors import DataError, PlanError
from vesalius.core.plan import Plan, Section
from vesalius.core.seeds import seed_of
from vesalius.learn.one_step import OneStep
from vesalius.learn.recipes.contract import Member
from vesalius.plan.draft import Draft
from vesalius.prepare.batch import Example
from vesalius.tasks.contract import Task

BATCH = 8  # whole cases that go through the net at once


@runtime_checkable
class OfNormals(Protocol):
    """A task that learns from normal cases alone, by a model of what is normal."""

    def normals(self, examples: Sequence[Example], plan: Plan) -> tuple[int, ...]:
        """Return the places of the examples that are learned from."""

    def normality(self, model: nn.Module) -> Normality:
        """Return the part of a model that knows what is normal."""


class OnePass(OneStep):
    """A recipe of one step, which sees every normal case once, in order, as it is."""

    def __init__(self, given: Member, options: Section) -> None:
        super().__init__(given, options)
        self.task = of_normals(given.task, given.plan.train.recipe)

    @classmethod
    def assert_known(cls, task: Task, model: nn.Module, taken: Iterable[str], recipe: str) -> None:
        """Raise PlanError where weights of the encoder are not among the `taken`: they are random, and stay so."""
        given = set(taken)
        random = [name for name, _ in model.named_parameters() if name not in given]
        if random:
            raise PlanError(
                f"recipe '{recipe}' learns no weights, and those of the encoder would stay random",
                found=f"{len(random)} tensors not among the weights that --init names, such as {random[0]}",
                hint="--init with weights of the same net, or --set train.recipe=vae",
            )

    @classmethod
    def assert_takes(cls, task: Task, recipe: str) -> None:
        """Raise PlanError for a task that does not learn from normal cases alone."""
        of_normals(task, recipe)

    def step(self, step: int, lr: float) -> Tensor:
        """See the normal cases. Returns how far their places are from what was learned of them, on average."""
        given = self.given
        chosen = self.task.normals(given.examples, given.plan)
        if not chosen:
            raise DataError("no case is known to be normal", found=f"{len(given.examples)} training cases")
        generator = torch.Generator().manual_seed(seed_of(given.plan.train.seed, given.number, "pass"))
        way = self.task.normality(self.model)
        with torch.inference_mode():
            for images in self._images(chosen):
                way.see(images, generator)
            way.settle(generator)
            return way.places(next(iter(self._images(chosen[:1])))).mean()

    def _images(self, chosen: Sequence[int]) -> Iterator[Tensor]:
        """Yield the images of some examples, BATCH at a time."""
        examples = self.given.examples
        for first in range(0, len(chosen), BATCH):
            batch = self.given.task.collate([examples[k] for k in chosen[first : first + BATCH]])
            yield batch.to(self.device).images["image"]


def of_normals(task: Task, recipe: str) -> OfNormals:
    """Return the task, if it learns from normal cases alone. Raises PlanError."""
    if isinstance(task, OfNormals):
        return task
    raise PlanError(
        f"recipe '{recipe}' learns what is normal, and {task.name} asks for something else",
        hint="--task anomaly, or --set train.recipe=supervised",
    )


def defaults(draft: Draft) -> None:
    """Set what one pass over frozen features wants: nothing is frozen in phases."""
    draft.set("train.phases", [], "nothing of the encoder is trained")
