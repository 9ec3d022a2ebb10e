"""Rotate, zoom, crop, shear and translate, drawn one by one and made as one matrix."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor

from vesalius.prepare.transforms.contract import Move, chosen, uniform

NAMES = {"affine": "rotates, zooms, crops, shears and translates"}
STAGE = "grid"
ORDER = 10
FIELDS = ("rotate_deg", "rotate_in_plane_only", "translate", "shear", "zoom", "crop", "elastic")
KINDS = {"rotate": "rotate_deg", "zoom": "zoom", "shear": "shear", "translate": "translate", "crop": "crop"}


def make(settings: Mapping[str, Any], probability: float) -> Callable[..., Move] | None:
    """Return what draws a matrix for each sample.

    It is drawn where images only bend, too: the same plan and seed then give the batches that they always gave.
    """
    if not any(settings[field] for field in (*KINDS.values(), "elastic")):
        return None

    def move(n: int, shape: torch.Size, generator: torch.Generator) -> Move:
        drawn = {key: chosen(n, probability, generator) for key in KINDS}
        matrix = _turned(n, shape, settings, drawn["rotate"], generator)
        factor = torch.exp(uniform(n, math.log1p(settings["zoom"]), generator) * drawn["zoom"])
        factor = factor * (1 - torch.rand(n, generator=generator) * settings["crop"] * drawn["crop"])
        matrix = matrix * factor.view(-1, 1, 1)
        flat = shape[0] == 1
        for a, b in ((1, 2), (2, 1)) if flat else ((0, 1), (1, 2), (2, 0)):
            matrix[:, a, b] += uniform(n, settings["shear"], generator) * drawn["shear"]
        # voxel units → half-extent units on both sides, so that turning an oblong image does not distort it
        extent = torch.tensor([max(s, 1) for s in shape], dtype=torch.float32)
        matrix = matrix * extent.view(1, 1, 3) / extent.view(1, 3, 1)
        limit = 2 * settings["translate"]
        shift = torch.stack([uniform(n, limit, generator) * drawn["translate"] for _ in range(3)], dim=1)
        if flat:
            matrix[:, 0], matrix[:, :, 0], shift[:, 0] = 0.0, 0.0, 0.0
            matrix[:, 0, 0] = 1.0
        on = [drawn[key] for key, field in KINDS.items() if settings[field]]
        moved = torch.stack(on).any(dim=0) if on else torch.zeros(n, dtype=torch.bool)
        return Move(moved, torch.cat([matrix, shift[:, :, None]], dim=2))

    return move


def _turned(
    n: int, shape: torch.Size, settings: Mapping[str, Any], drawn: Tensor, generator: torch.Generator
) -> Tensor:
    """Return rotations `(n, 3, 3)` in voxel units, in the plane alone where the image is flat or it is asked."""
    matrix = torch.eye(3).repeat(n, 1, 1)
    for axis in (0,) if shape[0] == 1 or settings["rotate_in_plane_only"] else (0, 1, 2):
        angle = uniform(n, math.radians(settings["rotate_deg"]), generator) * drawn
        a, b = [k for k in range(3) if k != axis]
        turn = torch.eye(3).repeat(n, 1, 1)
        turn[:, a, a] = turn[:, b, b] = angle.cos()
        turn[:, a, b], turn[:, b, a] = -angle.sin(), angle.sin()
        matrix = matrix @ turn
    return matrix
