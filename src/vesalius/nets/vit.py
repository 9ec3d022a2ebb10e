"""Vision Transformer: the image cut into patches, read as a sentence."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from vesalius.core.errors import PlanError
from vesalius.nets._adapt import moved_positions
from vesalius.nets._blocks import conv, depth, read_options, width
from vesalius.nets._net import Net

NAMES = {
    "vit-tiny": "Vision Transformer, 192 wide, 12 layers",
    "vit-small": "Vision Transformer, 384 wide, 12 layers",
    "vit-base": "Vision Transformer, 768 wide, 12 layers",
    "vit-large": "Vision Transformer, 1024 wide, 24 layers",
}
ROLE = "encoder"
DIMS = (2, 3)
SOURCE = (
    "Dosovitskiy et al.: An Image is Worth 16×16 Words, ICLR 2021, arXiv:2010.11929; "
    "tiny and small: Touvron et al.: DeiT, 2021, arXiv:2012.12877"
)
SMALLEST = 0.125
NEEDS_SIZE = True
OPTIONS = {"patch": None, "eps": 1e-6, "token": True}

# width, heads, layers
FORMS = {
    "vit-tiny": (192, 3, 12),
    "vit-small": (384, 6, 12),
    "vit-base": (768, 12, 12),
    "vit-large": (1024, 16, 24),
}
LARGEST_PATCH = 16
TENSOR_PARALLEL = {  # which columns or rows of a layer a process has; qkv is three layers in one
    "blocks.*.attention": "heads",
    "blocks.*.attention.qkv": "columns:3",
    "blocks.*.attention.out": "rows",
    "blocks.*.mlp.0": "columns",
    "blocks.*.mlp.2": "dropout",
    "blocks.*.mlp.3": "rows",
}


class Attention(nn.Module):
    """Multi-head self-attention over `(B, N, C)`."""

    def __init__(self, channels: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.told: Callable[[Tensor], None] | None = (
            None  # given the attention, (B, heads, N, N), of each pass
        )
        self.qkv = nn.Linear(channels, 3 * channels)
        self.out = nn.Linear(channels, channels)

    def forward(self, x: Tensor) -> Tensor:
        b, n, _ = x.shape
        q, k, v = self.qkv(x).reshape(b, n, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        if self.told is not None:
            self.told(torch.softmax(q @ k.transpose(-2, -1) / math.sqrt(q.shape[-1]), dim=-1))
        y = F.scaled_dot_product_attention(q, k, v)  # (B, heads, N, C / heads)
        out: Tensor = self.out(y.transpose(1, 2).reshape(b, n, -1))
        return out


class Block(nn.Module):
    """Attention and a two-layer perceptron of four times the width, each normalised before and added."""

    def __init__(self, channels: int, heads: int, *, eps: float, dropout: float) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(channels, eps=eps)
        self.attention = Attention(channels, heads)
        self.norm2 = nn.LayerNorm(channels, eps=eps)
        self.mlp = nn.Sequential(
            nn.Linear(channels, 4 * channels),
            nn.GELU(),
            nn.Dropout(dropout),
            nn.Linear(4 * channels, channels),
        )
        self.drop = nn.Dropout(dropout)

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.drop(self.attention(self.norm1(x)))
        out: Tensor = x + self.drop(self.mlp(self.norm2(x)))
        return out


class ViT(Net):
    """Two maps: the patches' tokens `(B, C, *grid)`, and the class token `(B, C, 1, 1[, 1])`, which sees all.

    The class token's stride is the whole input. Without `token` there is none, and the patches' mean stands for it. An
    input of another size than the net was built for is padded to whole patches, and the learned positions are
    interpolated to its grid.
    """

    tensor_parallel = TENSOR_PARALLEL

    def __init__(
        self,
        dims: int,
        in_channels: int,
        *,
        channels: int,
        heads: int,
        layers: int,
        patch: Sequence[int],
        size: Sequence[int],
        eps: float,
        token: bool,
        dropout: float,
    ) -> None:
        super().__init__(dims, (channels, channels), strides=(patch, size), dropout=dropout)
        self.grid = tuple(math.ceil(n / p) for n, p in zip(size, patch, strict=True))
        self.embed = conv(dims, in_channels, channels, kernel=patch, stride=patch, padding=(0,) * dims)
        self.token = nn.Parameter(torch.empty(1, 1, channels)) if token else None
        self.positions = nn.Parameter(torch.empty(1, int(token) + math.prod(self.grid), channels))
        self.drop = nn.Dropout(dropout)
        self.blocks = nn.ModuleList(Block(channels, heads, eps=eps, dropout=dropout) for _ in range(layers))
        self.norm = nn.LayerNorm(channels, eps=eps)
        for module in self.modules():
            if isinstance(module, nn.Linear):
                nn.init.trunc_normal_(module.weight, std=0.02)
                nn.init.zeros_(module.bias)
        if self.token is not None:
            nn.init.trunc_normal_(self.token, std=0.02)
        nn.init.trunc_normal_(self.positions, std=0.02)

    def forward(self, x: Tensor) -> list[Tensor]:
        self.check_input(x)
        tokens, grid = self._tokens(x)
        seen = self._read(tokens).transpose(1, 2)  # (B, C, 1 + N)
        shape = (*seen.shape[:2], *grid)
        if self.token is None:
            mean = seen.mean(-1, keepdim=True)
            return [seen.reshape(shape), mean.reshape(*seen.shape[:2], *(1,) * self.dims)]
        token, patches = seen[..., :1], seen[..., 1:]
        return [patches.reshape(shape), token.reshape(*seen.shape[:2], *(1,) * self.dims)]

    def visible(self, x: Tensor, keep: Tensor) -> Tensor:
        """Return what is made of some patches alone, `(B, 1 + n, C)`, the class token first where there is one.

        `keep` `(B, n)` are the places of these patches in the image, counted along its last axis first; the others are
        never looked at.
        """
        self.check_input(x)
        tokens, _ = self._tokens(x)
        places = keep if self.token is None else torch.cat((torch.zeros_like(keep[:, :1]), keep + 1), dim=1)
        return self._read(tokens.gather(1, places[..., None].expand(-1, -1, tokens.shape[2])))

    def _tokens(self, x: Tensor) -> tuple[Tensor, tuple[int, ...]]:
        """Return the class token, if any, and the patches with their positions, `(B, 1 + N, C)`, and their grid."""
        x = self.embed(self._whole_patches(x))  # (B, C, *grid)
        grid = tuple(int(n) for n in x.shape[2:])
        tokens = x.flatten(2).transpose(1, 2)  # (B, N, C)
        if self.token is not None:
            tokens = torch.cat((self.token.expand(x.shape[0], -1, -1), tokens), dim=1)
        return tokens + self._positions(grid), grid

    def _read(self, tokens: Tensor) -> Tensor:
        """Return tokens after all layers."""
        tokens = self.drop(tokens)
        for block in self.blocks:
            tokens = block(tokens)
        found: Tensor = self.norm(tokens)
        return found

    def adapted(self, name: str, tensor: Tensor, shape: Sequence[int]) -> tuple[Tensor, str] | None:
        """Return positions interpolated to this net's grid, from a square of two axes or, in 3-D, from a cube.

        Positions that could be either are left, as the one read as the other would lie in wrong places.
        """
        if name != "positions":
            return super().adapted(name, tensor, shape)
        first = 0 if self.token is None else 1
        if tensor.shape[2] != shape[2]:
            return None
        token, patches = tensor[:, :first], tensor[:, first:]
        moved = moved_positions(patches, self.grid)
        return None if moved is None else (torch.cat((token, moved[0]), dim=1), moved[1])

    @contextmanager
    def attention(self) -> Iterator[list[Tensor]]:
        """Give a list that each layer adds its attention to, `(B, heads, 1 + N, 1 + N)`, the class token first."""
        heard: list[Tensor] = []
        layers = [block.attention for block in self.blocks]
        for layer in layers:
            layer.told = heard.append  # type: ignore[union-attr]
        try:
            yield heard
        finally:
            for layer in layers:
                layer.told = None  # type: ignore[union-attr]

    def _whole_patches(self, x: Tensor) -> Tensor:
        pad: list[int] = []
        for n, p in zip(reversed(x.shape[2:]), reversed(self.strides[0]), strict=True):
            pad += [0, -int(n) % p]
        return F.pad(x, pad) if any(pad) else x

    def _positions(self, grid: tuple[int, ...]) -> Tensor:
        if grid == self.grid:
            return self.positions
        first = 0 if self.token is None else 1
        token, patches = self.positions[:, :first], self.positions[:, first:]
        image = patches.transpose(1, 2).reshape(1, -1, *self.grid)
        mode = "bilinear" if self.dims == 2 else "trilinear"
        image = F.interpolate(image, size=grid, mode=mode, align_corners=False)
        return torch.cat((token, image.flatten(2).transpose(1, 2)), dim=1)


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
    """Build a ViT for inputs of `size`; `scale` multiplies the width, its root the layers.

    `dropout` (0.1 in the paper) acts after the embedding and in every block. Option `patch`: voxels a side,
    one number or one an axis; by default 16, and less where an axis is under 64: a power of two, at most a
    quarter of the axis. `eps` is that of its normalisations, and `token` says whether there is a class token.

    Raises:
        PlanError: no size, or a patch larger than the input.
    """
    chosen = read_options(name, options, OPTIONS)
    if size is None:
        raise PlanError(f"net '{name}' is made for one input size", hint="give size=(Z, Y, X) or (Y, X)")
    channels, heads, layers = FORMS[name]
    return ViT(
        dims,
        in_channels,
        channels=width(channels, scale, multiple=heads),
        heads=heads,
        layers=depth(layers, scale),
        patch=patch_for(name, size, chosen["patch"]),
        size=size,
        eps=float(chosen["eps"]),
        token=bool(chosen["token"]),
        dropout=dropout,
    )


def patch_for(name: str, size: Sequence[int], patch: int | Sequence[int] | None) -> tuple[int, ...]:
    """Return the patch of each axis: as given, or chosen by the size."""
    if patch is None:
        return tuple(min(LARGEST_PATCH, 2 ** int(math.log2(max(1, n // 4)))) for n in size)
    given = (patch,) * len(size) if isinstance(patch, int) else tuple(int(p) for p in patch)
    if len(given) != len(size) or min(given) < 1 or any(p > n for p, n in zip(given, size, strict=True)):
        raise PlanError(f"patch of net '{name}' does not fit size {tuple(size)}", found=str(patch))
    return given
