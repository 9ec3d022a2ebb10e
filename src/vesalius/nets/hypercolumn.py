"""Hypercolumns: an encoder's maps, enlarged to the input's resolution and stacked, for masks from frozen features."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import torch
from torch import Tensor
from torch.nn import functional as F

from vesalius import nets
from vesalius.core.errors import PlanError
from vesalius.nets._blocks import read_options
from vesalius.nets._net import Dense, Net, crop_to, pad_to_multiple

NAMES = {"hypercolumn": "An encoder's maps stacked at full resolution, for masks from frozen features"}
ROLE = "dense"
DIMS = (2, 3)
SOURCE = (
    "Hariharan, Arbelaez, Girshick, Malik: Hypercolumns, CVPR 2015, arXiv:1411.5752; maps at length 1 after Liu, "
    "Rabinovich, Berg: ParseNet, 2015, arXiv:1506.04579"
)
SMALLEST = 0.0625
TINY = {"encoder": "cnn", "encoder_scale": 2.0}
TINY_SIZE = {2: (28, 32), 3: (12, 16, 16)}
OPTIONS = {"encoder": "resnet-18", "encoder_scale": 1.0, "encoder_options": "{}", "maps": 4}


class Hypercolumn(Net):
    """`features` are the encoder's first `maps` maps, and `full` all of them at the input's size, side by side.

    At each point each map's vector has length 1, so that every depth counts alike for a distance between points.
    """

    role: ClassVar[str] = "dense"

    def __init__(self, encoder: Net, maps: int) -> None:
        channels = encoder.channels[:maps]
        super().__init__(
            encoder.dims, channels, strides=encoder.strides[:maps], out_channels=sum(channels), dropout=0.0
        )
        self.encoder = encoder
        self.mode = "bilinear" if encoder.dims == 2 else "trilinear"
        self.multiple = tuple(max(s[axis] for s in encoder.strides) for axis in range(encoder.dims))

    @property
    def encoding(self) -> tuple[str, ...]:
        """Return the encoder's."""
        return tuple(f"encoder.{part}" if part else "encoder" for part in self.encoder.encoding)

    def forward(self, x: Tensor) -> Dense:
        """Return the encoder's maps, and all of them at full resolution."""
        self.check_input(x)
        size = [int(n) for n in x.shape[2:]]
        x = pad_to_multiple(x, self.multiple, two=True)
        padded = [int(n) for n in x.shape[2:]]
        maps = self.encoder(x)[: len(self.channels)]
        columns = [
            crop_to(
                F.interpolate(F.normalize(m, dim=1), size=padded, mode=self.mode, align_corners=False), size
            )
            for m in maps
        ]
        cropped = [
            crop_to(m, [-(-n // s) for n, s in zip(size, stride, strict=True)])
            for m, stride in zip(maps, self.strides, strict=True)
        ]
        return Dense(cropped, torch.cat(columns, dim=1))


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
    """Build hypercolumns of the encoder that the options name; `dropout` is the encoder's.

    Options: `encoder`, a net of role encoder; `encoder_scale`, its dial, which `scale` multiplies; `encoder_options`,
    its own options as JSON text; `maps`, how many of its maps are stacked, the finest first.

    Raises:
        PlanError: the encoder is not one, or does not fit these dimensions or this size.
    """
    chosen = read_options(name, options, OPTIONS)
    called, maps = str(chosen["encoder"]), int(chosen["maps"])
    about = nets.describe(called)
    if about.get("ROLE") != "encoder":
        raise PlanError(
            f"'{called}' is no encoder for net '{name}'",
            found=f"a net of role {about.get('ROLE')}",
            hint=", ".join(nets.names_for("encoder", dims=dims)[:8]),
        )
    try:
        given = json.loads(chosen["encoder_options"] or "{}")
    except (TypeError, json.JSONDecodeError) as error:
        raise PlanError(
            f"'encoder_options' of net '{name}' must be a JSON object", found=str(chosen["encoder_options"])
        ) from error
    encoder = nets.build(
        called,
        dims=dims,
        in_channels=in_channels,
        scale=float(chosen["encoder_scale"]) * scale,
        dropout=dropout,
        size=size,
        options=given,
    )
    if maps < 1:
        raise PlanError(f"option 'maps' of net '{name}' must be at least 1", found=str(maps))
    return Hypercolumn(encoder, min(maps, len(encoder.channels)))
