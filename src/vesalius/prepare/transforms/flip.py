"""Mirror images along planned axes, each for half of the samples; what lies on them is mirrored, too."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from vesalius.prepare.transforms.contract import Exchange

NAMES = {"flip": "mirrors along the planned axes"}
STAGE = "place"
ORDER = 10
FIELDS = ("flip_axes",)
AXES = {"z": 2, "y": 3, "x": 4}


def make(settings: Mapping[str, Any], probability: float) -> Callable[..., Exchange] | None:
    """Return what draws the mirroring along `flip_axes`; the probability is one half whatever is planned."""
    axes: Sequence[str] = settings["flip_axes"]
    if not axes:
        return None

    def flip(n: int, shape: torch.Size, generator: torch.Generator) -> Exchange:
        drawn = {AXES[axis]: torch.rand(n, generator=generator) < 0.5 for axis in axes}

        def tensor(value: Tensor) -> Tensor:
            for axis, which in drawn.items():
                if value.shape[axis] > 1:
                    mask = which.to(value.device).view(-1, 1, 1, 1, 1)
                    value = torch.where(mask, value.flip(axis), value)
            return value

        def points(value: Tensor, sample: int) -> Tensor:
            turned = value.clone()
            for axis, which in drawn.items():
                if which[sample]:
                    turned[..., axis - 2] = shape[axis - 2] - value[..., axis - 2]
            return turned

        return Exchange(tensor, points)

    return flip
