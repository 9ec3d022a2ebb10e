"""Recipes without a gradient step: the net stays as it is, and its last layer is found from what it sees of cases."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Iterable
from typing import ClassVar

import torch
from pydantic import Field
from torch import Tensor, nn

from vesalius.core.plan import Section
from vesalius.learn.frozen import assert_known, assert_linear, put, rows_of
from vesalius.learn.heads import Head, Rows
from vesalius.learn.one_step import OneStep
from vesalius.learn.recipes.contract import Member
from vesalius.tasks.contract import Task


class Views(Section):
    """`views` augmented views of each case are learned from beside the case itself.

    Of maps, a label that covers a share p of the points counts as p to the power of 1 - `balance`: as often as it
    occurs at 0, as much as any other at 1.
    """

    views: int = Field(0, ge=0, le=100)
    balance: float = Field(0.5, ge=0, le=1)


class ClosedForm(OneStep):
    """A recipe of one step, which finds the last layer of a frozen net. Recipes of its kind say how, in `solve`."""

    Options: ClassVar[type[Section]] = Views

    def __init__(self, given: Member, options: Section) -> None:
        super().__init__(given, options)
        self.options = Views.model_validate(
            {name: value for name, value in options if name in Views.model_fields}
        )
        self.linear = assert_linear(given.task, given.plan.train.recipe)
        self.linear.last_layer(self.model)

    @classmethod
    def assert_takes(cls, task: Task, recipe: str) -> None:
        """Raise PlanError for a task whose raw outputs are no linear layer's."""
        assert_linear(task, recipe)

    @classmethod
    def assert_known(cls, task: Task, model: nn.Module, taken: Iterable[str], recipe: str) -> None:
        """Raise PlanError where weights below the last layer are random, and would stay so."""
        assert_known(task, model, taken, recipe)

    @abstractmethod
    def solve(self, rows: Rows) -> Head:
        """Return the last layer that suits the rows."""

    def step(self, step: int, lr: float) -> Tensor:
        """Find the last layer. Returns its loss on cases left out, or where none could be, on those learned from."""
        given, options = self.given, self.options
        rows = rows_of(
            given.task,
            self.model,
            given.state,
            given.examples,
            plan=given.plan,
            member=given.number,
            views=options.views,
            balance=options.balance,
        )
        head = self.solve(rows)
        put(self.linear.last_layer(self.model), head)
        return torch.tensor(head.loss if math.isfinite(head.loss) else head.fitted(rows))
