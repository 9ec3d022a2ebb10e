"""The mean of gradients over all processes, in buckets; a parameter that nobody has a gradient of keeps none."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Protocol

import torch
from torch import Tensor, nn

from vesalius.learn.large.shards import local

BUCKET = 25 * 2**20  # bytes that go at once, as in torch's DistributedDataParallel


class Summing(Protocol):
    """Who sums: a crew."""

    size: int

    def sum(self, value: Tensor) -> Tensor:
        """Return the sum over all processes, in place."""


def mean(parameters: Sequence[nn.Parameter], crew: Summing) -> None:
    """Replace the gradients of parameters by their mean over the crew, in place.

    Those of a tensor that lies on several processes are left alone: FSDP2 has brought them together.

    Whose part of a batch does not touch a parameter counts as zero; where no part does, the gradient stays None, so
    that the optimiser passes it over as one process would.
    """
    learning = [p for p in parameters if p.requires_grad and local(p) is p]
    if not learning:
        return
    has = torch.tensor([p.grad is not None for p in learning], dtype=torch.int32, device=learning[0].device)
    crew.sum(has)
    held = [p for p, n in zip(learning, has.tolist(), strict=True) if n]
    for one in held:
        if one.grad is None:
            one.grad = torch.zeros_like(one)
    for bucket in _buckets([p.grad for p in held if p.grad is not None]):
        joined = torch.cat([one.reshape(-1) for one in bucket])
        crew.sum(joined).div_(crew.size)
        for own, found in zip(bucket, torch.split(joined, [one.numel() for one in bucket]), strict=True):
            own.copy_(found.view(own.shape))


def _buckets(tensors: Sequence[Tensor]) -> Iterator[list[Tensor]]:
    """Yield the tensors in their order, those of one type together up to a bucket's size."""
    bucket: list[Tensor] = []
    size = 0
    for one in tensors:
        if bucket and (size + one.nbytes > BUCKET or one.dtype != bucket[0].dtype):
            yield bucket
            bucket, size = [], 0
        bucket.append(one)
        size += one.nbytes
    if bucket:
        yield bucket
