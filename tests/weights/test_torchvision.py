"""torchvision's names: our net with the renamed tensors gives what torchvision's own net gave."""

from __future__ import annotations

import pytest
import torch
from tests.weights._references import as_file, farthest, ours, picture, records

from vesalius.weights.namings import torchvision

IN_A_ROW = ("alexnet", "vgg")


@pytest.mark.parametrize("name", [n for n in records() if n.startswith("torchvision/")])
def test_our_net_gives_what_torchvisions_gives(name: str) -> None:
    record = records()[name]
    weights = torchvision.read(as_file(record))
    assert weights is not None and all(k.startswith("aux") for k in weights.unused)
    maps_alone = not weights.head
    assert maps_alone == (any(word in name for word in IN_A_ROW) and "whole" not in name)
    net = ours(weights, channels=3, classes=None if maps_alone else 5)
    with torch.no_grad():
        out = net(picture(record))
    answer = out[-1].mean((2, 3))[:, :24] if maps_alone else out
    assert farthest(record, answer) < 1e-4
