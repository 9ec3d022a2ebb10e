"""PaDiM: at each place of the image a Gaussian of some of the features, and how many deviations a new image is off.

Defard, Setkov, Loesch, Audigier, "PaDiM: a patch distribution modeling framework for anomaly detection and
localization", ICPR 2020, arXiv 2011.08785: random features, of each place mean and covariance over normal images, and
the Mahalanobis distance. It takes images for alike that lie alike. The ridge on a covariance is a share of its mean
variance, as features of different nets differ in scale; the paper's is 0.01 itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from vesalius.anomalies._features import Features
from vesalius.anomalies.contract import Normality, Size, smoothed

NAMES = {"padim": "PaDiM: at each place a Gaussian of features of normal images, which must lie alike"}
OPTIONS = {"dimensions": 0, "ridge": 0.01}
SOURCE = "Defard et al., ICPR 2020, arXiv 2011.08785"
MOST_BYTES = 16 * 2**20  # that the matrices of all places take
MOST = 100  # features, as published for the smaller net


class Gaussians(Normality):
    """At each of `P` places a mean `(P, D)` and an inverse covariance `(P, D, D)` of the `chosen` features `(D,)`."""

    chosen: Tensor
    mean: Tensor
    inverse: Tensor

    def __init__(self, net: Any, *, size: Size, channels: int, dimensions: int, ridge: float) -> None:
        super().__init__()
        self.features, self.ridge = Features(net, size, channels), ridge
        z, y, x = self.features.grid
        seen = (
            self.features.channels - channels
        )  # behind these stands how bright it is, which is always looked at
        drawn = torch.randperm(seen)[: dimensions or dimensions_for(z * y * x)].sort().values
        many = len(drawn) + channels
        self.register_buffer("chosen", torch.cat([drawn, torch.arange(seen, seen + channels)]))
        self.register_buffer("mean", torch.zeros(z * y * x, many))
        self.register_buffer("inverse", torch.eye(many).expand(z * y * x, many, many).clone())
        self._sums: tuple[int, Tensor, Tensor, Tensor] | None = None

    def _seen(self, x: Tensor) -> Tensor:
        """Return the chosen features of each place, `(B, P, D)`."""
        found: Tensor = self.features(x)[:, self.chosen].flatten(2).transpose(1, 2)
        return found

    def places(self, x: Tensor) -> Tensor:
        """Return the Mahalanobis distance of each place, `(B, z, y, x)`, averaged with its neighbours."""
        off = self._seen(x) - self.mean
        squares = torch.einsum("bpd,pde,bpe->bp", off, self.inverse, off)
        return smoothed(squares.clamp_min(1e-12).sqrt().view(len(x), *self.features.grid))

    def see(self, x: Tensor, generator: torch.Generator) -> None:
        """Add a batch to the sums, taken about the first batch's mean so that none is a difference of large numbers."""
        rows = self._seen(x).double()
        n, about, total, outer = self._sums or (
            0,
            rows.mean(dim=0),
            torch.zeros_like(rows[0]),
            torch.zeros(*rows.shape[1:], rows.shape[2], dtype=rows.dtype),
        )
        off = rows - about
        self._sums = (
            n + len(x),
            about,
            total + off.sum(dim=0),
            outer + torch.einsum("bpd,bpe->pde", off, off),
        )

    def settle(self, generator: torch.Generator) -> None:
        """Set means and inverse covariances."""
        if self._sums is None:
            return
        n, about, total, outer = self._sums
        mean = total / n
        covariance = outer / max(n - 1, 1) - torch.einsum("pd,pe->pde", mean, mean) * (n / max(n - 1, 1))
        usual = covariance.diagonal(dim1=1, dim2=2).mean(dim=1)
        floor = self.ridge * torch.maximum(usual, usual.mean() * 0.1).clamp_min(1e-9)
        eye = torch.eye(covariance.shape[1], dtype=covariance.dtype)
        self.mean.copy_((about + mean).to(self.mean))
        self.inverse.copy_(torch.linalg.inv(covariance + floor[:, None, None] * eye).to(self.inverse))
        self._sums = None


def dimensions_for(places: int) -> int:
    """Return how many features of each place are looked at, so that the matrices of all places fit MOST_BYTES."""
    return max(4, min(MOST, int((MOST_BYTES / (4 * places)) ** 0.5)))


def build(net: Any, *, size: Size, channels: int, cases: int, options: Mapping[str, Any]) -> Gaussians:
    """Return Gaussians that know nothing yet, over an encoder."""
    chosen = {**OPTIONS, **options}
    return Gaussians(
        net, size=size, channels=channels, dimensions=int(chosen["dimensions"]), ridge=float(chosen["ridge"])
    )
