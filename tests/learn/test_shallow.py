"""A convolution over fewer slices than its kernel has learns from the true gradient, in bfloat16 too."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import Tensor, nn

from vesalius.learn.shallow import keep_exact


def gradient(layer: nn.Module, x: Tensor, *, low: bool) -> Tensor:
    """The gradient of the weights, after memory was filled with NaN that whoever reads beyond his own may find."""
    junk = [torch.full((1 << n,), float("nan")) for n in range(4, 20) for _ in range(6)]
    del junk
    layer.zero_grad()
    with torch.autocast("cpu", torch.bfloat16, enabled=low):
        y = layer(x)
    (y.float() ** 2).sum().backward()
    grad = next(layer.parameters()).grad
    assert grad is not None
    return grad.clone()


@pytest.mark.parametrize("slices", [1, 2, 3, 8])
@pytest.mark.parametrize("channels", [8, 16, 32])
def test_the_gradient_is_the_true_one_and_always_the_same(slices: int, channels: int) -> None:
    torch.manual_seed(0)
    layer = keep_exact(nn.Sequential(nn.Conv3d(channels, channels, 3, padding=1, bias=False)))
    x = torch.randn(2, channels, slices, 4, 4)
    true = gradient(layer, x, low=False)
    found = [gradient(layer, x, low=True) for _ in range(4)]
    assert all(torch.equal(found[0], g) for g in found)
    assert float((found[0] - true).abs().max() / true.abs().max()) < 0.05


@pytest.mark.parametrize("shape", [(1, 1), (2, 1), (4, 1), (3, 1, 1), (3, 1, 4), (4, 4, 1)])
@pytest.mark.parametrize("kernel", [3, 7])
def test_a_stride_over_an_axis_of_one_place_learns_from_the_true_gradient(
    shape: tuple[int, ...], kernel: int
) -> None:
    torch.manual_seed(0)
    make = nn.Conv2d if len(shape) == 2 else nn.Conv3d
    layer = keep_exact(nn.Sequential(make(16, 32, kernel, stride=2, padding=kernel // 2, bias=False)))
    x = torch.randn(2, 16, *shape)
    true = gradient(layer, x, low=False)
    found = [gradient(layer, x, low=True) for _ in range(4)]
    assert all(torch.equal(found[0], g) for g in found)
    assert float((found[0] - true).abs().max() / true.abs().max()) < 0.05


def test_weights_names_and_copies_stay_the_same() -> None:
    torch.manual_seed(0)
    plain = nn.Sequential(nn.Conv3d(2, 2, 3, padding=1), nn.ReLU())
    kept = copy.deepcopy(keep_exact(copy.deepcopy(plain)))
    assert list(kept.state_dict()) == list(plain.state_dict())
    x = torch.randn(1, 2, 2, 4, 4)
    assert torch.equal(kept(x), plain(x))
