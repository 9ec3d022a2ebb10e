"""The card that is named learns, and bfloat16 counts where a card multiplies in it, not where it is emulated."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
import torch

from vesalius.learn.stepper import card_of
from vesalius.plan import machine


@pytest.mark.parametrize(
    ("device", "want"), [(None, 1), ("cpu", 1), ("cpu:0", 1), ("cuda", 1), ("cuda:0", [0]), ("cuda:1", [1])]
)
def test_a_card_by_its_number(device: str | None, want: Any) -> None:
    assert card_of(device) == want


@pytest.mark.parametrize("native", [True, False])
def test_a_card_that_only_emulates_bfloat16_is_not_planned_for_it(
    native: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    def supported(including_emulation: bool = True) -> bool:
        return native or including_emulation

    card = SimpleNamespace(name="a card", total_memory=1 << 33)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda number: card)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", supported)
    found = machine.measure()
    assert (found.gpu, found.bf16) == ("a card", native)
