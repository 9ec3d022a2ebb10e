"""A batch in parts: a net sees one part after another, and the loss sees all of what it says.

What lies inside the net is kept of one part at a time: each is computed again on the way back (Gao et al. 2021,
"Scaling Deep Contrastive Learning Batch Size under Memory Limited Setup", arXiv:2101.06983). As the loss is one of the
whole batch, this is right for every loss, also where it is no mean over cases, and for tasks that draw pairs.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from itertools import pairwise
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm as BatchNorm

from vesalius.core.errors import PlanError
from vesalius.learn.large.recompute import run_again
from vesalius.learn.large.swapped import swapped, tensors_in
from vesalius.learn.layers import outer_nets


class InParts(nn.Module):
    """Mixed into a net's class: a batch passes it in so many parts while it is in training mode."""

    parts: ClassVar[int]
    called: bool = False

    def forward(self, *given: Any, **named: Any) -> Any:
        """Return what the net says of all rows."""
        self.called = True
        forward = super().forward
        rows = next((len(t) for t in tensors_in((given, named)) if t.ndim), 0)
        if not (self.training and torch.is_grad_enabled()) or min(rows, self.parts) < 2:
            return forward(*given, **named)
        pieces = []
        for start, end in _bounds(rows, self.parts):
            part, also = _cut((given, named), rows, start, end)
            pieces.append(run_again(self, partial(forward, **also), *part, watched=(given, named)))
        return _joined(pieces)


def in_parts(model: nn.Module, parts: int) -> None:
    """Have a model's nets see a batch in so many parts, in place.

    Raises PlanError for a model without nets, and for nets whose normalisation looks at the whole batch.
    """
    found = outer_nets(model)
    if not found:
        raise PlanError(
            "the model has no net that could see a batch in parts", hint="--set train.accumulate=1"
        )
    for name, net in found:
        if any(isinstance(m, BatchNorm) for m in net.modules()):
            raise PlanError(
                "train.accumulate would change what is learned: BatchNorm looks at all of a batch at once",
                found=f"BatchNorm in '{name or type(net).__name__}'",
                hint="--set train.recompute=true, or a net with another norm, such as net.options.norm=group",
            )
    kind = type("InParts", (InParts,), {"parts": parts})
    for _, net in found:
        swapped(net, kind)


def assert_in_parts(model: nn.Module, recipe: str) -> None:
    """Raise PlanError where, after a step, no net that learns was asked as a whole: then nothing was in parts."""
    nets = [net for _, net in outer_nets(model) if isinstance(net, InParts) and net.training]
    if nets and not any(net.called for net in nets):
        raise PlanError(
            f"recipe '{recipe}' asks parts of a net by themselves, so that train.accumulate saves nothing",
            found=", ".join(type(net).__name__ for net in nets),
            hint="--set train.accumulate=1 train.recompute=true",
        )


def _bounds(rows: int, parts: int) -> list[tuple[int, int]]:
    """Return where each of so many parts begins and ends; they differ by one row at most."""
    parts = min(rows, parts)
    edges = [rows * k // parts for k in range(parts + 1)]
    return list(pairwise(edges))


def _cut(value: Any, rows: int, start: int, end: int) -> Any:
    """Return the rows from `start` to `end` of all tensors in what a net is given.

    Raises PlanError for a tensor with another number of rows, as nobody knows what becomes of it.
    """
    if isinstance(value, Tensor):
        if not value.ndim or len(value) != rows:
            raise PlanError(
                "what this net is given cannot be cut into parts of a batch",
                found=f"a tensor of shape {tuple(value.shape)} beside {rows} rows",
                hint="--set train.accumulate=1, or train.recompute=true",
            )
        return value[start:end]
    if isinstance(value, Mapping):
        return {k: _cut(v, rows, start, end) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return _like(value, [_cut(v, rows, start, end) for v in value])
    return value


def _joined(pieces: list[Any]) -> Any:
    """Return what a net said of each part as what it would have said of all rows. Raises PlanError where it cannot."""
    first = pieces[0]
    if isinstance(first, Tensor):
        if not first.ndim or any(p.shape[1:] != first.shape[1:] for p in pieces):
            shapes = ", ".join(str(tuple(p.shape)) for p in pieces)
            raise PlanError(
                "what this net says of parts of a batch cannot be joined",
                found=f"shapes {shapes}",
                hint="--set train.accumulate=1, or train.recompute=true",
            )
        return torch.cat(pieces)
    if isinstance(first, Mapping):
        return {k: _joined([p[k] for p in pieces]) for k in first}
    if isinstance(first, list | tuple):
        return _like(first, [_joined(list(each)) for each in zip(*pieces, strict=True)])
    if first is None:
        return None
    raise PlanError(
        "what this net says of parts of a batch cannot be joined",
        found=type(first).__name__,
        hint="--set train.accumulate=1, or train.recompute=true",
    )


def _like(kind: Any, values: list[Any]) -> Any:
    """Return values as a list or tuple of the same kind, a named one as well."""
    return type(kind)(*values) if hasattr(kind, "_fields") else type(kind)(values)
