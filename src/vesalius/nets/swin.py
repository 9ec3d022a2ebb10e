"""Swin Transformer: attention within windows that shift from layer to layer, in a pyramid of stages."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from vesalius.nets._blocks import DropPath, conv, depth, read_options, width
from vesalius.nets._depths import Depths
from vesalius.nets._net import Net

NAMES = {
    "swin-tiny": "Swin Transformer, 96 wide, 2-2-6-2 layers",
    "swin-small": "Swin Transformer, 96 wide, 2-2-18-2 layers",
    "swin-base": "Swin Transformer, 128 wide, 2-2-18-2 layers",
}
ROLE = "encoder"
DIMS = (2, 3)
SOURCE = "Liu et al.: Swin Transformer, ICCV 2021, arXiv:2103.14030; in 3-D as Video Swin, arXiv:2106.13230"
SMALLEST = 0.125
TINY = {"patch": 2, "window": 4}
TINY_SIZE = {3: (32, 32, 32)}
OPTIONS = {"patch": 4, "window": 7, "drop_path": 0.0}

# width, heads of each stage, layers of each stage
FORMS = {
    "swin-tiny": (96, (3, 6, 12, 24), (2, 2, 6, 2)),
    "swin-small": (96, (3, 6, 12, 24), (2, 2, 18, 2)),
    "swin-base": (128, (4, 8, 16, 32), (2, 2, 18, 2)),
}


class WindowAttention(nn.Module):
    """Self-attention within windows of `(B, *space, C)`, with a learned bias for each relative position.

    Axes shorter than the window are one window, unshifted; padding and neighbours that a cyclic shift brings
    together from opposite borders do not see each other.
    """

    def __init__(self, dims: int, channels: int, *, heads: int, window: int, shifted: bool) -> None:
        super().__init__()
        self.dims, self.heads, self.window, self.shifted = dims, heads, window, shifted
        self.qkv = nn.Linear(channels, 3 * channels)
        self.out = nn.Linear(channels, channels)
        self.bias = nn.Parameter(torch.empty((2 * window - 1) ** dims, heads))
        nn.init.trunc_normal_(self.bias, std=0.02)

    def forward(self, x: Tensor) -> Tensor:
        size = [int(n) for n in x.shape[1:-1]]
        window = [min(self.window, n) for n in size]
        shift = [w // 2 if self.shifted and n > w else 0 for n, w in zip(size, window, strict=True)]
        padded = [math.ceil(n / w) * w for n, w in zip(size, window, strict=True)]
        if padded != size:
            ends = [[0, p - n] for n, p in zip(reversed(size), reversed(padded), strict=True)]
            x = F.pad(x, [0, 0, *itertools.chain(*ends)])
        axes = list(range(1, self.dims + 1))
        if any(shift):
            x = x.roll([-s for s in shift], axes)
        windows = _cut(x, window)  # (B, windows, tokens, C)
        b, count, tokens, c = windows.shape
        qkv = self.qkv(windows).reshape(b, count, tokens, 3, self.heads, c // self.heads)
        q, k, v = qkv.permute(3, 0, 1, 4, 2, 5)  # (B, windows, heads, tokens, C / heads)
        weights = (q * (c // self.heads) ** -0.5) @ k.transpose(-2, -1) + self._bias(window)
        if any(shift) or padded != size:
            weights = weights + self._wall(size, padded, window, shift=shift).to(weights)
        y = (weights.softmax(-1) @ v).transpose(2, 3).reshape(b, count, tokens, c)
        y = _join(self.out(y), window, padded)
        if any(shift):
            y = y.roll(shift, axes)
        for axis, n in zip(axes, size, strict=True):
            y = y.narrow(axis, 0, n)
        return y

    def _bias(self, window: Sequence[int]) -> Tensor:
        """Bias `(heads, tokens, tokens)` of a window that may be shorter than the learned one."""
        device = self.bias.device
        grids = torch.meshgrid([torch.arange(w, device=device) for w in window], indexing="ij")
        places = torch.stack([g.flatten() for g in grids])  # (dims, tokens)
        index = torch.zeros((), dtype=torch.long, device=device)
        for place in places:
            index = index * (2 * self.window - 1) + place[:, None] - place[None, :] + self.window - 1
        return self.bias[index.flatten()].reshape(*index.shape, self.heads).permute(2, 0, 1)

    def _wall(
        self, size: Sequence[int], padded: Sequence[int], window: Sequence[int], *, shift: Sequence[int]
    ) -> Tensor:
        """`(windows, 1, tokens, tokens)`: 0 between tokens of one region, -100 between strangers."""
        region = torch.zeros((1,) * self.dims, dtype=torch.long, device=self.bias.device)
        for axis, (n, p, w, s) in enumerate(zip(size, padded, window, shift, strict=True)):
            place = torch.arange(p, device=self.bias.device)
            part = (place >= p - w).long() + (place >= p - s).long() if s else torch.zeros_like(place)
            part = torch.where((place + s) % p >= n, 3, part)
            shape = [1] * self.dims
            shape[axis] = p
            region = region * 4 + part.reshape(shape)
        cut = _cut(region[None, ..., None], window)[0, :, :, 0]  # (windows, tokens)
        return (cut[:, None, :, None] != cut[:, None, None, :]) * -100.0


class Block(nn.Module):
    """Window attention and a two-layer perceptron, each normalised before and added."""

    def __init__(
        self,
        dims: int,
        channels: int,
        *,
        heads: int,
        window: int,
        shifted: bool,
        drop_path: float,
        dropout: float,
    ) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(channels)
        self.attention = WindowAttention(dims, channels, heads=heads, window=window, shifted=shifted)
        self.norm2 = nn.LayerNorm(channels)
        self.mlp = nn.Sequential(
            nn.Linear(channels, 4 * channels),
            nn.GELU(),
            nn.Dropout(dropout),
            nn.Linear(4 * channels, channels),
            nn.Dropout(dropout),
        )
        self.drop = DropPath(drop_path)

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.drop(self.attention(self.norm1(x)))
        out: Tensor = x + self.drop(self.mlp(self.norm2(x)))
        return out


class Merge(nn.Module):
    """Each 2×2(×2) neighbourhood becomes one token of twice the channels."""

    def __init__(self, dims: int, channels: int) -> None:
        super().__init__()
        self.dims = dims
        self.norm = nn.LayerNorm(2**dims * channels)
        self.reduce = nn.Linear(2**dims * channels, 2 * channels, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        odd = [int(n) % 2 for n in x.shape[1:-1]]
        if any(odd):
            x = F.pad(x, [0, 0, *itertools.chain(*([0, o] for o in reversed(odd)))])
        corners = []
        for start in itertools.product((0, 1), repeat=self.dims):
            corners.append(x[(slice(None), *(slice(s, None, 2) for s in start))])
        merged: Tensor = self.reduce(self.norm(torch.cat(corners, dim=-1)))
        return merged


class Swin(Net):
    """Four stages; their maps at 1, 2, 4 and 8 times the patch, the last one normalised."""

    def __init__(
        self,
        dims: int,
        in_channels: int,
        *,
        channels: int,
        heads: Sequence[int],
        layers: Sequence[int],
        patch: int,
        window: int,
        drop_path: float,
        dropout: float,
    ) -> None:
        widths = [channels * 2**i for i in range(4)]
        super().__init__(dims, widths, strides=[patch * 2**i for i in range(4)], dropout=dropout)
        self.patch = patch
        self.embed = conv(dims, in_channels, channels, kernel=patch, stride=patch, padding=0)
        self.embed_norm = nn.LayerNorm(channels)
        self.stages, self.merges = nn.ModuleList(), nn.ModuleList()
        seen, total = 0, sum(layers)
        for i, count in enumerate(layers):
            if i:
                self.merges.append(Merge(dims, widths[i - 1]))
            stage = nn.Sequential()
            for j in range(count):
                stage.append(
                    Block(
                        dims,
                        widths[i],
                        heads=heads[i],
                        window=window,
                        shifted=j % 2 == 1,
                        drop_path=drop_path * seen / max(1, total - 1),
                        dropout=dropout,
                    )
                )
                seen += 1
            self.stages.append(stage)
        self.norm = nn.LayerNorm(widths[-1])
        for module in self.modules():
            if isinstance(module, nn.Linear):
                nn.init.trunc_normal_(module.weight, std=0.02)
                if module.bias is not None:
                    nn.init.zeros_(module.bias)

    @property
    def depths(self) -> Depths:
        """Return the embedding, and each stage with the merging before it."""
        later = [(f"merges.{k}", f"stages.{k + 1}") for k in range(len(self.merges))]
        return (("embed", "embed_norm"), ("stages.0",), *later[:-1], (*later[-1], "norm"))

    def forward(self, x: Tensor) -> list[Tensor]:
        self.check_input(x)
        ends = [[0, -int(n) % self.patch] for n in reversed(x.shape[2:])]
        x = F.pad(x, list(itertools.chain(*ends)))
        x = self.embed_norm(self.embed(x).movedim(1, -1))  # (B, *space, C)
        maps = []
        for i, stage in enumerate(self.stages):
            x = stage(self.merges[i - 1](x) if i else x)
            y = self.norm(x) if i == len(self.stages) - 1 else x
            maps.append(y.movedim(-1, 1))  # (B, C, *space)
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
    """Build a Swin Transformer; `scale` multiplies the width, its root the layers; any input size will do.

    `dropout` acts in the perceptrons and before the head. Options: `patch` (4; 2 suits small images), `window`
    in patches a side, `drop_path`, the last layer's probability of being skipped in training (0.2 to 0.5 in the
    paper).
    """
    chosen = read_options(name, options, OPTIONS)
    channels, heads, layers = FORMS[name]
    return Swin(
        dims,
        in_channels,
        channels=width(channels, scale, multiple=heads[0]),
        heads=heads,
        layers=[depth(count, scale) for count in layers],
        patch=int(chosen["patch"]),
        window=int(chosen["window"]),
        drop_path=float(chosen["drop_path"]),
        dropout=dropout,
    )


def _cut(x: Tensor, window: Sequence[int]) -> Tensor:
    """`(B, *space, C) -> (B, windows, tokens, C)`; every axis is a multiple of its window."""
    dims = len(window)
    split: list[int] = []
    for n, w in zip(x.shape[1:-1], window, strict=True):
        split += [int(n) // w, w]
    x = x.reshape(x.shape[0], *split, x.shape[-1])
    outer, inner = range(1, 2 * dims, 2), range(2, 2 * dims + 1, 2)
    x = x.permute(0, *outer, *inner, 2 * dims + 1)
    return x.reshape(x.shape[0], math.prod(x.shape[1 : dims + 1]), math.prod(window), x.shape[-1])


def _join(x: Tensor, window: Sequence[int], space: Sequence[int]) -> Tensor:
    """Return the inverse of `_cut`."""
    dims = len(window)
    counts = [n // w for n, w in zip(space, window, strict=True)]
    x = x.reshape(x.shape[0], *counts, *window, x.shape[-1])
    order = itertools.chain(*((1 + i, 1 + dims + i) for i in range(dims)))
    return x.permute(0, *order, 2 * dims + 1).reshape(x.shape[0], *space, x.shape[-1])
