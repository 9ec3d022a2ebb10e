"""Masks over time: a dense net sees each frame, and a net over time joins its maps at each point."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from vesalius.nets import Dense
from vesalius.prepare.batch import Batch
from vesalius.prepare.case import MAIN


class Framewise(nn.Module):
    """Frames `(B, T, C, Z, Y, X)` of a batch → the map `(B, C', *S)` after the last of them, as a dense net gives it.

    Frames that are not there pass unseen. There are no coarser maps, so that no deep supervision is possible.
    """

    channels: tuple[int, ...] = ()

    def __init__(self, net: Any, over: Any) -> None:
        super().__init__()
        self.net, self.over = net, over
        self.dims, self.out_channels = int(net.dims), int(over.out_channels)

    def forward(self, batch: Batch) -> Dense:
        """Return the joined map of each case."""
        x, times = batch.images[MAIN], batch.times_s.get(MAIN)
        there = (
            torch.ones(x.shape[:2], dtype=torch.bool, device=x.device) if times is None else ~times.isnan()
        )
        frames = x[there]
        full = self.net(frames[:, :, 0] if self.dims == 2 else frames).full
        maps = full.new_zeros(*x.shape[:2], *full.shape[1:])
        maps[there] = full
        joined = self.over(maps, times, there)
        last = (there * torch.arange(x.shape[1], device=x.device)).amax(dim=1)
        return Dense([], joined[torch.arange(x.shape[0], device=x.device), last])


def input_of(batch: Batch, model: nn.Module) -> Tensor | Batch:
    """Return what a model of masks is given of a batch: its images, or all of it where it sees frames."""
    return batch if isinstance(getattr(model, "net", None), Framewise) else batch.images[MAIN]
