"""What namings of U-Nets share: the order of joined channels, biases that a norm cancels, axes that were swapped."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from torch import Tensor

Tensors = dict[str, "Tensor"]


def skip_first(kernel: Tensor) -> Tensor:
    """Return a kernel whose input is the skip, then the coarser map; theirs sees the coarser map, then the skip."""
    up, skip = kernel.chunk(2, dim=1)
    return torch.cat((skip, up), dim=1)


def without_biases(tensors: Tensors, norms: Mapping[str, str]) -> Tensors:
    """Return tensors without biases before norms, which subtract them again: `norms` is the norm of each convolution.

    A norm over the image, or over groups of one channel, cancels them; batch normalisation keeps them in its running
    mean, from which they are taken.
    """
    out = dict(tensors)
    for conv, norm in norms.items():
        bias = out.pop(f"{conv}.bias", None)
        if bias is not None and f"{norm}.running_mean" in out:
            out[f"{norm}.running_mean"] = out[f"{norm}.running_mean"] - bias
    return out


def swapped(tensors: Tensors, order: Sequence[int]) -> Tensors:
    """Return kernels with their spatial axes in another order: axis k of ours is axis `order[k]` of theirs."""
    if list(order) == sorted(order):
        return tensors
    places = (0, 1, *(2 + int(k) for k in order))
    return {k: t.permute(places).contiguous() if t.ndim == len(places) else t for k, t in tensors.items()}
