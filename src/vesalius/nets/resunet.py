"""Residual U-Net: a deep residual encoder and a light decoder."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from torch import Tensor, nn
from torch.nn import functional as F

from vesalius.nets._blocks import NORMS, conv, depth, initialise, norm, one_of, read_options
from vesalius.nets._net import Net
from vesalius.nets._unet import SLOPE, ConvNormAct, UShape, plan_levels

NAMES = {"resunet": "residual U-Net, after nnU-Net's residual encoder (size M at scale 1)"}
ROLE = "dense"
DIMS = (2, 3)
SOURCE = "Isensee et al.: nnU-Net Revisited, MICCAI 2024, arXiv:2404.09556; He et al., CVPR 2016"
SMALLEST = 0.125
OPTIONS = {"norm": "instance", "channels": None, "stages": None, "spacing_mm": None, "strides": None}

BLOCKS = (1, 3, 4, 6, 6, 6, 6, 6)  # residual blocks of each encoder stage


class Residual(nn.Module):
    """Two convolutions beside a shortcut; where the stride is not 1 the shortcut is an average, then 1×1."""

    def __init__(
        self,
        dims: int,
        inside: int,
        outside: int,
        *,
        kernel: Sequence[int],
        stride: Sequence[int],
        normalise: str,
        dropout: float,
    ) -> None:
        super().__init__()
        self.first = ConvNormAct(
            dims, inside, outside, kernel=kernel, stride=stride, normalise=normalise, dropout=dropout
        )
        self.second = conv(dims, outside, outside, kernel=kernel, bias=False)
        self.norm = norm(normalise, dims, outside)
        self.shortcut = nn.Sequential()
        if max(stride) > 1:
            pool = nn.AvgPool2d if dims == 2 else nn.AvgPool3d
            self.shortcut.append(pool(tuple(stride), tuple(stride)))  # type: ignore[arg-type]
        if inside != outside:
            self.shortcut.append(conv(dims, inside, outside, kernel=1, bias=False))
            self.shortcut.append(norm(normalise, dims, outside))

    def forward(self, x: Tensor) -> Tensor:
        y = self.norm(self.second(self.first(x)))
        return F.leaky_relu(y + self.shortcut(x), SLOPE, inplace=True)


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
    """Build a residual U-Net: 1, 3, 4, 6, 6, 6 residual blocks down, one convolution a level up.

    `scale` multiplies the width (32 channels first), its root the number of blocks; depth follows `size` as in
    the plain U-Net; `dropout` drops whole channels within each block. Options: `norm` "instance", "batch" or
    "group"; `channels`, `stages`, `spacing_mm` and `strides` as in `_unet.plan_levels`.
    """
    chosen = read_options(name, options, OPTIONS)
    one_of(name, "norm", chosen["norm"], NORMS)
    channels, plan = plan_levels(name, dims=dims, scale=scale, size=size, options=chosen)
    normalise: str = chosen["norm"]
    ones = (1,) * dims

    def down(
        inside: int, outside: int, *, stride: Sequence[int], kernel: Sequence[int], stage: int
    ) -> nn.Module:
        blocks = nn.Sequential()
        if stage == 0:
            blocks.append(
                ConvNormAct(dims, inside, outside, kernel=kernel, normalise=normalise, dropout=dropout)
            )
            inside = outside
        for i in range(depth(BLOCKS[min(stage, len(BLOCKS) - 1)], scale)):
            blocks.append(
                Residual(
                    dims,
                    inside if i == 0 else outside,
                    outside,
                    kernel=kernel,
                    stride=stride if i == 0 else ones,
                    normalise=normalise,
                    dropout=dropout,
                )
            )
        return blocks

    def up(
        inside: int, outside: int, *, stride: Sequence[int], kernel: Sequence[int], stage: int
    ) -> nn.Module:
        return ConvNormAct(dims, inside, outside, kernel=kernel, normalise=normalise, dropout=dropout)

    net = UShape(dims, in_channels, channels=channels, plan=plan, encode=down, decode=up, dropout=dropout)
    initialise(net, slope=SLOPE, mode="fan_in")
    return net
