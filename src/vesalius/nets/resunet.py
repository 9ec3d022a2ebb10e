"""Residual U-Net: a deep residual encoder and a light decoder."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from torch import Tensor, nn
from torch.nn import functional as F

from vesalius.nets._blocks import NORMS, conv, depth, initialise, norm, one_of, read_options
from vesalius.nets._net import Net
from vesalius.nets._unet import ConvNormAct, UShape, each, plan_levels

NAMES = {"resunet": "residual U-Net, after nnU-Net's residual encoder (size M at scale 1)"}
ROLE = "dense"
DIMS = (2, 3)
SOURCE = "Isensee et al.: nnU-Net Revisited, MICCAI 2024, arXiv:2404.09556; He et al., CVPR 2016"
SMALLEST = 0.125
OPTIONS = {
    "norm": "instance",
    "blocks": None,
    "convs_up": 1,
    "channels": None,
    "stages": None,
    "spacing_mm": None,
    "strides": None,
    "kernels": None,
    "eps": 1e-5,
    "slope": 0.01,
}

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
        eps: float,
        slope: float,
        dropout: float,
    ) -> None:
        super().__init__()
        self.slope = slope
        self.first = ConvNormAct(
            dims,
            inside,
            outside,
            kernel=kernel,
            stride=stride,
            normalise=normalise,
            eps=eps,
            slope=slope,
            dropout=dropout,
        )
        self.second = conv(dims, outside, outside, kernel=kernel, bias=False)
        self.norm = norm(normalise, dims, outside, eps=eps)
        self.shortcut = nn.Sequential()
        if max(stride) > 1:
            pool = nn.AvgPool2d if dims == 2 else nn.AvgPool3d
            self.shortcut.append(pool(tuple(stride), tuple(stride)))  # type: ignore[arg-type]
        if inside != outside:
            self.shortcut.append(conv(dims, inside, outside, kernel=1, bias=False))
            self.shortcut.append(norm(normalise, dims, outside, eps=eps))

    def forward(self, x: Tensor) -> Tensor:
        y = self.norm(self.second(self.first(x)))
        return F.leaky_relu(y + self.shortcut(x), self.slope, inplace=True)


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
    "group"; `blocks` of the stages on the way down and `convs_up`, convolutions on the way up, one number or one a
    stage, finest first; `channels`, `stages`, `spacing_mm`, `strides` and `kernels` as in `_unet.plan_levels`; `eps` of
    the norms and `slope` of the leaky ReLU.
    """
    chosen = read_options(name, options, OPTIONS)
    one_of(name, "norm", chosen["norm"], NORMS)
    channels, plan = plan_levels(name, dims=dims, scale=scale, size=size, options=chosen)
    normalise: str = chosen["norm"]
    ones = (1,) * dims
    eps, slope = float(chosen["eps"]), float(chosen["slope"])
    usual = [depth(BLOCKS[min(k, len(BLOCKS) - 1)], scale) for k in range(len(channels))]
    counts = usual if chosen["blocks"] is None else each(name, "blocks", chosen["blocks"], len(channels))
    convs = each(name, "convs_up", chosen["convs_up"], len(channels) - 1)

    def single(inside: int, outside: int, kernel: Sequence[int]) -> nn.Module:
        return ConvNormAct(
            dims, inside, outside, kernel=kernel, normalise=normalise, eps=eps, slope=slope, dropout=dropout
        )

    def down(
        inside: int, outside: int, *, stride: Sequence[int], kernel: Sequence[int], stage: int
    ) -> nn.Module:
        blocks = nn.Sequential()
        if stage == 0:
            blocks.append(single(inside, outside, kernel))
            inside = outside
        for i in range(counts[stage]):
            blocks.append(
                Residual(
                    dims,
                    inside if i == 0 else outside,
                    outside,
                    kernel=kernel,
                    stride=stride if i == 0 else ones,
                    normalise=normalise,
                    eps=eps,
                    slope=slope,
                    dropout=dropout,
                )
            )
        return blocks

    def up(
        inside: int, outside: int, *, stride: Sequence[int], kernel: Sequence[int], stage: int
    ) -> nn.Module:
        if convs[stage] == 1:
            return single(inside, outside, kernel)
        return nn.Sequential(
            *(single(inside if i == 0 else outside, outside, kernel) for i in range(convs[stage]))
        )

    net = UShape(dims, in_channels, channels=channels, plan=plan, encode=down, decode=up, dropout=dropout)
    initialise(net, slope=slope, mode="fan_in")
    return net
