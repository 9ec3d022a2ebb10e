"""Means over parts of volumes, as graphs have them, are torch's; and the order of steps that are there."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from vesalius.infer.graph_means import PlainMean, with_plain_means
from vesalius.nets._overtime import there_first


@pytest.mark.parametrize("size", [4, (2, 3, 5), (1, None, 2), 7])
def test_it_is_the_mean_of_the_same_parts(size: int | tuple[int | None, int | None, int | None]) -> None:
    x = torch.randn(2, 3, 5, 6, 7)
    pool = nn.AdaptiveAvgPool3d(size)
    assert torch.allclose(PlainMean(pool.output_size)(x), pool(x), atol=1e-6)
    model = nn.Sequential(nn.Identity(), nn.Sequential(pool))
    assert torch.allclose(with_plain_means(model)(x), nn.AdaptiveAvgPool3d(size)(x), atol=1e-6)
    assert not any(isinstance(m, nn.AdaptiveAvgPool3d) for m in model.modules())


def test_steps_that_are_there_come_first_in_their_order_and_go_back() -> None:
    there = torch.rand(20, 9, generator=torch.Generator().manual_seed(2)) < 0.5
    there[0], there[1] = True, False
    order, back = there_first(there)
    assert torch.equal(order, torch.argsort((~there).to(torch.uint8), dim=1, stable=True))
    assert torch.equal(back, torch.argsort(order, dim=1))
