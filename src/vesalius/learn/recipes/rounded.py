"""Weights learn to be rounded: each step is taken by the loss of the model as it is in eight-bit integers."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from vesalius.core.errors import PlanError
from vesalius.learn.parallel import inside
from vesalius.learn.recipes.contract import Member
from vesalius.learn.recipes.distil import Distil, DistilOptions

NAMES = {
    "rounded": "As distil, by the loss of the model as it is in eight-bit integers, so that weights learn to be rounded"
}
LEVELS = 127  # of either sign
KINDS = (nn.Conv2d, nn.Conv3d, nn.ConvTranspose2d, nn.ConvTranspose3d, nn.Linear)
TURNED = (nn.ConvTranspose2d, nn.ConvTranspose3d)  # their output channels are the second axis


class Rounded(Distil):
    """Jacob et al. 2018 (Quantization and training of neural networks for integer arithmetic, arXiv 1712.05877).

    In each step, weights of convolutions and matrices are what eight bits leave of them, a scale a channel, and what
    enters these layers is rounded to 255 levels between its ends in the batch. Gradients pass the rounding as if it
    were not there (Bengio, Léonard, Courville 2013, arXiv 1308.3432), and the step is taken by the weights in full
    precision, which are those that answer and are kept. With `weight=0` the truth alone is learned from.
    """

    def __init__(self, given: Member, options: DistilOptions) -> None:
        if given.plan.train.accumulate > 1:
            raise PlanError(
                "recipe 'rounded' finds the ends of what enters a layer in the whole batch, which no net sees in parts",
                found=f"train.accumulate={given.plan.train.accumulate}",
                hint="--set train.accumulate=1, or train.recompute=true",
            )
        super().__init__(given, options)
        self._whole: dict[Tensor, Tensor] = {}

    def step(self, step: int, lr: float) -> Tensor:
        """Take one optimiser step by the loss of the rounded model."""
        layers = [m for m in self.stepper.model.modules() if isinstance(m, KINDS)]
        handles: list[RemovableHandle] = [m.register_forward_pre_hook(_rounded_input) for m in layers]
        self._whole = {m.weight: m.weight.detach().clone() for m in layers}
        try:
            with torch.no_grad():
                for m in layers:
                    m.weight.data.copy_(rounded_weight(m.weight, 1 if isinstance(m, TURNED) else 0))
            return super().step(step, lr)
        finally:
            self._restore()
            for handle in handles:
                handle.remove()

    def apply(self, step: int, lr: float) -> None:
        """Take the step by the weights in full precision."""
        self._restore()
        super().apply(step, lr)

    def _restore(self) -> None:
        whole, self._whole = self._whole, {}
        _put_back(whole)


def rounded_weight(weight: Tensor, axis: int) -> Tensor:
    """Return what eight bits leave of a weight, with one scale for each place along an axis."""
    rest = [k for k in range(weight.ndim) if k != axis]
    scale = weight.abs().amax(dim=rest, keepdim=True).clamp_min(1e-12) / LEVELS
    return (weight / scale).round() * scale


def rounded_values(x: Tensor) -> Tensor:
    """Return values rounded to 255 levels between their ends, 0 among these; gradients pass as if they were not."""
    ends = inside.largest(torch.stack([-x.detach().amin(), x.detach().amax()])).clamp_min(0)
    scale = (ends.sum() / (2 * LEVELS)).clamp_min(1e-12)
    return x + ((x.detach() / scale).round() * scale - x.detach())


def _rounded_input(module: nn.Module, inputs: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    return (rounded_values(inputs[0]), *inputs[1:])


def _put_back(whole: Mapping[Tensor, Tensor]) -> None:
    for parameter, weight in whole.items():
        parameter.data.copy_(weight)


RECIPE = Rounded
