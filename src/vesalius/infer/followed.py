"""What torch's exporter follows: a task's answer of a model, with what its networks show, of tensors one by one."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from vesalius.infer.feeds import Feed, Layer, batch_from
from vesalius.infer.layers import looked_at, summed
from vesalius.tasks.contract import Task


class _Noting(dict[str, Tensor]):
    """What is there of each thing, by name, which notes whether anyone looked."""

    touched = False

    def __getattribute__(self, name: str) -> Any:
        if name in ("get", "items", "values", "keys", "copy"):
            self.touched = True
        return super().__getattribute__(name)

    def __getitem__(self, key: str) -> Tensor:
        self.touched = True
        return super().__getitem__(key)

    def __contains__(self, key: object) -> bool:
        self.touched = True
        return super().__contains__(key)

    def __iter__(self) -> Iterator[str]:
        self.touched = True
        return super().__iter__()

    def __len__(self) -> int:
        self.touched = True
        return super().__len__()


class Followed(nn.Module):
    """What is followed: a task's answer of a model, whose inputs are tensors one by one, and what its networks show."""

    def __init__(self, task: Task, model: nn.Module, feeds: Sequence[Feed], watch: bool) -> None:
        super().__init__()
        self.model = model
        self._task, self.feeds, self._watch = task, tuple(feeds), watch
        self.layers: list[Layer] = []
        self.asked_what_is_there = False

    def forward(self, *tensors: Tensor) -> tuple[Tensor, ...]:
        """Return the raw output and, a watched map at a time, means and sums of squared deviations."""
        batch = batch_from(self.feeds, tensors)
        if not torch.compiler.is_exporting():
            batch = replace(batch, present=_Noting(batch.present))
        layers: list[Layer] = []
        sums: list[Tensor] = []

        def look(name: str, maps: Sequence[Tensor], grain: int) -> None:
            for k, found in enumerate(maps):
                n, mean, squares = summed(found)
                stem = f"{len(layers)}.{name}.{k}"
                layer = f"{name}.{k}"
                layers.append(Layer(layer, f"mean.{stem}", f"squares.{stem}", int(n), grain if k == 0 else 0))
                sums.extend([mean, squares])

        with looked_at(self.model, look) if self._watch else contextlib.nullcontext():
            raw = self._task.infer(self.model, batch, torch.Generator(device="cpu").manual_seed(0))
        if not torch.compiler.is_exporting():  # then sizes are numbers
            self.layers = layers
            self.asked_what_is_there = isinstance(batch.present, _Noting) and batch.present.touched
        return (raw.float(), *sums)
