"""Optimisers: one file = one of them; how gradients become changes of weights.

An optimiser's file declares literals that are read without importing it (see `core/options.py`):

    OPTIONS = {"momentum": 0.9}               its own options with their defaults
    LIMITS = {"momentum": {"ge": 0, "lt": 1}} what values they take

and has `make(groups, *, lr, options) -> torch.optim.Optimizer`. `groups` are parameters with the weight decay of each,
as torch takes them.
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
    name: str, model: nn.Module, *, lr: float, weight_decay: float, options: Mapping[str, Any] | None = None
) -> torch.optim.Optimizer:
    """Return the optimiser of that registered name for a model's parameters.

    Biases and norms (1-D parameters) are not decayed. Raises UnknownName for a name or an option that does not exist,
    PlanError for a value that an option does not take.
    """
    chosen = options_of("optimisers", name, options or {}, where="train.optimizer_options")
    decayed = [p for p in model.parameters() if p.requires_grad and p.ndim > 1]
    free = [p for p in model.parameters() if p.requires_grad and p.ndim <= 1]
    groups = [{"params": decayed, "weight_decay": weight_decay}, {"params": free, "weight_decay": 0.0}]
    made = registry.lookup("optimisers", name).make([g for g in groups if g["params"]], lr=lr, options=chosen)
    return cast("torch.optim.Optimizer", made)
