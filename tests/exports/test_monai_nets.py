"""Nets of MONAI's with our weights in them say what ours say; those that differ are not taken for the same."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from vesalius import nets
from vesalius.core.plan import NetPlan
from vesalius.exports._monai_nets import twin_of


class Model(nn.Module):
    """A net under the head that a task gives it."""

    def __init__(
        self, name: str, dims: int, size: tuple[int, ...], options: dict[str, Any], scale: float
    ) -> None:
        super().__init__()
        torch.manual_seed(1)
        self.net: Any = nets.build(name, dims=dims, in_channels=2, scale=scale, size=size, options=options)
        self.dense = nets.describe(name)["ROLE"] == "dense"
        conv = nn.Conv2d if dims == 2 else nn.Conv3d
        self.head: Any = conv(self.net.out_channels, 3, 1) if self.dense else self.net.head(3)
        for parameter in self.parameters():  # also what begins at nothing, or at one, says something
            parameter.data += 0.02 * torch.randn_like(parameter)
        self.eval()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        out = self.net(x)
        found: torch.Tensor = self.head(out.full if self.dense else out)
        return found


@pytest.mark.parametrize(
    ("name", "dims", "size", "options", "target"),
    [
        ("unet", 3, (8, 16, 16), {}, "DynUNet"),
        ("unet", 2, (32, 32), {"norm": "batch"}, "DynUNet"),
        ("unetr", 2, (32, 32), {}, "UNETR"),
        ("resnet-10", 3, (16, 16, 16), {"stem": "slow"}, "ResNet"),
        ("resnet-10", 2, (32, 32), {"stem": "small"}, "ResNet"),
    ],
)
def test_the_twin_says_what_ours_says(
    name: str, dims: int, size: tuple[int, ...], options: dict[str, Any], target: str
) -> None:
    scale = 0.0625 if name == "unetr" else 0.125
    model = Model(name, dims, size, options, scale)
    twin = twin_of(model, NetPlan(name=name, scale=scale, options=options), dims)
    assert twin is not None and twin.target.endswith(target)
    x = torch.randn(2, 2, *size)
    with torch.no_grad():
        assert torch.allclose(twin.build()(x), model(x), atol=2e-5)


@pytest.mark.parametrize(
    ("name", "options"),
    [("unet", {"fold": True}), ("unet", {"slope": 0.2}), ("resnet-10", {"norm": "instance"}), ("cnn", {})],
)
def test_what_monai_has_not_is_not_taken_for_the_same(name: str, options: dict[str, Any]) -> None:
    model = Model(name, 2, (32, 32), options, 1.0 if name == "cnn" else 0.125)
    assert twin_of(model, NetPlan(name=name, options=options), 2) is None
