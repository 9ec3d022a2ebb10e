"""Timeformer: a small transformer over a window of steps in time, which sees how far apart they are."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from vesalius.core.options import options_of
from vesalius.nets._blocks import width
from vesalius.nets._net import Net
from vesalius.nets._overtime import OverTime
from vesalius.nets._timecode import State, When, seconds_type

NAMES = {"timeformer": "a small transformer over steps, which answers as they come"}
ROLE = "sequence"
OVER = {"timeformer": "vectors"}
DIMS = (2, 3)
SOURCE = "Vaswani et al.: Attention is all you need, NeurIPS 2017; Press et al.: ALiBi, ICLR 2022, arXiv:2108.12409"
SMALLEST = 0.0625
OPTIONS = {"layers": 2, "memory": 64, "causal": True, "times": "both"}
LIMITS = {
    "layers": {"ge": 1, "le": 24},
    "memory": {"ge": 2, "le": 4096},
    "causal": {"in": [True, False]},
    "times": {"in": ["both", "gap", "none"]},
}
WIDTH, HEADS = 128, 4


class Far(NamedTuple):
    """How far keys lie from queries: `steps` `(Q, K)`, `logs` of 1 + seconds `(B, Q, K)`; and which are `seen`."""

    steps: Tensor
    logs: Tensor
    seen: Tensor


class Layer(nn.Module):
    """Attention and two dense layers, each on normalised steps and beside a shortcut.

    What is far counts less: from each head's scores a learned part of the steps and of the log of the seconds between
    is taken (the first as in ALiBi, from its slopes on). Scores and their softmax are float32.
    """

    def __init__(self, channels: int, *, timed: bool, dropout: float) -> None:
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(channels), nn.LayerNorm(channels)
        self.ask, self.give = nn.Linear(channels, 3 * channels), nn.Linear(channels, channels)
        self.dense = nn.Sequential(
            nn.Linear(channels, 4 * channels), nn.GELU(), nn.Linear(4 * channels, channels)
        )
        self.drop = nn.Dropout(dropout)
        slopes = torch.tensor([2.0 ** (-8 * (k + 1) / HEADS) for k in range(HEADS)])
        raw = torch.log(torch.expm1(slopes))  # so that softplus gives the slopes
        self.by_steps = nn.Parameter(raw.clone())
        self.by_seconds = nn.Parameter(raw.clone()) if timed else None

    def asked(self, h: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return queries, keys and values of steps, each `(B, T, W)`."""
        query, key, value = self.ask(self.norm1(h)).chunk(3, dim=-1)
        return query, key, value

    def attended(self, query: Tensor, key: Tensor, value: Tensor, far: Far) -> Tensor:
        """Return what queries `(B, Q, W)` take of values `(B, K, W)`."""
        query, key, value = (
            t.float().reshape(*t.shape[:2], HEADS, -1).transpose(1, 2) for t in (query, key, value)
        )
        scores = query @ key.transpose(-1, -2) / math.sqrt(query.shape[-1])  # (B, H, Q, K)
        scores = scores - F.softplus(self.by_steps)[:, None, None] * far.steps
        if self.by_seconds is not None:
            scores = scores - F.softplus(self.by_seconds)[:, None, None] * far.logs[:, None]
        scores = scores.masked_fill(~far.seen[:, None], torch.finfo(scores.dtype).min)
        return (scores.softmax(-1) @ value).transpose(1, 2).flatten(2)

    def forward(self, h: Tensor, taken: Tensor) -> Tensor:
        """Return the steps `h` with what they took of others, and what the dense layers add."""
        h = h + self.drop(self.give(taken.to(h.dtype)))
        return h + self.drop(self.dense(self.norm2(h)))  # type: ignore[no-any-return]


class Timeformer(OverTime):
    """Layers of attention, each over `memory` steps: those up to a step's own, or as many on both of its sides.

    The state holds the keys and the values of the last `memory` steps, so answers step by step cost the same however
    long it goes on.
    """

    def __init__(
        self,
        dims: int,
        in_channels: int,
        *,
        hidden: int,
        layers: int,
        memory: int,
        causal: bool,
        times: str,
        dropout: float,
    ) -> None:
        super().__init__(dims, in_channels, hidden, causal=causal, times=times, dropout=dropout)
        self.memory, self.chunk = memory, max(64, memory)
        self.enter = nn.Linear(in_channels + self.code.channels, hidden)
        self.layers = nn.ModuleList(
            Layer(hidden, timed=times != "none", dropout=dropout) for _ in range(layers)
        )
        self.norm = nn.LayerNorm(hidden)

    @property
    def _layers(self) -> list[Layer]:
        return [layer for layer in self.layers if isinstance(layer, Layer)]

    def blank(self, rows: int) -> State:
        """Return keys and values `(B, memory - 1, W)` of no step yet, with when they were and whether there are any."""
        weight, before = self.enter.weight, self.memory - 1
        held = [f"layer{k}.{what}" for k in range(len(self.layers)) for what in ("key", "value")]
        return {
            **{name: weight.new_zeros(rows, before, self.out_channels) for name in held},
            "since_s": weight.new_zeros(rows, before, dtype=seconds_type(weight.device)),
            "held": torch.zeros(rows, before, dtype=torch.bool, device=weight.device),
        }

    def run(self, x: Tensor, when: When, state: State) -> tuple[Tensor, State]:
        """Return the answers to steps, and the keys and values of the last `memory - 1` of all."""
        steps, before = x.shape[1], self.memory - 1
        since = torch.cat([state["since_s"], when.since_s], dim=1)
        held = torch.cat([state["held"], state["held"].new_ones(x.shape[0], steps)], dim=1)
        places = torch.arange(since.shape[1], device=x.device)
        back = places[before:, None] - places  # how many steps each key lies before each query
        far = apart(back, when.since_s, since, held[:, None] & (back >= 0) & (back <= before))
        after = {"since_s": since[:, -before:], "held": held[:, -before:]}
        h: Tensor = self.enter(self.coded(x, when))
        for k, layer in enumerate(self._layers):
            query, key, value = layer.asked(h)
            key = torch.cat([state[f"layer{k}.key"].to(key.dtype), key], dim=1)
            value = torch.cat([state[f"layer{k}.value"].to(value.dtype), value], dim=1)
            h = layer(h, layer.attended(query, key, value, far))
            after |= {f"layer{k}.key": key[:, -before:], f"layer{k}.value": value[:, -before:]}
        return self.norm(h), after

    def whole(self, x: Tensor, when: When, there: Tensor | None) -> Tensor:
        """Return the answers to whole sequences; where it looks ahead, a chunk of queries after the other."""
        if self.causal:
            return super().whole(x, when, there)
        steps, reach = x.shape[1], self.memory - 1
        held = x.new_ones(x.shape[:2], dtype=torch.bool) if there is None else there
        places = torch.arange(steps, device=x.device)
        h: Tensor = self.enter(self.coded(x, when))
        for layer in self._layers:
            query, key, value = layer.asked(h)
            taken = []
            for at in range(0, steps, self.chunk):
                now = slice(at, at + self.chunk)
                near = slice(max(0, at - reach), at + self.chunk + reach)
                between = (places[now, None] - places[near]).abs()
                seen = held[:, None, near] & (between <= reach)
                far = apart(between, when.since_s[:, now], when.since_s[:, near], seen)
                taken.append(layer.attended(query[:, now], key[:, near], value[:, near], far))
            h = layer(h, torch.cat(taken, dim=1))
        return self.norm(h)  # type: ignore[no-any-return]


def apart(steps: Tensor, queries_s: Tensor, keys_s: Tensor, seen: Tensor) -> Far:
    """Return how far keys lie from queries, by their places and by their times `(B, Q)` and `(B, K)`."""
    return Far(steps.float(), torch.log1p((queries_s[:, :, None] - keys_s[:, None]).abs()).float(), seen)


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
    """Build a transformer of 128 times `scale` channels and 4 heads; `dims` is the plan's, `size` means nothing to it.

    `layers` is how many there are and `memory` how many steps each attends to; without `causal` they lie on both sides.
    `times` is what is told of when each step was: the gap before it and the time since the first (`both`), the `gap`
    alone, or `none`. Dropout acts on what each part adds.
    """
    chosen = options_of("nets", name, options or {}, where=f"{name}: options")
    return Timeformer(
        dims,
        in_channels,
        hidden=width(WIDTH, scale),
        layers=int(chosen["layers"]),
        memory=int(chosen["memory"]),
        causal=bool(chosen["causal"]),
        times=str(chosen["times"]),
        dropout=dropout,
    )
