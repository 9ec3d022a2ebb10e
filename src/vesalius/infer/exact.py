"""Convolutions over small maps, kept in single precision on a CPU.

There, oneDNN computes wrongly in bfloat16: it reads, and sometimes writes, memory that is not its own, so that an
output or a gradient is another one each time, may be NaN, and the process may end. Found with torch 2.13 on processors
with avx512_bf16 and with AMX, by thousands of random layers whose memory was filled beforehand: where an axis is
shorter than the kernel; where a stride leaves one place of an axis, or is as long as the kernel; and of transposed
convolutions where an axis has one place, is shorter than a kernel that overlaps, or is padded, or where the stride is
longer than the kernel. Such layers are the deepest of a net and the smallest, or see each point once, so that single
precision costs next to nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.conv import _ConvNd


class _Exact:
    """What each of these does: what the layer does, in single precision where bfloat16 would be wrong."""

    def forward(self, input: Tensor, *rest: Any, **named: Any) -> Tensor:
        low = input.device.type == "cpu" and torch.is_autocast_enabled("cpu")
        if not low or not risky(self, input.shape[2:]):  # type: ignore[arg-type]
            usual: Tensor = super().forward(input, *rest, **named)  # type: ignore[misc]
            return usual
        with torch.autocast("cpu", enabled=False):
            exact: Tensor = super().forward(input.float(), *rest, **named)  # type: ignore[misc]
        return exact


class ExactConv1d(_Exact, nn.Conv1d):
    """A convolution in 1-D that leaves bfloat16 over small maps."""


class ExactConv2d(_Exact, nn.Conv2d):
    """A convolution in 2-D that leaves bfloat16 over small maps."""


class ExactConv3d(_Exact, nn.Conv3d):
    """A convolution in 3-D that leaves bfloat16 over small maps."""


class ExactConvTranspose1d(_Exact, nn.ConvTranspose1d):
    """A transposed convolution in 1-D that leaves bfloat16 over small maps."""


class ExactConvTranspose2d(_Exact, nn.ConvTranspose2d):
    """A transposed convolution in 2-D that leaves bfloat16 over small maps."""


class ExactConvTranspose3d(_Exact, nn.ConvTranspose3d):
    """A transposed convolution in 3-D that leaves bfloat16 over small maps."""


_KEPT: dict[type[nn.Module], type[nn.Module]] = {
    nn.Conv1d: ExactConv1d,
    nn.Conv2d: ExactConv2d,
    nn.Conv3d: ExactConv3d,
    nn.ConvTranspose1d: ExactConvTranspose1d,
    nn.ConvTranspose2d: ExactConvTranspose2d,
    nn.ConvTranspose3d: ExactConvTranspose3d,
}


def risky(layer: _ConvNd, shape: Sequence[int]) -> bool:
    """Return whether a convolution over a map of that shape `(…, Y, X)` could be wrong in bfloat16 on a CPU."""
    padding = (
        (0,) * len(shape) if isinstance(layer.padding, str) else layer.padding
    )  # in words: `same`, `valid`
    each = zip(shape, layer.kernel_size, layer.stride, padding, layer.dilation, strict=True)
    if layer.transposed:
        return any(_risky_transposed(n, k, s, p) for n, k, s, p, _ in each)
    return any(_risky(n, k, s, p, d) for n, k, s, p, d in each)


def _risky(n: int, kernel: int, stride: int, padding: int, dilation: int) -> bool:
    if kernel == 1:
        return False
    spanned = dilation * (kernel - 1) + 1
    strided = stride > 1 and (stride == kernel or (n + 2 * padding - spanned) // stride == 0)
    return n < spanned or strided


def _risky_transposed(n: int, kernel: int, stride: int, padding: int) -> bool:
    if kernel == 1:
        return kernel < stride
    alone, overlapping = n == 1 and stride > 1, n < kernel != stride
    return kernel < stride or alone or overlapping or (kernel == stride and padding > 0)


def keep_exact(model: nn.Module) -> nn.Module:
    """Return the model with each plain convolution turned into one of these, in place.

    Weights, names and what single precision gives stay the same.
    """
    for module in model.modules():
        if type(module) in _KEPT:
            module.__class__ = _KEPT[type(module)]
    return model
