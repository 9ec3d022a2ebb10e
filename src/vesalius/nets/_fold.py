"""Folding: a dense net that works at half resolution on more channels, for machines that pay for every voxel."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from vesalius.nets._blocks import conv
from vesalius.nets._depths import Depths, under
from vesalius.nets._net import Dense, Net
from vesalius.nets._unet import ConvNormAct


def fold(x: Tensor) -> Tensor:
    """Return each 2 × 2 (× 2) block of pixels becomes channels: `(B, C, *size)` → `(B, C · 2^d, *size / 2)`."""
    dims = x.ndim - 2
    for axis in range(dims):
        x = torch.cat([x[_every(axis, k)] for k in (0, 1)], dim=1)
    return x


def unfold(x: Tensor, channels: int) -> Tensor:
    """Return the inverse of `fold`: `(B, channels · 2^d, *size)` → `(B, channels, *size · 2)`."""
    for axis in reversed(range(x.ndim - 2)):
        first, second = x.chunk(2, dim=1)
        x = torch.stack([first, second], dim=axis + 3).flatten(axis + 2, axis + 3)
    return x[:, :channels]


def _every(axis: int, start: int) -> tuple[slice, ...]:
    return (slice(None),) * (axis + 2) + (slice(start, None, 2),)


class Folded(Net):
    """A dense net between a folding and an unfolding (sub-pixel convolution, Shi et al. 2016, arXiv 1609.05158).

    One convolution at full resolution then sees the unfolded map beside the image, so that edges are drawn there.
    Sizes that are odd are padded and cropped back. `features` are the inner net's, at half resolution and below.
    """

    role: ClassVar[str] = "dense"

    def __init__(
        self, inner: Net, dims: int, *, in_channels: int, normalise: str, out_channels: int = 8
    ) -> None:
        super().__init__(
            dims,
            inner.channels,
            strides=[tuple(2 * s for s in stride) for stride in inner.strides],
            out_channels=out_channels,
            dropout=inner.dropout,
        )
        self.inner = inner
        self.spread: nn.Module = conv(dims, inner.out_channels, out_channels * 2**dims, kernel=1)
        self.refine = ConvNormAct(
            dims, out_channels + in_channels, out_channels, kernel=(3,) * dims, normalise=normalise
        )

    @property
    def encoding(self) -> tuple[str, ...]:
        """Return the inner net's."""
        return tuple(f"inner.{part}" for part in self.inner.encoding)

    @property
    def depths(self) -> Depths:
        """Return the inner net's."""
        return under("inner", self.inner.depths)

    def forward(self, x: Tensor) -> Dense:
        """Return feature maps of the inner net, and a full-resolution map."""
        self.check_input(x)
        size = x.shape[2:]
        padding = [p for n in reversed(size) for p in (0, n % 2)]
        if any(padding):
            x = F.pad(x, padding)
        found = self.inner(fold(x))
        spread = self.spread(found.full)
        full = self.refine(torch.cat([unfold(spread, spread.shape[1] >> self.dims), x], dim=1))
        for axis, n in enumerate(size):
            full = full.narrow(axis + 2, 0, n)
        return Dense(found.features, full)
