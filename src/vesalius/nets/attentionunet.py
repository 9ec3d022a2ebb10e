"""Attention U-Net: a gate on each skip, steered from the level below, lets through what matters."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from vesalius.nets._blocks import NORMS, conv, initialise, norm, one_of, read_options
from vesalius.nets._net import Net
from vesalius.nets._unet import SLOPE, ConvNormAct, UShape, plan_levels

NAMES = {"attentionunet": "U-Net with additive attention gates on its skips"}
ROLE = "dense"
DIMS = (2, 3)
SOURCE = "Oktay et al.: Attention U-Net: Learning Where to Look for the Pancreas, 2018, arXiv:1804.03999"
SMALLEST = 0.125
OPTIONS = {"norm": "instance", "channels": None, "stages": None, "spacing_mm": None, "strides": None}


class Gate(nn.Module):
    """Additive attention: `skip · σ(ψ(relu(W_x skip + W_g up)))`, one weight a voxel.

    The gating signal is the coarser map after its transposed convolution, so no resampling of weights is needed.
    """

    def __init__(self, dims: int, channels: int, *, normalise: str) -> None:
        super().__init__()
        middle = max(1, channels // 2)
        self.from_skip = conv(dims, channels, middle, kernel=1, bias=False)
        self.from_below = conv(dims, channels, middle, kernel=1, bias=False)
        self.norm = norm(normalise, dims, middle)
        self.weigh = conv(dims, middle, 1, kernel=1)

    def forward(self, skip: Tensor, up: Tensor) -> Tensor:
        joint = F.relu(self.norm(self.from_skip(skip) + self.from_below(up)), inplace=True)
        return skip * torch.sigmoid(self.weigh(joint))


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
    """Build an Attention U-Net: the plain U-Net of `unet` with a gate on every skip.

    `scale` multiplies the width (32 channels first); depth follows `size`; `dropout` drops whole channels after
    each convolution. Options: `norm` "instance", "batch" or "group"; `channels`, `stages`, `spacing_mm` and
    `strides` as in `_unet.plan_levels`.
    """
    chosen = read_options(name, options, OPTIONS)
    one_of(name, "norm", chosen["norm"], NORMS)
    channels, plan = plan_levels(name, dims=dims, scale=scale, size=size, options=chosen)
    normalise: str = chosen["norm"]

    def level(
        inside: int, outside: int, *, stride: Sequence[int], kernel: Sequence[int], stage: int
    ) -> nn.Module:
        return nn.Sequential(
            ConvNormAct(
                dims, inside, outside, kernel=kernel, stride=stride, normalise=normalise, dropout=dropout
            ),
            ConvNormAct(dims, outside, outside, kernel=kernel, normalise=normalise, dropout=dropout),
        )

    net = UShape(
        dims,
        in_channels,
        channels=channels,
        plan=plan,
        encode=level,
        decode=level,
        gate=lambda stage: Gate(dims, channels[stage], normalise=normalise),
        dropout=dropout,
    )
    initialise(net, slope=SLOPE, mode="fan_in")
    return net
