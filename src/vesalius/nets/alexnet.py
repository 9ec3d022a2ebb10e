"""AlexNet: five convolutions and three dense layers, in its single-tower form."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from torch import Tensor, nn
from torch.nn import functional as F

from vesalius.nets._blocks import DenseHead, MaxPool, at_least, conv, initialise, read_options, width
from vesalius.nets._net import Net

NAMES = {"alexnet": "AlexNet, single tower: five convolutions, three dense layers"}
ROLE = "encoder"
DIMS = (2, 3)
SOURCE = (
    "Krizhevsky: One weird trick for parallelizing convolutional neural networks, arXiv:1404.5997; "
    "Krizhevsky, Sutskever, Hinton, NeurIPS 2012"
)
SMALLEST = 0.0625
OPTIONS: dict[str, object] = {}

SMALLEST_INPUT = 7


class AlexNet(Net):
    """The maps after each of the three poolings (strides 8, 16, 32)."""

    def __init__(
        self, dims: int, in_channels: int, *, channels: Sequence[int], hidden: int, dropout: float
    ) -> None:
        super().__init__(dims, (channels[0], channels[1], channels[4]), strides=(8, 16, 32), dropout=dropout)
        a, b, c, d, e = channels
        self.hidden = hidden
        self.conv1 = conv(dims, in_channels, a, kernel=11, stride=4, padding=2)
        self.conv2 = conv(dims, a, b, kernel=5)
        self.conv3 = conv(dims, b, c)
        self.conv4 = conv(dims, c, d)
        self.conv5 = conv(dims, d, e)
        self.pool = MaxPool(dims, kernel=3, stride=2)
        initialise(self, mode="fan_in")

    def forward(self, x: Tensor) -> list[Tensor]:
        self.check_input(x)
        first = self.pool(F.relu(self.conv1(at_least(x, SMALLEST_INPUT)), inplace=True))
        second = self.pool(F.relu(self.conv2(first), inplace=True))
        x = F.relu(self.conv3(second), inplace=True)
        x = F.relu(self.conv4(x), inplace=True)
        third = self.pool(F.relu(self.conv5(x), inplace=True))
        return [first, second, third]

    def head(self, classes: int) -> nn.Module:
        """Return the paper's two dense layers of 4096 (· scale) over a 6×6 grid; in 3-D over 3×3×3."""
        grid = 6 if self.dims == 2 else 3
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
    """Build AlexNet as in "One weird trick": 61,100,840 parameters with 3 channels in and 1000 classes.

    `scale` multiplies the width; `dropout` (0.5 in the paper) stands before both dense layers of the head. The
    response normalisation of 2012 is left out, as in 2014.
    """
    read_options(name, options, OPTIONS)
    channels = [width(c, scale) for c in (64, 192, 384, 256, 256)]
    return AlexNet(dims, in_channels, channels=channels, hidden=width(4096, scale), dropout=dropout)
