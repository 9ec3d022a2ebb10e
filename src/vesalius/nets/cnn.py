"""The tutorial CNN: three blocks of convolution and pooling, then a dense layer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from torch import Tensor, nn
from torch.nn import functional as F

from vesalius.nets._blocks import DenseHead, MaxPool, conv, initialise, read_options, width
from vesalius.nets._net import Net

NAMES = {"cnn": "tutorial CNN: three conv-pool blocks and a dense layer"}
ROLE = "encoder"
DIMS = (2, 3)
SOURCE = "the form of LeCun et al.: Gradient-based learning applied to document recognition, Proc. IEEE 1998"
SMALLEST = 0.125
OPTIONS: dict[str, object] = {}


class TutorialCNN(Net):
    """3×3 convolution, ReLU and 2× max pooling, three times; the maps after each pooling."""

    def __init__(self, dims: int, in_channels: int, *, channels: Sequence[int], dropout: float) -> None:
        super().__init__(dims, channels, strides=(2, 4, 8), dropout=dropout)
        inside = (in_channels, *channels[:-1])
        self.convs = nn.ModuleList(conv(dims, a, b) for a, b in zip(inside, channels, strict=True))
        self.pool = MaxPool(dims, kernel=2, stride=2)
        initialise(self)

    def forward(self, x: Tensor) -> list[Tensor]:
        self.check_input(x)
        maps = []
        for layer in self.convs:
            x = self.pool(F.relu(layer(x), inplace=True))
            maps.append(x)
        return maps

    def head(self, classes: int) -> nn.Module:
        """Return a dense layer as wide as the last map has channels, over a grid of 4 positions an axis."""
        last = self.channels[-1]
        return DenseHead(self.dims, last, classes, grid=4, hidden=(last,), dropout=self.dropout)


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
    """Build the tutorial CNN: 32, 64 and 128 channels times `scale`; dropout in the dense layer."""
    read_options(name, options, OPTIONS)
    channels = [width(c, scale) for c in (32, 64, 128)]
    return TutorialCNN(dims, in_channels, channels=channels, dropout=dropout)
