"""Optimisers: one file = one of them; how gradients become changes of weights.

An optimiser's file declares literals that are read without importing it (see `core/options.py`):

    OPTIONS = {"momentum": 0.9}               its own options with their defaults
    LIMITS = {"momentum": {"ge": 0, "lt": 1}} what values they take

and has `make(groups, *, lr, options) -> torch.optim.Optimizer`. `groups` are parameters with the weight decay of each,
as torch takes them; one that learns at another rate than `lr` also has its `lr`, and that as a share (`rate_scale`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, cast

from vesalius.core import registry
from vesalius.core.joining import literals_in, options_in
from vesalius.core.options import options_of

if TYPE_CHECKING:
    import torch
    from torch import nn

__all__ = ["MUST", "adopt", "build"]
MUST = ("make",)


def adopt(thing: Any, name: str, said: Mapping[str, Any]) -> dict[str, Any]:
    """Return what an optimiser's file would hold, of a class of torch.optim.Optimizer. Raises RegisterError."""
    options = options_in(thing, ("params", "lr", "weight_decay"))

    def make(groups: list[dict[str, Any]], *, lr: float, options: Mapping[str, Any]) -> torch.optim.Optimizer:
        return cast("torch.optim.Optimizer", thing(groups, lr=lr, **options))

    return {"OPTIONS": options, **literals_in(thing), **said, "make": make}


def build(
    name: str,
    model: nn.Module,
    *,
    lr: float,
    weight_decay: float,
    options: Mapping[str, Any] | None = None,
    scales: Mapping[str, float] | None = None,
) -> torch.optim.Optimizer:
    """Return the optimiser of that registered name for a model's parameters.

    Biases and norms (1-D parameters) are not decayed. `scales` holds, by the names of parameters, the share of `lr`
    that each of them learns at; 1 where it says nothing. Raises UnknownName for a name or an option that does not
    exist, PlanError for a value that an option does not take.
    """
    chosen = options_of("optimisers", name, options or {}, where="train.optimizer_options")
    groups: list[dict[str, Any]] = []
    for scale, parameters in _by_scale(model, scales or {}).items():
        own = {} if scale == 1.0 else {"lr": lr * scale, "rate_scale": scale}
        decayed = [p for p in parameters if p.ndim > 1]
        free = [p for p in parameters if p.ndim <= 1]
        groups.append({"params": decayed, "weight_decay": weight_decay, **own})
        groups.append({"params": free, "weight_decay": 0.0, **own})
    made = registry.lookup("optimisers", name).make([g for g in groups if g["params"]], lr=lr, options=chosen)
    return cast("torch.optim.Optimizer", made)


def _by_scale(model: nn.Module, scales: Mapping[str, float]) -> dict[float, list[nn.Parameter]]:
    """Return the parameters that learn by the share of the rate that they learn at, each in the model's order."""
    found: dict[float, list[nn.Parameter]] = {1.0: []}
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            found.setdefault(scales.get(name, 1.0), []).append(parameter)
    return found
