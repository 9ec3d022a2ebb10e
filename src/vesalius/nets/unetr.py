"""UNETR: a Vision Transformer as the encoder of a U-Net, from MONAI."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from monai.networks.nets.unetr import UNETR
from torch import Tensor, nn

from vesalius.core.errors import PlanError
from vesalius.nets._adapt import adapted_kernel, moved_positions
from vesalius.nets._blocks import read_options, width
from vesalius.nets._depths import Depths
from vesalius.nets._net import Dense, Net, crop_to, pad_to_multiple

NAMES = {"unetr": "UNETR: a Vision Transformer encoder and a convolutional decoder"}
ROLE = "dense"
DIMS = (2, 3)
SOURCE = "Hatamizadeh et al.: UNETR, WACV 2022, arXiv:2103.10504; code: MONAI (Apache-2.0)"
SMALLEST = 0.0625
TINY_SIZE = {3: (16, 16, 32)}
NEEDS_SIZE = True
OPTIONS: dict[str, object] = {}

PATCH = 16
POSITIONS = "net.vit.patch_embedding.position_embeddings"
SEE_THE_IMAGE = (
    "net.vit.patch_embedding.patch_embeddings.weight",
    "net.encoder1.layer.conv1.conv.weight",
    "net.encoder1.layer.conv3.conv.weight",
)
HEADS = 12
JOINED = (3, 6, 9)  # layers of the transformer that the decoder reads


class WrappedUNETR(Net):
    """MONAI's UNETR without its last layer; decoder maps at strides 1, 2, 4, 8 and the tokens at 16."""

    role: ClassVar[str] = "dense"

    def __init__(
        self, dims: int, in_channels: int, *, size: Sequence[int], hidden: int, feature: int, dropout: float
    ) -> None:
        channels = [feature, 2 * feature, 4 * feature, 8 * feature, hidden]
        super().__init__(dims, channels, strides=(1, 2, 4, 8, 16), out_channels=feature, dropout=dropout)
        self.size = tuple(-(-n // PATCH) * PATCH for n in size)
        self.net: Any = UNETR(
            in_channels=in_channels,
            out_channels=1,
            img_size=self.size,
            feature_size=feature,
            hidden_size=hidden,
            mlp_dim=4 * hidden,
            num_heads=HEADS,
            dropout_rate=dropout,
            spatial_dims=dims,
        )
        self.net.add_module("out", nn.Identity())
        for block in self.net.vit.blocks:
            block.norm_cross_attn = nn.Identity()  # MONAI makes it, and never calls it

    @property
    def encoding(self) -> tuple[str, ...]:
        """Return the transformer and the convolutions that read it."""
        return ("net.vit", *(f"net.encoder{k}" for k in (1, 2, 3, 4)))

    @property
    def depths(self) -> Depths:
        """Return the embedding and each layer, with the convolutions that read what it gives."""
        reads = {layer: f"net.encoder{k}" for k, layer in zip((2, 3, 4), JOINED, strict=True)}
        layers = [f"net.vit.blocks.{k}" for k in range(len(self.net.vit.blocks))]
        inner = [(name, *((reads[k],) if k in reads else ())) for k, name in enumerate(layers)]
        inner[-1] = (*inner[-1], "net.vit.norm")
        return (("net.vit.patch_embedding", "net.encoder1"), *inner)

    def adapted(self, name: str, tensor: Tensor, shape: Sequence[int]) -> tuple[Tensor, str] | None:
        """Return positions interpolated to this net's grid, or a kernel; three of the net's kernels see the image."""
        if name != POSITIONS:
            return adapted_kernel(tensor, shape, first=name in SEE_THE_IMAGE)
        if tensor.shape[2] != shape[2]:
            return None
        return moved_positions(tensor, [n // PATCH for n in self.size])

    def forward(self, x: Tensor) -> Dense:
        self.check_input(x)
        size = [int(n) for n in x.shape[2:]]
        x = pad_to_multiple(x, (PATCH,) * self.dims)
        if tuple(x.shape[2:]) != self.size:
            raise PlanError(f"this UNETR was made for size {self.size}", found=str(tuple(size)))
        net = self.net
        tokens, hidden = net.vit(x)
        second, third, fourth = (
            encoder(net.proj_feat(hidden[i]))
            for encoder, i in zip((net.encoder2, net.encoder3, net.encoder4), JOINED, strict=True)
        )
        maps = [net.proj_feat(tokens)]
        maps.append(net.decoder5(maps[-1], fourth))
        maps.append(net.decoder4(maps[-1], third))
        maps.append(net.decoder3(maps[-1], second))
        maps.append(net.decoder2(maps[-1], net.encoder1(x)))
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
    """Build UNETR for inputs of `size` (rounded up to multiples of its patch, 16 voxels).

    `scale` multiplies the width (768 in the transformer, 16 in the finest map); its 12 layers stay. `dropout`
    acts in the transformer. As in MONAI, the decoder reads the layers 4, 7 and 10 where the paper says 3, 6, 9.

    Raises:
        PlanError: no size.
    """
    read_options(name, options, OPTIONS)
    if size is None:
        raise PlanError(f"net '{name}' is made for one input size", hint="give size=(Z, Y, X) or (Y, X)")
    hidden = width(768, scale, multiple=HEADS)
    return WrappedUNETR(
        dims, in_channels, size=size, hidden=hidden, feature=width(16, scale), dropout=dropout
    )
