"""Add Gaussian noise."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor

from vesalius.prepare.transforms.contract import amounts, switches

NAMES = {"noise": "adds noise"}
STAGE = "intensity"
ORDER = 50
FIELDS = ("noise",)


def make(
    settings: Mapping[str, Any], probability: float
) -> Callable[[Tensor, torch.Generator], Tensor] | None:
    """Return what adds noise of at most `noise` standard deviations."""
    limit: float = settings["noise"]
    if not limit:
        return None

    def change(image: Tensor, generator: torch.Generator) -> Tensor:
        sd = abs(amounts(image, limit, generator)) * switches(image, probability, generator)
        return image + sd * torch.randn(image.shape, generator=generator).to(image)

    return change
