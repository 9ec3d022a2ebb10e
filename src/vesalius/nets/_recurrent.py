"""Recurrent nets: LSTM and GRU in layers, one way or both ways, on steps that stand first (see `_overtime.py`)."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from vesalius.nets._blocks import width
from vesalius.nets._overtime import OverTime, taken
from vesalius.nets._timecode import State, When

WIDTH = 128
GATES = {"lstm": 4, "gru": 3}
SMALL = 0.02  # deviation of the first weights on time codes: the input comes first, and time where it helps


class Recurrence(nn.Module):
    """One layer of LSTM or GRU cells, one way: `(B, T, F)` and what was remembered → `(B, T, H)` and what is then.

    Parameters have torch's names and order of gates (`nn.LSTM`: input, forget, cell, output; `nn.GRU`: reset, update,
    new). It computes in float32 whatever is around it, as rounded states would drift over many steps; and on a GPU by
    torch's own kernels, whose sums have one order and which give gradients while a net answers, as cuDNN's do not.
    """

    def __init__(self, kind: str, inside: int, outside: int, *, coded: int = 0) -> None:
        super().__init__()
        self.kind, self.outside = kind, outside
        gates = GATES[kind] * outside
        self.weight_ih_l0 = nn.Parameter(torch.empty(gates, inside + coded))
        self.weight_hh_l0 = nn.Parameter(torch.empty(gates, outside))
        self.bias_ih_l0 = nn.Parameter(torch.zeros(gates))
        self.bias_hh_l0 = nn.Parameter(torch.zeros(gates))
        nn.init.xavier_uniform_(self.weight_ih_l0)
        nn.init.orthogonal_(self.weight_hh_l0)
        with torch.no_grad():
            if coded:
                self.weight_ih_l0[:, inside:].normal_(std=SMALL)
            if kind == "lstm":  # what is remembered stays so at first (Jozefowicz et al. 2015, ICML)
                self.bias_ih_l0[outside : 2 * outside] = 1.0

    @property
    def remembered(self) -> tuple[str, ...]:
        """Return the names of what it remembers."""
        return ("h", "c") if self.kind == "lstm" else ("h",)

    def forward(self, x: Tensor, memory: Sequence[Tensor]) -> tuple[Tensor, tuple[Tensor, ...]]:
        """Return what each step gives, and the memory `(B, H)` after the last."""
        weights: list[Tensor] = [self.weight_ih_l0, self.weight_hh_l0, self.bias_ih_l0, self.bias_hh_l0]
        begun = [m[None] for m in memory]
        # biases, one layer, no dropout, no training mode, one way, batch first
        how = (True, 1, 0.0, False, False, True)
        with plainly(x.device):
            if self.kind == "lstm":
                out, h, c = torch.lstm(x.float(), begun, weights, *how)
                return out, (h[0], c[0])
            out, h = torch.gru(x.float(), begun[0], weights, *how)
            return out, (h[0],)


@contextlib.contextmanager
def plainly(device: torch.device) -> Iterator[None]:
    """Compute in float32 and without cuDNN inside this block."""
    with contextlib.ExitStack() as stack:
        if torch.is_autocast_enabled(device.type):
            stack.enter_context(torch.autocast(device.type, enabled=False))
        if device.type == "cuda":
            stack.enter_context(torch.backends.cudnn.flags(enabled=False))
        yield


class Recurrent(OverTime):
    """Layers of LSTM or GRU, one way (causal) or both, each `hidden` wide. Dropout acts on what a layer gives."""

    def __init__(
        self,
        dims: int,
        in_channels: int,
        *,
        kind: str,
        hidden: int,
        layers: int,
        both: bool,
        times: str,
        dropout: float,
    ) -> None:
        ways = 2 if both else 1
        super().__init__(dims, in_channels, hidden * ways, causal=not both, times=times, dropout=dropout)
        self.hidden = hidden
        inside = [in_channels, *[hidden * ways] * (layers - 1)]
        coded = [self.code.channels, *[0] * (layers - 1)]

        def made() -> nn.ModuleList:
            return nn.ModuleList(
                Recurrence(kind, i, hidden, coded=c) for i, c in zip(inside, coded, strict=True)
            )

        self.layers = made()
        self.backward_layers = made() if both else None
        self.drop = nn.Dropout(dropout)

    def blank(self, rows: int) -> State:
        """Return zeros, `(B, H)`, for each of what each layer remembers."""
        return {
            f"layer{k}.{name}": layer.weight_hh_l0.new_zeros(rows, self.hidden)
            for k, layer in enumerate(self._layers)
            for name in layer.remembered
        }

    @property
    def _layers(self) -> list[Recurrence]:
        return [layer for layer in self.layers if isinstance(layer, Recurrence)]

    def run(self, x: Tensor, when: When, state: State) -> tuple[Tensor, State]:
        """Return what the last layer gives at each step, and what all remember."""
        x = self.coded(x.float(), when)
        after: State = {}
        for k, layer in enumerate(self._layers):
            x, memory = layer(x, [state[f"layer{k}.{name}"] for name in layer.remembered])
            after |= {f"layer{k}.{name}": m for name, m in zip(layer.remembered, memory, strict=True)}
            x = self.drop(x)
        return x, after

    def whole(self, x: Tensor, when: When, there: Tensor | None) -> Tensor:
        """Return both ways side by side, `(B, T, 2H)`; one way step after step."""
        if self.backward_layers is None:
            return super().whole(x, when, there)
        x, turn = self.coded(x.float(), when), turned(x, there)
        for onward, back in zip(self._layers, self.backward_layers, strict=True):
            none = [x.new_zeros(x.shape[0], self.hidden) for _ in onward.remembered]
            ahead, behind = onward(x, none)[0], back(taken(x, turn), none)[0]
            x = self.drop(torch.cat([ahead, taken(behind, turn)], dim=-1))
        return x


def turned(x: Tensor, there: Tensor | None) -> Tensor:
    """Return the order `(B, T)` that turns sequences round: steps that are there last to first, then the others."""
    rows, steps = x.shape[:2]
    places = torch.arange(steps, device=x.device).expand(rows, steps)
    count = x.new_full((rows, 1), steps, dtype=torch.long) if there is None else there.sum(1, keepdim=True)
    return torch.where(places < count, count - 1 - places, places)


def recurrent(
    kind: str,
    chosen: Mapping[str, Any],
    *,
    both: bool,
    dims: int,
    in_channels: int,
    scale: float,
    dropout: float,
) -> Recurrent:
    """Build a recurrent net, 128 times `scale` wide each way, with the options `chosen`."""
    return Recurrent(
        dims,
        in_channels,
        kind=kind,
        hidden=width(WIDTH, scale),
        layers=int(chosen["layers"]),
        both=both,
        times=str(chosen["times"]),
        dropout=dropout,
    )
