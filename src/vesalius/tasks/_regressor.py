"""The model of `regress`: a net of an image, or of a table alone, and a head for numbers; covariates beside it."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from vesalius.core.errors import DataError
from vesalius.prepare.batch import Batch
from vesalius.tasks._together import look

FEATURES = 16  # what an image is summed up in where covariates stand beside it


class Regressor(nn.Module):
    """An encoder and a head: `(B, C, Z, Y, X)` and covariates `(B, F)` → `(B, N)`, in standard deviations.

    Instead of images it takes a batch where the encoder joins several sources; covariates are then among these.

    Without covariates the head gives the numbers. With them it gives features, and the numbers are a straight line
    through the covariates plus a small network of both, so that either may count for more the larger the other is.

    With `spread` a further small network says so many numbers of each answer's spread, `(B, N·(1 + spread))` in all. It
    sees what the encoder sums the image up in, the covariates and the answer, but no gradient goes back from it into
    these: what it learns cannot make the answers worse (Stirn et al. 2023, AISTATS, "Faithful heteroscedastic
    regression with neural networks"). `share` is of how many cases its bounds are to hold.
    """

    def __init__(
        self,
        net: Any,
        covariates: int,
        criterion: nn.Module,
        *,
        numbers: int = 1,
        spread: int = 0,
        share: float = 0.9,
    ) -> None:
        super().__init__()
        self.net, self.criterion, self.numbers, self.share = net, criterion, numbers, share
        self.head = net.head(FEATURES if covariates else numbers)
        self.line = nn.Linear(covariates, numbers) if covariates else None
        self.both = (
            nn.Sequential(nn.Linear(FEATURES + covariates, FEATURES), nn.ReLU(), nn.Linear(FEATURES, numbers))
            if covariates
            else None
        )
        self.spread = spread_of(net.channels[-1] + covariates + numbers, numbers * spread) if spread else None

    def forward(self, x: Tensor | Batch, covariates: Tensor | None) -> Tensor:
        """Return the standardised numbers `(B, N)`, and what is said of their spread behind them."""
        maps = look(self.net, x)
        number: Tensor = self.head(maps)
        if self.line is not None and self.both is not None:
            if covariates is None:
                raise DataError("the model needs covariates, and the batch has none")
            number = self.line(covariates) + self.both(torch.cat([number, covariates], dim=1))
        if self.spread is None:
            return number
        seen = [self.net.summed_up(maps), number, *([] if covariates is None else [covariates])]
        return torch.cat([number, self.spread(torch.cat(seen, dim=1).detach())], dim=1)


class TableRegressor(nn.Module):
    """A net of a table's columns and a head: covariates `(B, F)` → `(B, N·(1 + spread))`, in standard deviations."""

    line: None = None

    def __init__(
        self, net: Any, criterion: nn.Module, *, numbers: int = 1, spread: int = 0, share: float = 0.9
    ) -> None:
        super().__init__()
        self.net, self.criterion, self.numbers, self.share = net, criterion, numbers, share
        self.head = net.head(numbers)
        self.spread = spread_of(net.channels[-1] + numbers, numbers * spread) if spread else None

    def forward(self, x: Tensor | None, covariates: Tensor | None) -> Tensor:
        """Return the standardised numbers `(B, N)`, and what is said of their spread behind them."""
        if covariates is None:
            raise DataError("the model needs covariates, and the batch has none")
        features = self.net(covariates)
        number: Tensor = self.head(features)
        if self.spread is None:
            return number
        return torch.cat(
            [number, self.spread(torch.cat([features[-1].flatten(1), number], dim=1).detach())], dim=1
        )


def spread_of(seen: int, said: int) -> nn.Sequential:
    """Return a small network of so many numbers that says nothing particular of any case before it has learned."""
    last = nn.Linear(FEATURES, said)
    nn.init.zeros_(last.weight)
    nn.init.zeros_(last.bias)
    return nn.Sequential(nn.Linear(seen, FEATURES), nn.ReLU(), last)
