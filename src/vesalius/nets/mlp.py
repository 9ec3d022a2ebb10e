"""MLP: a small network of a table's columns, for cases without images."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from vesalius.core.errors import PlanError
from vesalius.nets._blocks import read_options
from vesalius.nets._net import Net

NAMES = {"mlp": "a small network of a table's columns: dense layers with noise and dropout"}
ROLE = "table"
DIMS = (2, 3)
SOURCE = "Gorishniy et al.: Revisiting deep learning models for tabular data, NeurIPS 2021, arXiv:2106.11959"
SMALLEST = 0.0625
OPTIONS = {"layers": 2, "noise": 0.3}
LIMITS = {"layers": {"ge": 1}, "noise": {"ge": 0.0}}
WIDTH = 128
FURTHEST = 6.0  # deviations from the mean: columns that are nearly always 0 have values that lie further off


class MLP(Net):
    """Columns `(B, F)`, standardised → one map a layer, `(B, C, 1)`, so that heads are as those of other nets.

    While it learns, normal noise is added to the columns (Bishop 1995: as a penalty on how steep the answer is), and
    the outputs of each layer are dropped out.
    """

    role: ClassVar[str] = "table"

    def __init__(
        self, dims: int, columns: int, *, width: int, layers: int, noise: float, dropout: float
    ) -> None:
        super().__init__(dims, [width] * layers, strides=[1] * layers, dropout=dropout)
        self.noise = noise
        self.layers = nn.ModuleList(
            nn.Sequential(nn.Linear(width if k else columns, width), nn.GELU(), nn.Dropout(dropout))
            for k in range(layers)
        )

    def forward(self, x: Tensor) -> list[Tensor]:
        """Return what each layer makes of the columns. Raises PlanError for what is no table of rows."""
        if x.ndim != 2:
            raise PlanError("an MLP reads a table's rows, (B, F)", found=f"shape {tuple(x.shape)}")
        x = x.clamp(-FURTHEST, FURTHEST)
        if self.training and self.noise:
            x = x + self.noise * torch.randn_like(x)
        maps = []
        for layer in self.layers:
            x = layer(x)
            maps.append(x.unsqueeze(-1))
        return maps

    def head(self, classes: int) -> nn.Module:
        """Return one linear layer on the last map; dropout acted on it already."""
        return nn.Sequential(_Last(), nn.Linear(self.channels[-1], classes))


class _Last(nn.Module):
    """The last of several maps `(B, C, 1)`, as `(B, C)`."""

    def forward(self, maps: list[Tensor]) -> Tensor:
        return maps[-1].flatten(1)


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
    """Build the network of `in_channels` columns: dense layers of 128 times `scale`; dropout behind each.

    `size` means nothing to it, and `dims` is that of the plan. `layers` is how many there are, `noise` the deviation of
    what is added to standardised columns while it learns.
    """
    chosen = read_options(name, options, OPTIONS)
    return MLP(
        dims,
        in_channels,
        width=max(8, round(WIDTH * scale)),
        layers=int(chosen["layers"]),
        noise=float(chosen["noise"]),
        dropout=dropout,
    )
