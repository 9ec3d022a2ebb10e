"""A check says in a sentence which promise a net over time breaks; a sound one keeps all of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import vesalius as vs
from vesalius.core import registry
from vesalius.core.errors import RegisterError
from vesalius.nets import OverTime
from vesalius.testing import OVER_TIME_PROMISES, OverTimeTrial, overtime


@pytest.fixture(autouse=True)
def tidy() -> Iterator[None]:
    """What a test registers goes with it."""
    yield
    for kind, stem in list(registry._joined):
        registry.leave(kind, stem)


class Sound(OverTime):
    """A running sum."""

    ROLE, SMALLEST = "sequence", 1.0

    def __init__(self, dims: int, in_channels: int) -> None:
        super().__init__(dims, in_channels, 8, causal=True)
        self.enter = nn.Linear(in_channels + self.code.channels, 8)

    def blank(self, rows: int) -> Any:
        return {"sum": self.enter.weight.new_zeros(rows, 8)}

    def run(self, x: Tensor, when: Any, state: Any) -> tuple[Tensor, Any]:
        sums = state["sum"][:, None] + self.enter(self.coded(x, when)).relu().float().cumsum(1)
        return sums, {"sum": sums[:, -1]}


class Peeks(Sound):
    def forward(self, x: Tensor, times_s: Any = None, there: Any = None) -> Tensor:
        out = super().forward(x, times_s, there)
        later = torch.where(out.any(-1, keepdim=True), out, 0.0).flip(1).cumsum(1).flip(1)
        return torch.where(out.any(-1, keepdim=True), out + later, 0.0)


class Counts(Sound):
    """What is missing stands for a step of zeros."""

    def forward(self, x: Tensor, times_s: Any = None, there: Any = None) -> Tensor:
        held = torch.ones(x.shape[:2], dtype=torch.bool) if there is None else there
        out = super().forward(x.nan_to_num(0.0) * held[..., None], None, None)
        return out * held[..., None]


class Speaks(Sound):
    def forward(self, x: Tensor, times_s: Any = None, there: Any = None) -> Tensor:
        return super().forward(x, times_s, there) + 1.0


class Drifts(Sound):
    def step(self, x: Tensor, times_s: Any, state: Any, there: Any = None) -> Any:
        out, after = super().step(x, times_s, state, there)
        return out + 1e-3, after


class Grows(Sound):
    def step(self, x: Tensor, times_s: Any, state: Any, there: Any = None) -> Any:
        out, after = super().step(x, times_s, {k: v for k, v in state.items() if k != "seen"}, there)
        return out, {**after, "seen": torch.cat([state.get("seen", out), out])}


class Writes(Sound):
    def run(self, x: Tensor, when: Any, state: Any) -> tuple[Tensor, Any]:
        out, after = super().run(x, when, state)
        state["sum"] += 1.0
        return out, after


class Deaf(Sound):
    def __init__(self, dims: int, in_channels: int) -> None:
        super().__init__(dims, in_channels)
        self.idle = nn.Linear(2, 2)


class Timid(Sound):
    def __init__(self, dims: int, in_channels: int) -> None:
        super().__init__(dims, in_channels)
        self.causal = False


class Moody(Sound):
    def run(self, x: Tensor, when: Any, state: Any) -> tuple[Tensor, Any]:
        out, after = super().run(x, when, state)
        return out + torch.rand(()), after


class Odd(Sound):
    OVER = "voxels"


def trial_of(kind: type[OverTime]) -> OverTimeTrial:
    vs.register("nets", kind)
    return OverTimeTrial(kind.__name__.lower(), 2)


def test_a_sound_net_keeps_all_promises() -> None:
    trial = trial_of(Sound)
    for promise in OVER_TIME_PROMISES:
        promise(trial)


@pytest.mark.parametrize(
    ("kind", "promise", "words"),
    [
        (Peeks, overtime.looks_where_it_says, "later steps change no earlier answer"),
        (Timid, overtime.says_what_it_is_over, "its file says AHEAD"),
        (Timid, overtime.looks_where_it_says, "says that it looks ahead"),
        (Counts, overtime.passes_missing_steps_by, "without the steps that are not there"),
        (Speaks, overtime.passes_missing_steps_by, "step that is not there is 0"),
        (Drifts, overtime.streams_alike, "answers as at once, but for 1.0e-03"),
        (Grows, overtime.streams_alike, "its state does not grow"),
        (Writes, overtime.streams_alike, "as it was"),
        (Deaf, overtime.learns_eight_sequences, "no gradient reaches net.idle"),
        (Moody, overtime.gives_an_answer_a_step, "when it is asked again"),
    ],
)
def test_which_promise_is_broken(kind: type[OverTime], promise: Callable[[Any], None], words: str) -> None:
    with pytest.raises(AssertionError, match=words) as caught:
        promise(trial_of(kind))
    assert "\n" not in str(caught.value).strip()


def test_what_a_step_is_must_be_known() -> None:
    with pytest.raises(
        RegisterError, match="'odd' does not say what it reads of a step; found OVER = 'voxels'"
    ):
        trial_of(Odd)
