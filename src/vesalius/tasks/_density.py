"""Densities in torch: what lies in each voxel of things of known place, so that the sum over an image is a count."""

from __future__ import annotations

import math

import torch
from torch import Tensor

CORNERS = 4  # points that a thing rides as: its centre, and how far it reaches along each axis


def shares(centre: Tensor, sigma: Tensor, n: int) -> Tensor:
    """Return how much of Gaussians about `centre` `(N,)` lies in each of `n` voxels along an axis, `(N, n)`.

    Voxel k reaches from k to k + 1. The sum over a row is the share within the axis's extent, exactly.
    """
    edges = torch.arange(n + 1, dtype=torch.float64, device=centre.device)
    z = (edges[None] - centre.double()[:, None]) / (sigma.double()[:, None] * math.sqrt(2))
    return (0.5 * torch.erf(z)).diff(dim=1)


def spreads(things: Tensor, share: float, narrowest: float) -> Tensor:
    """Return the deviation of each thing's kernel along each axis, `(N, 3)`: a share of its extent, or the narrowest.

    `things` `(N, 4, 3)` are a centre and three points that lie half an extent from it, one along each of the thing's
    own axes, which need not be the image's any more.
    """
    half = things[:, 1:] - things[:, :1]  # (N, own axis, image axis)
    return (2 * share * half.square().sum(dim=1).sqrt()).clamp_min(narrowest)


def drawn(
    things: Tensor, kinds: Tensor, mass: Tensor, *, labels: int, shape: tuple[int, int, int], share: float,
    narrowest: float,
) -> Tensor:  # fmt: skip
    """Return the density of each label on a grid, `(K, Z, Y, X)`: of each thing that part which lies within the grid.

    `things` are `(4 N, 3)`, see `spreads`, `kinds` `(N,)` their labels' places and `mass` `(N,)` what each counts for.
    """
    out = torch.zeros((labels, *shape), dtype=torch.float32, device=things.device)
    if not len(kinds):
        return out
    things = things.reshape(-1, CORNERS, 3)
    sigma = spreads(things, share, narrowest)
    along = [
        torch.ones((len(things), 1), dtype=torch.float64, device=things.device)
        if n == 1
        else shares(things[:, 0, axis], sigma[:, axis], n)
        for axis, n in enumerate(shape)
    ]
    for k in range(labels):
        own = kinds == k
        if not bool(own.any()):
            continue
        z, y, x = (part[own] for part in along)
        planes = (z * mass[own].double()[:, None])[:, :, None] * y[:, None, :]  # (N, Z, Y)
        out[k] = (planes.flatten(1).T @ x).reshape(shape).float()
    return out
