"""A plan as a list of stages: one by itself, or a coarse look and what is cut by it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from vesalius.core.bundle import State
from vesalius.core.case import Case
from vesalius.core.errors import PlanError
from vesalius.core.image import Image
from vesalius.core.plan import DataPlan, LossPlan, NetPlan, Normalisation, Plan, TaskPlan, TrainPlan, override
from vesalius.run.ready import Ready
from vesalius.run.stages import StagePlan, stages_of, training_cut
from vesalius.tasks import contract as tasks

PLAN = Plan(
    task=TaskPlan(name="segment", target="lesion"),
    data=DataPlan(
        dims=3,
        channels=1,
        sampling="patches",
        size=(8, 8, 8),
        spacing_mm=(1.0, 1.0, 2.0),
        normalise=(Normalisation(method="zscore"),),
    ),
    net=NetPlan(name="unet"),
    loss=LossPlan(name="dice-ce"),
    train=TrainPlan(steps=100, batch=2, members=3),
)
TWO = override(PLAN, {"locate.margin_mm": 2.0, "locate.share": 0.25})


def box(low: int, high: int, value: int = 1) -> Image:
    array = np.zeros((1, 12, 12, 12), dtype=np.uint8)
    array[:, low:high, low:high, low:high] = value
    return Image(array, affine=np.eye(4))


def test_most_plans_have_one_stage() -> None:
    (only,) = stages_of(PLAN)
    assert (only.name, only.plan, only.takes, only.share) == ("segment", PLAN, None, 1.0)
    assert training_cut((only,), 0) is None


def test_a_coarse_look_is_a_stage_before_it() -> None:
    first, last = stages_of(TWO)
    assert (first.name, last.name, last.plan) == ("locate", "segment", TWO)
    assert first.plan.data.spacing_mm == (2.0, 2.0, 4.0) and first.plan.locate is None
    assert (first.plan.train.steps, first.plan.train.members, first.share) == (25, 1, 0.25)
    assert first.purpose and last.takes == {"stage": 0, "as": "crop", "margin_mm": 2.0}
    with pytest.raises(PlanError, match=r"need images with spacing.*--set locate=null"):
        stages_of(override(TWO, {"data.spacing_mm": None}))


def test_a_training_case_is_cut_to_the_truth_of_the_stage_that_it_takes() -> None:
    first, last = stages_of(TWO)
    cut = training_cut((first, last), 1)
    case = Case("a", {"image": box(0, 12)}, targets={"lesion": box(5, 7), "organ": box(3, 9)})
    assert cut is not None and cut(case).images["image"].shape == (6, 6, 6)  # type: ignore[union-attr]
    organ = override(first.plan, {"task.target": "organ"})
    wider = training_cut((StagePlan("organ", organ), last), 1)
    assert wider is not None
    found = wider(case)
    assert found.images["image"].shape == found.targets["lesion"].shape == (10, 10, 10)  # type: ignore[union-attr]
    assert found.targets["lesion"].array.sum() == 8  # type: ignore[union-attr]
    assert cut(Case("b", {"image": box(0, 12)})).images["image"].shape == (12, 12, 12)  # type: ignore[union-attr]
    with pytest.raises(PlanError, match="takes 'channel'"):
        training_cut((first, StagePlan("x", TWO, {"stage": 0, "as": "channel"})), 1)


@pytest.mark.parametrize(
    ("settings", "same"),
    [
        (
            {"train.steps": 7, "train.members": 1, "train.validations": 2, "net.scale": 0.5, "train.lr": 1.0},
            True,
        ),
        ({"data.size": [8, 8, 16]}, False),
        ({"task.options.x": 1}, False),
        ({"net.name": "resunet"}, False),
        ({"train.seed": 9}, False),
    ],
)
def test_what_was_made_ready_serves_where_the_budget_alone_changed_it(
    settings: dict[str, Any], same: bool
) -> None:
    ready = Ready(StagePlan("segment", PLAN), tasks.get("segment"), State())
    assert ready.serves(override(PLAN, settings)) is same
