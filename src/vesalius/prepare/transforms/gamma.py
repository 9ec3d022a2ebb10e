"""Raise intensities to a power, between the lowest and the highest of each image."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor

from vesalius.prepare.transforms.contract import amounts, switches

NAMES = {"gamma": "raises intensities to a power"}
STAGE = "intensity"
ORDER = 30
FIELDS = ("gamma",)


def make(
    settings: Mapping[str, Any], probability: float
) -> Callable[[Tensor, torch.Generator], Tensor] | None:
    """Return what raises to a power of at most 1 + `gamma`, or at least its inverse."""
    limit: float = settings["gamma"]
    if not limit:
        return None

    def change(image: Tensor, generator: torch.Generator) -> Tensor:
        low = image.amin(dim=(2, 3, 4), keepdim=True)
        span = (image.amax(dim=(2, 3, 4), keepdim=True) - low).clamp_min(1e-6)
        amount = amounts(image, math.log1p(limit), generator)
        power = torch.exp(amount * switches(image, probability, generator))
        return ((image - low) / span).clamp(0, 1).pow(power) * span + low

    return change
