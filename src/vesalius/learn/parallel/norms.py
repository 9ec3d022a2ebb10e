"""Batch normalisation over the rows of all processes: torch's own SyncBatchNorm is for graphics cards alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

if TYPE_CHECKING:
    from vesalius.learn.parallel.crew import Crew


class _Normalised(torch.autograd.Function):
    """What is normalised a channel at a time by the mean and variance of the rows of all processes.

    Sums are added up in double precision, as torch's own layer does on a processor.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, eps: float, crew: Crew) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Return `x` normalised, and the mean, the variance `(C,)` and the number of values a channel of all rows."""
        axes = [k for k in range(x.ndim) if k != 1]
        shape = [1, -1] + [1] * (x.ndim - 2)
        count = x.new_tensor([x.numel() // x.shape[1]], dtype=torch.float64)
        total = crew.sum(torch.cat([x.sum(axes, dtype=torch.float64), count]))
        n = total[-1]
        mean = total[:-1] / n
        centred = x - mean.to(x.dtype).view(shape)
        var = crew.sum(centred.square().sum(axes, dtype=torch.float64)) / n
        scale = torch.rsqrt(var + eps)
        out = centred * scale.to(x.dtype).view(shape)
        ctx.save_for_backward(out, scale, n)
        ctx.crew, ctx.axes, ctx.shape = crew, axes, shape
        ctx.mark_non_differentiable(mean, var, n)
        return out, mean, var, n

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> Any:
        """Return the gradient of this process's rows, through the statistics of all."""
        out, scale, n = ctx.saved_tensors
        grad, shape = grads[0], ctx.shape
        local = torch.stack(
            [grad.sum(ctx.axes, dtype=torch.float64), (grad * out).sum(ctx.axes, dtype=torch.float64)]
        )
        first, second = (ctx.crew.sum(local) / n).to(grad.dtype)
        inner = grad - first.view(shape) - out * second.view(shape)
        return inner * scale.to(grad.dtype).view(shape), None, None


class _Shared(nn.modules.batchnorm._BatchNorm):
    """Batch normalisation whose mean and variance are those of all rows while a module's rows are shared.

    It costs two sums over all processes on the way there and one on the way back, of a number or two a channel.
    """

    crew: Crew

    def forward(self, x: Tensor) -> Tensor:
        """Return `x` `(B, C, …)` normalised a channel at a time."""
        statistics = self.training or self.running_mean is None
        if not (self.crew.splits and statistics):
            return super().forward(x)
        shape = [1, -1] + [1] * (x.ndim - 2)
        wide = x.float() if x.dtype in (torch.float16, torch.bfloat16) else x
        out, mean, var, n = _Normalised.apply(wide, self.eps, self.crew)  # type: ignore[no-untyped-call]
        if self.training:
            self._follow(mean, var, n)
        if self.weight is not None:
            out = out * self.weight.view(shape) + self.bias.view(shape)
        found: Tensor = out.to(x.dtype)
        return found

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
