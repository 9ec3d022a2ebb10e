"""Means over parts of volumes in a form that graphs have: ONNX knows no pooling to a given size in three dimensions."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn


class PlainMean(nn.Module):
    """What `nn.AdaptiveAvgPool3d` computes, `(B, C, Z, Y, X)` → `(B, C, *size)`, as a product with weights an axis."""

    def __init__(self, size: int | tuple[int | None, int | None, int | None]) -> None:
        super().__init__()
        self.size = (size,) * 3 if isinstance(size, int) else size

    def forward(self, x: Tensor) -> Tensor:
        """Return the means; part i of n along an axis of N begins at floor(i N / n) and ends at ceil((i + 1) N / n)."""
        for axis, size in zip((2, 3, 4), self.size, strict=True):
            length = x.shape[axis]
            if size is not None and size != length:
                x = torch.tensordot(x, _weights(int(length), size).to(x), dims=([axis], [1])).movedim(
                    -1, axis
                )
        return x


def with_plain_means(model: nn.Module) -> nn.Module:
    """Return the model with the poolings in it exchanged that no graph has; they are its own otherwise."""
    for name, module in list(model.named_modules()):
        if isinstance(module, nn.AdaptiveAvgPool3d):
            size: Any = module.output_size
            model.set_submodule(name, PlainMean(size))
    return model


def _weights(length: int, size: int) -> Tensor:
    """Return how much each of `length` places counts in each of `size` means, `(size, length)`."""
    rows = []
    for i in range(size):
        first, last = i * length // size, -(-(i + 1) * length // size)
        row = torch.zeros(length)
        row[first:last] = 1 / (last - first)
        rows.append(row)
    return torch.stack(rows)
