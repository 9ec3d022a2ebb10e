"""S-net: a small CNN of a volume or of slices, pooled over all of it, for one number about a whole image.

Jiang et al. told survival from portal venous CT with a net of this shape. Their paper's figures of its layers were not
at hand: this is our reading of it, a small net of few channels, slices first seen each by itself, whose last map is
pooled over all places into a head. It has not their weights, and their figures say nothing of it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from vesalius.nets._blocks import conv, initialise, norm, one_of, read_options, width
from vesalius.nets._net import Net

NAMES = {"snet": "a small CNN with pooling over all of the image, for risks: our reading of S-net"}
ROLE = "encoder"
DIMS = (2, 3)
SOURCE = (
    "our reading of Jiang et al.: Development and validation of a deep learning CT signature, Ann Surg 2021"
)
SMALLEST = 0.25
OPTIONS = {"levels": 4, "flat": 1, "norm": "group"}
LIMITS = {
    "levels": {"ge": 2, "le": 6},
    "flat": {"ge": 0, "le": 6},
    "norm": {"in": ["batch", "instance", "group"]},
}
BASE = 16  # channels of the first level; each further level has twice as many
HIDDEN = 32  # units of the head


class SNet(Net):
    """Levels of two convolutions, the first with stride 2; of a volume the first levels look within slices alone."""

    def __init__(
        self, dims: int, in_channels: int, *, channels: Sequence[int], flat: int, kind: str, dropout: float
    ) -> None:
        steps = [(1, 2, 2) if dims == 3 and k < flat else (2,) * dims for k in range(len(channels))]
        strides = [[math.prod(axis) for axis in zip(*steps[: k + 1], strict=True)] for k in range(len(steps))]
        super().__init__(dims, channels, strides=strides, dropout=dropout)
        self.levels = nn.ModuleList()
        for k, outside in enumerate(channels):
            inside = in_channels if k == 0 else channels[k - 1]
            kernel = (1, 3, 3) if dims == 3 and k < flat else (3,) * dims
            self.levels.append(
                nn.Sequential(
                    conv(dims, inside, outside, kernel=kernel, stride=steps[k], bias=False),
                    norm(kind, dims, outside),
                    nn.ReLU(inplace=True),
                    conv(dims, outside, outside, kernel=kernel, bias=False),
                    norm(kind, dims, outside),
                    nn.ReLU(inplace=True),
                )
            )
        initialise(self)

    def forward(self, x: Tensor) -> list[Tensor]:
        """`(B, C, Y, X)` or `(B, C, Z, Y, X)` → one map a level, finest first."""
        self.check_input(x)
        maps = []
        for level in self.levels:
            x = level(x)
            maps.append(x)
        return maps

    def head(self, classes: int) -> nn.Module:
        """Return a head on the mean and the greatest value of the last map, with one hidden layer."""
        return RiskHead(self.channels[-1], classes, dropout=self.dropout)


class RiskHead(nn.Module):
    """Mean and maximum over all places, a hidden layer, a linear one: `[maps] -> (B, classes)`."""

    def __init__(self, channels: int, classes: int, *, dropout: float) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(2 * channels, HIDDEN), nn.ReLU(), nn.Dropout(dropout), nn.Linear(HIDDEN, classes)
        )

    def forward(self, maps: list[Tensor]) -> Tensor:
        """Return the numbers `(B, classes)`."""
        places = maps[-1].flatten(2)
        found: Tensor = self.layers(torch.cat([places.mean(dim=-1), places.amax(dim=-1)], dim=1))
        return found


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
    """Build the net: 16 channels, doubled level by level, times `scale`.

    Options: `levels`; `flat`, how many of them look within slices alone; `norm`: batch, instance or group.
    """
    chosen = read_options(name, options, OPTIONS)
    one_of(name, "norm", chosen["norm"], ("batch", "instance", "group"))
    channels = [width(BASE * 2**k, scale) for k in range(int(chosen["levels"]))]
    return SNet(
        dims, in_channels, channels=channels, flat=int(chosen["flat"]), kind=chosen["norm"], dropout=dropout
    )
