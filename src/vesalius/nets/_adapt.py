"""Weights of one form for a net of another: other input channels, a third axis, other positions."""

from __future__ import annotations

import math
from collections.abc import Sequence

from torch import Tensor
from torch.nn import functional as F


def adapted_kernel(tensor: Tensor, shape: Sequence[int], *, first: bool) -> tuple[Tensor, str] | None:
    """Return a convolution's kernel `(O, I, …)` for another shape, and what was done; None where that cannot be.

    A kernel of two axes is inflated to three: repeated along z, each plane with its part of the weight, so that a
    volume of equal planes gives what the plane gives (Carreira and Zisserman 2017, arXiv:1705.07750). `first` says that
    it sees the image, so that its input channels may be others: one channel takes the sum over theirs, as a grey
    picture in colour would give; more take theirs in turn, with as much weight in all.
    """
    said = []
    if tensor.ndim == 4 and len(shape) == 5:
        depth = int(shape[2])
        tensor = tensor[:, :, None].expand(-1, -1, depth, -1, -1) / depth
        said.append(f"inflated to {depth} planes" if depth > 1 else "given a third axis")
    if tensor.ndim < 4 or tensor.ndim != len(shape):
        return None
    theirs, ours = int(tensor.shape[1]), int(shape[1])
    if theirs != ours:
        if not first:
            return None
        if ours == 1:
            tensor = tensor.sum(dim=1, keepdim=True)
            said.append(f"{theirs} channels summed into one")
        else:
            tensor = tensor[:, [k % theirs for k in range(ours)]] * (theirs / ours)
            said.append(f"{ours} channels from {theirs}, with as much weight in all")
    if tuple(tensor.shape) != tuple(shape) or not said:
        return None
    return tensor.contiguous(), ", ".join(said)


def moved_positions(patches: Tensor, grid: Sequence[int]) -> tuple[Tensor, str] | None:
    """Return positions `(1, N, C)` of patches interpolated to a grid, and what was done; None where N tells no grid.

    N is that of a square or, for a grid of three axes, of a cube. A square becomes as many equal planes.
    """
    count = int(patches.shape[1])
    square, cube = math.isqrt(count), round(count ** (1 / 3))
    flat, deep = square**2 == count, len(grid) == 3 and cube**3 == count
    if flat == deep:
        return None
    side = (square,) * 2 if flat else (cube,) * 3
    image = patches.transpose(1, 2).reshape(1, -1, *side)
    target = tuple(grid)[-len(side) :]
    image = F.interpolate(image, size=target, mode="bicubic" if flat else "trilinear", align_corners=False)
    if flat and len(grid) == 3:
        image = image[:, :, None].expand(-1, -1, grid[0], -1, -1)
    said = f"positions of {'×'.join(map(str, side))} patches interpolated to {'×'.join(map(str, grid))}"
    return image.flatten(2).transpose(1, 2), said
