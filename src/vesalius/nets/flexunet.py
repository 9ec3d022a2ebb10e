"""U-Net over any encoder: a light decoder that climbs from the encoder's maps to the input's own resolution."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from vesalius import nets
from vesalius.core.errors import PlanError
from vesalius.nets._blocks import NORMS, conv, initialise, one_of, read_options, width
from vesalius.nets._depths import Depths, under
from vesalius.nets._fold import unfold
from vesalius.nets._net import Dense, Net, crop_to, pad_to_multiple
from vesalius.nets._unet import SLOPE, ConvNormAct

NAMES = {"flexunet": "U-Net over any encoder, which may begin from weights of others"}
ROLE = "dense"
DIMS = (2, 3)
SOURCE = (
    "Ronneberger, Fischer, Brox: U-Net, MICCAI 2015, arXiv:1505.04597; an encoder of one's choice after MONAI's "
    "FlexibleUNet and Yakubovskiy: Segmentation Models PyTorch, 2019; sub-pixel convolution: Shi et al., CVPR 2016, "
    "arXiv:1609.05158"
)
SMALLEST = 0.125
TINY = {"encoder": "resnet-10", "encoder_scale": 0.0625}
TINY_SIZE = {3: (16, 16, 32)}
OPTIONS = {
    "encoder": "resnet-18",
    "encoder_scale": 1.0,
    "encoder_options": "{}",
    "widths": None,
    "stem": 8,
    "convs": 1,
    "norm": "batch",
}

NARROWEST, WIDEST = 16, 160  # channels of a level at scale 1
PER_STRIDE = 12  # channels that a level has for each voxel of its stride, between these


@dataclass(frozen=True)
class Step:
    """A level of the decoder: its stride against the input, an axis each, and which of the encoder's maps join it."""

    stride: tuple[int, ...]
    maps: tuple[int, ...] = ()


def climb(strides: Sequence[Sequence[int]]) -> tuple[Step, ...]:
    """Return the levels from an encoder's maps to the input's own resolution, finest first.

    `strides` are those of the maps, finest first. A map whose stride is no finer than the level below it, as all of a
    transformer's are, is enlarged to half of that stride; below the finest map a level halves the stride until it is 1.
    """
    steps = [Step(tuple(strides[-1]), (len(strides) - 1,))]
    for k in reversed(range(len(strides) - 1)):
        own, below = tuple(strides[k]), steps[-1].stride
        if own == below or any(a > b for a, b in zip(own, below, strict=True)):
            own = _half(below)
        if own == below:  # at the input's own resolution already
            steps[-1] = Step(below, (*steps[-1].maps, k))
        else:
            steps.append(Step(own, (k,)))
    while max(steps[-1].stride) > 1:
        steps.append(Step(_half(steps[-1].stride)))
    return tuple(reversed(steps))


class FlexUNet(Net):
    """An encoder and a decoder of one level a stride; `features` are the decoder's maps and the encoder's deepest one.

    A level enlarges the map below it, joins it with the encoder's maps of its stride and convolves. Where the encoder
    has no map at stride 1 or 2 a few convolutions of the image itself stand in, so that edges are drawn at full
    resolution. Inputs of any size are padded with zeros at their end, and the maps are cropped again.
    """

    role: ClassVar[str] = "dense"

    def __init__(
        self,
        encoder: Net,
        in_channels: int,
        *,
        widths: Sequence[int],
        stem: int,
        convs: int,
        normalise: str,
        dropout: float,
    ) -> None:
        dims = encoder.dims
        steps = climb(encoder.strides)
        super().__init__(
            dims,
            [*widths, encoder.channels[-1]],
            strides=[s.stride for s in steps],
            out_channels=widths[0],
            dropout=dropout,
        )
        self.steps = steps
        self.encoder = encoder
        self.multiple = tuple(
            math.lcm(*(s.stride[axis] for s in steps if not _is_whole(s, steps))) for axis in range(dims)
        )
        self.stems, self.reduce, self.lateral = nn.ModuleDict(), nn.ModuleList(), nn.ModuleList()
        self.decoder = nn.ModuleList()
        self._stems(in_channels, stem, normalise)
        below = encoder.channels[-1]
        for k in reversed(range(len(steps) - 1)):
            outside, joined = widths[k], 0
            laterals = nn.ModuleList()
            for m in steps[k].maps:
                narrowed = encoder.channels[m] > outside
                laterals.append(
                    conv(dims, encoder.channels[m], outside, kernel=1, bias=False)
                    if narrowed
                    else nn.Identity()
                )
                joined += min(encoder.channels[m], outside)
            if str(k) in self.stems:
                joined += stem * 2**k
            fold = self._folded(k)
            self.reduce.append(conv(dims, below, outside * (2**dims if fold else 1), kernel=1, bias=False))
            self.lateral.append(laterals)
            self.decoder.append(self._block(outside + joined, outside, convs, normalise))
            below = outside
        for part in (self.stems, self.reduce, self.lateral, self.decoder):
            initialise(part, slope=SLOPE, mode="fan_in")

    def _stems(self, in_channels: int, stem: int, normalise: str) -> None:
        """Add convolutions of the image for the levels at stride 1 and 2 that have no map of the encoder's."""
        inside = in_channels
        for k in range(min(2, len(self.steps) - 1)):
            if not stem or self.steps[k].maps or max(self.steps[k].stride) > 2:
                return
            stride = self.steps[k].stride if k else (1,) * self.dims
            outside = stem * 2**k
            self.stems[str(k)] = ConvNormAct(
                self.dims, inside, outside, kernel=(3,) * self.dims, stride=stride, normalise=normalise
            )
            inside = outside

    def _folded(self, k: int) -> bool:
        """Return whether level `k` is enlarged by sub-pixel convolution: the finest one, from half its resolution."""
        return k == 0 and self.steps[1].stride == (2,) * self.dims

    def _block(self, inside: int, outside: int, convs: int, normalise: str) -> nn.Module:
        layers = [
            ConvNormAct(
                self.dims,
                inside if i == 0 else outside,
                outside,
                kernel=(3,) * self.dims,
                normalise=normalise,
                dropout=self.dropout,
            )
            for i in range(convs)
        ]
        return nn.Sequential(*layers)

    @property
    def encoding(self) -> tuple[str, ...]:
        """Return the encoder's."""
        return tuple(f"encoder.{part}" if part else "encoder" for part in self.encoder.encoding)

    @property
    def depths(self) -> Depths:
        """Return the encoder's."""
        return under("encoder", self.encoder.depths)

    def forward(self, x: Tensor) -> Dense:
        """Return the decoder's maps with the encoder's deepest one, and the map at full resolution."""
        self.check_input(x)
        size = [int(n) for n in x.shape[2:]]
        x = pad_to_multiple(x, self.multiple, two=True)
        padded = [int(n) for n in x.shape[2:]]
        found = self.encoder(x)
        stems = self._of_image(x)
        maps = [_resized(found[-1], self._at(padded, -1))]
        for place, k in enumerate(reversed(range(len(self.steps) - 1))):
            at = self._at(padded, k)
            up = self.reduce[place](maps[-1])
            up = unfold(up, up.shape[1] // 2**self.dims) if self._folded(k) else _resized(up, at)
            parts = [up]
            for lateral, m in zip(self.lateral[place], self.steps[k].maps, strict=True):  # type: ignore[call-overload]
                parts.append(_resized(lateral(found[m]), at))
            if str(k) in stems:
                parts.append(stems[str(k)])
            maps.append(self.decoder[place](torch.cat(parts, dim=1)))
        maps.reverse()
        cropped = [
            crop_to(m, [-(-n // s) for n, s in zip(size, stride, strict=True)])
            for m, stride in zip(maps, self.strides, strict=True)
        ]
        return Dense(cropped, cropped[0])

    def _of_image(self, x: Tensor) -> dict[str, Tensor]:
        made = {}
        for name, stem in self.stems.items():
            x = stem(x)
            made[name] = x
        return made

    def _at(self, padded: Sequence[int], k: int) -> list[int]:
        return [-(-n // s) for n, s in zip(padded, self.steps[k].stride, strict=True)]


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
    """Build a U-Net over the encoder that the options name.

    `scale` multiplies the decoder's width: a level has 12 channels for each voxel of its stride, 16 at least and 160 at
    most. `dropout` drops whole channels of the decoder. Options: `encoder`, a net of role encoder; `encoder_scale`, its
    own dial; `encoder_options`, its own options as JSON text; `widths`, the decoder's channels, finest level first;
    `stem`, the channels of the image's own convolution at full resolution, 0 for none; `convs` a level; `norm` of the
    decoder, "batch", "instance" or "group".

    Raises:
        PlanError: the encoder is not one, does not fit these dimensions or this size, or the widths are of another
        number than the levels.
    """
    chosen = read_options(name, options, OPTIONS)
    one_of(name, "norm", chosen["norm"], NORMS)
    called = str(chosen["encoder"])
    about = nets.describe(called)
    if about.get("ROLE") != "encoder":
        raise PlanError(
            f"'{called}' is no encoder for net '{name}'",
            found=f"a net of role {about.get('ROLE')}",
            hint=", ".join(nets.names_for("encoder", dims=dims)[:8]),
        )
    encoder = nets.build(
        called,
        dims=dims,
        in_channels=in_channels,
        scale=float(chosen["encoder_scale"]),
        size=size,
        options=encoder_options(name, chosen["encoder_options"]),
    )
    levels = climb(encoder.strides)[:-1]
    widths = _widths(name, levels, scale, chosen["widths"])
    return FlexUNet(
        encoder,
        in_channels,
        widths=widths,
        stem=int(chosen["stem"]) and width(int(chosen["stem"]), scale),
        convs=int(chosen["convs"]),
        normalise=chosen["norm"],
        dropout=dropout,
    )


def encoder_options(name: str, text: str | None) -> dict[str, Any]:
    """Return the encoder's options, which a plan holds as JSON text. Raises PlanError where they are none."""
    try:
        found = json.loads(text or "{}")
    except (TypeError, json.JSONDecodeError):
        found = None
    if not isinstance(found, dict):
        raise PlanError(
            f"'encoder_options' of net '{name}' must be a JSON object",
            found=str(text),
            hint='\'{"stem": "small"}\'',
        )
    return found


def _widths(name: str, levels: Sequence[Step], scale: float, given: Sequence[int] | None) -> list[int]:
    if given is None:
        wanted = (min(WIDEST, max(NARROWEST, PER_STRIDE * max(s.stride))) for s in levels)
        return [width(w, scale) for w in wanted]
    if len(given) != len(levels) or min(given) < 1:
        raise PlanError(
            f"'widths' of net '{name}' must hold a positive number for each of its {len(levels)} levels",
            found=str(list(given)),
        )
    return [int(w) for w in given]


def _half(stride: Sequence[int]) -> tuple[int, ...]:
    """Return the next finer stride: the largest power of two below each, which is 1 at least."""
    return tuple(2 ** max(0, math.ceil(math.log2(s)) - 1) for s in stride)


def _is_whole(step: Step, steps: Sequence[Step]) -> bool:
    """Return whether the level is one vector of all the image, as a transformer's class token is."""
    return step is steps[-1] and len(steps) > 1 and max(steps[-1].stride) > 2 * max(steps[-2].stride)


def _resized(x: Tensor, size: Sequence[int]) -> Tensor:
    return x if list(x.shape[2:]) == list(size) else F.interpolate(x, size=list(size), mode="nearest")
