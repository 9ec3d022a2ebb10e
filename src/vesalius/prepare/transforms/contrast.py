"""Multiply intensities, so that contrast grows or falls."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor

from vesalius.prepare.transforms.contract import amounts, switches

NAMES = {"contrast": "multiplies intensities"}
STAGE = "intensity"
ORDER = 10
FIELDS = ("contrast",)


def make(
    settings: Mapping[str, Any], probability: float
) -> Callable[[Tensor, torch.Generator], Tensor] | None:
    """Return what multiplies by at most 1 + `contrast`, or divides by as much."""
    limit: float = settings["contrast"]
    if not limit:
        return None

    def change(image: Tensor, generator: torch.Generator) -> Tensor:
        factor = amounts(image, math.log1p(limit), generator)
        return image * torch.exp(factor * switches(image, probability, generator))

    return change
