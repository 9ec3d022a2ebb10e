"""Sharing a net among processes: a share of each tensor (FSDP2), or a share of each layer's work (tensor parallel).

FSDP2: Zhao et al. 2023, arXiv:2304.11277, as torch's `fully_shard`: each process holds a share of every tensor, of its
gradient and of the optimiser's state, and a block's weights are whole while it computes. Tensor parallel: Shoeybi et
al. 2019, "Megatron-LM", arXiv:1909.08053: each process computes some of a layer's columns, and the whole batch.
"""

from __future__ import annotations

import fnmatch
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from vesalius.core.errors import PlanError
from vesalius.core.plan import Plan
from vesalius.learn.large.recompute import blocks_of
from vesalius.learn.large.shards import Shards
from vesalius.learn.large.swapped import swapped
from vesalius.learn.layers import outer_nets

NONE, TENSOR = "none", "tensor"


def shared(objective: nn.Module, model: nn.Module, plan: Plan, device: torch.device) -> Shards:
    """Share a model among the processes there are, as planned, in place, before an optimiser is made for it.

    `objective` is what is called with a batch, and holds the model. Raises PlanError where there is one process alone,
    or for a net that cannot be shared so.
    """
    train = plan.train
    if train.shard == NONE:
        return Shards()
    size = processes()
    if size < 2:
        raise PlanError(
            f"train.shard={train.shard} shares a net among several processes, and there is one",
            hint="--devices 2, or --set train.shard=none",
        )
    from torch.distributed.device_mesh import init_device_mesh

    model.to(device=device, memory_format=torch.contiguous_format)  # type: ignore[call-overload]
    if train.shard == TENSOR:
        cut = _tensor_plan(model, size, lora=bool(train.lora))
        mesh = init_device_mesh(device.type, (size,))
        return Shards(mesh, _parallel(model, mesh, cut))
    mesh = init_device_mesh(device.type, (size,))
    _fully(objective, model, mesh)
    return Shards(mesh)


def processes() -> int:
    """Return how many processes train together."""
    there = torch.distributed.is_available() and torch.distributed.is_initialized()
    return torch.distributed.get_world_size() if there else 1


def _fully(objective: nn.Module, model: nn.Module, mesh: Any) -> None:
    """Share every tensor: a block's together, and what lies in no block with the whole."""
    from torch.distributed.fsdp import fully_shard

    for _, block in blocks_of(model):
        fully_shard(block, mesh=mesh)
    fully_shard(objective, mesh=mesh)


def _tensor_plan(model: nn.Module, size: int, *, lora: bool) -> dict[str, str]:
    """Return how each layer is shared, by its name in the model. Raises PlanError for a net that does not say."""
    if lora:
        raise PlanError(
            "train.shard=tensor cannot share layers that have adapters beside them",
            found="train.lora",
            hint="--set train.shard=full, or train.lora=0",
        )
    found: dict[str, str] = {}
    nets = outer_nets(model)
    for prefix, net in nets:
        if not net.tensor_parallel:
            raise PlanError(
                f"{type(net).__name__} does not say how its layers can be shared among processes",
                found="train.shard=tensor, which transformers of this project can",
                hint="--set train.shard=full",
            )
        for name, module in net.named_modules():
            for pattern, how in net.tensor_parallel.items():
                if fnmatch.fnmatchcase(name, pattern):
                    found[".".join(filter(None, (prefix, name)))] = how
                    _assert_divides(name, module, how, size)
    return found


def _assert_divides(name: str, module: nn.Module, how: str, size: int) -> None:
    """Raise PlanError where a layer's heads or columns are not the same number for each process."""
    kind, _, parts = how.partition(":")
    many = {
        "heads": lambda: int(module.heads),  # type: ignore[arg-type]
        "columns": lambda: int(module.out_features) // int(parts or 1),  # type: ignore[arg-type]
        "rows": lambda: int(module.in_features),  # type: ignore[arg-type]
    }.get(kind, lambda: size)()
    if many % size:
        raise PlanError(
            f"{size} processes cannot share {many} {'heads' if kind == 'heads' else 'columns'} evenly",
            found=f"train.shard=tensor, '{name}'",
            hint="a number of processes that divides them, or --set train.shard=full",
        )


def _parallel(model: nn.Module, mesh: Any, cut: Mapping[str, str]) -> dict[str, Tensor]:
    """Share the layers; return in which order the rows of weights lie that are several weights in one."""
    from torch.distributed.tensor.parallel import ColwiseParallel, RowwiseParallel, parallelize_module

    size, rank = mesh.size(), mesh.get_local_rank()
    styles: dict[str, Any] = {}
    orders: dict[str, Tensor] = {}
    for name, how in cut.items():
        module = model.get_submodule(name)
        kind, _, parts = how.partition(":")
        if kind == "heads":
            module.heads = int(module.heads) // size  # type: ignore[arg-type]
        elif kind == "dropout":
            swapped(module, type("PartDropout", (PartDropout,), {"size": size, "rank": rank}))
        else:
            styles[name] = ColwiseParallel() if kind == "columns" else RowwiseParallel()
        if parts:
            orders |= _regrouped(name, module, int(parts), size)
    parallelize_module(model, mesh, styles)
    return orders


@torch.no_grad()
def _regrouped(name: str, layer: nn.Module, parts: int, size: int) -> dict[str, Tensor]:
    """Bring the rows of a layer that is `parts` layers in one into an order in which each process has some of each."""
    found: dict[str, Tensor] = {}
    for own, tensor in layer.named_parameters():
        rows = torch.arange(len(tensor)).reshape(parts, size, -1)  # (parts, processes, rows of each)
        order = rows.transpose(0, 1).reshape(-1)
        tensor.copy_(tensor[order.to(tensor.device)].clone())
        found[f"{name}.{own}"] = order
    return found


class PartDropout(nn.Module):
    """Mixed into a dropout over columns of which each process has a part: it draws for all, and keeps its own."""

    size: int
    rank: int
    p: float

    def forward(self, x: Tensor) -> Tensor:
        """Return `(…, C / processes)` with what one process would have left out."""
        if not self.training or not self.p:
            return x
        own = x.shape[-1]
        kept = F.dropout(x.new_ones((*x.shape[:-1], own * self.size)), self.p)
        return x * kept.narrow(-1, self.rank * own, own)
