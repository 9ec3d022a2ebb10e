"""What transforms share: how samples move, and what is drawn for each of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True, eq=False)
class Move:
    """How the samples of a batch move: `chosen` `(n,)` says which do at all.

    `matrix` `(n, 3, 4)` maps output to input in (z, y, x), in units of half the image. `displacement` `(n, …, 2 or 3)`
    is added to the input's place, in the same units, x first.
    """

    chosen: Tensor
    matrix: Tensor | None = None
    displacement: Tensor | None = None


@dataclass(frozen=True, eq=False)
class Exchange:
    """How the voxels of a batch's samples change place without being resampled.

    `tensor` takes `(B, C, Z, Y, X)` of any size; `points` takes `(…, 3)` of one sample and its number, in voxels of the
    main image `(z, y, x)`: voxel k reaches from k to k + 1.
    """

    tensor: Callable[[Tensor], Tensor]
    points: Callable[[Tensor, int], Tensor]


def uniform(n: int, limit: float, generator: torch.Generator) -> Tensor:
    """Return `n` numbers from -`limit` to `limit`."""
    return (torch.rand(n, generator=generator) * 2 - 1) * limit


def chosen(n: int, probability: float, generator: torch.Generator) -> Tensor:
    """Return which of `n` samples are changed, as bool."""
    return torch.rand(n, generator=generator) < probability


def amounts(image: Tensor, limit: float, generator: torch.Generator) -> Tensor:
    """Return a number from -`limit` to `limit` for each sample, to broadcast over `(B, C, Z, Y, X)`."""
    return uniform(image.shape[0], limit, generator).to(image).view(-1, 1, 1, 1, 1)


def switches(image: Tensor, probability: float, generator: torch.Generator) -> Tensor:
    """Return 1 for each sample that is changed, 0 for the others, to broadcast over `(B, C, Z, Y, X)`."""
    return chosen(image.shape[0], probability, generator).to(image).view(-1, 1, 1, 1, 1)
