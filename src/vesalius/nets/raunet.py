"""RA-UNet: a U-Net of pre-activated residual blocks with attention residual modules in its skips."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from vesalius.nets._blocks import NORMS, MaxPool, conv, initialise, norm, one_of, read_options
from vesalius.nets._net import Net
from vesalius.nets._unet import UShape, plan_levels

NAMES = {"raunet": "RA-UNet: residual attention U-Net for liver and tumour"}
ROLE = "dense"
TWO_STAGE = True
DIMS = (2, 3)
SOURCE = (
    "Jin, Meng, Sun, Cui, Su: RA-UNet, Front. Bioeng. Biotechnol. 2020, arXiv:1811.01328; "
    "Wang et al.: Residual Attention Network, CVPR 2017, arXiv:1704.06904"
)
SMALLEST = 0.125
OPTIONS = {"norm": "batch", "channels": None, "stages": None, "spacing_mm": None, "strides": None}

DEEPEST_MASK = 3


class Residual(nn.Module):
    """Norm, ReLU, convolution, three times (1×1 to a quarter, 3×3, 1×1 back), beside a shortcut."""

    def __init__(
        self,
        dims: int,
        inside: int,
        outside: int,
        *,
        kernel: int | Sequence[int] = 3,
        stride: int | Sequence[int] = 1,
        normalise: str,
    ) -> None:
        super().__init__()
        middle = max(1, outside // 4)
        self.layers = nn.Sequential(
            norm(normalise, dims, inside),
            nn.ReLU(),
            conv(dims, inside, middle, kernel=1, bias=False),
            norm(normalise, dims, middle),
            nn.ReLU(inplace=True),
            conv(dims, middle, middle, kernel=kernel, stride=stride, bias=False),
            norm(normalise, dims, middle),
            nn.ReLU(inplace=True),
            conv(dims, middle, outside, kernel=1, bias=False),
        )
        strided = stride != 1 if isinstance(stride, int) else max(stride) > 1
        self.shortcut: nn.Module = nn.Identity()
        if strided or inside != outside:
            self.shortcut = conv(dims, inside, outside, kernel=1, stride=stride, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.layers(x) + self.shortcut(x)
        return out


class AttentionResidual(nn.Module):
    """Attention residual module: `(1 + S(x)) · T(x)`, T two residual blocks, S an hourglass ending in a sigmoid.

    The hourglass pools `depth` times, with a residual block at each depth and a skip between equal depths, and
    comes back by linear interpolation.
    """

    def __init__(self, dims: int, channels: int, *, depth: int, normalise: str) -> None:
        super().__init__()

        def block() -> nn.Module:
            return Residual(dims, channels, channels, normalise=normalise)

        self.before, self.after = block(), block()
        self.trunk = nn.Sequential(block(), block())
        self.pool = MaxPool(dims, kernel=2, stride=2)
        self.down = nn.ModuleList(block() for _ in range(depth))
        self.side = nn.ModuleList(block() for _ in range(depth - 1))
        self.rise = nn.ModuleList(block() for _ in range(depth))
        self.weigh = nn.Sequential(
            norm(normalise, dims, channels),
            nn.ReLU(inplace=True),
            conv(dims, channels, channels, kernel=1, bias=False),
            norm(normalise, dims, channels),
            nn.ReLU(inplace=True),
            conv(dims, channels, channels, kernel=1),
        )
        self.mode = "bilinear" if dims == 2 else "trilinear"

    def forward(self, skip: Tensor, up: Tensor) -> Tensor:
        x = self.before(skip)
        mask, sizes, sides = x, [], []
        for i, down in enumerate(self.down):
            sizes.append(mask.shape[2:])
            mask = down(self.pool(mask))
            if i < len(self.side):
                sides.append(self.side[i](mask))
        for rise in self.rise:
            mask = rise(mask)
            mask = F.interpolate(mask, size=sizes.pop(), mode=self.mode, align_corners=False)
            if sides:
                mask = mask + sides.pop()
        attended: Tensor = self.after((1.0 + torch.sigmoid(self.weigh(mask))) * self.trunk(x))
        return attended


def build(
    name: str,
    *,
    dims: int,
    in_channels: int,
    scale: float = 1.0,
    dropout: float = 0.0,
    size: Sequence[int] | None = None,
    options: Mapping[str, Any] | None = None,
) -> Net:
    """Build one RA-UNet (dims 2 is the paper's RA-UNet-I, dims 3 its RA-UNet-II).

    `scale` multiplies the width (32 channels first); depth follows `size`. `dropout` drops whole channels of
    each level. The attention masks reach down at most three poolings and never below four voxels. Options:
    `norm` "batch" (the paper's), "instance" or "group"; `channels`, `stages`, `spacing_mm` and `strides` as in
    `_unet.plan_levels`.
    """
    chosen = read_options(name, options, OPTIONS)
    one_of(name, "norm", chosen["norm"], NORMS)
    channels, plan = plan_levels(name, dims=dims, scale=scale, size=size, options=chosen)
    normalise: str = chosen["norm"]

    def level(
        inside: int, outside: int, *, stride: Sequence[int], kernel: Sequence[int], stage: int
    ) -> nn.Module:
        block = nn.Sequential()
        if stage == 0 and inside == in_channels:
            block.append(conv(dims, inside, outside, kernel=kernel))
            inside = outside
        block.append(Residual(dims, inside, outside, kernel=kernel, stride=stride, normalise=normalise))
        if dropout:
            block.append(nn.Dropout2d(dropout) if dims == 2 else nn.Dropout3d(dropout))
        return block

    def gate(stage: int) -> nn.Module:
        deep = max(1, min(DEEPEST_MASK, len(channels) - 1 - stage))
        return AttentionResidual(dims, channels[stage], depth=deep, normalise=normalise)

    net = UShape(
        dims,
        in_channels,
        channels=channels,
        plan=plan,
        encode=level,
        decode=level,
        gate=gate,
        dropout=dropout,
    )
    initialise(net, mode="fan_in")
    return net
