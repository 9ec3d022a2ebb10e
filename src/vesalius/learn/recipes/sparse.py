"""Weights that are zero when training begins stay zero: what is left of a net after single weights were pruned."""

from __future__ import annotations

import torch
from torch import Tensor

from vesalius.core.errors import PlanError
from vesalius.learn.checkpoint import Checkpoint
from vesalius.learn.recipes.contract import Member
from vesalius.learn.recipes.distil import Distil, DistilOptions

NAMES = {"sparse": "Weights that are zero at the start stay zero; the others learn, also from a teacher"}


class Sparse(Distil):
    """Han et al. 2015 (Learning both weights and connections, arXiv 1506.02626): training goes on without some weights.

    A mask is no setting of its own: it is what is exactly zero, in weights with more than one axis, of those that
    training begins from, so that an interrupted run has the same one. With `weight=0` the truth alone is learned from.
    """

    def __init__(self, given: Member, options: DistilOptions) -> None:
        if not given.start:
            raise PlanError(
                "recipe 'sparse' keeps weights at zero that are zero at the start, and there are none to begin from",
                hint="vesalius compress --ways prune-weights RUN",
            )
        super().__init__(given, options)
        self.masks = masks_of(self.stepper.model.state_dict())

    def step(self, step: int, lr: float) -> Tensor:
        """Take one optimiser step, and put back to zero what was zero at the start."""
        loss = super().step(step, lr)
        self._mask()
        return loss

    def weights(self) -> dict[str, Tensor]:
        """Return the weights that would answer, with what is zero of them."""
        found = super().weights()
        return {name: t * self.masks[name].to(t) if name in self.masks else t for name, t in found.items()}

    def restore(self, saved: Checkpoint) -> None:
        """Go back to where it was; the mask follows from the start and stays."""
        super().restore(saved)
        self._mask()

    def _mask(self) -> None:
        with torch.no_grad():
            for name, parameter in self.stepper.model.named_parameters():
                if name in self.masks:
                    parameter.mul_(self.masks[name].to(parameter))


def masks_of(weights: dict[str, Tensor]) -> dict[str, Tensor]:
    """Return by name where weights with more than one axis are not zero, of those in which some are."""
    every = {name: t != 0 for name, t in weights.items() if t.ndim > 1 and t.is_floating_point()}
    return {name: mask for name, mask in every.items() if not bool(mask.all())}


RECIPE = Sparse
