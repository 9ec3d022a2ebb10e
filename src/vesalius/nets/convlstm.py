"""ConvLSTM: long short-term memory over maps in time, whose gates are convolutions, so that each place remembers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from vesalius.core.options import options_of
from vesalius.nets._blocks import conv, width
from vesalius.nets._net import Net
from vesalius.nets._overtime import OverTime, beside
from vesalius.nets._recurrent import SMALL
from vesalius.nets._timecode import State, When

NAMES = {"convlstm": "long short-term memory over maps, which answers as they come"}
ROLE = "sequence"
OVER = {"convlstm": "maps"}
DIMS = (2, 3)
SOURCE = "Shi et al.: Convolutional LSTM network, NeurIPS 2015, arXiv:1506.04214"
SMALLEST = 0.0625
OPTIONS = {"layers": 1, "kernel": 3, "times": "both"}
LIMITS = {
    "layers": {"ge": 1, "le": 8},
    "kernel": {"in": [1, 3, 5, 7]},
    "times": {"in": ["both", "gap", "none"]},
}
WIDTH = 64


class Cell(nn.Module):
    """One layer: maps `(B, T, C, *S)` and what was remembered → maps `(B, T, H, *S)` and what is then.

    Gates in the order input, forget, cell, output, without the paper's peepholes, whose weights belong to one size.
    What is remembered stays float32, whatever the convolutions compute in.
    """

    def __init__(self, dims: int, inside: int, outside: int, *, kernel: int, coded: int = 0) -> None:
        super().__init__()
        self.see = conv(dims, inside, 4 * outside, kernel=kernel)
        self.remember = conv(dims, outside, 4 * outside, kernel=kernel, bias=False)
        self.code = nn.Linear(coded, 4 * outside, bias=False) if coded else None
        self.outside = outside
        with torch.no_grad():
            bias: Any = self.see.bias
            bias.zero_()
            bias[outside : 2 * outside] = 1.0  # as in `Recurrence`
            if self.code is not None:
                self.code.weight.normal_(std=SMALL)

    def forward(self, x: Tensor, code: Tensor | None, memory: tuple[Tensor, Tensor] | None) -> Any:
        """Return the maps, and what is remembered after the last of them."""
        seen = self.see(x.flatten(0, 1)).unflatten(0, x.shape[:2]).float()
        if self.code is not None and code is not None:
            seen = seen + beside(self.code(code).float(), seen)
        if memory is None:
            memory = (seen.new_zeros(x.shape[0], self.outside, *x.shape[3:]),) * 2
        h, c = memory
        outs = []
        for k in range(x.shape[1]):
            enter, keep, new, leave = (seen[:, k] + self.remember(h).float()).chunk(4, dim=1)
            c = torch.sigmoid(keep) * c + torch.sigmoid(enter) * torch.tanh(new)
            h = torch.sigmoid(leave) * torch.tanh(c)
            outs.append(h)
        return torch.stack(outs, dim=1), (h, c)


class ConvLSTM(OverTime):
    """Layers of convolutional LSTM cells, each `out_channels` wide; dropout acts on what a layer gives."""

    over: ClassVar[str] = "maps"
    chunk = 32

    def __init__(
        self,
        dims: int,
        in_channels: int,
        *,
        hidden: int,
        layers: int,
        kernel: int,
        times: str,
        dropout: float,
    ) -> None:
        super().__init__(dims, in_channels, hidden, causal=True, times=times, dropout=dropout)
        self.layers = nn.ModuleList(
            Cell(
                dims,
                hidden if k else in_channels,
                hidden,
                kernel=kernel,
                coded=0 if k else self.code.channels,
            )
            for k in range(layers)
        )
        self.drop = nn.Dropout(dropout)

    def blank(self, rows: int) -> State:
        """Return nothing: the size of maps is that of the first, before which zeros are remembered."""
        return {}

    def run(self, x: Tensor, when: When, state: State) -> tuple[Tensor, State]:
        """Return the maps of the last layer, and what all remember: `(B, H, *S)`, twice a layer."""
        code, after = self.code(when), {}
        for k, layer in enumerate(self.layers):
            h, c = f"layer{k}.h", f"layer{k}.c"
            memory = (state[h], state[c]) if h in state else None
            x, (after[h], after[c]) = layer(x, code, memory)
            x = self.drop(x)
        return x, after


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
    """Build a ConvLSTM of 64 times `scale` channels; `dims` is that of a map, and `size` means nothing to it.

    `layers` is how many there are, `kernel` the side of their convolutions, `times` what is told of when each step was:
    the gap before it and the time since the first (`both`), the `gap` alone, or `none`.
    """
    chosen = options_of("nets", name, options or {}, where=f"{name}: options")
    return ConvLSTM(
        dims,
        in_channels,
        hidden=width(WIDTH, scale),
        layers=int(chosen["layers"]),
        kernel=int(chosen["kernel"]),
        times=str(chosen["times"]),
        dropout=dropout,
    )
