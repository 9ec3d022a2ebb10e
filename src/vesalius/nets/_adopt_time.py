"""Nets over time and over cines that are registered in the running process: any `nn.Module`, as a net of its role."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from vesalius.core.errors import PlanError
from vesalius.nets._net import Net
from vesalius.nets._overtime import AXES, OverTime, steps_there, taken
from vesalius.nets._timecode import When

STEPS = 4  # of the sequence that a module is tried on
SIDE = 4  # of its maps
OVERS = ("vectors", "maps", "tree")  # what a net over time may read of a step
TIMELESS = {"AHEAD": True, "NO_EXPORT": "which sequences are answered together follows from their lengths"}


class AdoptedOverTime(OverTime):
    """A plain module over steps `(B, T, F)` → `(B, T, F')`, or over maps, as a net of role `sequence`.

    It is given sequences without missing steps, those of one length at a time, and no times. As nothing says that it
    keeps to the past, it does not answer step by step.
    """

    def __init__(self, inner: nn.Module, *, over: str, dims: int, in_channels: int) -> None:
        nn.Module.__init__(self)
        x = probe("sequence", over, dims, in_channels)[0]
        out = _tried(inner, x)
        if not isinstance(out, Tensor) or out.shape[:2] != x.shape[:2] or out.ndim != x.ndim:
            raise PlanError(
                f"a net over time gives an answer a step, {_axes(over, dims)}",
                found=f"shape {tuple(out.shape)} of {tuple(x.shape)}"
                if isinstance(out, Tensor)
                else type(out).__name__,
            )
        super().__init__(dims, in_channels, out.shape[2], causal=False, times="none")
        self.over = over  # type: ignore[misc]
        self.inner = inner

    def whole(self, x: Tensor, when: When, there: Tensor | None) -> Tensor:
        """Return what the module says of sequences, those of one length at a time."""
        if there is None:
            found: Tensor = self.inner(x)
            return found
        out: Tensor | None = None
        for rows, length in lengths(there):
            part = self.inner(x[rows, :length])
            out = part.new_zeros(*x.shape[:2], *part.shape[2:]) if out is None else out
            longer = part.new_zeros(len(part), x.shape[1] - length, *part.shape[2:])
            out = out.index_copy(0, rows, torch.cat([part, longer], dim=1))
        return x.new_zeros(*x.shape[:2], self.out_channels, *x.shape[3:]) if out is None else out


class AdoptedCine(Net):
    """A plain module over cines `(B, T, C, *S)` → maps `(B, C, T', *S')`, finest first, as a net of role `cine`.

    Channels and strides are measured on one cine. It is given cines without missing frames, those of one length at a
    time; where maps have no frame, they hold the mean of those that have, as those of R(2+1)D do.
    """

    role: ClassVar[str] = "cine"

    def __init__(self, inner: nn.Module, *, dims: int, in_channels: int, size: Sequence[int]) -> None:
        nn.Module.__init__(self)
        maps = _maps(_tried(inner, probe("cine", "", dims, in_channels, size=size)[0]), dims)
        sides = (STEPS, *size)
        super().__init__(
            dims,
            [m.shape[1] for m in maps],
            strides=[[max(1, round(n / s)) for n, s in zip(sides, m.shape[2:], strict=True)] for m in maps],
        )
        self.inner = inner

    @property
    def encoding(self) -> tuple[str, ...]:
        """Return all of it, as nothing tells its parts apart."""
        return ("inner",)

    def forward(self, x: Tensor, times_s: Tensor | None = None, there: Tensor | None = None) -> list[Tensor]:
        """Return the maps, finest first; frames without a time, or not `there`, are passed by."""
        there = steps_there(x, times_s, there)
        if there is None:
            return _maps(self.inner(x), self.dims)
        order = torch.argsort((~there).to(torch.uint8), dim=1, stable=True)
        x, there = taken(x, order), taken(there, order)
        each = [(rows, _maps(self.inner(x[rows, :n]), self.dims)) for rows, n in lengths(there)]
        if not each:
            return [torch.zeros_like(m) for m in _maps(self.inner(torch.zeros_like(x)), self.dims)]
        return [_joined([(rows, maps[k]) for rows, maps in each], len(x)) for k in range(len(each[0][1]))]


def probe(
    role: str, over: str, dims: int, in_channels: int, *, size: Sequence[int] | None = None
) -> tuple[Tensor, ...]:
    """Return what a net over time or over cines is tried on: zeros, and the parents of a tree."""
    if role == "cine":
        return (torch.zeros(1, STEPS, in_channels, *(size or (SIDE,) * dims)),)
    x = torch.zeros(1, STEPS, in_channels, *((SIDE,) * dims if over == "maps" else ()))
    return (x, torch.arange(-1, STEPS - 1)[None]) if over == "tree" else (x,)


def lengths(there: Tensor) -> Iterator[tuple[Tensor, int]]:
    """Yield the rows of each length, `(n,)`, with it, but for those without any; steps that are there stand first."""
    counts = there.sum(1)
    for length in sorted(set(counts.tolist()) - {0}):
        yield (counts == length).nonzero()[:, 0], length


def _joined(parts: Sequence[tuple[Tensor, Tensor]], rows: int) -> Tensor:
    """Return maps `(n, C, T', …)` of some rows each as one of all, filled with the mean of each where it is shorter."""
    longest = max(part.shape[2] for _, part in parts)
    out = parts[0][1].new_zeros(rows, parts[0][1].shape[1], longest, *parts[0][1].shape[3:])
    for places, part in parts:
        mean = part.mean(2, keepdim=True).expand(-1, -1, longest - part.shape[2], *part.shape[3:])
        out = out.index_copy(0, places, torch.cat([part, mean], dim=2))
    return out


def _tried(inner: nn.Module, x: Tensor) -> Any:
    was = inner.training
    with torch.no_grad():
        out = inner.eval()(x)
    inner.train(was)
    return out


def _axes(over: str, dims: int) -> str:
    axes: Any = AXES[over]
    return str(axes[dims] if over == "maps" else axes)


def _maps(out: Any, dims: int) -> list[Tensor]:
    """Return what a module over cines gave as maps. Raises PlanError for what cannot be read as such."""
    found = list(out) if isinstance(out, list | tuple) else [out]
    if not found or not all(isinstance(m, Tensor) and m.ndim == dims + 3 for m in found):
        raise PlanError(
            "a net over cines gives a map (B, C, T, …), or a list of them",
            found=", ".join(
                f"shape {tuple(m.shape)}" if isinstance(m, Tensor) else type(m).__name__ for m in found
            ),
        )
    return found
