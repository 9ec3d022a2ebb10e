"""Batches in which no two cases say the same, so that none is held against its equal."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch


class Different:
    """Draws the places of a batch: a new order each step, of equal reports the first alone while there are others."""

    def __init__(self, keys: Sequence[int], batch: int) -> None:
        self.keys, self.batch = keys, batch

    def __call__(self, step: int, generator: torch.Generator) -> list[int]:
        import torch

        order = torch.randperm(len(self.keys), generator=generator).tolist()
        seen: set[int] = set()
        first: list[int] = []
        later: list[int] = []
        for k in order:
            (later if self.keys[k] in seen else first).append(k)
            seen.add(self.keys[k])
        chosen = [*first, *later][: self.batch]
        return chosen + [chosen[k % len(chosen)] for k in range(self.batch - len(chosen))]
