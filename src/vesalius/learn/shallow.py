"""Convolutions over very small maps, kept in single precision on a CPU.

There, oneDNN's gradient of the weights in bfloat16 reads, and sometimes writes, memory that is not its own: the
gradient is another one each time, may be NaN, and the process may end. Found with torch 2.13 on a CPU with avx512_bf16
in two cases: a 3-D convolution over fewer slices than its kernel has, wherever there are two images' slices or more;
and a convolution with a stride, in 2-D or 3-D, along an axis on which one place is left. Such layers are the deepest of
a net and the smallest, so that single precision costs next to nothing.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn


class ShallowConv2d(nn.Conv2d):
    """A 2-D convolution that leaves bfloat16 where it strides along an axis of one place."""

    def _conv_forward(self, input: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        if not _strides_over_one(self, input):
            usual: Tensor = super()._conv_forward(input, weight, bias)
            return usual
        with torch.autocast("cpu", enabled=False):
            exact: Tensor = super()._conv_forward(input.float(), weight, bias)
        return exact


class ShallowConv3d(nn.Conv3d):
    """A 3-D convolution that leaves bfloat16 there, too, and where its kernel is longer than its input has slices."""

    def _conv_forward(self, input: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        few = input.device.type == "cpu" and input.shape[2] < self.kernel_size[0]
        if not few and not _strides_over_one(self, input):
            usual: Tensor = super()._conv_forward(input, weight, bias)
            return usual
        with torch.autocast("cpu", enabled=False):
            exact: Tensor = super()._conv_forward(input.float(), weight, bias)
        return exact


def _strides_over_one(layer: nn.Conv2d | nn.Conv3d, input: Tensor) -> bool:
    """Return whether an axis of one place is strided over by a kernel that is longer, on a CPU."""
    axes = zip(input.shape[2:], layer.stride, layer.kernel_size, strict=True)
    return input.device.type == "cpu" and any(n == 1 and s > 1 and k > 1 for n, s, k in axes)


_KEPT: dict[type[nn.Module], type[nn.Module]] = {nn.Conv2d: ShallowConv2d, nn.Conv3d: ShallowConv3d}


def keep_exact(model: nn.Module) -> nn.Module:
    """Return the model with each plain `nn.Conv2d` and `nn.Conv3d` turned into one of these, in place.

    Weights, names and what single precision gives stay the same.
    """
    for module in model.modules():
        if type(module) in _KEPT:
            module.__class__ = _KEPT[type(module)]
    return model
