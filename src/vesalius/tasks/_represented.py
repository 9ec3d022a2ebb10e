"""The model of `represent`: a net, one of its maps that shows where things are, and a look along one direction."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

PLACES = 6  # along the longest axis: so many a map must tell apart, so that it shows where things are
FINEST = {2: 8, 3: 4}  # parts a side that one place of a map is redrawn in at most, by dims
BLOCKS = 8  # that an image is cut into along its longest axis, half of which are hidden


class Representer(nn.Module):
    """A net and a linear `redraw`: `(B, C, Z, Y, X)` → one number at each point, `(B, 1, Z, Y, X)`.

    `direction` `(F,)` is what is followed among the features of the map that shows where things are, `middle` and
    `spread` its zero and its unit. `redraw` guesses the image from the same map, for a loss of the task's own; it
    begins at zero, and stays there where another recipe trains the net.
    """

    middle: Tensor
    direction: Tensor
    spread: Tensor

    def __init__(
        self,
        net: Any,
        size: Sequence[int],
        channels: int,
        *,
        middle: Tensor | None = None,
        direction: Tensor | None = None,
        spread: Tensor | None = None,
    ) -> None:
        super().__init__()
        self.net, self.size, self.colours = net, tuple(size), channels
        self.level = level_of(net, self.size[-net.dims :])
        dense = net.role == "dense"
        width = net.out_channels if dense else net.channels[self.level]
        stride = (1,) * net.dims if dense else net.strides[self.level]
        self.parts = tuple(min(int(s), FINEST[net.dims]) for s in stride)
        conv = nn.Conv2d if net.dims == 2 else nn.Conv3d
        self.redraw = conv(width, channels * prod(self.parts), 1)
        nn.init.zeros_(self.redraw.weight)
        if self.redraw.bias is not None:
            nn.init.zeros_(self.redraw.bias)
        even = torch.full((width,), width**-0.5)
        for name, value, usual in (
            ("middle", middle, torch.zeros(width)),
            ("direction", direction, even),
            ("spread", spread, torch.ones(())),
        ):
            self.register_buffer(name, usual if value is None else value, persistent=False)

    def places(self, x: Tensor) -> Tensor:
        """Return the map that shows where things are, `(B, F, y, x)` or `(B, F, z, y, x)`."""
        out = self.net(x[:, :, 0] if self.net.dims == 2 else x)
        found: Tensor = out.full if self.net.role == "dense" else out[self.level]
        return found

    def forward(self, x: Tensor) -> Tensor:
        """Return how far each point's features lie along the direction, in its units, `(B, 1, Z, Y, X)`."""
        seen = self.places(x)
        flat = self.net.dims == 2
        along = (seen.movedim(1, -1) - self.middle) @ self.direction / self.spread.clamp_min(1e-12)
        mode = "bilinear" if flat else "trilinear"
        field = F.interpolate(along[:, None], size=x.shape[-self.net.dims :], mode=mode, align_corners=False)
        return field[:, :, None] if flat else field

    def redrawn(self, x: Tensor, generator: torch.Generator) -> Tensor:
        """Return the mean squared error of guessing hidden blocks from the rest (Xie et al.: SimMIM, CVPR 2022)."""
        hidden = blocks(x, generator)
        guess = self.redraw(self.places(x * (1 - hidden)))
        flat = self.net.dims == 2
        truth, away = (t[:, :, 0] if flat else t for t in (x, hidden))
        guess = unfolded(guess, self.parts)
        pool: Any = F.adaptive_avg_pool2d if flat else F.adaptive_avg_pool3d
        size = tuple(guess.shape[2:])
        weight = pool(away, size)
        error = (guess - pool(truth, size)) ** 2 * weight
        found: Tensor = error.sum() / (weight.sum() * x.shape[1]).clamp_min(1e-6)
        return found


def level_of(net: Any, size: Sequence[int]) -> int:
    """Return the place among an encoder's maps of the deepest one that still shows where things are."""
    fine = [
        k
        for k, stride in enumerate(net.strides)
        if max(n / s for n, s in zip(size, stride, strict=True)) >= PLACES
    ]
    return max(fine, default=0)


def blocks(x: Tensor, generator: torch.Generator) -> Tensor:
    """Return which blocks of images `(B, C, Z, Y, X)` are hidden, half of them: ones and zeros, `(B, 1, Z, Y, X)`."""
    side = max(1, max(x.shape[2:]) // BLOCKS)
    grid = [max(1, round(n / side)) for n in x.shape[2:]]
    drawn = torch.rand((len(x), prod(grid)), generator=generator)
    hidden = torch.zeros_like(drawn)
    hidden.scatter_(1, drawn.argsort(dim=1)[:, : max(1, prod(grid) // 2)], 1.0)
    return F.interpolate(hidden.reshape(len(x), 1, *grid).to(x), size=x.shape[2:])


def unfolded(x: Tensor, parts: Sequence[int]) -> Tensor:
    """Return `(B, C · parts, *grid)` as an image of `parts` points at each place, `(B, C, *(grid · parts))`."""
    b, grid, n = len(x), x.shape[2:], len(parts)
    split = x.reshape(b, -1, *parts, *grid)
    order = [0, 1]
    for k in range(n):
        order += [2 + n + k, 2 + k]
    return split.permute(order).reshape(b, split.shape[1], *(g * p for g, p in zip(grid, parts, strict=True)))
