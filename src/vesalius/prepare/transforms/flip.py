"""Mirror images along planned axes, each for half of the samples; what lies on them is mirrored, too."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

NAMES = {"flip": "mirrors along the planned axes"}
STAGE = "place"
ORDER = 10
FIELDS = ("flip_axes",)
AXES = {"z": 2, "y": 3, "x": 4}
Named = Mapping[str, Tensor]


def make(settings: Mapping[str, Any], probability: float) -> Callable[..., tuple[Named, Named]] | None:
    """Return the mirroring along `flip_axes`; the probability is one half whatever is planned."""
    axes: Sequence[str] = settings["flip_axes"]
    if not axes:
        return None

    def flip(images: Named, fields: Named, generator: torch.Generator) -> tuple[Named, Named]:
        groups = dict(images), dict(fields)
        n = next(iter(images.values())).shape[0]
        for axis in axes:
            drawn = torch.rand(n, generator=generator) < 0.5
            for group in groups:
                for name, tensor in group.items():
                    if tensor.shape[AXES[axis]] > 1:
                        mask = drawn.to(tensor.device).view(-1, 1, 1, 1, 1)
                        group[name] = torch.where(mask, tensor.flip(AXES[axis]), tensor)
        return groups

    return flip
