"""Swin UNETR: a Swin Transformer as the encoder of a U-Net, from MONAI."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import torch
from monai.networks.nets.swin_unetr import SwinUNETR
from torch import Tensor, nn

from vesalius.nets._adapt import adapted_kernel
from vesalius.nets._blocks import depth, one_of, read_options, width
from vesalius.nets._depths import Depths
from vesalius.nets._net import Dense, Net, crop_to, pad_to_multiple

NAMES = {"swinunetr": "Swin UNETR: a Swin Transformer encoder and a convolutional decoder"}
ROLE = "dense"
DIMS = (2, 3)
SOURCE = "Hatamizadeh et al.: Swin UNETR, BrainLes 2021, arXiv:2201.01266; code: MONAI (Apache-2.0)"
SMALLEST = 0.25
TINY = {"window": 4, "norm": "batch"}
OPTIONS = {"window": 7, "norm": "instance", "layers": None}

TOTAL_STRIDE = 32
SEE_THE_IMAGE = (
    "net.swinViT.patch_embed.proj.weight",
    "net.encoder1.layer.conv1.conv.weight",
    "net.encoder1.layer.conv3.conv.weight",
)


class WrappedSwinUNETR(Net):
    """MONAI's Swin UNETR without its last layer; decoder maps at strides 1, 2, 4, 8, 16 and 32."""

    role: ClassVar[str] = "dense"

    def __init__(
        self,
        dims: int,
        in_channels: int,
        *,
        feature: int,
        layers: Sequence[int],
        window: int,
        normalise: str,
        dropout: float,
    ) -> None:
        channels = [feature, feature, 2 * feature, 4 * feature, 8 * feature, 16 * feature]
        super().__init__(dims, channels, strides=(1, 2, 4, 8, 16, 32), out_channels=feature, dropout=dropout)
        self.two = normalise == "instance"  # which a single voxel would stop in training
        self.net: Any = SwinUNETR(
            in_channels=in_channels,
            out_channels=1,
            feature_size=feature,
            depths=tuple(layers),
            window_size=window,
            norm_name=normalise,
            drop_rate=dropout,
            spatial_dims=dims,
        )
        self.net.add_module("out", nn.Identity())

    @property
    def encoding(self) -> tuple[str, ...]:
        """Return the transformer and the convolutions that read it."""
        return ("net.swinViT", *(f"net.encoder{k}" for k in (1, 2, 3, 4, 10)))

    @property
    def depths(self) -> Depths:
        """Return the embedding and each stage, with the convolutions that read what it gives."""
        stages = [f"net.swinViT.layers{k}.0" for k in (1, 2, 3, 4)]
        first = ("net.swinViT.patch_embed", "net.encoder1", "net.encoder2")
        return (
            first,
            (stages[0], "net.encoder3"),
            (stages[1], "net.encoder4"),
            (stages[2],),
            (stages[3], "net.encoder10"),
        )

    def adapted(self, name: str, tensor: Tensor, shape: Sequence[int]) -> tuple[Tensor, str] | None:
        """Return a kernel for other input channels or axes; three of the net's kernels see the image."""
        return adapted_kernel(tensor, shape, first=name in SEE_THE_IMAGE)

    def forward(self, x: Tensor) -> Dense:
        self.check_input(x)
        size = [int(n) for n in x.shape[2:]]
        x = pad_to_multiple(x, (TOTAL_STRIDE,) * self.dims, two=self.two)
        net = self.net
        hidden = net.swinViT(x, net.normalize)
        maps = [net.encoder10(hidden[4])]
        maps.append(net.decoder5(maps[-1], hidden[3]))
        maps.append(net.decoder4(maps[-1], net.encoder4(hidden[2])))
        maps.append(net.decoder3(maps[-1], net.encoder3(hidden[1])))
        maps.append(net.decoder2(maps[-1], net.encoder2(hidden[0])))
        maps.append(net.decoder1(maps[-1], net.encoder1(x)))
        maps.reverse()
        cropped = [
            crop_to(m, [-(-n // s) for n, s in zip(size, stride, strict=True)])
            for m, stride in zip(maps, self.strides, strict=True)
        ]
        return Dense(cropped, cropped[0])


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
    """Build Swin UNETR; `scale` multiplies the width (48 first, in steps of 12), its root the layers.

    `dropout` acts in the transformer. Any size will do: it is padded to multiples of 32 and cropped again.
    Options: `window`, tokens a side; `norm` of the convolutions, "instance" or "batch"; `layers` of the four stages,
    instead of two each.
    """
    chosen = read_options(name, options, OPTIONS)
    one_of(name, "norm", chosen["norm"], ("instance", "batch"))
    with torch.device("cpu"):  # MONAI reads numbers from tensors while it builds, which `meta` has not
        net = WrappedSwinUNETR(
            dims,
            in_channels,
            feature=width(48, scale, multiple=12),
            layers=chosen["layers"] or [depth(2, scale)] * 4,
            window=int(chosen["window"]),
            normalise=chosen["norm"],
            dropout=dropout,
        )
    return net.to(torch.get_default_device())
