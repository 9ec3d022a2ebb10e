"""For what looks into a net while its rows are shared: which rows it sees there, and what all processes see together.

A hook inside a net, or a figure of a whole batch that a layer finds, meets a process's own rows alone. It asks here.
Where nothing is shared each of these gives back what it is given.
"""

from __future__ import annotations

import torch
from torch import Tensor

from vesalius.learn.parallel.joined import gathered
from vesalius.learn.parallel.rows import split_now


def own_rows(tensor: Tensor) -> Tensor:
    """Return the rows that are computed here at this moment of a tensor of all rows, `(B, …)`."""
    split = split_now()
    return tensor if split is None or len(tensor) != split.rows else tensor[split.own]


def all_rows(tensor: Tensor) -> Tensor:
    """Return what was found of the rows computed here, `(b, …)` or `(times · b, …)`, of all rows, with gradients."""
    split = split_now()
    if split is None:
        return tensor
    return gathered(tensor, split.rows, len(tensor) // (split.own.stop - split.own.start), split.crew)


@torch.no_grad()
def total(tensor: Tensor) -> Tensor:
    """Return the sum over the processes that compute rows at this moment, without gradients."""
    split = split_now()
    return tensor if split is None else split.crew.sum(tensor.detach().clone())


@torch.no_grad()
def largest(tensor: Tensor) -> Tensor:
    """Return the largest of each number over the processes that compute rows at this moment, without gradients."""
    split = split_now()
    return tensor if split is None else split.crew.largest(tensor.detach().clone())
