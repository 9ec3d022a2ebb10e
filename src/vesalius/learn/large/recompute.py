"""Recomputing: a block keeps its input alone, and is computed again when its gradients are needed.

Chen et al. 2016, "Training Deep Nets with Sublinear Memory Cost", arXiv:1604.06174; by `torch.utils.checkpoint`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import partial
from typing import Any

import torch
from torch import nn
from torch.utils.checkpoint import checkpoint

from vesalius.core.errors import PlanError
from vesalius.learn.large.swapped import Unchanged, statistics_kept, swapped
from vesalius.learn.layers import outer_nets
from vesalius.learn.parallel.rows import carried
from vesalius.nets import Net


class Recomputed(nn.Module):
    """Mixed into a block's class: its forward is run again on the way back, with the same draws of dropout."""

    def forward(self, *given: Any, **named: Any) -> Any:
        """Return what the block returns; what lies inside it is not kept."""
        forward = partial(super().forward, **named)
        if not torch.is_grad_enabled():
            return forward(*given)
        return run_again(self, forward, *given, watched=(given, named))


def run_again(module: nn.Module, forward: Any, *given: Any, watched: Any) -> Any:
    """Return `forward(*given)` of a module, of which only what it is given is kept for the way back.

    `watched` holds all the tensors that must be the same then. Raises CodeError for a forward that changes them.
    """
    before = Unchanged(module, watched)

    def contexts() -> tuple[AbstractContextManager[None], AbstractContextManager[None]]:
        return nullcontext(), _again(module, before, carried())

    out = checkpoint(forward, *given, use_reentrant=False, context_fn=contexts)
    before.require()
    return out


@contextmanager
def _again(
    module: nn.Module, before: Unchanged, rows: Callable[[], AbstractContextManager[None]]
) -> Iterator[None]:
    before.require()
    with statistics_kept(module.modules()), rows():
        yield


def recompute(model: nn.Module) -> tuple[str, ...]:
    """Have every block of a model's nets computed again, in place; returns their names. Raises PlanError for none."""
    found = blocks_of(model)
    if not found:
        raise PlanError(
            "the net has no blocks that could be computed again",
            found=", ".join(type(net).__name__ for _, net in outer_nets(model)) or type(model).__name__,
            hint="--set train.recompute=false, or train.accumulate for a batch in parts",
        )
    for _, block in found:
        swapped(block, Recomputed)
    return tuple(name for name, _ in found)


def blocks_of(model: nn.Module) -> list[tuple[str, nn.Module]]:
    """Return the blocks of a model's nets by name: the innermost modules that are more than one layer or a list.

    Lists, sequences of blocks, nets within nets, and whatever holds a list of blocks further inside are looked into: a
    transformer's layers, a residual net's blocks, and a U-Net's convolutions each with its norm are blocks, and none
    lies within another. A model without a net of the registry is looked into itself.
    """
    roots: list[tuple[str, nn.Module]] = [*outer_nets(model)] or [("", model)]
    seen: set[int] = set()
    return [found for name, net in roots for found in _within(name, net, seen)]


def _within(prefix: str, module: nn.Module, seen: set[int]) -> Iterator[tuple[str, nn.Module]]:
    for name, child in module.named_children():
        path = ".".join(filter(None, (prefix, name)))
        if id(child) in seen or not _deep(child):
            continue
        seen.add(id(child))
        if _holds_blocks(child):
            yield from _within(path, child, seen)
        elif any(True for _ in child.parameters()):
            yield path, child


def _deep(module: nn.Module) -> bool:
    """Return whether a module is more than one layer."""
    return any(True for _ in module.children())


def _holds_blocks(module: nn.Module) -> bool:
    """Return whether a module is a net or a list, a sequence with blocks in it, or holds a list of blocks inside."""
    if isinstance(module, Net | nn.ModuleList | nn.ModuleDict):
        return True
    if isinstance(module, nn.Sequential):
        return any(_deep(child) for child in module)
    lists = [m for m in module.modules() if isinstance(m, nn.ModuleList)]
    return any(_deep(child) for one in lists for child in one)
