"""Convolutions over small maps compute and learn rightly, in bfloat16 too."""

from __future__ import annotations

import copy
import os
import subprocess
import sys

import pytest
import torch
from torch import Tensor, nn

from vesalius.infer.exact import keep_exact


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


POISONED = """
import torch
from torch import nn
from vesalius.infer.exact import keep_exact
torch.manual_seed(0)
torch.set_num_threads(1)
LAYERS = [
    (nn.Conv3d(32, 64, 3, 2, 1), (6, 6, 2)),
    (nn.Conv3d(32, 64, 3, 2, 1), (3, 3, 1)),
    (nn.Conv3d(16, 16, 3, 1, 1), (2, 6, 6)),
    (nn.Conv2d(3, 8, 3, 2, 1), (16, 2)),
    (nn.Conv2d(3, 32, 2, 2), (16, 3)),
    (nn.Conv2d(16, 32, 4, 4), (16, 16)),
    (nn.Conv1d(8, 8, 3, 2, 1), (1,)),
    (nn.ConvTranspose2d(16, 32, 3, 2), (8, 1)),
    (nn.ConvTranspose3d(3, 16, 4, 4, (0, 2, 0)), (8, 2, 2)),
]
def run(layer, x, low):
    x = x.clone().requires_grad_()
    with torch.autocast("cpu", torch.bfloat16, enabled=low):
        y = layer(x)
    y.float().backward(torch.ones_like(y, dtype=torch.float32))
    weight = layer.weight.grad.clone()
    layer.weight.grad = None
    return y.detach().float(), weight, x.grad
for layer, shape in LAYERS:
    keep_exact(nn.Sequential(layer))
    x = torch.randn(2, layer.in_channels, *shape)
    for name, true, found in zip(("output", "weights", "input"), run(layer, x, False), run(layer, x, True)):
        off = float((found - true).norm() / true.norm())
        if not off < 0.05:
            print(layer, shape, name, off)
"""


def test_memory_that_others_left_behind_is_never_read() -> None:
    poisoned = {**os.environ, "MALLOC_PERTURB_": "128"}  # glibc fills what it gives away with huge numbers
    ran = subprocess.run([sys.executable, "-c", POISONED], env=poisoned, capture_output=True, text=True)
    assert (ran.returncode, ran.stdout) == (0, ""), ran.stdout + ran.stderr
