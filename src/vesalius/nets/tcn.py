"""TCN: a temporal convolutional network, whose dilated convolutions each look twice as far as the one before."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from vesalius.core.options import options_of
from vesalius.nets._blocks import width
from vesalius.nets._net import Net
from vesalius.nets._overtime import OverTime
from vesalius.nets._timecode import State, When

NAMES = {"tcn": "dilated convolutions over steps, which answer as they come"}
ROLE = "sequence"
OVER = {"tcn": "vectors"}
DIMS = (2, 3)
SOURCE = (
    "Bai et al.: An empirical evaluation of generic convolutional and recurrent networks, arXiv:1803.01271"
)
SMALLEST = 0.0625
OPTIONS = {"levels": 5, "kernel": 3, "causal": True, "times": "both"}
LIMITS = {
    "levels": {"ge": 1, "le": 12},
    "kernel": {"ge": 2, "le": 15},
    "causal": {"in": [True, False]},
    "times": {"in": ["both", "gap", "none"]},
}
WIDTH = 128


class Dilated(nn.Module):
    """A convolution over steps `(B, reach + T, W)` → `(B, T, W)`; `reach` is how many steps before each it looks at."""

    def __init__(self, channels: int, *, kernel: int, dilation: int) -> None:
        super().__init__()
        self.conv = nn.Conv1d(channels, channels, kernel, dilation=dilation)
        self.reach = (kernel - 1) * dilation

    def forward(self, x: Tensor) -> Tensor:
        """Return the answer to each step that has `reach` before it."""
        return self.conv(x.transpose(1, 2)).transpose(1, 2)  # type: ignore[no-any-return]


class TCN(OverTime):
    """Blocks of two dilated convolutions beside a shortcut, each block twice as far apart as the one before.

    A step is normalised by itself, over its channels, where the paper normalises weights. An answer stands on the
    1 + 2·(kernel - 1)·(2^levels - 1) steps up to its own, 125 of them as it comes; where it is not causal, on as many
    with its own in the middle. Dropout acts behind each convolution.
    """

    def __init__(
        self,
        dims: int,
        in_channels: int,
        *,
        hidden: int,
        levels: int,
        kernel: int,
        causal: bool,
        times: str,
        dropout: float,
    ) -> None:
        super().__init__(dims, in_channels, hidden, causal=causal, times=times, dropout=dropout)
        self.enter = nn.Linear(in_channels + self.code.channels, hidden)
        self.convs = nn.ModuleList(
            Dilated(hidden, kernel=kernel, dilation=2**level) for level in range(levels) for _ in range(2)
        )
        self.norms = nn.ModuleList(nn.LayerNorm(hidden) for _ in self.convs)
        self.drop = nn.Dropout(dropout)

    @property
    def reach(self) -> int:
        """Return how many steps an answer stands on, its own among them."""
        return 1 + sum(conv.reach for conv in self._convs)

    @property
    def _convs(self) -> list[Dilated]:
        return [conv for conv in self.convs if isinstance(conv, Dilated)]

    def blank(self, rows: int) -> State:
        """Return zeros for the steps before the first that each convolution looks at, `(B, reach, W)`."""
        weight = self.enter.weight
        return {
            f"conv{k}": weight.new_zeros(rows, conv.reach, self.out_channels)
            for k, conv in enumerate(self._convs)
        }

    def run(self, x: Tensor, when: When, state: State) -> tuple[Tensor, State]:
        """Return the last block's answers, and the last steps that each convolution looked at."""
        after: State = {}

        def before(k: int, h: Tensor, conv: Dilated) -> Tensor:
            h = torch.cat([state[f"conv{k}"].to(h.dtype), h], dim=1)
            after[f"conv{k}"] = h[:, h.shape[1] - conv.reach :]
            return h

        return self._blocks(x, when, before), after

    def whole(self, x: Tensor, when: When, there: Tensor | None) -> Tensor:
        """Return the answers to whole sequences; where it looks ahead, with zeros on both sides of them."""
        if self.causal:
            return super().whole(x, when, there)

        def around(k: int, h: Tensor, conv: Dilated) -> Tensor:
            if there is not None:
                h = h * there[..., None]
            left = conv.reach // 2
            return F.pad(h, (0, 0, left, conv.reach - left))

        return self._blocks(x, when, around)

    def _blocks(self, x: Tensor, when: When, padded: Any) -> Tensor:
        """Return what the blocks make of steps; `padded(k, h, conv)` adds those that a convolution needs beside."""
        h: Tensor = self.enter(self.coded(x, when))
        shortcut = h
        for k, (conv, norm) in enumerate(zip(self._convs, self.norms, strict=True)):
            h = self.drop(F.relu(norm(conv(padded(k, h, conv)))))
            if k % 2:
                shortcut = h = F.relu(h + shortcut)
        return h


def build(
    name: str,
    *,
    dims: int,
    in_channels: int,
    scale: float = 1.0,
    dropout: float = 0.0,
    size: Sequence[int] | None = None,
    options: Mapping[str, Any] | None = None,
) -> Net:
    """Build a TCN of 128 times `scale` channels; `dims` is that of the plan, and `size` means nothing to it.

    `levels` is how many blocks there are and `kernel` how many steps a convolution reads; without `causal` answers
    stand on steps on both sides. `times` is what is told of when each step was: the gap before it and the time since
    the first (`both`), the `gap` alone, or `none`.
    """
    chosen = options_of("nets", name, options or {}, where=f"{name}: options")
    return TCN(
        dims,
        in_channels,
        hidden=width(WIDTH, scale),
        levels=int(chosen["levels"]),
        kernel=int(chosen["kernel"]),
        causal=bool(chosen["causal"]),
        times=str(chosen["times"]),
        dropout=dropout,
    )
