"""The contract of a way to learn what is normal: one file in `anomalies/` with `build(net, *, size,
channels, cases, options)`.

What it returns is a `Normality`. A way without a gradient sees all normal cases once, batch by batch (`see`, then
`settle`); the others give a `loss`.
"""

from __future__ import annotations

from abc import abstractmethod
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

Size = tuple[int, int, int]
TOP = 0.002  # of all places: the mean of these, the farthest ones, is an image's score


class Normality(nn.Module):
    """A model of what is normal: `(B, C, Z, Y, X)` → how far each place of a coarser grid is from it, `(B, z, y, x)`.

    Larger is farther, and nothing is below 0. A net of two dimensions sees a volume slice by slice.
    """

    net: Any

    @abstractmethod
    def places(self, x: Tensor) -> Tensor:
        """Return how far each place is from what is normal, `(B, z, y, x)`."""

    def score(self, field: Tensor) -> Tensor:
        """Return one number an image, `(B,)`: the mean over the farthest places, one of them at least."""
        flat = field.flatten(1)
        many = max(1, round(TOP * flat.shape[1]))
        top: Tensor = flat.topk(many, dim=1).values.mean(dim=1)
        return top

    def forward(self, x: Tensor) -> Tensor:
        """Return the score everywhere in a first plane, and the places behind it: `(B, 1 + z, y, x)`."""
        field = self.places(x)
        one = self.score(field)[:, None, None, None].expand(-1, 1, *field.shape[2:])
        return torch.cat([one, field], dim=1)

    def see(self, x: Tensor, generator: torch.Generator) -> None:
        """Take in a batch of normal images `(B, C, Z, Y, X)`, of a way without a gradient."""
        raise NotImplementedError(f"{type(self).__name__} learns by a gradient")

    def settle(self, generator: torch.Generator) -> None:
        """End the one pass: from here on it knows what is normal."""
        raise NotImplementedError(f"{type(self).__name__} learns by a gradient")

    def loss(self, x: Tensor, generator: torch.Generator) -> dict[str, Tensor]:
        """Return named terms that are minimised over normal images; by default how far their places are."""
        return {"distance": self.places(x).mean()}


def in_slices(x: Tensor) -> Tensor:
    """Return images `(B, C, Z, Y, X)` as pictures `(B · Z, C, Y, X)`, slice after slice of each."""
    return x.transpose(1, 2).flatten(0, 1).contiguous()


def from_slices(maps: Tensor, cases: int) -> Tensor:
    """Return maps of slices `(B · Z, F, y, x)` as maps of images `(B, F, Z, y, x)`."""
    return maps.view(cases, -1, *maps.shape[1:]).transpose(1, 2)


def smoothed(field: Tensor) -> Tensor:
    """Return a field `(B, z, y, x)` whose places are means with their neighbours; an axis of one place stays."""
    kernel = [3 if n > 1 else 1 for n in field.shape[1:]]
    pads = [k // 2 for k in kernel]
    return F.avg_pool3d(field[:, None], kernel, stride=1, padding=pads, count_include_pad=False)[:, 0]
