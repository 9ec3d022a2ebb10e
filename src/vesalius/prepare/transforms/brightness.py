"""Add a number to intensities."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor

from vesalius.prepare.transforms.contract import amounts, switches

NAMES = {"brightness": "adds to intensities"}
STAGE = "intensity"
ORDER = 20
FIELDS = ("brightness",)


def make(
    settings: Mapping[str, Any], probability: float
) -> Callable[[Tensor, torch.Generator], Tensor] | None:
    """Return what adds at most `brightness` standard deviations, or takes as much away."""
    limit: float = settings["brightness"]
    if not limit:
        return None

    def change(image: Tensor, generator: torch.Generator) -> Tensor:
        return image + amounts(image, limit, generator) * switches(image, probability, generator)

    return change
