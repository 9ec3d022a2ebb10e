"""Blend an image with its mean over three voxels an axis."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from vesalius.prepare.transforms.contract import amounts, switches

NAMES = {"blur": "blurs"}
STAGE = "intensity"
ORDER = 40
FIELDS = ("blur",)


def make(
    settings: Mapping[str, Any], probability: float
) -> Callable[[Tensor, torch.Generator], Tensor] | None:
    """Return what blends in a share of at most `blur` of the blurred image."""
    limit: float = settings["blur"]
    if not limit:
        return None

    def change(image: Tensor, generator: torch.Generator) -> Tensor:
        on = switches(image, probability, generator)
        return image + on * (_blurred(image) - image) * abs(amounts(image, limit, generator)).clamp_max(1.0)

    return change


def _blurred(image: Tensor) -> Tensor:
    size = [3 if s > 2 else 1 for s in image.shape[2:]]
    padded = F.pad(image, [p for s in reversed(size) for p in (s // 2, s // 2)], mode="replicate")
    return F.avg_pool3d(padded, size, stride=1)
