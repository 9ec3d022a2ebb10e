"""MobileNetV2: inverted bottlenecks, each channel filtered by itself, that end in a layer without activation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from torch import Tensor, nn

from vesalius.nets._blocks import conv, in_eights, initialise, norm, one_of, read_options
from vesalius.nets._net import Net

NAMES = {"mobilenetv2": "MobileNetV2, 3.5 million parameters: quick without a GPU"}
ROLE = "encoder"
DIMS = (2, 3)
SOURCE = "Sandler, Howard, Zhu, Zhmoginov, Chen: MobileNetV2, CVPR 2018, arXiv:1801.04381, table 2"
SMALLEST = 0.125
OPTIONS = {"stem": "paper"}

# expansion, channels, layers, stride of the first
STAGES = (
    (1, 16, 1, 1),
    (6, 24, 2, 2),
    (6, 32, 3, 2),
    (6, 64, 4, 2),
    (6, 96, 3, 1),
    (6, 160, 3, 2),
    (6, 320, 1, 1),
)
RETURNED = (0, 1, 2, 4)  # stages whose maps are returned beside the last convolution's
FIRST, LAST = 32, 1280


class InvertedResidual(nn.Module):
    """1×1 expansion, depthwise 3×3 convolution, 1×1 projection, and a shortcut where the sizes agree."""

    def __init__(self, dims: int, inside: int, outside: int, *, expansion: int, stride: int) -> None:
        super().__init__()
        middle = inside * expansion
        layers = nn.Sequential()
        if expansion != 1:
            layers.append(_unit(dims, inside, middle, kernel=1))
        layers.append(_unit(dims, middle, middle, stride=stride, groups=middle))
        layers.append(conv(dims, middle, outside, kernel=1, bias=False))
        layers.append(norm("batch", dims, outside))
        self.layers = layers
        self.residual = stride == 1 and inside == outside

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.layers(x)
        return x + y if self.residual else y


class MobileNetV2(Net):
    """Maps at strides 2, 4, 8, 16 and 32 (half that with the small stem), the last after the final 1×1."""

    def __init__(
        self, dims: int, in_channels: int, *, channels: Sequence[int], stem: str, dropout: float
    ) -> None:
        first, *stages, last = channels
        finest = 1 if stem == "small" else 2
        super().__init__(
            dims,
            [*(stages[i] for i in RETURNED), last],
            strides=[finest * 2**i for i in range(5)],
            dropout=dropout,
        )
        self.stem = _unit(dims, in_channels, first, stride=finest)
        self.stages = nn.ModuleList()
        inside = first
        for (expansion, _, layers, stride), outside in zip(STAGES, stages, strict=True):
            stage = nn.Sequential()
            for j in range(layers):
                stage.append(
                    InvertedResidual(
                        dims, inside, outside, expansion=expansion, stride=stride if j == 0 else 1
                    )
                )
                inside = outside
            self.stages.append(stage)
        self.last = _unit(dims, inside, last, kernel=1)
        initialise(self)

    def forward(self, x: Tensor) -> list[Tensor]:
        self.check_input(x)
        x = self.stem(x)
        maps = []
        for i, stage in enumerate(self.stages):
            x = stage(x)
            if i in RETURNED:
                maps.append(x)
        maps.append(self.last(x))
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
    """Build a MobileNetV2; `scale` multiplies its width (the last layer's only above 1); dropout before the head.

    The paper trains with dropout 0.2. Option `stem`: "paper" (stride 2) or "small" (stride 1).
    """
    chosen = read_options(name, options, OPTIONS)
    one_of(name, "stem", chosen["stem"], ("paper", "small"))
    channels = [in_eights(c * scale) for c in (FIRST, *(stage[1] for stage in STAGES))]
    return MobileNetV2(
        dims,
        in_channels,
        channels=[*channels, in_eights(LAST * max(1.0, scale))],
        stem=chosen["stem"],
        dropout=dropout,
    )


def _unit(
    dims: int, inside: int, outside: int, *, kernel: int = 3, stride: int = 1, groups: int = 1
) -> nn.Module:
    return nn.Sequential(
        conv(dims, inside, outside, kernel=kernel, stride=stride, groups=groups, bias=False),
        norm("batch", dims, outside),
        nn.ReLU6(inplace=True),
    )
