"""Rows on their way between processes, with gradients: each one's share of all, and all of each one's share."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

if TYPE_CHECKING:
    from vesalius.learn.parallel.crew import Crew


def cut(tensor: Tensor, rows: int, crew: Crew) -> Tensor:
    """Return this process's rows of a tensor `(rows, …)`, with gradients where it has any."""
    if not (tensor.requires_grad and torch.is_grad_enabled()):
        return tensor[crew.rows(rows)]
    found: Tensor = _Cut.apply(tensor, rows, crew)  # type: ignore[no-untyped-call]
    return found


def gathered(tensor: Tensor, rows: int, times: int, crew: Crew) -> Tensor:
    """Return all rows of a tensor of which each process has its share, with gradients.

    There are `rows` in all of what went in, and `times` as many of what came out: `(times · rows, …)`.
    """
    shares = [times * (s.stop - s.start) for s in (crew.rows(rows, k) for k in range(crew.size))]
    if not tensor.is_floating_point():
        return _all_rows(tensor, shares, crew)
    found: Tensor = _Gather.apply(tensor, shares, crew)  # type: ignore[no-untyped-call]
    return found


class _Gather(torch.autograd.Function):
    """All rows from each process's; on the way back a process keeps what belongs to its own, times their number."""

    @staticmethod
    def forward(ctx: Any, tensor: Tensor, shares: list[int], crew: Crew) -> Tensor:
        """Return the rows of all."""
        first = sum(shares[: crew.rank])
        ctx.own, ctx.size = slice(first, first + shares[crew.rank]), crew.size
        return _all_rows(tensor.detach(), shares, crew)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> Any:
        """Return the gradient of this process's rows."""
        return grads[0][ctx.own] * ctx.size, None, None


class _Cut(torch.autograd.Function):
    """A process's rows of all; on the way back what every process found of its own, so that all have every row's.

    What the module's gradients were multiplied by (see `_Gather`) is taken out again: what lies before it may be
    another module whose rows are shared, or something that each process computes from every row alike.
    """

    @staticmethod
    def forward(ctx: Any, tensor: Tensor, rows: int, crew: Crew) -> Tensor:
        """Return the rows of this process."""
        ctx.shares = [s.stop - s.start for s in (crew.rows(rows, k) for k in range(crew.size))]
        ctx.crew = crew
        return tensor[crew.rows(rows)].clone()  # no view, as a module may change what it is given

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> Any:
        """Return the gradient of all rows."""
        return _all_rows(grads[0], ctx.shares, ctx.crew) / ctx.crew.size, None, None


def _all_rows(tensor: Tensor, shares: list[int], crew: Crew) -> Tensor:
    """Return the rows of all processes one after another; shorter shares travel with rows that are thrown away."""
    most = max(shares)
    bytes_ = tensor.contiguous()
    kind = bytes_.dtype
    if kind not in (torch.float32, torch.float64, torch.int64):
        bytes_ = bytes_.reshape(len(bytes_), -1).view(torch.uint8)
    sent = bytes_
    if len(bytes_) < most:
        sent = torch.cat([bytes_, bytes_.new_zeros((most - len(bytes_), *bytes_.shape[1:]))])
    found = [torch.empty_like(sent) for _ in shares]
    torch.distributed.all_gather(found, sent, group=crew.steps)
    joined = torch.cat([one[:n] for one, n in zip(found, shares, strict=True)])
    return joined if joined.dtype == kind else joined.view(kind).reshape(-1, *tensor.shape[1:])
