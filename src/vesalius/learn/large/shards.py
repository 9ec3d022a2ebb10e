"""Weights that lie on several processes: which tensors, how, and back to whole ones with their ordinary names.

A checkpoint and a bundle hold whole tensors, so that a run goes on with any number of processes, and answers with one.
What gathers or cuts here is done by all processes at the same time.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

KERNELS = ("fused", "foreach")  # what an optimiser's group says of how its steps are computed


@dataclass(frozen=True, eq=False)
class Shards:
    """How a model's tensors lie on several processes; without a `mesh` each of them is whole.

    `orders` holds, for weights whose rows are kept in another order, which of its rows come one after another.
    """

    mesh: Any = None
    orders: Mapping[str, Tensor] = field(default_factory=dict)

    @property
    def any(self) -> bool:
        """Whether anything lies on several processes."""
        return self.mesh is not None

    @property
    def leads(self) -> bool:
        """Whether this process answers and writes."""
        return not self.any or torch.distributed.get_rank() == 0

    def whole(self, name: str, value: Any, like: Tensor) -> Any:
        """Return a whole tensor of a parameter, or of what is kept beside it, such as its average.

        `like` is the model's own tensor of that name, and says how it lies.
        """
        DTensor = _dtensor()
        if not isinstance(value, Tensor) or not isinstance(like, DTensor):
            return value
        if not isinstance(value, DTensor):
            if value.shape != like.to_local().shape:  # a count of steps
                return value
            value = DTensor.from_local(
                value, like.device_mesh, like.placements, shape=like.shape, stride=like.stride()
            )
        full = value.detach().full_tensor()
        order = self.orders.get(name)
        return full if order is None else full[torch.argsort(order)]

    def own(self, name: str, value: Any, like: Tensor) -> Any:
        """Return this process's part of a whole tensor of a parameter, or of what is kept beside it."""
        DTensor = _dtensor()
        if not isinstance(value, Tensor) or not isinstance(like, DTensor) or value.shape != like.shape:
            return value
        from torch.distributed.tensor import distribute_tensor

        order = self.orders.get(name)
        value = value.to(like.device)
        value = value if order is None else value[order.to(like.device)]
        return distribute_tensor(value, like.device_mesh, like.placements, src_data_rank=None)

    def whole_of(self, model: nn.Module, values: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
        """Return tensors by the model's names as whole ones."""
        if not self.any:
            return values
        like = model.state_dict()
        return {name: self.whole(name, value, like[name]) for name, value in values.items()}

    @torch.no_grad()
    def put(self, model: nn.Module, values: Mapping[str, Tensor]) -> None:
        """Take whole tensors into a model, all of them by name."""
        if not self.any:
            model.load_state_dict(values)
            return
        for name, into in model.state_dict().items():
            local(into).copy_(local(self.own(name, values[name], into)))

    def suit(self, optimizer: torch.optim.Optimizer) -> None:
        """Have an optimiser take one tensor after another: torch's joined kernels refuse two kinds of them at once."""
        if self.any:
            for group in optimizer.param_groups:
                group.update({name: False for name in KERNELS if name in group})

    def whole_optimizer(self, model: nn.Module, optimizer: torch.optim.Optimizer) -> dict[str, Any]:
        """Return an optimiser's state as that of one process, whole tensors by the number of a parameter."""
        return self._each(model, optimizer, optimizer.state_dict(), self.whole)

    def own_optimizer(
        self, model: nn.Module, optimizer: torch.optim.Optimizer, state: dict[str, Any]
    ) -> dict[str, Any]:
        """Return the part of one process's state of an optimiser that this process needs.

        Which kernels take its steps stays as it is here, whatever those were that the state is of.
        """
        groups = [
            {**group, **{name: own[name] for name in KERNELS if name in own}}
            for group, own in zip(state["param_groups"], optimizer.param_groups, strict=True)
        ]
        return {**self._each(model, optimizer, state, self.own), "param_groups": groups}

    def _each(
        self, model: nn.Module, optimizer: torch.optim.Optimizer, state: dict[str, Any], how: Any
    ) -> dict[str, Any]:
        if not self.any:
            return state
        names = {id(p): name for name, p in model.named_parameters()}
        ordered = [p for group in optimizer.param_groups for p in group["params"]]
        each = {
            number: {
                key: how(names[id(ordered[number])], value, ordered[number]) for key, value in held.items()
            }
            for number, held in state["state"].items()
        }
        return {**state, "state": each}


def local(tensor: Tensor) -> Tensor:
    """Return the part of a tensor that lies on this process, the tensor itself where all of it does."""
    own: Tensor = tensor.to_local() if isinstance(tensor, _dtensor()) else tensor
    return own


@torch.no_grad()
def clip(parameters: Iterable[nn.Parameter], most: float) -> None:
    """Scale gradients, in place, so that the norm of all of them together is at most that.

    As `torch.nn.utils.clip_grad_norm_`, also where some lie on several processes and others do not.
    """
    from torch.distributed.tensor import Replicate

    grads = [p.grad for p in parameters if p.grad is not None]
    if not grads:
        return
    apart, whole = torch.zeros((), device=grads[0].device), torch.zeros((), device=grads[0].device)
    for grad in grads:
        square = local(grad).float().square().sum()
        spread = isinstance(grad, _dtensor()) and not all(isinstance(p, Replicate) for p in grad.placements)
        apart, whole = (apart + square, whole) if spread else (apart, whole + square)
    torch.distributed.all_reduce(apart)
    scale = (most / ((apart + whole).sqrt() + 1e-6)).clamp(max=1.0)
    for grad in grads:
        local(grad).mul_(scale)


def _dtensor() -> Any:
    from torch.distributed.tensor import DTensor

    return DTensor
