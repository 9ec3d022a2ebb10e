"""What the families share: layers by dimension, the width and depth rules, reading of options."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from vesalius.core.errors import PlanError, UnknownName

CONV = {2: nn.Conv2d, 3: nn.Conv3d}
TRANSPOSED = {2: nn.ConvTranspose2d, 3: nn.ConvTranspose3d}
BATCH_NORM = {2: nn.BatchNorm2d, 3: nn.BatchNorm3d}
SPATIAL_DROPOUT = {2: nn.Dropout2d, 3: nn.Dropout3d}
NORMS = ("instance", "batch", "group")
NARROW = 16  # channels


def width(channels: int, scale: float, *, multiple: int = 4) -> int:
    """Return `channels · scale`, rounded to a multiple; exactly `channels` at scale 1."""
    if scale == 1.0:
        return channels
    return max(multiple, round(channels * scale / multiple) * multiple)


def in_eights(channels: float) -> int:
    """Return the nearest multiple of 8, but never more than a tenth below (MobileNet's and EfficientNet's rule)."""
    rounded = max(8, int(channels + 4) // 8 * 8)
    return rounded + 8 if rounded < 0.9 * channels else rounded


def depth(blocks: int, scale: float) -> int:
    """Return the number of blocks at this scale: `blocks · √scale`, rounded up; exactly `blocks` at scale 1."""
    return max(1, math.ceil(blocks * math.sqrt(scale) - 1e-9))


def read_options(net: str, options: Mapping[str, Any] | None, defaults: Mapping[str, Any]) -> dict[str, Any]:
    """Return the family's options with the given ones over the defaults.

    Raises:
        UnknownName: an option that the family does not have.
    """
    for key in options or {}:
        if key not in defaults:
            raise UnknownName(f"option of net '{net}'", key, defaults)
    return {**defaults, **(options or {})}


def one_of(net: str, option: str, value: object, allowed: Sequence[object]) -> None:
    """Raise PlanError unless `value` is one of `allowed`."""
    if value not in allowed:
        raise PlanError(
            f"option '{option}' of net '{net}' is not known",
            found=str(value),
            hint=", ".join(str(a) for a in allowed),
        )


def same(kernel: int | Sequence[int]) -> int | tuple[int, ...]:
    """Return the padding that keeps the size at stride 1."""
    return kernel // 2 if isinstance(kernel, int) else tuple(k // 2 for k in kernel)


def conv(
    dims: int,
    inside: int,
    outside: int,
    *,
    kernel: int | Sequence[int] = 3,
    stride: int | Sequence[int] = 1,
    padding: int | Sequence[int] | None = None,
    groups: int = 1,
    bias: bool = True,
) -> nn.Module:
    """Return a 2-D or 3-D convolution that pads to keep the size (at stride 1) unless told otherwise."""
    pad = same(kernel) if padding is None else padding
    narrow = dims == 2 and inside < NARROW and kernel in (1, (1, 1), [1, 1]) and stride not in (1, (1, 1))
    make: Any = Strided if narrow else CONV[dims]
    layer: nn.Module = make(
        inside, outside, _plain(kernel), _plain(stride), _plain(pad), groups=groups, bias=bias
    )
    return layer


def transposed(
    dims: int, inside: int, outside: int, *, stride: int | Sequence[int], bias: bool = True
) -> nn.Module:
    """Return a transposed convolution whose kernel is its stride: every output voxel has one parent."""
    make: Any = TRANSPOSED[dims]
    layer: nn.Module = make(inside, outside, _plain(stride), _plain(stride), bias=bias)
    return layer


def norm(kind: str, dims: int, channels: int, *, eps: float = 1e-5) -> nn.Module:
    """Return a normalisation layer with learned scale and shift: `instance`, `batch` or `group` (of 8 channels).

    Instance normalisation is group normalisation with one channel a group: the same numbers, five times faster
    on a CPU than `nn.InstanceNorm3d`, and defined on a single voxel.

    Raises:
        PlanError: another kind.
    """
    if kind == "batch":
        return BATCH_NORM[dims](channels, eps=eps)
    if kind == "instance":
        return nn.GroupNorm(channels, channels, eps=eps)
    if kind == "group":
        return nn.GroupNorm(max(1, channels // 8) if channels % 8 == 0 else 1, channels, eps=eps)
    raise PlanError("unknown normalisation", found=kind, hint=", ".join(NORMS))


class Strided(nn.Conv2d):
    """A convolution of one pixel with a stride, on maps of fewer than 16 channels.

    For these oneDNN (as of torch 2.13) writes beyond its memory on the way back, where channels lie last and threads
    do not divide the batch evenly. So there, and only there, the pixels that count are taken first; it is the same sum.
    """

    def forward(self, x: Tensor) -> Tensor:
        """Return every so many pixels of `(B, C, Y, X)`, with other channels."""
        uneven = x.device.type == "cpu" and x.shape[0] % torch.get_num_threads()
        if not (uneven and torch.is_grad_enabled()) or any(self.padding):
            return super().forward(x)
        down, right = self.stride
        return F.conv2d(x[:, :, ::down, ::right], self.weight, self.bias, groups=self.groups)


class MaxPool(nn.Module):
    """Max pooling that also takes axes shorter than its kernel: there the kernel is the whole axis."""

    def __init__(self, dims: int, *, kernel: int, stride: int, padding: int = 0, ceil: bool = False) -> None:
        super().__init__()
        self.dims, self.kernel, self.stride, self.padding, self.ceil = dims, kernel, stride, padding, ceil

    def forward(self, x: Tensor) -> Tensor:
        sizes = [int(n) for n in x.shape[2:]]
        kernel = [min(self.kernel, n + 2 * self.padding) for n in sizes]
        padding = [min(self.padding, k // 2) for k in kernel]
        pool = F.max_pool2d if self.dims == 2 else F.max_pool3d
        pooled: Tensor = pool(x, kernel, self.stride, padding, ceil_mode=self.ceil)
        return pooled


def at_least(x: Tensor, smallest: int) -> Tensor:
    """Zero-pad, at both ends, each spatial axis that is shorter than `smallest`."""
    pad: list[int] = []
    for n in reversed(x.shape[2:]):
        missing = max(0, smallest - int(n))
        pad += [missing // 2, missing - missing // 2]
    return F.pad(x, pad) if any(pad) else x


def global_mean(x: Tensor) -> Tensor:
    """Return the mean over space: `(B, C, …) -> (B, C)`."""
    return x.flatten(2).mean(-1)


def initialise(net: nn.Module, *, slope: float = 0.0, mode: Literal["fan_in", "fan_out"] = "fan_out") -> None:
    """He initialisation of every convolution (negative slope of the activation); biases zero."""
    for module in net.modules():
        if isinstance(module, nn.Conv2d | nn.Conv3d | nn.ConvTranspose2d | nn.ConvTranspose3d):
            nn.init.kaiming_normal_(module.weight, a=slope, mode=mode, nonlinearity="leaky_relu")
            if module.bias is not None:
                nn.init.zeros_(module.bias)


def _plain(value: int | Sequence[int]) -> int | tuple[int, ...]:
    return value if isinstance(value, int) else tuple(value)


class DenseHead(nn.Module):
    """Average to a grid, then dense layers with ReLU and dropout: `[maps] -> (B, classes)`."""

    def __init__(
        self, dims: int, channels: int, classes: int, *, grid: int, hidden: Sequence[int], dropout: float
    ) -> None:
        super().__init__()
        self.pool = nn.AdaptiveAvgPool2d(grid) if dims == 2 else nn.AdaptiveAvgPool3d(grid)
        layers: list[nn.Module] = []
        inside = channels * grid**dims
        for outside in hidden:
            layers += [nn.Dropout(dropout), nn.Linear(inside, outside), nn.ReLU(inplace=True)]
            inside = outside
        self.layers = nn.Sequential(*layers, nn.Linear(inside, classes))

    def forward(self, maps: list[Tensor]) -> Tensor:
        logits: Tensor = self.layers(self.pool(maps[-1]).flatten(1))
        return logits


class DropPath(nn.Module):
    """Stochastic depth: in training, a sample's whole branch is dropped with probability `p` (Huang 2016)."""

    def __init__(self, p: float) -> None:
        super().__init__()
        self.p = p

    def forward(self, x: Tensor) -> Tensor:
        if not self.training or self.p == 0.0:
            return x
        keep = torch.rand((x.shape[0], *(1,) * (x.ndim - 1)), device=x.device) >= self.p
        return x * keep.to(x.dtype) / (1.0 - self.p)
