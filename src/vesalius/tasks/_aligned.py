"""The model of `align`: an image net and a text net whose vectors are compared, whole with whole and place by place."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import log
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

WARM = 0.07  # the temperature that training begins from (Radford et al. 2021)
HOTTEST = 100.0  # of the factor of similarities, as published
SHARP = 0.05  # the temperature at which a word chooses among places
FAR = 3  # octaves of the code of a place
PLACES = (
    12  # along the longest axis: so many a map must tell apart, so that words are pointed at and not near
)


class Seer(nn.Module):
    """An image net under two projections: of the whole image, and of each place of one of its maps.

    `(B, C, Z, Y, X)` → unit vectors `(B, D)` and `(B, P, D)`. Places know where they lie, for left is not right.
    """

    def __init__(self, net: Any, size: Sequence[int], width: int) -> None:
        super().__init__()
        self.net, self.dims = net, net.dims
        self.level = level_of(
            net, tuple(size)[-net.dims :]
        )  # deeper ones see too far around to point at anything
        conv = nn.Conv2d if net.dims == 2 else nn.Conv3d
        self.local = conv(net.channels[self.level], width, 1)
        self.place = nn.Linear(net.dims * 2 * FAR, width)
        self.mix = nn.Sequential(nn.LayerNorm(width), nn.GELU(), nn.Linear(width, width))
        self.whole = nn.Linear(net.channels[-1] + 2 * width, width)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, tuple[int, ...]]:
        """Return the whole image's vector, those of its places, and the grid `(z, y, x)` or `(y, x)` of these."""
        maps = self.net(x[:, :, 0] if self.dims == 2 else x)
        local = self.local(maps[self.level])
        grid = tuple(int(n) for n in local.shape[2:])
        places = local.flatten(2).transpose(1, 2) + self.place(where(grid, like=local))
        places = places + self.mix(places)
        summed = torch.cat([self.net.summed_up(maps), places.mean(dim=1), places.amax(dim=1)], dim=1)
        return F.normalize(self.whole(summed), dim=-1), F.normalize(places, dim=-1), grid


class Reader(nn.Module):
    """A text net under a projection: tokens `(N, L)`, -1 where a text has ended → unit vectors `(N, D)`."""

    def __init__(self, net: Any, width: int) -> None:
        super().__init__()
        self.net = net
        self.project = nn.Linear(net.channels[-1], width)

    def forward(self, tokens: Tensor) -> Tensor:
        """Return the vectors."""
        there = tokens >= 0
        out = self.net(tokens.clamp_min(0), there)
        return F.normalize(self.project(self.net.summed_up(out)), dim=-1)


class Aligned(nn.Module):
    """Images and words in one space: how like each image, and each of its places, is what words say.

    `usual` `(P, D)` are the vectors that places have on average in training images: a map shows in what this image
    differs from them, as a place's own part says nothing of an image. `asked` and `denied` `(K, T, L)` are tokens of
    the prompts of each label and of those that deny it, -1 where there is none.
    """

    asked: Tensor
    denied: Tensor
    usual: Tensor | None

    def __init__(
        self,
        net: Any,
        text: Any,
        criterion: nn.Module,
        *,
        size: Sequence[int],
        width: int,
        prompts: Mapping[str, Tensor],
        usual: Tensor | None = None,
    ) -> None:
        super().__init__()
        self.sees, self.reads, self.criterion = Seer(net, size, width), Reader(text, width), criterion
        self.factor = nn.Parameter(torch.tensor(log(1 / WARM)))
        self.offset = nn.Parameter(torch.zeros(()))
        self.register_buffer("usual", usual, persistent=False)
        for name, tokens in prompts.items():
            self.register_buffer(name, tokens, persistent=False)

    @property
    def sharpness(self) -> Tensor:
        """Return the learned factor of similarities, from 1 to HOTTEST."""
        return self.factor.clamp(0.0, log(HOTTEST)).exp()

    def forward(self, x: Tensor) -> Tensor:
        """Return of each label how much likelier it is said than denied, then so of each place: `(B, K, 1 + z, y, x)`.

        The first plane holds the one number of the image everywhere.
        """
        whole, places, grid = self.sees(x)
        yes, no = self.prompted(self.asked), self.prompted(self.denied)
        near = self.sharpness * (
            self.likeness(whole, places, yes) - self.likeness(whole, places, no, denied=True)
        )
        apart = places if self.usual is None else places - self.usual
        field = torch.einsum("bpd,kd->bkp", apart, yes - no)
        z, y, x_ = grid if len(grid) == 3 else (1, *grid)
        field = field.reshape(*field.shape[:2], z, y, x_)
        return torch.cat([near[..., None, None, None].expand(-1, -1, 1, y, x_), field], dim=2)

    def prompted(self, tokens: Tensor) -> Tensor:
        """Return one unit vector of the prompts of each label, `(K, D)`: the direction of their mean."""
        there = tokens[..., 0] >= 0  # (K, T)
        vectors = self.reads(tokens[there])
        rows = torch.arange(len(tokens), device=tokens.device)[:, None].expand_as(there)[there]
        total = vectors.new_zeros(len(tokens), vectors.shape[1]).index_add(0, rows, vectors)
        return F.normalize(total, dim=-1)

    def likeness(self, whole: Tensor, places: Tensor, words: Tensor, *, denied: bool = False) -> Tensor:
        """Return how like images are to words, `(B, N)`: of the whole, and of the places that decide, half each."""
        rows = torch.full((len(words),), denied, device=words.device)
        return 0.5 * (whole @ words.T + deciding(places, words, rows))


def level_of(net: Any, size: Sequence[int]) -> int:
    """Return the place among an encoder's maps of the deepest one that tells PLACES apart, else of the finest."""
    fine = [
        k
        for k, stride in enumerate(net.strides)
        if max(n / s for n, s in zip(size, stride, strict=True)) >= PLACES
    ]
    return max(fine, default=0)


def deciding(places: Tensor, words: Tensor, denied: Tensor) -> Tensor:
    """Return how like the places `(B, P, D)` that decide are to words `(N, D)`, `(B, N)`.

    What is there is somewhere, so that the places that fit best decide; what is `denied` `(N,)` is nowhere, so that
    those that fit least do. Places are weighed by a soft-max, as in Huang et al.: GLoRIA, ICCV 2021, eq. 3.
    """
    near = torch.einsum("bpd,nd->bnp", places, words)
    sign = 1.0 - 2.0 * denied.to(near)
    return ((near * sign[:, None] / SHARP).softmax(dim=-1) * near).sum(dim=-1)


def where(grid: Sequence[int], *, like: Tensor) -> Tensor:
    """Return a code of the places of a grid, `(P, 2 · FAR · dims)`: sines and cosines along each axis."""
    axes = [(torch.arange(n, device=like.device, dtype=like.dtype) + 0.5) / n for n in grid]
    coordinates = torch.stack(torch.meshgrid(*axes, indexing="ij"), dim=-1).flatten(0, -2)  # (P, dims)
    turns = torch.pi * 2.0 ** torch.arange(FAR, device=like.device, dtype=like.dtype)
    angles = (coordinates[..., None] * turns).flatten(1)
    return torch.cat([angles.sin(), angles.cos()], dim=1)
