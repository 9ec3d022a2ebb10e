"""Recipes of one step beside a frozen net: the net they are given, and what every one of them keeps and gives back."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import ClassVar

from torch import Tensor, nn

from vesalius.core.plan import PhasePlan, Section
from vesalius.learn.checkpoint import Checkpoint
from vesalius.learn.recipes.contract import Member, Recipe
from vesalius.learn.stepper import build


class OneStep(Recipe):
    """A recipe of one step beside a frozen net. Recipes of its kind say what the step finds."""

    steps: ClassVar[int | None] = 1

    def __init__(self, given: Member, options: Section) -> None:
        super().__init__(given, options)
        model = build(given.task, given.plan, given.state, given.number, given.start)
        self.model = model.to(self.device).eval().requires_grad_(False)

    def enter(self, phase: PhasePlan) -> None:
        """Begin a phase: whatever it freezes is frozen already."""

    def weights(self) -> dict[str, Tensor]:
        """Return the net's weights, which are those that it began with, and what the step found."""
        return {k: v.detach().cpu().clone() for k, v in self.model.state_dict().items()}

    @contextmanager
    def answering(self) -> Iterator[nn.Module]:
        """Give the model."""
        yield self.model.eval()

    def keep(self, saved: Checkpoint) -> None:
        """Keep the model."""
        saved.model = self.weights()

    def restore(self, saved: Checkpoint) -> None:
        """Go back to the model."""
        self.model.load_state_dict(saved.model)
