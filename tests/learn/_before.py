"""The optimisers and learning rates of before they were files (commit cc2ddb9), word for word, to compare bits with."""

from __future__ import annotations

import math

import torch
from torch import nn


def optimizer(
    model: nn.Module, name: str, lr: float, momentum: float, weight_decay: float
) -> torch.optim.Optimizer:
    decayed = [p for p in model.parameters() if p.requires_grad and p.ndim > 1]
    free = [p for p in model.parameters() if p.requires_grad and p.ndim <= 1]
    groups = [{"params": decayed, "weight_decay": weight_decay}, {"params": free, "weight_decay": 0.0}]
    groups = [g for g in groups if g["params"]]
    if name == "sgd":
        return torch.optim.SGD(groups, lr=lr, momentum=momentum, nesterov=momentum > 0)
    if name == "adam":
        return torch.optim.Adam(groups, lr=lr, fused=True)
    return torch.optim.AdamW(groups, lr=lr, fused=True)


def rate(step: float, schedule: str, lr: float, warmup: float, steps: int) -> float:
    warm = max(1, round(warmup * steps)) if warmup else 0
    if step < warm:
        return min(lr, lr * (step + 1) / warm)
    t = (step - warm) / max(1, steps - warm)
    if schedule == "constant":
        return lr
    if schedule == "poly":
        return float(lr * (1 - t) ** 0.9)
    if schedule == "onecycle":
        return float(lr * max(1 - t, 1e-3))
    return lr * (0.5 * (1 + math.cos(math.pi * t)) * 0.999 + 0.001)
