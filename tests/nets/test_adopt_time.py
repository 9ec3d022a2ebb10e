"""Modules of others over time and over cines as nets: what they are given, and what is refused."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import vesalius as vs
from vesalius import nets
from vesalius.core import registry
from vesalius.core.errors import RegisterError
from vesalius.testing import NetTrial, check_net
from vesalius.testing.net import passes_missing_frames_by


@pytest.fixture(autouse=True)
def tidy() -> Iterator[None]:
    """What a test registers goes with it."""
    yield
    for kind, stem in list(registry._joined):
        registry.leave(kind, stem)


class Both(nn.Module):
    """A bidirectional GRU, as anybody writes it."""

    ROLE, SMALLEST = "sequence", 1.0

    def __init__(self, in_channels: int, width: int = 8) -> None:
        super().__init__()
        self.inner = nn.GRU(in_channels, width, batch_first=True, bidirectional=True)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.inner(x)[0]
        return out


class Cube(nn.Module):
    """One 3-D convolution over a cine."""

    ROLE, SMALLEST = "cine", 1.0
    DIMS = (2,)

    def __init__(self, in_channels: int) -> None:
        super().__init__()
        self.inner = nn.Conv3d(in_channels, 4, 3, stride=(2, 2, 2), padding=1)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.inner(x.transpose(1, 2)).relu()
        return out


def test_a_plain_module_over_time_is_given_sequences_without_missing_steps() -> None:
    vs.register("nets", Both)
    text = nets.describe("both")
    assert text["OVER"] == {"both": "vectors"} and text["OPTIONS"] == {"width": 8}
    assert "both" in nets.names_for("sequence", over="vectors")
    net: Any = nets.build("both", dims=2, in_channels=3, options={"width": 4}).eval()
    assert net.out_channels == 8 and net.causal is False
    x = torch.randn(3, 5, 3)
    there = torch.tensor([[True] * 5, [True, False, True, False, False], [False] * 5])
    with torch.no_grad():
        out = net(x, None, there)
        torch.testing.assert_close(out[1:2, [0, 2]], net.inner(x[1:2, [0, 2]]))
        torch.testing.assert_close(out[:1], net.inner(x[:1]))
    assert not out[~there].any()
    check_net("both")


def test_a_plain_module_over_cines_is_given_cines_without_missing_frames() -> None:
    vs.register("nets", Cube)
    net: Any = nets.build("cube", dims=2, in_channels=1, size=(16, 16)).eval()
    assert net.channels == (4,) and net.strides == ((2, 2, 2),)
    x = torch.randn(2, 8, 1, 16, 16)
    there = torch.tensor([[True] * 8, [True, False, True, True, False, True, False, False]])
    with torch.no_grad():
        (whole,), (alone,) = net(x, None, there), net(x[1:, there[1]])
        torch.testing.assert_close(whole[:1], net(x[:1])[0])
        torch.testing.assert_close(whole[1:].mean((2, 3, 4)), alone.mean((2, 3, 4)))
        assert not net(x, None, torch.zeros_like(there))[0].any()
    passes_missing_frames_by(NetTrial("cube", 2))


def test_what_gives_no_answer_a_step_is_refused() -> None:
    class Last(Both):
        def forward(self, x: Tensor) -> Tensor:
            return super().forward(x)[:, -1]

    with pytest.raises(RegisterError, match=r"does not take steps in time.*shape \(1, 16\)"):
        vs.register("nets", Last, name="last")

    class Flat(Cube):
        def forward(self, x: Tensor) -> Tensor:
            return super().forward(x).mean((3, 4))

    with pytest.raises(RegisterError, match=r"fails on a cine.*\(B, C, T, …\)"):
        vs.register("nets", Flat, name="flat")
