"""Convolutions over fewer slices than their kernel has, kept in single precision on a CPU.

There, oneDNN's gradient of the weights in bfloat16 reads, and sometimes writes, memory that is not its own: the
gradient is another one each time, may be NaN, and the process may end. Found with torch 2.13 on a CPU with avx512_bf16,
for every number of channels, wherever an image of 2 slices or more has fewer of them than the kernel. Such layers are
the deepest of a net and the smallest, so that single precision costs next to nothing.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn


class ShallowConv3d(nn.Conv3d):
    """A 3-D convolution that leaves bfloat16 where its kernel is longer than its input along the first axis."""

    def _conv_forward(self, input: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        if input.device.type != "cpu" or input.shape[2] >= self.kernel_size[0]:
            usual: Tensor = super()._conv_forward(input, weight, bias)
            return usual
        with torch.autocast("cpu", enabled=False):
            exact: Tensor = super()._conv_forward(input.float(), weight, bias)
        return exact


def keep_exact(model: nn.Module) -> nn.Module:
    """Return the model with each plain `nn.Conv3d` turned into a ShallowConv3d, in place.

    Weights, names and what single precision gives stay the same.
    """
    for module in model.modules():
        if type(module) is nn.Conv3d:
            module.__class__ = ShallowConv3d
    return model
