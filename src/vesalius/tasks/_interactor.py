"""The model of `interact`: a dense net that sees an image with strokes beside it, and says where the object is."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from vesalius.prepare.strokes import CHANNELS
from vesalius.tasks._together import look


class Interactor(nn.Module):
    """A dense net and a 1×1 head: an image `(B, C, Z, Y, X)` and guidance `(B, 4, Z, Y, X)` → logits `(B, 2, Z, Y, X)`.

    The first channel is what is not the object. `spacing` `(z, y, x)` is that of the prepared grid, None in pixels.
    """

    def __init__(
        self, net: Any, criterion: nn.Module, *, spacing: tuple[float, float, float] | None, rounds: int
    ) -> None:
        super().__init__()
        self.net, self.criterion, self.spacing, self.rounds = net, criterion, spacing, rounds
        conv = nn.Conv2d if net.dims == 2 else nn.Conv3d
        self.head = conv(net.out_channels, 2, 1)

    def forward(self, image: Tensor, guidance: Tensor | None = None) -> Tensor:
        """Logits at full resolution; without guidance nothing was shown."""
        if guidance is None:
            guidance = image.new_zeros((image.shape[0], len(CHANNELS), *image.shape[2:]))
        logits: Tensor = self.head(look(self.net, torch.cat([image, guidance], dim=1)).full)
        return logits[:, :, None] if self.net.dims == 2 else logits
