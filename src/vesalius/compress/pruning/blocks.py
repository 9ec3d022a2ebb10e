"""Blocks: parts of a net whose output has the shape of their input, so that the net runs without them."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.conv import _ConvNd

from vesalius.compress.contract import Member, Source
from vesalius.compress.learning import drawn, mean_loss
from vesalius.compress.pruning.groups import Run
from vesalius.infer.shapes import Form, take

LOOKED_AT = 4  # training batches of each member by which it is told what a block counts for


def blocks_of(model: nn.Module, run: Run) -> list[str]:
    """Return the names of the blocks that can be taken out, the outermost ones.

    They are entries of a list or a sequence of modules that have convolutions or linear layers in them, are asked once,
    and give a tensor of the shape that they are given.
    """
    entries = [
        f"{name}.{k}" if name else k
        for name, parent in model.named_modules()
        if isinstance(parent, nn.Sequential | nn.ModuleList)
        for k, _ in parent.named_children()
    ]
    called: dict[str, list[bool]] = {}
    handles = [
        model.get_submodule(name).register_forward_hook(_looking(called.setdefault(name, [])))
        for name in entries
    ]
    try:
        with torch.no_grad():
            run(model.eval())
    finally:
        for handle in handles:
            handle.remove()
    fit = [n for n in entries if called[n] == [True] and _works(model.get_submodule(n))]
    return [n for n in fit if not any(n.startswith(f"{other}.") for other in fit)]


def _looking(called: list[bool]) -> Any:
    def look(module: nn.Module, inputs: Any, output: Any) -> None:
        alike = isinstance(output, Tensor) and len(inputs) == 1 and isinstance(inputs[0], Tensor)
        called.append(alike and inputs[0].shape == output.shape)

    return look


def _works(module: nn.Module) -> bool:
    return any(isinstance(m, _ConvNd | nn.Linear) for m in module.modules())


def cut_out(model: nn.Module, name: str) -> nn.Module:
    """Return a model without a block: what goes into it comes out of it."""
    other = copy.deepcopy(model)
    take(other, Form(without=(name,)))
    return other


def least(source: Source, members: Sequence[Member], names: Sequence[str]) -> str | None:
    """Return the block without which the loss on training cases is lowest, over all members; None without any."""
    found: dict[str, float] = {}
    for member in members:
        draw = drawn(source, member.number)
        looked_at = [draw(step, torch.device("cpu")) for step in range(LOOKED_AT)]
        for name in names:
            loss = mean_loss(source, cut_out(member.module, name), looked_at)
            found[name] = found.get(name, 0.0) + loss
    return min(found, key=lambda n: found[n]) if found else None
