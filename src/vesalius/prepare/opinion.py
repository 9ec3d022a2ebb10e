"""Opinion: what raw outputs say, in numbers that can be compared, averaged and taken for true."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from torch import Tensor

Choice = Literal["one", "each", "none"]


@dataclass(frozen=True, eq=False)
class Opinion:
    """What raw outputs say of a batch, `values` `(B, K)` of whole cases or `(B, K, Z, Y, X)` of the images' points.

    `choice` says what the K numbers are: probabilities of which `one` holds, so that they sum to one; probabilities
    each of which may hold by itself (`each`); or no choice at all but numbers, in standard deviations (`none`).
    """

    values: Tensor
    choice: Choice

    @property
    def on_grid(self) -> bool:
        """Return whether it has a value for each point of the images."""
        return self.values.ndim > 2
