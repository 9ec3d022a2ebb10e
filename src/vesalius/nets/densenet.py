"""DenseNet: each layer reads the maps of all the layers before it in its block."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from vesalius.nets._blocks import MaxPool, conv, depth, initialise, norm, one_of, read_options, width
from vesalius.nets._depths import Depths
from vesalius.nets._net import Net

NAMES = {
    "densenet-121": "DenseNet with 121 layers",
    "densenet-161": "DenseNet with 161 layers, growth 48",
    "densenet-169": "DenseNet with 169 layers",
    "densenet-201": "DenseNet with 201 layers",
}
ROLE = "encoder"
DIMS = (2, 3)
SOURCE = "Huang, Liu, van der Maaten, Weinberger: Densely Connected Networks, CVPR 2017, arXiv:1608.06993"
SMALLEST = 0.125
OPTIONS = {"stem": "paper", "norm": "batch"}

# growth, channels of the stem, layers of each block
FORMS = {
    "densenet-121": (32, 64, (6, 12, 24, 16)),
    "densenet-161": (48, 96, (6, 12, 36, 24)),
    "densenet-169": (32, 64, (6, 12, 32, 32)),
    "densenet-201": (32, 64, (6, 12, 48, 32)),
}
BOTTLENECK = 4


class DenseLayer(nn.Module):
    """Norm, ReLU, 1×1 to four times the growth; norm, ReLU, 3×3 to the growth; joined to its input."""

    def __init__(self, dims: int, inside: int, growth: int, *, normalise: str) -> None:
        super().__init__()
        middle = BOTTLENECK * growth
        self.norm1 = norm(normalise, dims, inside)
        self.conv1 = conv(dims, inside, middle, kernel=1, bias=False)
        self.norm2 = norm(normalise, dims, middle)
        self.conv2 = conv(dims, middle, growth, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        y = self.conv1(F.relu(self.norm1(x), inplace=True))
        y = self.conv2(F.relu(self.norm2(y), inplace=True))
        return torch.cat((x, y), dim=1)


class Transition(nn.Module):
    """Norm, ReLU, 1×1 to half the channels, 2× average pooling (which leaves an axis of one voxel alone)."""

    def __init__(self, dims: int, inside: int, outside: int, *, normalise: str) -> None:
        super().__init__()
        self.norm = norm(normalise, dims, inside)
        self.conv = conv(dims, inside, outside, kernel=1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        x = self.conv(F.relu(self.norm(x), inplace=True))
        kernel = [min(2, int(n)) for n in x.shape[2:]]
        return F.avg_pool2d(x, kernel) if len(kernel) == 2 else F.avg_pool3d(x, kernel)


class DenseNet(Net):
    """Four dense blocks; their maps at strides 4, 8, 16, 32 (1, 2, 4, 8 with the small stem)."""

    def __init__(
        self,
        dims: int,
        in_channels: int,
        *,
        growth: int,
        first: int,
        layers: Sequence[int],
        stem: str,
        normalise: str,
        dropout: float,
    ) -> None:
        blocks, transitions, channels = [], [], []
        inside = first
        for i, count in enumerate(layers):
            if i:
                transitions.append(Transition(dims, inside, inside // 2, normalise=normalise))
                inside //= 2
            block = nn.Sequential()
            for _ in range(count):
                block.append(DenseLayer(dims, inside, growth, normalise=normalise))
                inside += growth
            blocks.append(block)
            channels.append(inside)
        finest = 1 if stem == "small" else 4
        super().__init__(dims, channels, strides=[finest * 2**i for i in range(4)], dropout=dropout)
        self.stem = nn.Sequential(
            conv(
                dims,
                in_channels,
                first,
                kernel=3 if stem == "small" else 7,
                stride=finest // 2 or 1,
                bias=False,
            ),
            norm(normalise, dims, first),
            nn.ReLU(inplace=True),
        )
        if stem == "paper":
            self.stem.append(MaxPool(dims, kernel=3, stride=2, padding=1))
        self.blocks = nn.ModuleList(blocks)
        self.transitions = nn.ModuleList(transitions)
        self.last_norm = norm(normalise, dims, inside)
        initialise(self, mode="fan_in")

    @property
    def depths(self) -> Depths:
        """Return the stem, and each block with the transition before it."""
        later = [(f"transitions.{k}", f"blocks.{k + 1}") for k in range(len(self.transitions))]
        return (("stem",), ("blocks.0",), *later[:-1], (*later[-1], "last_norm"))

    def forward(self, x: Tensor) -> list[Tensor]:
        self.check_input(x)
        maps = [self.blocks[0](self.stem(x))]
        for transition, block in zip(self.transitions, self.blocks[1:], strict=True):
            maps.append(block(transition(maps[-1])))
        maps[-1] = F.relu(self.last_norm(maps[-1]), inplace=True)
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
    """Build a DenseNet; `scale` multiplies growth and stem, its root the layers; dropout before the head.

    Options: `stem` "paper" (7×7, stride 2, max pooling) or "small" (3×3, stride 1); `norm` "batch", "instance"
    or "group".
    """
    chosen = read_options(name, options, OPTIONS)
    one_of(name, "stem", chosen["stem"], ("paper", "small"))
    growth, first, layers = FORMS[name]
    return DenseNet(
        dims,
        in_channels,
        growth=width(growth, scale),
        first=width(first, scale),
        layers=[depth(count, scale) for count in layers],
        stem=chosen["stem"],
        normalise=chosen["norm"],
        dropout=dropout,
    )
