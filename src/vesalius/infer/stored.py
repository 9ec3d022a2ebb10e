"""Weights as a bundle's file holds them: a tensor that is mostly zero as where it is not, and its values there.

A tensor of which many values are zero is written as `NAME:values`, what is not zero in order, `NAME:mask`, one bit a
place, and `NAME:shape`; no tensor of a model has a colon in its name. It is read back bit for bit.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from vesalius.core.errors import BundleError

VALUES, MASK, SHAPE = ":values", ":mask", ":shape"
MANY = 0.25  # of the values are zero: from here on it is smaller without them, whatever their type
FEWEST = 256  # values: below, nothing is saved
LARGEST = 1 << 34  # places of a tensor that is unpacked; a file that says more is damaged


def packed(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return tensors to be written, those that are mostly zero without their zeros."""
    found: dict[str, Tensor] = {}
    for name, tensor in weights.items():
        tensor = tensor.detach().cpu().contiguous()
        there = tensor.flatten() != 0
        if tensor.numel() < FEWEST or float(there.float().mean()) > 1 - MANY:
            found[name] = tensor
            continue
        found[name + VALUES] = tensor.flatten()[there].contiguous()
        found[name + MASK] = torch.from_numpy(np.packbits(there.numpy()))
        found[name + SHAPE] = torch.tensor(tensor.shape, dtype=torch.int64)
    return found


def unpacked(held: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the tensors that a file holds, with their zeros. Raises BundleError for what does not fit together."""
    found = {name: t for name, t in held.items() if ":" not in name}
    for name in (n.removesuffix(VALUES) for n in held if n.endswith(VALUES)):
        found[name] = _whole(name, held)
    odd = set(held) - set(found) - {n + part for n in found for part in (VALUES, MASK, SHAPE)}
    if odd:
        raise BundleError("weights without zeros cannot be put together", found=", ".join(sorted(odd)[:3]))
    return found


def _whole(name: str, held: Mapping[str, Tensor]) -> Tensor:
    try:
        values, mask, shape = (held[name + part] for part in (VALUES, MASK, SHAPE))
        size = [int(n) for n in shape.tolist()]
        places = math.prod(size)
        if any(n < 0 for n in size) or not places <= LARGEST or len(mask) != -(-places // 8):
            raise ValueError(f"a mask of {8 * len(mask)} places for {size}")
        there = torch.from_numpy(np.unpackbits(mask.numpy(), count=places).astype(bool))
        if int(there.sum()) != len(values):
            raise ValueError(f"{len(values)} values for {int(there.sum())} places")
    except (KeyError, TypeError, ValueError) as error:
        raise BundleError(f"the weights '{name}' cannot be put together", found=str(error)[:100]) from error
    whole = torch.zeros(places, dtype=values.dtype)
    whole[there] = values
    return whole.view(size)


def weights_of(path: Path) -> dict[str, Tensor]:
    """Return the weights that a bundle's file holds, on the CPU. Raises BundleError, and what safetensors raises."""
    from safetensors.torch import load_file

    return unpacked(load_file(path, device="cpu"))


def written_as(weights: Mapping[str, Tensor]) -> bytes:
    """Return a file of weights, without zeros where there are many."""
    from safetensors.torch import save

    return save(packed(weights))
