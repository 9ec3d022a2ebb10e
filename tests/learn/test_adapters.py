"""Adapters as far as they are known without peft: beside which layers, what is merged, and what is refused."""

from __future__ import annotations

import sys

import pytest
import torch
from _bench import PLAN, STATE
from torch import nn

from vesalius.core.errors import MissingExtra, PlanError
from vesalius.core.plan import Plan, override
from vesalius.learn.adapters import SCALE, Adapters, added, assert_learned, layers_of
from vesalius.learn.stepper import build
from vesalius.plan.presets import applied
from vesalius.tasks import contract as tasks

VIT: Plan = override(PLAN, {"net.name": "vit-tiny", "net.dropout": 0.0, "train.lora": 2})


def test_they_lie_beside_the_encoders_linear_layers_and_not_the_heads() -> None:
    model = build(tasks.get("classify"), VIT, STATE, 0)
    layers = layers_of(model)
    assert layers and all(n.startswith("net.blocks.") for n in layers)
    assert {n.split(".", 3)[3] for n in layers} == {"attention.qkv", "attention.out", "mlp.0", "mlp.3"}
    with pytest.raises(PlanError, match="no linear layers.*--preset finetune, or --set train.lora=0"):
        layers_of(build(tasks.get("classify"), PLAN, STATE, 0))


def test_weights_that_nothing_learned_are_refused() -> None:
    model = build(tasks.get("classify"), VIT, STATE, 0)
    names = [n for n, _ in model.named_parameters() if n.startswith("net.")]
    assert_learned(model, names)
    with pytest.raises(PlanError, match="nothing has learned some of them; found net.token not among"):
        assert_learned(model, [n for n in names if n != "net.token"])


def test_what_an_adapter_adds_is_in_the_weights_that_are_given_out() -> None:
    draw = torch.Generator().manual_seed(0)
    own, down, up = (torch.randn(s, generator=draw) for s in ((5, 4), (2, 4), (5, 2)))
    values = {
        "net.a.base_layer.weight": own,
        "net.a.base_layer.bias": torch.ones(5),
        "net.a.lora_A.default.weight": down,
        "net.a.lora_B.default.weight": up,
        "head.weight": torch.ones(1),
    }
    merged = Adapters(("net.a",)).merged(values)
    assert sorted(merged) == ["head.weight", "net.a.bias", "net.a.weight"] and len(values) == 5
    x = torch.randn(3, 4, generator=draw)
    by_hand = x @ own.T + SCALE * ((x @ down.T) @ up.T)
    assert torch.allclose(x @ merged["net.a.weight"].T, by_hand, atol=1e-5)


def test_without_peft_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "peft", None)
    model: nn.Module = build(tasks.get("classify"), VIT, STATE, 0)
    with pytest.raises(MissingExtra, match=r"'peft' is not installed; try: pip install 'vesalius\[hf\]'"):
        added(model, 2, seed=0)


def test_the_preset_plans_their_rank_with_its_reason_and_the_user_wins() -> None:
    plan = applied("lora", PLAN)
    assert (
        plan.train.lora == 8 and plan.train.enough == 0.5 and "arXiv 2106.09685" in plan.reasons["train.lora"]
    )
    assert applied("lora", override(PLAN, {"train.lora": 2})).train.lora == 2
