"""FCN: VGG-16 made fully convolutional, its coarse scores joined with finer ones and enlarged."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from torch import Tensor, nn
from torch.nn import functional as F

from vesalius.nets._blocks import SPATIAL_DROPOUT, conv, initialise, one_of, read_options, width
from vesalius.nets._net import Dense, Net, crop_to, pad_to_multiple
from vesalius.nets.vgg import CHANNELS, CONVS, VGG

NAMES = {
    "fcn-8s": "fully convolutional VGG-16, scores at strides 32, 16 and 8",
    "fcn-16s": "fully convolutional VGG-16, scores at strides 32 and 16",
    "fcn-32s": "fully convolutional VGG-16, scores at stride 32",
}
ROLE = "dense"
DIMS = (2, 3)
SOURCE = "Long, Shelhamer, Darrell: Fully Convolutional Networks, CVPR 2015, arXiv:1411.4038"
SMALLEST = 0.0625
TINY_SIZE = {3: (32, 32, 32)}
OPTIONS = {"norm": "batch", "scores": 32}


class FCN(Net):
    """Features are the score maps, finest first; `full` is the finest one enlarged to the input's size.

    A task's 1×1 convolution commutes with the enlarging, so this is the paper's net wherever there are at most
    `scores` labels.
    """

    role: ClassVar[str] = "dense"

    def __init__(
        self,
        dims: int,
        *,
        trunk: VGG,
        hidden: int,
        scores: int,
        levels: int,
        dropout: float,
    ) -> None:
        strides = (32, 16, 8)[:levels]
        super().__init__(dims, [scores] * levels, strides=strides[::-1], out_channels=scores, dropout=dropout)
        self.trunk = trunk
        self.fc6 = conv(dims, trunk.channels[-1], hidden, kernel=7 if dims == 2 else 3)
        self.fc7 = conv(dims, hidden, hidden, kernel=1)
        self.drop = SPATIAL_DROPOUT[dims](dropout)
        sources = (hidden, trunk.channels[3], trunk.channels[2])[:levels]
        self.score = nn.ModuleList(conv(dims, c, scores, kernel=1) for c in sources)
        self.mode = "bilinear" if dims == 2 else "trilinear"
        initialise(self)

    @property
    def encoding(self) -> tuple[str, ...]:
        """Return the trunk."""
        return ("trunk",)

    def forward(self, x: Tensor) -> Dense:
        self.check_input(x)
        size = [int(n) for n in x.shape[2:]]
        x = pad_to_multiple(x, (32,) * self.dims)
        padded = [int(n) for n in x.shape[2:]]
        pools = self.trunk(x)
        top = self.drop(F.relu(self.fc6(pools[4]), inplace=True))
        top = self.drop(F.relu(self.fc7(top), inplace=True))
        maps = [self.score[0](top)]
        for score, pool in zip(list(self.score)[1:], (pools[3], pools[2]), strict=False):
            finer = score(pool)
            maps.append(finer + self._enlarge(maps[-1], finer.shape[2:]))
        maps.reverse()
        full = crop_to(self._enlarge(maps[0], padded), size)
        cropped = [
            crop_to(m, [-(-n // s) for n, s in zip(size, stride, strict=True)])
            for m, stride in zip(maps, self.strides, strict=True)
        ]
        return Dense(cropped, full)

    def _enlarge(self, x: Tensor, size: Sequence[int]) -> Tensor:
        return F.interpolate(x, size=list(size), mode=self.mode, align_corners=False)


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
    """Build FCN-32s, -16s or -8s; `scale` multiplies the width; `dropout` is 0.5 in the paper (fc6 and fc7).

    fc6 is a 7×7 convolution in 2-D and 3×3×3 in 3-D. Enlarging is linear, which the paper found as good as
    learned. Options: `norm` "batch" (for training from scratch) or "none" (the paper, which starts from trained
    weights); `scores`, the number of score maps: at least the number of labels.
    """
    chosen = read_options(name, options, OPTIONS)
    one_of(name, "norm", chosen["norm"], ("batch", "none"))
    hidden = width(4096, scale)
    trunk = VGG(
        dims,
        in_channels,
        convs=CONVS["16"],
        channels=[width(c, scale) for c in CHANNELS],
        hidden=hidden,
        normalised=chosen["norm"] == "batch",
        dropout=0.0,
    )
    levels = {"fcn-32s": 1, "fcn-16s": 2, "fcn-8s": 3}[name]
    return FCN(dims, trunk=trunk, hidden=hidden, scores=int(chosen["scores"]), levels=levels, dropout=dropout)
