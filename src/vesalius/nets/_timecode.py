"""Time codes: how far a step lies from the one before and from the first, as sines beside a net's input."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor, nn

TIMES = ("both", "gap", "none")
SHORTEST, OCTAVES = (
    0.25,
    9,
)  # of the waves over log(1 + seconds): the shortest, and how many, each twice as long

State = dict[str, Tensor]


class When(NamedTuple):
    """When each step was, `(B, T)` float64: `gap_s` after the step before it, `since_s` after the first; in seconds."""

    gap_s: Tensor
    since_s: Tensor


def started(rows: int, device: torch.device) -> State:
    """Return the clock of sequences of which no step was seen yet; each tensor has a row a sequence."""
    kind = seconds_type(device)
    return {
        "clock.last_s": torch.full((rows,), math.nan, dtype=kind, device=device),
        "clock.since_s": torch.zeros(rows, dtype=kind, device=device),
        "clock.begun": torch.zeros(rows, dtype=torch.bool, device=device),
    }


def told(times_s: Tensor | None, clock: State, *, steps: int) -> tuple[When, State]:
    """Return when the next steps are, by their times `(B, T)` in seconds, and the clock after the last of them.

    A step whose time is not known (NaN, or no times at all), and the one after it, come 1 s after the one before them.
    """
    last, since, begun = clock["clock.last_s"], clock["clock.since_s"], clock["clock.begun"]
    if times_s is None:
        times = last.new_full((last.shape[0], steps), math.nan)
    else:
        times = times_s.to(last)
    between = times - torch.cat([last[:, None], times[:, :-1]], dim=1)
    gap = torch.where(torch.isfinite(between), between, 1.0)
    first = torch.where(begun, gap[:, 0], 0.0)
    gap = torch.cat([first[:, None], gap[:, 1:]], dim=1)
    total = since[:, None] + gap.cumsum(1)
    after = {
        "clock.last_s": times[:, -1],
        "clock.since_s": total[:, -1],
        "clock.begun": torch.ones_like(begun),
    }
    return When(gap, total), after


class TimeCode(nn.Module):
    """Sines and cosines of log(1 + seconds), `(B, T, K)`: of the gap before each step and of the time since the first.

    The waves are .25, .5 … 64 long, which tells 30 ms from 40 ms and a week from a year; of what lies before the step
    before (times that are out of order) the logarithm is negative. `times` is `both`, `gap` (which knows no first step,
    for streams without an end) or `none`. There is nothing to learn in it. After the positions of Vaswani et al. 2017
    (arXiv:1706.03762), over a logarithm because visits lie as far apart as years and frames as near as milliseconds.
    """

    waves: Tensor

    def __init__(self, times: str = "both") -> None:
        super().__init__()
        self.times = times
        count = {"both": 2, "gap": 1, "none": 0}[times]
        self.channels = count * 2 * OCTAVES
        waves = [2 * math.pi / (SHORTEST * 2**k) for k in range(OCTAVES)]
        self.register_buffer("waves", torch.tensor(waves, dtype=torch.float32), persistent=False)

    def forward(self, when: When) -> Tensor:
        """Return the codes of steps, float32; `(B, T, 0)` where times are not looked at."""
        seconds = {"both": [when.gap_s, when.since_s], "gap": [when.gap_s], "none": []}[self.times]
        if not seconds:
            return self.waves.new_zeros(*when.gap_s.shape, 0)
        logs = [torch.sign(s) * torch.log1p(s.abs()) for s in seconds]
        angles = torch.cat([(u[..., None] * self.waves.to(u.dtype)) for u in logs], dim=-1)
        return torch.cat([angles.sin(), angles.cos()], dim=-1).float()


def seconds_type(device: torch.device) -> torch.dtype:
    """Return the floats that times are kept in: days in seconds and milliseconds need 64 bits, where there are any."""
    return torch.float32 if device.type == "mps" else torch.float64
