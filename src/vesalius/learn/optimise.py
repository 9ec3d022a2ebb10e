"""Optimisers, learning-rate schedules and the moving average of weights."""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from torch import Tensor, nn

from vesalius.core.plan import TrainPlan


def optimizer(model: nn.Module, plan: TrainPlan) -> torch.optim.Optimizer:
    """The planned optimiser. Biases and norms (1-D parameters) are not decayed."""
    decayed = [p for p in model.parameters() if p.requires_grad and p.ndim > 1]
    free = [p for p in model.parameters() if p.requires_grad and p.ndim <= 1]
    groups = [{"params": decayed, "weight_decay": plan.weight_decay}, {"params": free, "weight_decay": 0.0}]
    groups = [g for g in groups if g["params"]]
    if plan.optimizer == "sgd":
        return torch.optim.SGD(groups, lr=plan.lr, momentum=plan.momentum, nesterov=plan.momentum > 0)
    if plan.optimizer == "adam":
        return torch.optim.Adam(groups, lr=plan.lr, fused=True)
    return torch.optim.AdamW(groups, lr=plan.lr, fused=True)


def rate(step: float, plan: TrainPlan, steps: int | None = None) -> float:
    """The learning rate of a step of `steps` (the planned number): a linear warm-up, then the schedule down."""
    steps = steps or plan.steps
    warm = max(1, round(plan.warmup * steps)) if plan.warmup else 0
    if step < warm:
        return min(plan.lr, plan.lr * (step + 1) / warm)
    t = (step - warm) / max(1, steps - warm)
    if plan.schedule == "constant":
        return plan.lr
    if plan.schedule == "poly":
        return float(plan.lr * (1 - t) ** 0.9)
    if plan.schedule == "onecycle":
        return float(plan.lr * max(1 - t, 1e-3))
    return plan.lr * (0.5 * (1 + math.cos(math.pi * t)) * 0.999 + 0.001)


class Average:
    """An exponential moving average of a model's parameters and buffers, quick at first and slow later."""

    def __init__(self, model: nn.Module, decay: float) -> None:
        self.decay = decay
        self._sources = {k: v.detach() for k, v in model.state_dict().items()}
        self._own = {k: v.clone() for k, v in self._sources.items()}
        moving = [k for k, v in self._own.items() if v.is_floating_point()]
        self._pairs = [self._own[k] for k in moving], [self._sources[k] for k in moving]
        self._counts = [k for k in self._own if k not in set(moving)]

    @property
    def values(self) -> dict[str, Tensor]:
        """The averages by name; the tensors themselves, not copies."""
        return self._own

    def load(self, values: Mapping[str, Tensor]) -> None:
        """Go on from these averages."""
        for name, own in self._own.items():
            own.copy_(values[name])

    @torch.no_grad()
    def update(self, step: int) -> None:
        """Move towards the weights that the model has after `step`."""
        decay = min(self.decay, (1 + step) / (10 + step))
        torch._foreach_lerp_(*self._pairs, 1 - decay)
        for name in self._counts:
            self._own[name].copy_(self._sources[name])
