"""Labels: which removable unit each element of a tensor belongs to, and which units are one (union-find)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

FROZEN = 0  # the unit of all that stays


class Units:
    """Numbered units of a model's tensors, joined where one cannot be removed without the other.

    Unit `FROZEN` stays; whatever is joined with it stays, too. `why` says of joined units why they stay.
    """

    def __init__(self) -> None:
        self._parent = [FROZEN]
        self.why: dict[str, int] = {}

    def new(self, many: int) -> range:
        """Return the numbers of so many new units."""
        first = len(self._parent)
        self._parent += range(first, first + many)
        return range(first, first + many)

    def root(self, unit: int) -> int:
        """Return the unit that stands for all that are joined with this one; `FROZEN` where that is among them."""
        parent, top = self._parent, unit
        while parent[top] != top:
            top = parent[top]
        while parent[unit] != top:
            parent[unit], unit = top, parent[unit]
        return top

    def join(self, one: Tensor, other: Tensor) -> None:
        """Join units element by element; the tensors broadcast."""
        one, other = torch.broadcast_tensors(one, other)  # type: ignore[no-untyped-call]
        for axis in range(one.ndim):
            if one.stride(axis) == 0 and other.stride(axis) == 0 and one.shape[axis] > 1:
                one, other = one.narrow(axis, 0, 1), other.narrow(axis, 0, 1)
        pairs = np.unique(np.stack([one.reshape(-1).numpy(), other.reshape(-1).numpy()]), axis=1)
        for a, b in pairs.T.tolist():
            low, high = sorted((self.root(a), self.root(b)))
            self._parent[high] = low

    def freeze(self, units: Tensor, why: str) -> None:
        """Let units stay, for a reason in words."""
        found = [u for u in np.unique(squeezed(units).numpy()).tolist() if self.root(u) != FROZEN]
        if found:
            self.why[why] = self.why.get(why, 0) + len(found)
        for unit in found:
            self._parent[self.root(unit)] = FROZEN


def frozen(shape: Sequence[int]) -> Tensor:
    """Return labels of a tensor of which nothing is removed."""
    return torch.zeros((1,) * len(shape), dtype=torch.int64).expand(tuple(shape))


def along(units: range, shape: Sequence[int], axis: int) -> Tensor:
    """Return labels of a tensor of this shape whose places along one axis are these units."""
    form = [1] * len(shape)
    form[axis] = len(units)
    return torch.arange(units.start, units.stop).view(form).expand(tuple(shape))


def varies(labels: Tensor, axis: int) -> bool:
    """Return whether labels differ along an axis."""
    if labels.shape[axis] <= 1 or labels.stride(axis) == 0:
        return False
    return bool((labels != labels.narrow(axis, 0, 1)).any())


def squeezed(labels: Tensor) -> Tensor:
    """Return labels with one place along each axis along which they do not differ."""
    for axis in range(labels.ndim):
        if labels.shape[axis] > 1 and not varies(labels, axis):
            labels = labels.narrow(axis, 0, 1)
    return labels


def spread(labels: Tensor, shape: Sequence[int]) -> Tensor:
    """Return labels, which have one place or all along each axis, on a shape."""
    return squeezed(labels).expand(tuple(shape))
