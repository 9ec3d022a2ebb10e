"""The planned optimiser, the learning rate of a step, and the moving average of weights."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import torch
from torch import Tensor, nn

from vesalius import optimisers, schedules
from vesalius.core.plan import TrainPlan
from vesalius.learn.large.shards import local
from vesalius.learn.layers import rate_scales
from vesalius.learn.phases import span_at


def optimizer(model: nn.Module, plan: TrainPlan, taken: Iterable[str] = ()) -> torch.optim.Optimizer:
    """Return the planned optimiser. Biases and norms (1-D parameters) are not decayed.

    `taken` are the names of the model's tensors that were taken over from given weights, which layer-wise rates are of.
    """
    scales = rate_scales(model, plan.layer_decay, taken)
    return optimisers.build(
        plan.optimizer,
        model,
        lr=plan.lr,
        weight_decay=plan.weight_decay,
        options=plan.optimizer_options,
        scales=scales,
    )


def rate(step: float, plan: TrainPlan, steps: int | None = None) -> float:
    """Return the learning rate of a step of `steps` (the planned number): a linear warm-up, then the schedule down.

    Where the plan has phases, each of them has both to itself.
    """
    steps = steps or plan.steps
    if plan.phases:
        span = span_at(step, plan.phases, steps)
        return plan.phases[span.number].rate * _rate(step - span.begin, plan, span.steps)
    return _rate(step, plan, steps)


def _rate(step: float, plan: TrainPlan, steps: int) -> float:
    warm = max(1, round(plan.warmup * steps)) if plan.warmup else 0
    if step < warm:
        return min(plan.lr, plan.lr * (step + 1) / warm)
    t = (step - warm) / max(1, steps - warm)
    return plan.lr * schedules.factor(plan.schedule, t, options=plan.schedule_options)


class Average:
    """An exponential moving average of a model's parameters and buffers, quick at first and slow later.

    Of tensors that lie on several processes each averages its own part.
    """

    def __init__(self, model: nn.Module, decay: float) -> None:
        self.decay = decay
        self._sources = {k: local(v.detach()) for k, v in model.state_dict().items()}
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
