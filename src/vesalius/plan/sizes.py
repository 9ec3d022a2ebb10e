"""Sizes that a machine can train: a shape, cut down until it fits."""

from __future__ import annotations

import math


def up(n: int, unit: int) -> int:
    """Return the next multiple of `unit`, one unit at least."""
    return max(unit, -(-n // unit) * unit)


def box(shape: tuple[int, int, int], budget: int, unit: int) -> list[int]:
    """Return the shape, shrunk along its longest axis until its volume is within `budget`; multiples of `unit`."""
    size = [up(n, unit) if n > 1 else 1 for n in shape]
    while math.prod(size) > budget:
        k = max(range(3), key=lambda a: size[a])
        if size[k] <= unit:
            break
        size[k] -= unit
    return size
