"""Two nets that began differently teach each other by what they say of cases that nobody has labelled."""

from __future__ import annotations

import torch
from pydantic import Field
from torch import Tensor

from vesalius.core.plan import PhasePlan
from vesalius.learn.checkpoint import Checkpoint
from vesalius.learn.recipes._semi import SemiOptions, SemiSupervised
from vesalius.learn.recipes.contract import Member
from vesalius.learn.stepper import Stepper

NAMES = {
    "crosspseudo": "Two nets teach each other on unlabelled cases, at more than twice the time; the first answers"
}
OTHER = 1_000_003  # what is added to a member's number, from which the second net's first weights and draws follow


class CrossPseudoOptions(SemiOptions):
    """What cross pseudo supervision can be told; a second net needs no strong view to disagree."""

    strength: float = Field(1.0, ge=0, le=10)


class CrossPseudo(SemiSupervised):
    """Chen et al. 2021 (Cross pseudo supervision, arXiv 2106.01226).

    What one net says of an unlabelled case is the other's target, and the other way round; both learn from labelled
    cases, too, each from batches of its own. They begin from different random weights; where weights to begin from are
    given both have them, and what they draw alone makes them differ. The first net answers, so that the bundle and its
    answers cost what those of one net cost; training takes more than twice the time a step. It serves every task that
    makes targets of what its models say (`Task.taught`): masks, classes, several labels and numbers. Raises PlanError
    for others.
    """

    Options = CrossPseudoOptions

    def __init__(self, given: Member, options: CrossPseudoOptions) -> None:
        super().__init__(given, options)
        number = given.number + OTHER
        self.second = Stepper(given.task, given.plan, given.state, number, given.fabric, given.start)
        self.draw_second = self.labelled(number)

    def step(self, step: int, lr: float) -> Tensor:
        """Take one optimiser step of each net. Returns the first one's loss."""
        nets, draws = (self.stepper, self.second), (self.draw, self.draw_second)
        batch = self.weak(step)
        opinions = [self.answered(net.model, batch) for net in nets]
        losses = []
        for net, draw, opinion in zip(nets, draws, reversed(opinions), strict=True):
            loss = net.gradients(step, draw(step, self.device))
            moved, wanted, known = self.strong(step, batch, opinion)
            term = self.weight(step) * net.loss(step, self.given.task.taught(moved, wanted, known))
            if term.requires_grad:
                net.fabric.backward(term)
            losses.append(loss + term.detach())
        for net in nets:
            net.apply(step, lr)
        return losses[0]

    def term(self, step: int) -> Tensor:
        """Return nothing: what is learned without targets is learned by two nets, in `step`."""
        return torch.zeros((), device=self.device)

    def enter(self, phase: PhasePlan) -> None:
        """Freeze the parts that the phase names in both nets."""
        super().enter(phase)
        self.second.freeze(phase.frozen)

    def keep(self, saved: Checkpoint) -> None:
        """Keep the second net, too."""
        super().keep(saved)
        second = Checkpoint()
        self.second.keep(second)
        saved.extra = {"model": second.model, "average": second.average, "optimizer": second.optimizer}

    def restore(self, saved: Checkpoint) -> None:
        """Go back to both nets and their optimisers."""
        super().restore(saved)
        self.second.restore(Checkpoint(**saved.extra))


RECIPE = CrossPseudo
