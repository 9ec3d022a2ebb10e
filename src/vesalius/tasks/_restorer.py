"""The model of `restore`: a dense net and a head for what is wrong with the image, which begins as next to nothing."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn


class Restorer(nn.Module):
    """A dense net and a 1×1 head: `(B, C, Z, Y, X)` → what to add to each channel, `(B, C, Z, Y, X)`.

    Weights of the head begin near 0, so that the first answer is nearly the image as it is (Zhang et al. 2017, DnCNN: a
    net learns what is wrong more easily than what is right).
    """

    def __init__(self, net: Any, channels: int, criterion: nn.Module) -> None:
        super().__init__()
        self.net, self.criterion = net, criterion
        conv = nn.Conv2d if net.dims == 2 else nn.Conv3d
        self.head = conv(net.out_channels, channels, 1)
        nn.init.normal_(self.head.weight, std=1e-3)
        nn.init.zeros_(self.head.bias)  # type: ignore[arg-type]

    def forward(self, x: Tensor) -> Tensor:
        """What to add at full resolution, in deviations of the image."""
        out = self.net(x[:, :, 0] if self.net.dims == 2 else x)
        found: Tensor = self.head(out.full)
        return found[:, :, None] if self.net.dims == 2 else found
