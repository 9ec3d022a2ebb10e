"""torchvision's names: our net with the renamed tensors gives what torchvision's own net gave."""

from __future__ import annotations

import pytest
import torch

from tests.weights._references import as_file, farthest, ours, picture, records
from vesalius.weights.namings import torchvision

WHOLE = [n for n in records() if n.startswith("torchvision/") and "vgg" not in n]


@pytest.mark.parametrize("name", WHOLE)
def test_our_net_gives_the_logits_of_torchvisions(name: str) -> None:
    record = records()[name]
    weights = torchvision.read(as_file(record))
    assert weights is not None
    with torch.no_grad():
        answer = ours(weights, channels=3, classes=5)(picture(record))
    assert farthest(record, answer) < 1e-4
