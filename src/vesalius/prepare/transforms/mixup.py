"""Blend each sample with another, images and soft targets alike (Zhang et al. 2018, arXiv 1710.09412)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor

NAMES = {"mixup": "blends each sample with another, with their soft targets"}
STAGE = "mix"
ORDER = 10
FIELDS = ("mixup",)
Named = Mapping[str, Tensor]


def make(settings: Mapping[str, Any], probability: float) -> Callable[..., tuple[Named, Named]] | None:
    """Return the blending whose shares follow Beta(`mixup`, `mixup`), whatever the probability.

    Only targets of a floating type are blended; where there is any other, nothing is.
    """
    a: float = settings["mixup"]
    if not a:
        return None

    def mix(images: Named, targets: Named, generator: torch.Generator) -> tuple[Named, Named]:
        if not targets or not all(t.is_floating_point() for t in targets.values()):
            return images, targets
        n = next(iter(images.values())).shape[0]
        share = _beta(n, a, generator)
        share = torch.maximum(share, 1 - share)
        other = torch.randperm(n, generator=generator)

        def blend(tensor: Tensor) -> Tensor:
            weight = share.to(tensor).view(-1, *(1,) * (tensor.ndim - 1))
            return weight * tensor + (1 - weight) * tensor[other.to(tensor.device)]

        return {k: blend(v) for k, v in images.items()}, {k: blend(v) for k, v in targets.items()}

    return mix


def _beta(n: int, a: float, generator: torch.Generator) -> Tensor:
    """Return `n` draws of Beta(a, a), as a ratio of two gammas from the one generator that is ours."""
    alpha = torch.full((n,), a)
    x = torch._standard_gamma(alpha, generator=generator)
    y = torch._standard_gamma(alpha, generator=generator)
    return x / (x + y).clamp_min(1e-12)
