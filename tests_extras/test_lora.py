"""LoRA: adapters and head alone learn, what is given out answers as what was trained, and a stop changes nothing."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from vesalius.core.bundle import State
from vesalius.core.errors import Interrupted, PlanError
from vesalius.core.plan import (
    DataPlan,
    LossPlan,
    NetPlan,
    Normalisation,
    Plan,
    TaskPlan,
    TrainPlan,
    override,
)
from vesalius.core.progress import Silent
from vesalius.learn import loop
from vesalius.learn.adapters import assert_learned, layers_of
from vesalius.learn.stepper import Stepper, build, fabric_for
from vesalius.prepare.batch import Batch, Example
from vesalius.tasks import contract as tasks
from vesalius.weights import reader

STATE = State(
    {
        "target": "t",
        "kind": "exclusive",
        "share": [0.5, 0.5],
        "labels": [{"value": k, "name": n} for k, n in enumerate("ab")],
    }
)
OWN = {"vit": "vit-tiny", "swin": "swin-tiny"}


def planned(net: NetPlan, **train: Any) -> Plan:
    return Plan(
        task=TaskPlan(name="classify", target="t"),
        data=DataPlan(
            dims=2,
            channels=1,
            sampling="whole",
            size=(1, 32, 32),
            normalise=(Normalisation(method="zscore"),),
        ),
        net=net,
        loss=LossPlan(name="cross_entropy"),
        train=TrainPlan(steps=6, batch=4, validations=3, ema=0.5, lr=0.01, lora=4, **train),
    )


def examples() -> list[Example]:
    rng = np.random.default_rng(0)
    return [
        Example(
            f"case-{k}",
            {"image": rng.normal(2 * (k % 2) - 1, 1, size=(1, 1, 32, 32)).astype(np.float32)},
            {"label": np.eye(2, dtype=np.float32)[k % 2]},
        )
        for k in range(8)
    ]


@pytest.fixture(params=["vit", "swin", "siglip_vision_model", "convnext", "own vit", "own swin"])
def given(request: pytest.FixtureRequest, folders: dict[str, Path]) -> tuple[Plan, dict[str, torch.Tensor]]:
    """A plan with adapters, and the weights to begin from."""
    name = request.param
    if name in folders:
        weights = reader.read(folders[name])
        assert weights.net is not None
        return planned(weights.net), dict(weights.tensors)
    plan = planned(NetPlan(name=OWN[name.removeprefix("own ")], scale=0.125))
    task = tasks.get("classify")
    return plan, build(task, override(plan, {"train.seed": 5}), STATE, 0).state_dict()


def stepped(plan: Plan, start: dict[str, torch.Tensor], steps: int) -> tuple[Stepper, Batch]:
    task = tasks.get("classify")
    stepper = Stepper(task, plan, STATE, 0, fabric_for(plan), start)
    batch = task.collate(examples())
    for step in range(steps):
        stepper.step(step, batch, 0.01)
    return stepper, batch


def test_adapters_and_head_alone_learn_and_the_merged_model_answers_alike(
    given: tuple[Plan, dict[str, torch.Tensor]],
) -> None:
    plan, start = given
    task = tasks.get("classify")
    before = build(task, plan, STATE, 0, start)
    stepper, batch = stepped(plan, start, 4)
    learning = [n for n, p in stepper.model.named_parameters() if p.requires_grad]
    assert all(".lora_" in n or n.startswith("head.") for n in learning) and any(
        ".lora_" in n for n in learning
    )
    made = stepper.weights()
    own, layers = before.state_dict(), {f"{n}.weight" for n in layers_of(before)}
    assert set(made) == set(own), "a bundle knows nothing of adapters"
    for name, tensor in own.items():
        if name.startswith("head.") and tensor.ndim > 1 or name in layers:
            assert not torch.equal(made[name], tensor), f"{name} learned"
        elif name.startswith("net."):
            assert torch.equal(made[name], tensor), f"{name} stayed"
    image = batch.images["image"]
    merged = build(task, plan, STATE, 0).eval()
    merged.load_state_dict(made)
    with stepper.averaged() as model, torch.no_grad():
        unmerged = task.infer(model, batch, torch.Generator())
    with torch.no_grad():
        plain = task.infer(merged, batch, torch.Generator())
    assert image.shape[0] == 8 and torch.allclose(
        torch.as_tensor(plain), torch.as_tensor(unmerged), atol=1e-5
    )


class Stop(Silent):
    """Ctrl-C, as it were, after so many steps."""

    def __init__(self, after: int) -> None:
        self.left = after

    def advance(self, name: str, done: int = 1, text: str = "") -> None:
        if not text and done:
            self.left -= 1
            if self.left == 0:
                signal.raise_signal(signal.SIGINT)


def test_a_resumed_fit_equals_one_that_was_never_stopped(folders: dict[str, Path], tmp_path: Path) -> None:
    weights = reader.read(folders["vit"])
    assert weights.net is not None
    plan = planned(weights.net, select="last")
    task = tasks.get("classify")

    def train(folder: Path, progress: Any) -> loop.Trained:
        return loop.train(
            task, plan, STATE, examples(), None,
            member=0, folder=folder, progress=progress, start=dict(weights.tensors),
        )  # fmt: skip

    whole = train(tmp_path / "whole", Silent())
    with pytest.raises(Interrupted):
        train(tmp_path / "stopped", Stop(3))
    resumed = train(tmp_path / "stopped", Silent())
    assert whole.last_step == resumed.last_step == 6
    assert all(torch.equal(whole.weights[n], t) for n, t in resumed.weights.items())
    assert not any("lora" in n or "base_layer" in n for n in whole.weights)


def test_what_has_no_linear_layers_or_learned_nothing_is_refused(folders: dict[str, Path]) -> None:
    task = tasks.get("classify")
    with pytest.raises(PlanError, match="no linear layers that adapters could lie beside"):
        plan = planned(NetPlan(name="resnet-10", scale=0.125))
        Stepper(task, plan, STATE, 0, fabric_for(plan))
    weights = reader.read(folders["vit"])
    assert weights.net is not None
    model = build(task, planned(weights.net), STATE, 0)
    taken = [f"net.{n}" for n in weights.tensors]
    assert_learned(model, taken)
    with pytest.raises(
        PlanError, match="nothing has learned some of them; found net.inner.*--set train.lora=0"
    ):
        assert_learned(model, taken[3:])
