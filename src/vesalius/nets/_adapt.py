"""Weights of one form for a net of another: other input channels, a third axis, other positions."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor


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
