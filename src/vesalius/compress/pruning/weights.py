"""Single weights: the smallest of a model become zero, whichever layer they lie in."""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn


def zeroed(model: nn.Module, share: float) -> nn.Module:
    """Return a model in which so large a share of its weights is zero, the smallest of each layer by its own scale.

    Magnitudes are compared over all layers after each was divided by its root mean square, so that a layer of small
    weights does not go as a whole. Biases and norms stay. Zeros are counted, so that a second time goes on.
    """
    other = copy.deepcopy(model)
    found = _prunable(other)
    scaled = {
        name: p.detach().abs() / p.detach().square().mean().sqrt().clamp_min(1e-12)
        for name, p in found.items()
    }
    every = torch.cat([s.flatten() for s in scaled.values()]) if scaled else torch.zeros(0)
    many = int(share * len(every))
    if not many:
        return other
    limit = every.kthvalue(many).values
    with torch.no_grad():
        for name, p in found.items():
            p.mul_((scaled[name] > limit).to(p))
    return other


def share_of_zeros(model: nn.Module) -> float:
    """Return which share of the weights that may be pruned is zero."""
    found = list(_prunable(model).values())
    return sum(int((p == 0).sum()) for p in found) / max(1, sum(p.numel() for p in found))


def _prunable(model: nn.Module) -> dict[str, Tensor]:
    return {name: p for name, p in model.named_parameters() if p.ndim > 1}
