"""Set a box to zero, which is the mean."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor

from vesalius.prepare.transforms.contract import chosen

NAMES = {"cutout": "sets a box to zero"}
STAGE = "intensity"
ORDER = 60
FIELDS = ("cutout",)


def make(
    settings: Mapping[str, Any], probability: float
) -> Callable[[Tensor, torch.Generator], Tensor] | None:
    """Return what cuts out a box whose sides are `cutout` of the extent."""
    limit: float = settings["cutout"]
    if not limit:
        return None

    def change(image: Tensor, generator: torch.Generator) -> Tensor:
        n, shape = image.shape[0], image.shape[2:]
        drawn = chosen(n, probability, generator)
        mask = torch.ones((n, 1, *shape))
        for k in range(n):
            where: list[slice] = [slice(None)]
            for size in shape:
                width = size if size == 1 else max(1, round(size * limit))
                start = int(torch.randint(0, size - width + 1, (1,), generator=generator))
                where.append(slice(start, start + width))
            if drawn[k]:
                mask[k][tuple(where)] = 0
        return image * mask.to(image)

    return change
