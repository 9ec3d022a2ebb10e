"""The model of `segment`: a dense net with a head, and one for each coarser map under deep supervision."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

from vesalius.prepare.batch import Batch
from vesalius.tasks._together import look


class Segmenter(nn.Module):
    """A dense net and 1×1 heads: `(B, C, Z, Y, X)` → logits `(B, K, Z, Y, X)`, class 0 the background.

    Of a net that sees frames (`_framewise.py`) the input is the batch.

    In training with deep supervision, `coarse` gives logits of the decoder's coarser maps too.
    """

    def __init__(self, net: Any, classes: int, criterion: nn.Module, *, deep: bool) -> None:
        super().__init__()
        self.net, self.criterion = net, criterion
        conv = nn.Conv2d if net.dims == 2 else nn.Conv3d
        self.head = conv(net.out_channels, classes, 1)
        channels = net.channels[1:-1] if deep else ()
        self.deep = nn.ModuleList(conv(c, classes, 1) for c in channels)

    def forward(self, x: Tensor | Batch) -> Tensor:
        """Logits at full resolution."""
        out = look(self.net, x)
        logits: Tensor = self.head(out.full)
        return logits[:, :, None] if self.net.dims == 2 else logits

    def coarse(self, x: Tensor | Batch) -> list[Tensor]:
        """Logits at full resolution and of each coarser map, finest first."""
        out = look(self.net, x)
        maps = [self.head(out.full)]
        maps += [head(f) for head, f in zip(self.deep, out.features[1:], strict=False)]
        return [m[:, :, None] if self.net.dims == 2 else m for m in maps]
