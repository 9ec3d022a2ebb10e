"""The pretended card finds what a real one would end a run for."""

from __future__ import annotations

import pytest
import torch
from tests._pretended import CARD, pretended
from torch import nn


def test_it_computes_what_the_processor_does_and_finds_what_was_left_behind(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    layer, x = nn.Linear(3, 2), torch.randn(4, 3)
    want = float(layer(x).detach().sum())
    left = torch.ones(2)
    with pretended(monkeypatch) as card:
        card.put_model(layer)
        out = layer(x.to(CARD))
        assert out.device == CARD and card.mixed == []
        assert float(out.detach().sum().cpu()) == pytest.approx(want) and card.waits
        assert (out + torch.tensor([1.0, 2.0], device=CARD)).device == CARD and card.mixed == []
        out + torch.ones(())  # a single number may come from anywhere
        assert card.mixed == []
        _ = out + left
        assert len(card.mixed) == 1 and "a tensor of the processor" in card.mixed[0]
        torch.rand(2, device=CARD, generator=torch.Generator())
        assert "generator" in card.mixed[1]
