"""ResNet: residual networks with basic (10, 18, 34) and bottleneck (50, 101, 152) blocks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from torch import Tensor, nn
from torch.nn import functional as F

from vesalius.nets._blocks import MaxPool, conv, depth, initialise, norm, one_of, read_options, width
from vesalius.nets._net import Net

NAMES = {
    "resnet-10": "ResNet with 10 layers: one basic block a stage",
    "resnet-18": "ResNet with 18 layers, the default classifier",
    "resnet-34": "ResNet with 34 layers",
    "resnet-50": "ResNet with 50 layers, bottleneck blocks",
    "resnet-101": "ResNet with 101 layers, bottleneck blocks",
    "resnet-152": "ResNet with 152 layers, bottleneck blocks",
}
ROLE = "encoder"
DIMS = (2, 3)
SOURCE = "He, Zhang, Ren, Sun: Deep Residual Learning for Image Recognition, CVPR 2016, arXiv:1512.03385"
SMALLEST = 0.0625
OPTIONS = {"stem": "paper", "norm": "batch", "shortcut": "projected"}

BLOCKS = {
    "resnet-10": (1, 1, 1, 1),
    "resnet-18": (2, 2, 2, 2),
    "resnet-34": (3, 4, 6, 3),
    "resnet-50": (3, 4, 6, 3),
    "resnet-101": (3, 4, 23, 3),
    "resnet-152": (3, 8, 36, 3),
}
BOTTLENECK = ("resnet-50", "resnet-101", "resnet-152")


class Basic(nn.Module):
    """Two 3×3 convolutions beside a shortcut."""

    expansion = 1

    def __init__(
        self, dims: int, inside: int, planes: int, *, stride: int, normalise: str, shortcut: str
    ) -> None:
        super().__init__()
        outside = planes * self.expansion
        self.conv1 = conv(dims, inside, planes, stride=stride, bias=False)
        self.bn1 = norm(normalise, dims, planes)
        self.conv2 = conv(dims, planes, planes, bias=False)
        self.bn2 = norm(normalise, dims, planes)
        self.downsample = _shortcut(dims, inside, outside, stride=stride, normalise=normalise, kind=shortcut)

    def forward(self, x: Tensor) -> Tensor:
        y = F.relu(self.bn1(self.conv1(x)), inplace=True)
        y = self.bn2(self.conv2(y))
        return F.relu(y + self.downsample(x), inplace=True)


class Bottleneck(nn.Module):
    """1×1, 3×3, 1×1 convolutions beside a shortcut; the stride stands at the 3×3 convolution ("v1.5")."""

    expansion = 4

    def __init__(
        self, dims: int, inside: int, planes: int, *, stride: int, normalise: str, shortcut: str
    ) -> None:
        super().__init__()
        outside = planes * self.expansion
        self.conv1 = conv(dims, inside, planes, kernel=1, bias=False)
        self.bn1 = norm(normalise, dims, planes)
        self.conv2 = conv(dims, planes, planes, stride=stride, bias=False)
        self.bn2 = norm(normalise, dims, planes)
        self.conv3 = conv(dims, planes, outside, kernel=1, bias=False)
        self.bn3 = norm(normalise, dims, outside)
        self.downsample = _shortcut(dims, inside, outside, stride=stride, normalise=normalise, kind=shortcut)

    def forward(self, x: Tensor) -> Tensor:
        y = F.relu(self.bn1(self.conv1(x)), inplace=True)
        y = F.relu(self.bn2(self.conv2(y)), inplace=True)
        y = self.bn3(self.conv3(y))
        return F.relu(y + self.downsample(x), inplace=True)


class ResNet(Net):
    """Four stages of residual blocks after a stem; returns the four stages' maps.

    Strides are 4, 8, 16, 32 with the paper's stem (7×7, stride 2, then max pooling), 2, 4, 8, 16 with half of it
    (5×5, stride 2) and 1, 2, 4, 8 with the small one (3×3, stride 1), for images of at most 64 voxels a side. With the
    slow one, which is MONAI's (7×7, stride 1, then max pooling), they are 2, 4, 8, 16.
    """

    def __init__(
        self,
        dims: int,
        in_channels: int,
        *,
        blocks: Sequence[int],
        base: int,
        bottleneck: bool,
        stem: str,
        normalise: str,
        shortcut: str,
        dropout: float,
    ) -> None:
        kind = Bottleneck if bottleneck else Basic
        first = {"small": 1, "half": 2, "slow": 2, "paper": 4}[stem]
        super().__init__(
            dims,
            [base * 2**i * kind.expansion for i in range(4)],
            strides=[first * 2**i for i in range(4)],
            dropout=dropout,
        )
        if stem == "small":
            self.conv1 = conv(dims, in_channels, base, bias=False)
            self.maxpool: nn.Module = nn.Identity()
        elif stem == "half":
            self.conv1 = conv(dims, in_channels, base, kernel=5, stride=2, bias=False)
            self.maxpool = nn.Identity()
        else:
            stride = 1 if stem == "slow" else 2
            self.conv1 = conv(dims, in_channels, base, kernel=7, stride=stride, bias=False)
            self.maxpool = MaxPool(dims, kernel=3, stride=2, padding=1)
        self.bn1 = norm(normalise, dims, base)
        inside = base
        for i, count in enumerate(blocks):
            stage = nn.Sequential()
            for j in range(count):
                stride = 2 if i > 0 and j == 0 else 1
                stage.append(
                    kind(dims, inside, base * 2**i, stride=stride, normalise=normalise, shortcut=shortcut)
                )
                inside = base * 2**i * kind.expansion
            self.add_module(f"layer{i + 1}", stage)
        initialise(self)

    def forward(self, x: Tensor) -> list[Tensor]:
        self.check_input(x)
        x = self.maxpool(F.relu(self.bn1(self.conv1(x)), inplace=True))
        maps = []
        for i in range(4):
            x = self.get_submodule(f"layer{i + 1}")(x)
            maps.append(x)
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
    """Build a ResNet. Scale 1 has 64 channels in its first stage; dropout stands before the linear head.

    Options: `stem` "paper", "half", "small" or "slow" (see `ResNet`); `norm` "batch", "instance" or "group"; `shortcut`
    "projected" (1×1, the paper's B) or "padded" (every other voxel, with zeros for the new channels: its A). In 2-D the
    parameters have torchvision's names.
    """
    chosen = read_options(name, options, OPTIONS)
    one_of(name, "stem", chosen["stem"], ("paper", "half", "small", "slow"))
    one_of(name, "shortcut", chosen["shortcut"], ("projected", "padded"))
    return ResNet(
        dims,
        in_channels,
        blocks=[depth(count, scale) for count in BLOCKS[name]],
        base=width(64, scale),
        bottleneck=name in BOTTLENECK,
        stem=chosen["stem"],
        normalise=chosen["norm"],
        shortcut=chosen["shortcut"],
        dropout=dropout,
    )


class Padded(nn.Module):
    """A shortcut without weights: every so many voxels, with zeros for channels that are new."""

    def __init__(self, stride: int, added: int) -> None:
        super().__init__()
        self.stride, self.added = stride, added

    def forward(self, x: Tensor) -> Tensor:
        x = x[(slice(None), slice(None), *(slice(None, None, self.stride),) * (x.ndim - 2))]
        return F.pad(x, [0, 0] * (x.ndim - 2) + [0, self.added])


def _shortcut(dims: int, inside: int, outside: int, *, stride: int, normalise: str, kind: str) -> nn.Module:
    if stride == 1 and inside == outside:
        return nn.Identity()
    if kind == "padded":
        return Padded(stride, outside - inside)
    project = conv(dims, inside, outside, kernel=1, stride=stride, bias=False)
    return nn.Sequential(project, norm(normalise, dims, outside))
