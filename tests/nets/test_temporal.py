"""TCN, timeformer and R(2+1)D against values by hand, torch's own layers, and the counts that are published."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from vesalius import nets
from vesalius.nets.r2plus1d import Clip, Factored
from vesalius.nets.tcn import Dilated
from vesalius.nets.timeformer import HEADS, Layer, apart


def built(name: str, *, dims: int = 2, channels: int = 2, scale: float = 0.0625, **options: Any) -> Any:
    torch.manual_seed(0)
    return nets.build(name, dims=dims, in_channels=channels, scale=scale, options=options).eval()


def test_a_dilated_convolution_by_hand() -> None:
    """Weights 1 and 10, two steps apart: of 1, 2, 3, 4, 5 come 10·1, 10·2, 1 + 10·3, 2 + 10·4, 3 + 10·5."""
    layer = Dilated(1, kernel=2, dilation=2)
    with torch.no_grad():
        layer.conv.weight.copy_(torch.tensor([[[1.0, 10.0]]]))
        layer.conv.bias.zero_()  # type: ignore[union-attr]
        out = layer(torch.tensor([0.0, 0, 1, 2, 3, 4, 5]).reshape(1, 7, 1))
    assert layer.reach == 2 and out.flatten().tolist() == [10, 20, 31, 42, 53]


def test_a_tcn_by_hand() -> None:
    """Two blocks of kernel 2 whose weights are 1, on one channel, without norms: sums of sums.

    The first: of 1, 0, 0, 0, 0 come 1, 1, 0 … and then 1, 2, 1, 0 …, beside the shortcut 2, 2, 1, 0, 0. The second, two
    steps apart, makes of it 2, 2, 3, 2, 1 and 2, 2, 5, 4, 4, beside its shortcut 4, 4, 6, 4, 4.
    """
    net = built("tcn", channels=1, levels=2, kernel=2, times="none")
    net.norms = nn.ModuleList(nn.Identity() for _ in net.convs)
    with torch.no_grad():
        for layer in (net.enter, *(c.conv for c in net.convs)):
            layer.weight.zero_()
            layer.bias.zero_()
            layer.weight[0, 0] = 1.0
        out = net(torch.tensor([1.0, 0, 0, 0, 0]).reshape(1, 5, 1))
    assert out[0, :, 0].tolist() == [4, 4, 6, 4, 4] and not out[..., 1:].any()


@pytest.mark.parametrize("causal", [True, False])
def test_a_tcn_looks_as_far_as_it_says(causal: bool) -> None:
    net = built("tcn", levels=3, kernel=3, causal=causal, times="none")
    assert net.reach == 1 + 2 * 2 * (1 + 2 + 4) == 29
    x = torch.randn(1, 61, 2)
    moved = x.clone()
    moved[0, 30] += 1.0
    with torch.no_grad():
        changed = ((net(moved) - net(x)).abs().sum(-1)[0] > 0).nonzero().flatten()
    assert [int(changed.min()), int(changed.max())] == ([30, 58] if causal else [16, 44])


@pytest.mark.parametrize("causal", [True, False])
def test_a_timeformer_attends_to_its_memory_alone(causal: bool) -> None:
    net = built("timeformer", layers=2, memory=4, causal=causal, times="gap")
    x = torch.randn(1, 200, 2)
    moved = x.clone()
    moved[0, 100] += 1.0
    with torch.no_grad():
        changed = ((net(moved) - net(x)).abs().sum(-1)[0] > 0).nonzero().flatten()
    assert [int(changed.min()), int(changed.max())] == ([100, 106] if causal else [94, 106])


def test_attention_agrees_with_torchs_own_with_what_is_far_taken_off() -> None:
    torch.manual_seed(0)
    layer = Layer(16, timed=True, dropout=0.0)
    query, key, value = torch.randn(3, 2, 5, 16).unbind(0)
    times = torch.rand(2, 5, dtype=torch.float64).cumsum(1) * 100
    places = torch.arange(5)
    back = places[:, None] - places
    seen = (back >= 0) & (back < 3)
    bias = torch.zeros(2, HEADS, 5, 5)
    for head in range(HEADS):  # as ALiBi has them: 2^-2, 2^-4, 2^-6, 2^-8
        slope = 2.0 ** (-2 * (head + 1))
        seconds = (times[:, :, None] - times[:, None]).abs()
        bias[:, head] = -slope * back - slope * torch.log(1 + seconds).float()
    bias = bias.masked_fill(~seen, -torch.inf)
    split = [t.reshape(2, 5, HEADS, 4).transpose(1, 2) for t in (query, key, value)]
    wanted = F.scaled_dot_product_attention(*split, attn_mask=bias).transpose(1, 2).reshape(2, 5, 16)
    with torch.no_grad():
        found = layer.attended(query, key, value, apart(back, times, times, seen.expand(2, 5, 5)))
    torch.testing.assert_close(found, wanted, atol=1e-6, rtol=0)


def test_r2plus1d_has_the_published_size() -> None:
    """31,505,325 with 400 classes: torchvision's r2plus1d_18 (docs.pytorch.org/vision/stable/models.html)."""
    with torch.device("meta"):
        net = nets.build("r2plus1d", dims=2, in_channels=3)
        count = nets.count_parameters(net) + nets.count_parameters(net.head(400))
    assert count == 31_505_325


def test_a_factored_convolution_is_two_of_torchs_3d_ones() -> None:
    torch.manual_seed(0)
    layer = Factored(2, 3, 5, between=4, normalise="batch", stride=(2, 2)).eval()
    space = nn.Conv3d(3, 4, (1, 3, 3), stride=(1, 2, 2), padding=(0, 1, 1), bias=False)
    time = nn.Conv3d(4, 5, (3, 1, 1), stride=(2, 1, 1), padding=(1, 0, 0), bias=False)
    norm = nn.BatchNorm3d(4).eval()
    with torch.no_grad():
        space.weight.copy_(layer.space.weight[:, :, None])  # type: ignore[index, operator]
        time.weight.copy_(layer.time.weight[..., None])
        x = torch.randn(2, 7, 3, 9, 8)
        out = layer(Clip(x.flatten(0, 1), 2, None)).spread()
        wanted = time(F.relu(norm(space(x.transpose(1, 2))))).transpose(1, 2)
    torch.testing.assert_close(out, wanted, atol=1e-5, rtol=0)


@pytest.mark.parametrize("dims", [2, 3])
@pytest.mark.parametrize("train", [True, False])
def test_frames_that_are_not_there_are_passed_by(dims: int, train: bool) -> None:
    """Also while it learns: a batch of one cine with missing frames has the statistics of the frames that it has."""
    x = torch.randn(1, 9, 1, *(8,) * (dims - 1), 32)
    there = torch.tensor([[True, True, False, True, True, True, False, False, False]])
    x[~there] = torch.nan
    net = built("r2plus1d", dims=dims, channels=1, layers=10).train(train)
    alone = net(x[:, there[0]])
    found = net(x, None, there)
    for a, b in zip(alone, found, strict=True):
        torch.testing.assert_close(b[:, :, : a.shape[2]], a, atol=1e-4, rtol=0)
        torch.testing.assert_close(b.flatten(2).mean(-1), a.flatten(2).mean(-1), atol=1e-4, rtol=0)
    times = torch.where(there, torch.arange(9.0), torch.nan)
    for a, b in zip(found, net(x, times), strict=True):
        torch.testing.assert_close(a, b, atol=1e-4, rtol=0)


def test_r2plus1d_sees_the_order_of_frames_and_a_single_one() -> None:
    net = built("r2plus1d", channels=1, layers=10)
    head = net.head(2)
    x = torch.randn(2, 8, 1, 32, 32)
    with torch.no_grad():
        assert (head(net(x)) - head(net(x.flip(1)))).abs().max() > 1e-4
        assert [m.shape[2] for m in net(x[:, :1])] == [1, 1, 1, 1]
        none: Tensor = net(x, None, torch.tensor([[True] * 8, [False] * 8]))[-1]
    assert torch.isfinite(none).all() and not none[1].any()
