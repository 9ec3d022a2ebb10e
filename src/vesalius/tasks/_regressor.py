"""The model of `regress`, and of what else covariates stand beside: an encoder and a head."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from vesalius.core.errors import DataError

FEATURES = 16  # what an image is summed up in where covariates stand beside it


class Regressor(nn.Module):
    """An encoder and a head: `(B, C, Z, Y, X)` and covariates `(B, F)` → `(B, 1)`, in standard deviations.

    Or `(B, outputs)` where a task has several.

    Without covariates the head gives the number. With them it gives features, and the number is a straight line through
    the covariates plus a small network of both, so that either may count for more the larger the other is.
    """

    def __init__(self, net: Any, covariates: int, criterion: nn.Module, *, outputs: int = 1) -> None:
        super().__init__()
        self.net, self.criterion = net, criterion
        self.head = net.head(FEATURES if covariates else outputs)
        self.line = nn.Linear(covariates, outputs) if covariates else None
        self.both = (
            nn.Sequential(nn.Linear(FEATURES + covariates, FEATURES), nn.ReLU(), nn.Linear(FEATURES, outputs))
            if covariates
            else None
        )

    def forward(self, x: Tensor, covariates: Tensor | None) -> Tensor:
        """Return the standardised numbers `(B, 1)`."""
        found: Tensor = self.head(self.net(x[:, :, 0] if self.net.dims == 2 else x))
        if self.line is None or self.both is None:
            return found
        if covariates is None:
            raise DataError("the model needs covariates, and the batch has none")
        number: Tensor = self.line(covariates) + self.both(torch.cat([found, covariates], dim=1))
        return number
