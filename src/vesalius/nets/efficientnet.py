"""EfficientNet: inverted bottlenecks with squeeze and excitation, scaled together in width and depth."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn
from torch.nn import functional as F

from vesalius.nets._blocks import DropPath, conv, in_eights, initialise, norm, one_of, read_options
from vesalius.nets._net import Net

NAMES = {
    "efficientnet-b0": "EfficientNet-B0, 5.3 million parameters",
    "efficientnet-b1": "EfficientNet-B1, 7.8 million parameters",
    "efficientnet-b2": "EfficientNet-B2, 9.1 million parameters",
    "efficientnet-b3": "EfficientNet-B3, 12 million parameters",
    "efficientnet-b4": "EfficientNet-B4, 19 million parameters",
    "efficientnet-b5": "EfficientNet-B5, 30 million parameters",
    "efficientnet-b6": "EfficientNet-B6, 43 million parameters",
    "efficientnet-b7": "EfficientNet-B7, 66 million parameters",
    "efficientnet-lite0": "EfficientNet-Lite0, 4.7 million parameters: without squeeze and excitation, for CPUs",
    "efficientnet-lite1": "EfficientNet-Lite1, 5.4 million parameters",
}
ROLE = "encoder"
DIMS = (2, 3)
SOURCE = (
    "Tan, Le: EfficientNet, ICML 2019, arXiv:1905.11946, table 1; "
    "Lite: Liu: Higher accuracy on vision models with EfficientNet-Lite, TensorFlow blog, 2020"
)
SMALLEST = 0.125
OPTIONS = {"stem": "paper", "drop_path": 0.0, "eps": 1e-3, "padding": None}

WIDTH_DEPTH = {
    "b0": (1.0, 1.0),
    "b1": (1.0, 1.1),
    "b2": (1.1, 1.2),
    "b3": (1.2, 1.4),
    "b4": (1.4, 1.8),
    "b5": (1.6, 2.2),
    "b6": (1.8, 2.6),
    "b7": (2.0, 3.1),
    "lite0": (1.0, 1.0),
    "lite1": (1.0, 1.1),
}
# expansion, kernel, stride, channels, layers
STAGES = (
    (1, 3, 1, 16, 1),
    (6, 3, 2, 24, 2),
    (6, 5, 2, 40, 2),
    (6, 3, 2, 80, 3),
    (6, 5, 1, 112, 3),
    (6, 5, 2, 192, 4),
    (6, 3, 1, 320, 1),
)
RETURNED = (0, 1, 2, 4)  # stages whose maps are returned beside the last convolution's


@dataclass(frozen=True)
class Style:
    """What all layers of one net share: the Lite form or not, the eps of the norms, TensorFlow's padding or not."""

    lite: bool
    eps: float
    tensorflow: bool


class SqueezeExcite(nn.Module):
    """Channels weighted by a small network that looks at their means (Hu et al. 2018)."""

    def __init__(self, dims: int, channels: int, squeezed: int) -> None:
        super().__init__()
        self.reduce = conv(dims, channels, squeezed, kernel=1)
        self.act = nn.SiLU(inplace=True)
        self.expand = conv(dims, squeezed, channels, kernel=1)

    def forward(self, x: Tensor) -> Tensor:
        mean = x.mean(dim=tuple(range(2, x.ndim)), keepdim=True)
        weighted: Tensor = x * self.expand(self.act(self.reduce(mean))).sigmoid()
        return weighted


class MBConv(nn.Module):
    """1×1 expansion, depthwise convolution, squeeze and excitation, 1×1 projection, and a shortcut."""

    def __init__(
        self,
        dims: int,
        inside: int,
        outside: int,
        *,
        expansion: int,
        kernel: int,
        stride: int,
        drop: float,
        style: Style,
    ) -> None:
        super().__init__()
        middle = inside * expansion
        layers = nn.Sequential()
        if expansion != 1:
            layers.append(_unit(dims, inside, middle, kernel=1, style=style))
        layers.append(_unit(dims, middle, middle, kernel=kernel, stride=stride, groups=middle, style=style))
        if not style.lite:
            layers.append(SqueezeExcite(dims, middle, max(1, inside // 4)))
        layers.append(conv(dims, middle, outside, kernel=1, bias=False))
        layers.append(norm("batch", dims, outside, eps=style.eps))
        self.layers = layers
        self.residual = stride == 1 and inside == outside
        self.drop = DropPath(drop)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.layers(x)
        return x + self.drop(y) if self.residual else y


class EfficientNet(Net):
    """Maps at strides 2, 4, 8, 16 and 32 (half that with the small stem), the last after the final 1×1."""

    def __init__(
        self,
        dims: int,
        in_channels: int,
        *,
        channels: Sequence[int],
        counts: Sequence[int],
        stem: str,
        drop_path: float,
        dropout: float,
        style: Style,
    ) -> None:
        first, *stages, last = channels
        finest = 1 if stem == "small" else 2
        super().__init__(
            dims,
            [*(stages[i] for i in RETURNED), last],
            strides=[finest * 2**i for i in range(5)],
            dropout=dropout,
        )
        self.stem = _unit(dims, in_channels, first, kernel=3, stride=finest, style=style)
        self.stages = nn.ModuleList()
        inside, seen, total = first, 0, sum(counts)
        for (expansion, kernel, stride, _, _), outside, count in zip(STAGES, stages, counts, strict=True):
            stage = nn.Sequential()
            for j in range(count):
                stage.append(
                    MBConv(
                        dims,
                        inside,
                        outside,
                        expansion=expansion,
                        kernel=kernel,
                        stride=stride if j == 0 else 1,
                        drop=drop_path * seen / total,
                        style=style,
                    )
                )
                inside, seen = outside, seen + 1
            self.stages.append(stage)
        self.last = _unit(dims, inside, last, kernel=1, style=style)
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
    """Build an EfficientNet; `scale` multiplies its width, the root of it its depth; dropout before the head.

    The paper trains with dropout 0.2 (B0) to 0.5 (B7) and with stochastic depth 0.2. Options: `stem` "paper"
    (stride 2) or "small" (stride 1); `drop_path`, the last block's probability of being skipped in training.

    `eps` is that of batch normalisation, of which torchvision's smaller ones have 1e-5; `padding` is "symmetric", or
    "tensorflow", where an odd row is added at the end, as in the original code, and by default of the Lite forms alone.

    The Lite forms have ReLU6, no squeeze and excitation, and a first and a last stage of fixed
    width and depth.
    """
    chosen = read_options(name, options, OPTIONS)
    one_of(name, "stem", chosen["stem"], ("paper", "small"))
    one_of(name, "padding", chosen["padding"], (None, "symmetric", "tensorflow"))
    form = name.split("-")[1]
    lite = form.startswith("lite")
    wide, deep = WIDTH_DEPTH[form]
    wide, deep = wide * scale, deep * math.sqrt(scale)
    channels = [in_eights(c * wide) for c in (32, *(stage[3] for stage in STAGES))]
    counts = [max(1, math.ceil(stage[4] * deep - 1e-9)) for stage in STAGES]
    if lite:
        channels[0] = in_eights(32 * scale)
        counts[0] = counts[-1] = 1
    return EfficientNet(
        dims,
        in_channels,
        channels=[*channels, in_eights(1280 * scale) if lite else 4 * channels[-1]],
        counts=counts,
        style=Style(
            lite, float(chosen["eps"]), (chosen["padding"] or ("tensorflow" if lite else "")) == "tensorflow"
        ),
        stem=chosen["stem"],
        drop_path=float(chosen["drop_path"]),
        dropout=dropout,
    )


class PaddedAfter(nn.Module):
    """Zero padding as TensorFlow's "same": what is odd is added at the end, so that a stride of 2 begins at place 0."""

    def __init__(self, kernel: int, stride: int) -> None:
        super().__init__()
        self.kernel, self.stride = kernel, stride

    def forward(self, x: Tensor) -> Tensor:
        pad: list[int] = []
        for n in reversed(x.shape[2:]):
            missing = max(0, (-(-int(n) // self.stride) - 1) * self.stride + self.kernel - int(n))
            pad += [missing // 2, missing - missing // 2]
        return F.pad(x, pad) if any(pad) else x


def _unit(
    dims: int, inside: int, outside: int, *, kernel: int, stride: int = 1, groups: int = 1, style: Style
) -> nn.Module:
    """Return convolution, batch normalisation and activation; where TensorFlow pads otherwise, that padding before."""
    shifted = style.tensorflow and stride > 1
    layers = [
        conv(
            dims,
            inside,
            outside,
            kernel=kernel,
            stride=stride,
            padding=0 if shifted else None,
            groups=groups,
            bias=False,
        ),
        norm("batch", dims, outside, eps=style.eps),
        nn.ReLU6(inplace=True) if style.lite else nn.SiLU(inplace=True),
    ]
    return nn.Sequential(*([PaddedAfter(kernel, stride)] if shifted else []), *layers)
