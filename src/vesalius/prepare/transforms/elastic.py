"""Bend images smoothly, by random shifts of four control points an axis."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch.nn import functional as F

from vesalius.prepare.transforms.contract import Move, chosen

NAMES = {"elastic": "bends smoothly"}
STAGE = "grid"
ORDER = 20
FIELDS = ("elastic",)


def make(settings: Mapping[str, Any], probability: float) -> Callable[..., Move] | None:
    """Return what draws a displacement for each sample; `elastic` is its standard deviation, a share of the extent."""
    sd: float = settings["elastic"]
    if not sd:
        return None

    def bend(n: int, shape: torch.Size, generator: torch.Generator) -> Move:
        flat = shape[0] == 1
        dims = 2 if flat else 3
        coarse = torch.randn((n, dims, *(4,) * dims), generator=generator) * (2 * sd)
        drawn = chosen(n, probability, generator)
        coarse *= drawn.view(-1, *(1,) * (dims + 1))
        size = shape[1:] if flat else shape
        fine = F.interpolate(
            coarse, size=tuple(size), mode="bicubic" if flat else "trilinear", align_corners=True
        )
        return Move(drawn, displacement=fine.movedim(1, -1))

    return bend
