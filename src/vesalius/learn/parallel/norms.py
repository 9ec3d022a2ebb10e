"""Batch normalisation over the rows of all processes: torch's own SyncBatchNorm is for graphics cards alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

if TYPE_CHECKING:
    from vesalius.learn.parallel.crew import Crew


class _Sum(torch.autograd.Function):
    """The sum over all processes; on the way back the gradients of all are summed, too."""

    @staticmethod
    def forward(ctx: Any, tensor: Tensor, crew: Crew) -> Tensor:
        """Return the sum, in the same shape."""
        ctx.crew = crew
        return crew.sum(tensor.clone())

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> Any:
        """Return the sum of the gradients."""
        return ctx.crew.sum(grads[0].contiguous().clone()), None


class _Shared(nn.modules.batchnorm._BatchNorm):
    """Batch normalisation whose mean and variance are those of all rows while a module's rows are shared.

    It costs two sums over all processes on the way there and as many on the way back, of a number a channel each.
    """

    crew: Crew

    def forward(self, x: Tensor) -> Tensor:
        """Return `x` `(B, C, …)` normalised a channel at a time."""
        statistics = self.training or self.running_mean is None
        if not (self.crew.splits and statistics):
            return super().forward(x)
        axes = [k for k in range(x.ndim) if k != 1]
        shape = [1, -1] + [1] * (x.ndim - 2)
        wide = x.float() if x.dtype in (torch.float16, torch.bfloat16) else x
        local = torch.cat([wide.sum(axes), wide.new_tensor([float(x.numel() // x.shape[1])])])
        total = _summed(local, self.crew)
        n = total[-1].detach()
        mean = total[:-1] / n
        centred = wide - mean.view(shape)
        var = _summed(centred.square().sum(axes), self.crew) / n
        if self.training:
            self._follow(mean.detach(), var.detach(), n)
        out = centred * torch.rsqrt(var + self.eps).view(shape)
        if self.weight is not None:
            out = out * self.weight.view(shape) + self.bias.view(shape)
        return out.to(x.dtype)

    @torch.no_grad()
    def _follow(self, mean: Tensor, var: Tensor, n: Tensor) -> None:
        """Move the running statistics as torch does, the variance by n / (n - 1)."""
        if self.running_mean is None or self.running_var is None or self.num_batches_tracked is None:
            return
        self.num_batches_tracked.add_(1)
        share = 1.0 / float(self.num_batches_tracked) if self.momentum is None else self.momentum
        self.running_mean.lerp_(mean.to(self.running_mean.dtype), share)
        self.running_var.lerp_((var * (n / (n - 1).clamp_min(1))).to(self.running_var.dtype), share)


class _Shared1d(_Shared, nn.BatchNorm1d):
    """Of rows, or of rows with a line each."""


class _Shared2d(_Shared, nn.BatchNorm2d):
    """Of pictures."""


class _Shared3d(_Shared, nn.BatchNorm3d):
    """Of volumes."""


_KINDS: dict[type[nn.Module], type[_Shared]] = {
    nn.BatchNorm1d: _Shared1d,
    nn.BatchNorm2d: _Shared2d,
    nn.BatchNorm3d: _Shared3d,
}


def convert(model: nn.Module, crew: Crew) -> None:
    """Have a model's batch normalisation go by all rows, in place; names and weights stay as they are."""
    for module in model.modules():
        kind = _KINDS.get(type(module))
        if kind is not None:
            module.__class__ = kind
            module.crew = crew  # type: ignore[assignment]


def _summed(tensor: Tensor, crew: Crew) -> Tensor:
    found: Tensor = _Sum.apply(tensor, crew)  # type: ignore[no-untyped-call]
    return found
