"""Masks over time: frames that are not there are passed over, and a point is followed over the others."""

from __future__ import annotations

import pytest
import torch

from vesalius import nets
from vesalius.core.errors import PlanError
from vesalius.core.plan import DataPlan, LossPlan, NetPlan, Normalisation, Plan, TaskPlan, TrainPlan, override
from vesalius.prepare.batch import Batch
from vesalius.tasks import contract as tasks
from vesalius.tasks._framewise import Framewise

PLAN = Plan(
    task=TaskPlan(name="segment", target="mask"),
    data=DataPlan(
        dims=2, channels=1, sampling="patches", size=(1, 16, 16), normalise=(Normalisation(method="zscore"),)
    ),
    net=NetPlan(name="unet"),
    loss=LossPlan(name="dice-ce"),
    train=TrainPlan(steps=1, batch=1),
)


@pytest.fixture(scope="module")
def framewise():
    torch.manual_seed(0)
    dense = nets.build("unet", dims=2, in_channels=1, scale=0.125, size=(16, 16), options={"norm": "batch"})
    over = nets.build("convlstm", dims=2, in_channels=dense.out_channels, scale=0.125, options={"kernel": 1})
    return Framewise(dense, over).eval()


def batch(x, times):
    return Batch({"image": x}, case_ids=tuple(map(str, range(len(x)))), times_s={"image": times})


def test_frames_that_are_not_there_change_nothing(framewise):
    x = torch.randn(1, 3, 1, 1, 16, 16)
    times = torch.tensor([[0.0, 1.0, 3.0]])
    padded = torch.cat([x, torch.full((1, 2, 1, 1, 16, 16), 7.0)], dim=1)
    late = torch.cat([times, torch.full((1, 2), float("nan"))], dim=1)
    with torch.inference_mode():
        alone, both = framewise(batch(x, times)).full, framewise(batch(padded, late)).full
        assert alone.shape == (1, framewise.out_channels, 16, 16)
        assert torch.allclose(alone, both, atol=1e-5)


def test_the_order_of_frames_and_their_times_count(framewise):
    x, times = torch.randn(1, 4, 1, 1, 16, 16), torch.tensor([[0.0, 1.0, 2.0, 60.0]])
    with torch.inference_mode():
        said = framewise(batch(x, times)).full
        assert not torch.allclose(said, framewise(batch(x.flip(1), times)).full, atol=1e-4)
        assert not torch.allclose(
            said, framewise(batch(x, torch.tensor([[0.0, 1.0, 2.0, 3.0]]))).full, atol=1e-6
        )


@pytest.mark.parametrize(
    "settings",
    [
        {"sources.frames": 4},
        {"sources.frames": 4, "nets.time.name": "gru"},
        {"nets.time.name": "convlstm"},
        {"sources.visits": 2},
        {"sources.frames": 4, "nets.time.name": "convlstm", "loss.deep_supervision": True},
    ],
)
def test_what_cannot_see_frames_is_refused_before_training(settings):
    plan = override(PLAN, settings)
    with pytest.raises(PlanError):
        tasks.get("segment").check_plan(plan, None)
