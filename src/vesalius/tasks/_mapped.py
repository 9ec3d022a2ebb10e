"""Isotonic maps in torch, so that gradients pass; the same as `core.isotonic.mapped`, but for rounding."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from vesalius.core.isotonic import Knots


def mapped(
    maps: Mapping[str, Knots] | None, p: Tensor, *, labels: Sequence[str], multilabel: bool = False
) -> Tensor:
    """Return probabilities `(B, K)` after the maps of their labels; without maps they stay what they are."""
    if not maps:
        return p
    columns = list(p.unbind(dim=-1))
    for name, knots in maps.items():
        k = list(labels).index(name)
        columns[k] = _interpolated(columns[k], knots)
    if multilabel:
        return torch.stack(columns, dim=-1)
    if len(labels) == 2 and len(maps) == 1:
        k = list(labels).index(next(iter(maps)))
        columns[1 - k] = 1 - columns[k]
        return torch.stack(columns, dim=-1)
    found = torch.stack(columns, dim=-1)
    return found / found.sum(dim=-1, keepdim=True)


def _interpolated(p: Tensor, knots: Knots) -> Tensor:
    """Return the values `(B,)` on the line through the knots; constant beyond them, NaN where `p` is NaN."""
    x, y = (torch.tensor(list(knots[axis]), dtype=p.dtype, device=p.device) for axis in ("x", "y"))
    if len(x) == 1:
        return y[0] + 0 * p
    held = p.clamp(float(x[0]), float(x[-1]))
    right = torch.searchsorted(x, held.detach().contiguous()).clamp(1, len(x) - 1)
    left = right - 1
    return y[left] + (held - x[left]) / (x[right] - x[left]) * (y[right] - y[left])
