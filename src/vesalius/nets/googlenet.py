"""GoogLeNet: nine inception modules, each joining convolutions of several sizes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from vesalius.nets._blocks import MaxPool, conv, initialise, norm, one_of, read_options, width
from vesalius.nets._net import Net

NAMES = {"googlenet": "GoogLeNet (Inception v1), batch-normalised, without the auxiliary classifiers"}
ROLE = "encoder"
DIMS = (2, 3)
SOURCE = "Szegedy et al.: Going Deeper with Convolutions, CVPR 2015, arXiv:1409.4842, table 1"
SMALLEST = 0.0625
OPTIONS = {"norm": "batch", "form": "paper"}
EPS = {"paper": 1e-5, "torchvision": 1e-3}

# 1×1 | 3×3 reduce, 3×3 | 5×5 reduce, 5×5 | pool projection
STAGES = (
    ((64, 96, 128, 16, 32, 32), (128, 128, 192, 32, 96, 64)),
    (
        (192, 96, 208, 16, 48, 64),
        (160, 112, 224, 24, 64, 64),
        (128, 128, 256, 24, 64, 64),
        (112, 144, 288, 32, 64, 64),
        (256, 160, 320, 32, 128, 128),
    ),
    ((256, 160, 320, 32, 128, 128), (384, 192, 384, 48, 128, 128)),
)


class Inception(nn.Module):
    """Four branches side by side, joined along the channels."""

    def __init__(self, dims: int, inside: int, widths: Sequence[int], *, normalise: str, form: str) -> None:
        super().__init__()

        def unit(inside: int, outside: int, *, kernel: int) -> nn.Module:
            return _unit(dims, inside, outside, kernel=kernel, normalise=normalise, eps=EPS[form])

        one, reduce3, three, reduce5, five, pool = widths
        self.one = unit(inside, one, kernel=1)
        self.three = nn.Sequential(
            unit(inside, reduce3, kernel=1),
            unit(reduce3, three, kernel=3),
        )
        self.five = nn.Sequential(
            unit(inside, reduce5, kernel=1),
            unit(reduce5, five, kernel=5 if form == "paper" else 3),
        )
        self.pool = nn.Sequential(
            MaxPool(dims, kernel=3, stride=1, padding=1),
            unit(inside, pool, kernel=1),
        )
        self.out_channels = one + three + five + pool

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat((self.one(x), self.three(x), self.five(x), self.pool(x)), dim=1)


class GoogLeNet(Net):
    """Stem and three inception stages; maps at strides 4, 8, 16 and 32."""

    def __init__(
        self, dims: int, in_channels: int, *, scale: float, normalise: str, form: str, dropout: float
    ) -> None:
        def unit(inside: int, outside: int, *, kernel: int, stride: int = 1) -> nn.Module:
            return _unit(
                dims, inside, outside, kernel=kernel, stride=stride, normalise=normalise, eps=EPS[form]
            )

        def pool(kernel: int = 3) -> nn.Module:
            padded = form == "paper"
            return MaxPool(dims, kernel=kernel, stride=2, padding=1 if padded else 0, ceil=not padded)

        first, second = width(64, scale), width(192, scale)
        inside = second
        stages = []
        for stage in STAGES:
            modules = nn.Sequential()
            for widths in stage:
                block = Inception(
                    dims, inside, [width(w, scale) for w in widths], normalise=normalise, form=form
                )
                modules.append(block)
                inside = block.out_channels
            stages.append((modules, inside))
        super().__init__(dims, [second, *(c for _, c in stages)], strides=(4, 8, 16, 32), dropout=dropout)
        self.stem = nn.Sequential(
            unit(in_channels, first, kernel=7, stride=2),
            pool(),
            unit(first, first, kernel=1),
            unit(first, second, kernel=3),
        )
        self.pool = pool()
        self.last_pool = self.pool if form == "paper" else pool(2)
        self.stages = nn.ModuleList(modules for modules, _ in stages)
        initialise(self, mode="fan_in")

    def forward(self, x: Tensor) -> list[Tensor]:
        self.check_input(x)
        maps = [self.stem(x)]
        for k, stage in enumerate(self.stages):
            pool = self.last_pool if k == len(self.stages) - 1 else self.pool
            maps.append(stage(pool(maps[-1])))
        return maps


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
    """Build GoogLeNet with the paper's filters (its 5×5 convolutions are 5×5).

    `scale` multiplies the width; `dropout` (0.4 in the paper) stands before the linear head. Option `norm`:
    "batch" (the default: it replaces response normalisation and the two auxiliary classifiers, as in Ioffe and
    Szegedy 2015), or "none", which has the 6,998,552 parameters of the Caffe model zoo's. Option `form`: "paper", or
    "torchvision", as its published weights want it: 3×3 convolutions where the paper has 5×5, pooling without padding
    whose last window may be cut off, 2×2 before the last stage, and an eps of 0.001.
    """
    chosen = read_options(name, options, OPTIONS)
    one_of(name, "norm", chosen["norm"], ("batch", "none"))
    one_of(name, "form", chosen["form"], tuple(EPS))
    return GoogLeNet(
        dims, in_channels, scale=scale, normalise=chosen["norm"], form=chosen["form"], dropout=dropout
    )


def _unit(
    dims: int, inside: int, outside: int, *, kernel: int, stride: int = 1, normalise: str, eps: float
) -> nn.Module:
    plain = normalise == "none"
    layers = [conv(dims, inside, outside, kernel=kernel, stride=stride, bias=plain)]
    if not plain:
        layers.append(norm(normalise, dims, outside, eps=eps))
    return nn.Sequential(*layers, nn.ReLU(inplace=True))
