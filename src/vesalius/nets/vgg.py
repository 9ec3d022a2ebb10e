"""VGG: stacks of 3×3 convolutions between poolings, with or without batch normalisation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from torch import Tensor, nn

from vesalius.nets._blocks import DenseHead, MaxPool, conv, initialise, norm, read_options, width
from vesalius.nets._net import Net

NAMES = {
    "vgg-11": "VGG with 11 layers (configuration A)",
    "vgg-13": "VGG with 13 layers (configuration B)",
    "vgg-16": "VGG with 16 layers (configuration D)",
    "vgg-19": "VGG with 19 layers (configuration E)",
    "vgg-11-bn": "VGG with 11 layers and batch normalisation",
    "vgg-13-bn": "VGG with 13 layers and batch normalisation",
    "vgg-16-bn": "VGG with 16 layers and batch normalisation",
    "vgg-19-bn": "VGG with 19 layers and batch normalisation",
}
ROLE = "encoder"
DIMS = (2, 3)
SOURCE = "Simonyan, Zisserman: Very Deep Convolutional Networks, ICLR 2015, arXiv:1409.1556"
SMALLEST = 0.0625
OPTIONS: dict[str, object] = {}

CONVS = {"11": (1, 1, 2, 2, 2), "13": (2, 2, 2, 2, 2), "16": (2, 2, 3, 3, 3), "19": (2, 2, 4, 4, 4)}
CHANNELS = (64, 128, 256, 512, 512)


class VGG(Net):
    """Five stages, each ended by 2× max pooling; the maps after each pooling (strides 2 … 32)."""

    def __init__(
        self,
        dims: int,
        in_channels: int,
        *,
        convs: Sequence[int],
        channels: Sequence[int],
        hidden: int,
        normalised: bool,
        dropout: float,
    ) -> None:
        super().__init__(dims, channels, strides=(2, 4, 8, 16, 32), dropout=dropout)
        self.hidden = hidden
        self.stages = nn.ModuleList()
        inside = in_channels
        for count, outside in zip(convs, channels, strict=True):
            stage = nn.Sequential()
            for _ in range(count):
                stage.append(conv(dims, inside, outside))
                if normalised:
                    stage.append(norm("batch", dims, outside))
                stage.append(nn.ReLU(inplace=True))
                inside = outside
            stage.append(MaxPool(dims, kernel=2, stride=2))
            self.stages.append(stage)
        initialise(self)

    def forward(self, x: Tensor) -> list[Tensor]:
        self.check_input(x)
        maps = []
        for stage in self.stages:
            x = stage(x)
            maps.append(x)
        return maps

    def head(self, classes: int) -> nn.Module:
        """Return the paper's two dense layers of 4096 (· scale) over a 7×7 grid; in 3-D over 3×3×3."""
        grid = 7 if self.dims == 2 else 3
        hidden = (self.hidden, self.hidden)
        return DenseHead(
            self.dims, self.channels[-1], classes, grid=grid, hidden=hidden, dropout=self.dropout
        )


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
    """Build a VGG; `scale` multiplies the width; `dropout` (0.5 in the paper) stands in the dense layers."""
    read_options(name, options, OPTIONS)
    return VGG(
        dims,
        in_channels,
        convs=CONVS[name.split("-")[1]],
        channels=[width(c, scale) for c in CHANNELS],
        hidden=width(4096, scale),
        normalised=name.endswith("-bn"),
        dropout=dropout,
    )
