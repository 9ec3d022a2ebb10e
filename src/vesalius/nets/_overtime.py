"""Nets over time: what all of them share, whatever is between: missing steps, times, chunks, and streaming."""

from __future__ import annotations

from typing import Any, ClassVar

import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from vesalius.core.errors import PlanError
from vesalius.nets._net import Net
from vesalius.nets._timecode import State, TimeCode, When, started, told

AXES = {"vectors": "(B, T, F)", "maps": {2: "(B, T, C, Y, X)", 3: "(B, T, C, Z, Y, X)"}}


class OverTime(Net):
    """A net of role `sequence`: steps `(B, T, F)`, or maps `(B, T, C, *S)`, → as many steps of `out_channels`.

    `times_s` `(B, T)` are the times of steps in seconds, `there` `(B, T)` bool says which steps there are; without it
    all are, or those whose time is not NaN. A step that is not there is passed by: the others are answered as if it
    stood nowhere, and its own answer is 0. So padding a batch changes nothing. Times are coded inside
    (see `_timecode.py`); without times all steps are 1 s apart.

    Where `causal`, an answer stands on its own step and those before alone, and `begin` and `step` give it step by step
    in memory that does not grow. A family gives `blank` and `run`, and where it is not causal `whole`. Its first layer
    reads `self.code.channels` more channels than `in_channels`: those of the time codes.
    """

    role: ClassVar[str] = "sequence"
    over: ClassVar[str] = "vectors"
    chunk: int = 512  # steps that go through the net at once
    causal: bool

    def __init__(
        self,
        dims: int,
        in_channels: int,
        out_channels: int,
        *,
        causal: bool,
        times: str = "both",
        dropout: float = 0.0,
    ) -> None:
        super().__init__(dims, [out_channels], strides=[1], dropout=dropout)
        self.in_channels, self.causal = in_channels, causal
        self.code = TimeCode(times)

    def blank(self, rows: int) -> State:
        """Return what the net remembers of `rows` sequences before their first step, a row each."""
        raise NotImplementedError

    def run(self, x: Tensor, when: When, state: State) -> tuple[Tensor, State]:
        """Return the answers to steps `(B, T, …)` that are all there, and the state after them; `state` is before."""
        raise NotImplementedError

    def whole(self, x: Tensor, when: When, there: Tensor | None) -> Tensor:
        """Return the answers to whole sequences whose steps that are there stand first. By default step after step."""
        state, outs = self.blank(x.shape[0]), []
        kept = torch.is_grad_enabled() and x.shape[1] > 2 * self.chunk
        for at in range(0, x.shape[1], self.chunk):
            now = slice(at, at + self.chunk)
            given = (x[:, now], When(when.gap_s[:, now], when.since_s[:, now]), state)
            out, state = checkpoint(self.run, *given, use_reentrant=False) if kept else self.run(*given)
            outs.append(out)
        return torch.cat(outs, dim=1) if len(outs) > 1 else outs[0]

    def coded(self, x: Tensor, when: When) -> Tensor:
        """Return steps `(B, T, F)` with the codes of their times behind them, as a first layer reads them."""
        return torch.cat([x, self.code(when).to(x.dtype)], dim=-1)

    def forward(self, x: Tensor, times_s: Tensor | None = None, there: Tensor | None = None) -> Tensor:
        """Return an answer a step, `(B, T, F')` or `(B, T, F', *S)`, 0 where there is no step.

        Raises PlanError where shapes do not fit one another.
        """
        self.check_input(x)
        there = steps_there(x, times_s, there)
        if there is None:
            when, _ = told(times_s, started(x.shape[0], x.device), steps=x.shape[1])
            return self.whole(x, when, None)
        order, back = there_first(there)
        first = taken(there, order)
        x = torch.where(beside(first, x), taken(x, order), 0.0)
        times = None if times_s is None else taken(times_s, order)
        when, _ = told(times, started(x.shape[0], x.device), steps=x.shape[1])
        out = taken(self.whole(x, when, first), back)
        return torch.where(beside(there, out), out, 0.0)

    def begin(self, rows: int) -> State:
        """Return the state of `rows` sequences before their first step: tensors by name, each with a row a sequence.

        Raises PlanError where the net is not causal.
        """
        if not self.causal:
            raise PlanError(
                "a net that looks ahead cannot answer step by step",
                found=type(self).__name__,
                hint="causal=true, or a net that is causal: lstm, gru, tcn, timeformer, convlstm",
            )
        return {**started(rows, self.code.waves.device), **self.blank(rows)}

    def step(
        self, x: Tensor, times_s: Tensor | None, state: State, there: Tensor | None = None
    ) -> tuple[Tensor, State]:
        """Return the answer to one more step of each sequence, `(B, F')`, and the state after it.

        `x` is `(B, F)` or `(B, C, *S)`, `times_s` `(B,)` and `there` `(B,)`; the state of a sequence whose step is not
        there stays as it was. The state that is given is not changed. Raises PlanError where shapes do not fit.
        """
        x, times = x[:, None], None if times_s is None else times_s[:, None]
        self.check_input(x)
        flags = steps_there(x, times, None if there is None else there[:, None])
        if flags is not None:
            x = torch.where(beside(flags, x), x, 0.0)
        when, clock = told(times, state, steps=1)
        out, after = self.run(x, when, state)
        after, out = {**after, **clock}, out[:, 0]
        if flags is None:
            return out, after
        there = flags[:, 0]
        kept = {
            k: torch.where(beside(there, v), v, state[k] if k in state else torch.zeros_like(v))
            for k, v in after.items()
        }
        return torch.where(beside(there, out), out, 0.0), kept

    def check_input(self, x: Tensor) -> None:
        """Refuse what is not a batch of sequences of `in_channels` channels, with one line."""
        axes: Any = AXES[self.over]
        axes = axes[self.dims] if self.over == "maps" else axes
        if x.ndim != axes.count(",") + 1 or x.shape[2] != self.in_channels or not x.shape[1]:
            raise PlanError(
                f"a net over time takes {axes} of {self.in_channels} channels and at least one step",
                found=f"shape {tuple(x.shape)}",
            )


def there_first(there: Tensor) -> tuple[Tensor, Tensor]:
    """Return the order `(B, T)` in which steps that are there come first, each in turn, and the way back from it.

    It counts in place of sorting, which graphs of other runtimes do not have in a stable form.
    """
    seen, rest = there.long(), (~there).long()
    back = torch.where(there, seen.cumsum(1) - 1, seen.sum(1, keepdim=True) + rest.cumsum(1) - 1)
    places = torch.arange(there.shape[1], device=there.device).expand_as(back)
    return torch.zeros_like(back).scatter(1, back, places), back


def taken(x: Tensor, order: Tensor) -> Tensor:
    """Return `x` `(B, T, …)` with its steps in another order `(B, T)`, a row by itself."""
    return x[torch.arange(x.shape[0], device=x.device)[:, None], order]


def last_of(out: Tensor, there: Tensor | None = None) -> Tensor:
    """Return `(B, F', …)`, the answer to the last step of each sequence that is there; 0 where there is none."""
    if there is None:
        return out[:, -1]
    steps = torch.arange(out.shape[1], device=out.device)
    last = torch.where(there, steps, -1).amax(1)
    found = out[torch.arange(out.shape[0], device=out.device), last.clamp(min=0)]
    return torch.where(beside(last >= 0, found), found, 0.0)


def beside(flags: Tensor, x: Tensor) -> Tensor:
    """Return flags with as many axes as `x`, to choose rows or steps of it."""
    return flags.reshape(*flags.shape, *(1,) * (x.ndim - flags.ndim))


def steps_there(x: Tensor, times_s: Tensor | None, there: Tensor | None) -> Tensor | None:
    """Return which steps of `x` `(B, T, …)` there are, `(B, T)` bool: as said, or those that have a time; None for all.

    Raises PlanError where times or flags are of other steps.
    """
    for name, given in (("times_s", times_s), ("there", there)):
        if given is not None and given.shape != x.shape[:2]:
            raise PlanError(
                f"{name} has a value a step, {tuple(x.shape[:2])}", found=f"shape {tuple(given.shape)}"
            )
    if there is not None and there.dtype != torch.bool:
        raise PlanError("there is of truth values", found=str(there.dtype), hint="there.bool()")
    return torch.isfinite(times_s) if there is None and times_s is not None else there
