"""What is looked at of each place of an image: two maps of a frozen encoder, and how bright it is around there."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from vesalius.anomalies.contract import Size, from_slices, in_slices

FEWEST = {
    2: 24,
    3: 12,
}  # places along the longest axis that a map must tell apart, so that a lesion is several of them


class Features(nn.Module):
    """A frozen encoder: `(B, C, Z, Y, X)` → features of places `(B, F, z, y, x)`.

    Its deepest map that tells FEWEST places apart, and the next deeper one, each averaged with its neighbours (Roth et
    al. 2022, arXiv 2106.08265, section 3.1) and divided by its root mean square over places, so that both count alike.
    A net of two dimensions sees a volume slice by slice; neighbouring slices are then averaged. Beside them stands the
    image itself, averaged around each place: nets of photographs hardly see slow changes of brightness, which is what a
    tissue is told by. It counts as much as all features of the net together.
    """

    def __init__(self, net: Any, size: Size, channels: int) -> None:
        super().__init__()
        self.net, self.flat = net.requires_grad_(False), net.dims == 2
        self.levels = levels_of(net, size)
        seen = sum(net.channels[k] for k in self.levels)
        self.channels, self.weight = seen + channels, (seen / channels) ** 0.5
        stride = net.strides[self.levels[0]]
        inner = [math.ceil(n / s) for n, s in zip(size[-net.dims :], stride, strict=True)]
        around = [2 * max(1, s) + 1 for s in stride]
        whole = (3, *around) if self.flat else tuple(around)
        self.around = [k if n >= k else 1 for k, n in zip(whole, size, strict=True)]
        self.grid: Size = (size[0], inner[0], inner[1]) if self.flat else (inner[0], inner[1], inner[2])

    def train(self, mode: bool = True) -> Features:
        """Stay as it is: norms of a frozen net learn nothing."""
        super().train(mode)
        self.net.eval()
        return self

    def forward(self, x: Tensor) -> Tensor:
        """Return the features of places, `(B, F, z, y, x)`."""
        maps = self.net(in_slices(x) if self.flat else x)
        found: list[Tensor] = []
        for k in self.levels:
            level = from_slices(maps[k], len(x)) if self.flat else maps[k]
            level = _unit(_averaged(level))
            if tuple(level.shape[2:]) != self.grid:
                level = F.interpolate(level, size=self.grid, mode="trilinear", align_corners=False)
            found.append(level)
        pads = [k // 2 for k in self.around]
        bright = F.avg_pool3d(x, self.around, stride=1, padding=pads, count_include_pad=False)
        if tuple(bright.shape[2:]) != self.grid:
            bright = F.interpolate(bright, size=self.grid, mode="trilinear", align_corners=False)
        return torch.cat([*found, self.weight * bright], dim=1)


def rows_of(features: Tensor) -> Tensor:
    """Return features `(B, F, z, y, x)` as rows `(B · z · y · x, F)`."""
    return features.flatten(2).transpose(1, 2).flatten(0, 1)


def levels_of(net: Any, size: Sequence[int]) -> tuple[int, ...]:
    """Return the places among an encoder's maps of the two that are looked at; of one where there are no more."""
    fewest = FEWEST[2 if size[0] == 1 else 3]
    own = tuple(size)[-net.dims :]
    fine = [
        k
        for k, stride in enumerate(net.strides)
        if max(n / s for n, s in zip(own, stride, strict=True)) >= fewest
    ]
    first = max(fine, default=0)
    return (first, first + 1) if first + 1 < len(net.strides) else (first,)


def _averaged(level: Tensor) -> Tensor:
    """Return a map whose places are means with their neighbours along each axis of more than one place."""
    kernel = [3 if n > 1 else 1 for n in level.shape[2:]]
    pads = [k // 2 for k in kernel]
    return F.avg_pool3d(level, kernel, stride=1, padding=pads, count_include_pad=False)


def _unit(level: Tensor) -> Tensor:
    """Return a map whose features have a root mean square of one over all places of its image."""
    scale = level.pow(2).flatten(1).mean(dim=1).add(1e-12).sqrt()
    return level / scale.view(-1, *(1,) * (level.ndim - 1))
