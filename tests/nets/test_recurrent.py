"""Recurrent nets against torch's own LSTM and GRU with the same weights; a ConvLSTM against an LSTM at each place."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from vesalius import nets
from vesalius.nets._timecode import started, told

TORCHS = {"lstm": nn.LSTM, "gru": nn.GRU, "bilstm": nn.LSTM, "bigru": nn.GRU}


def ours_and_torchs(name: str, layers: int = 2) -> tuple[Any, Any]:
    torch.manual_seed(0)
    net: Any = nets.build(name, dims=2, in_channels=3, scale=0.0625, options={"layers": layers}).eval()
    wide = 3 + net.code.channels
    theirs = TORCHS[name](wide, net.hidden, layers, batch_first=True, bidirectional=name.startswith("bi"))
    found: dict[str, Tensor] = {}
    for way, held in (("", net.layers), ("_reverse", net.backward_layers or ())):
        for k, layer in enumerate(held):
            found |= {n.replace("l0", f"l{k}") + way: p for n, p in layer.named_parameters()}
    theirs.load_state_dict(found)
    return net, theirs


def shown() -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(3)
    x = torch.randn(4, 6, 3, generator=generator)
    return x, torch.rand(4, 6, generator=generator, dtype=torch.float64).cumsum(1)


def coded(net: Any, x: Tensor, times: Tensor) -> Tensor:
    when, _ = told(times, started(len(x), x.device), steps=x.shape[1])
    return torch.cat([x, net.code(when)], dim=-1)


@pytest.mark.parametrize("name", list(TORCHS))
def test_it_agrees_with_torchs_own(name: str) -> None:
    net, theirs = ours_and_torchs(name)
    x, times = shown()
    with torch.no_grad():
        torch.testing.assert_close(net(x, times), theirs(coded(net, x, times))[0], atol=1e-6, rtol=0)


@pytest.mark.parametrize("name", list(TORCHS))
def test_sequences_of_several_lengths_agree_with_torchs_packed_ones(name: str) -> None:
    net, theirs = ours_and_torchs(name)
    x, times = shown()
    lengths = torch.tensor([6, 2, 5, 1])
    there = torch.arange(6) < lengths[:, None]
    packed = pack_padded_sequence(coded(net, x, times), lengths, batch_first=True, enforce_sorted=False)
    with torch.no_grad():
        wanted, _ = pad_packed_sequence(theirs(packed)[0], batch_first=True)
        torch.testing.assert_close(net(x, times, there), wanted, atol=1e-6, rtol=0)


def test_an_lstm_remembers_at_first() -> None:
    net, _ = ours_and_torchs("lstm")
    assert net.layers[0].bias_ih_l0[8:16].eq(1).all() and net.layers[0].bias_ih_l0[:8].eq(0).all()


def test_a_convlstm_with_kernels_of_one_is_an_lstm_at_each_place() -> None:
    torch.manual_seed(0)
    options = {"kernel": 1, "times": "none"}
    net: Any = nets.build("convlstm", dims=2, in_channels=3, scale=0.0625, options=options).eval()
    cell = net.layers[0]
    theirs = nn.LSTM(3, 4, batch_first=True)
    theirs.load_state_dict(
        {
            "weight_ih_l0": cell.see.weight[:, :, 0, 0],
            "weight_hh_l0": cell.remember.weight[:, :, 0, 0],
            "bias_ih_l0": cell.see.bias,
            "bias_hh_l0": torch.zeros(16),
        }
    )
    x = torch.randn(2, 5, 3, 2, 4)
    with torch.no_grad():
        each = theirs(x.permute(0, 3, 4, 1, 2).reshape(16, 5, 3))[0]
        wanted = each.reshape(2, 2, 4, 5, 4).permute(0, 3, 4, 1, 2)
        torch.testing.assert_close(net(x), wanted, atol=1e-6, rtol=0)


def test_a_convlstm_sees_as_far_as_its_kernels_in_each_step() -> None:
    """A voxel reaches its neighbours in its own step, and one further with each step after."""
    torch.manual_seed(0)
    net: Any = nets.build("convlstm", dims=3, in_channels=1, scale=0.0625).eval()
    x = torch.zeros(1, 3, 1, 1, 1, 9)
    lit = x.clone()
    lit[0, 0, 0, 0, 0, 4] = 1.0
    with torch.no_grad():
        apart = (net(lit) - net(x)).abs().sum(2)[0, :, 0, 0]  # (T, X)
    reached = [int((row > 0).sum()) for row in apart]
    assert reached == [3, 5, 7]
