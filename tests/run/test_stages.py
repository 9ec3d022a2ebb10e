"""A plan as a list of stages: one by itself, or a coarse look and what is cut by it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from vesalius.core.bundle import State
from vesalius.core.case import Box, Case, InstanceMask
from vesalius.core.errors import PlanError, UnknownName
from vesalius.core.image import Image
from vesalius.core.plan import DataPlan, LossPlan, NetPlan, Normalisation, Plan, TaskPlan, TrainPlan, override
from vesalius.infer.handed import given_of
from vesalius.infer.handover.crop import Crop
from vesalius.run.ready import Ready
from vesalius.run.stages import StagePlan, stages_of
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
    assert only.taken == ()


def test_a_coarse_look_is_a_stage_before_it() -> None:
    first, last = stages_of(TWO)
    assert (first.name, last.name, last.plan) == ("locate", "segment", TWO)
    assert first.plan.data.spacing_mm == (2.0, 2.0, 4.0) and first.plan.locate is None
    assert (first.plan.train.steps, first.plan.train.members, first.share) == (25, 1, 0.25)
    assert first.purpose and last.takes == {"stage": 0, "as": "crop", "margin_mm": 2.0}
    with pytest.raises(PlanError, match=r"need images with spacing.*--set locate=null"):
        stages_of(override(TWO, {"data.spacing_mm": None}))


def cut(case: Case, stage: StagePlan, located: str) -> Case:
    """Return a case as a stage is given it that takes the truth `located` as a crop."""
    reference = case.images["image"]
    found = Crop().of_truth(case, reference, located)  # type: ignore[arg-type]
    kept = {} if found is None else {(0, "crop"): found}
    target = stage.plan.task.target
    return given_of(stage.taken, case, reference, kept, names=["first"], target=target).case  # type: ignore[arg-type]


def test_a_training_case_is_cut_to_the_truth_of_the_stage_that_it_takes() -> None:
    last = stages_of(TWO)[-1]
    case = Case("a", {"image": box(0, 12)}, targets={"lesion": box(5, 7), "organ": box(3, 9)})
    assert cut(case, last, "lesion").images["image"].shape == (6, 6, 6)  # type: ignore[union-attr]
    found = cut(case, last, "organ")
    assert found.images["image"].shape == found.targets["lesion"].shape == (10, 10, 10)  # type: ignore[union-attr]
    assert found.targets["lesion"].array.sum() == 8  # type: ignore[union-attr]
    bare = cut(Case("b", {"image": box(0, 12)}), last, "lesion")
    assert bare.images["image"].shape == (12, 12, 12)  # type: ignore[union-attr]


def test_instances_and_boxes_are_cut_with_the_image() -> None:
    ids = InstanceMask(box(4, 8, 3), {3: "cell"})
    boxes = (Box((4, 4, 4), (8, 8, 8), "a"), Box((0, 0, 0), (2, 12, 12), "far"))
    case = Case("a", {"image": box(0, 12)}, targets={"organ": box(5, 7), "cells": ids, "boxes": boxes})
    for target in ("cells", "boxes"):
        plan = override(PLAN, {"task.target": target})
        last = StagePlan("x", plan, {"stage": 0, "as": "crop", "margin_mm": 1})
        found = cut(case, last, "organ").targets[target]  # from index 4 to 8
        if isinstance(found, InstanceMask):
            assert found.ids.array.shape == (1, 4, 4, 4) and (found.ids.array == 3).all()  # type: ignore[union-attr]
        else:
            assert found == (Box((0, 0, 0), (4, 4, 4), "a"),), "moved along, and what is outside is gone"
    by_ids = cut(case, StagePlan("x", PLAN, {"stage": 0, "as": "crop", "margin_mm": 0}), "cells")
    assert by_ids.images["image"].shape == (4, 4, 4)  # type: ignore[union-attr]


def test_several_stages_are_taken_at_once_but_not_two_parts_and_none_twice() -> None:
    early = [{"name": name, "settings": {"task.target": name}} for name in ("organ", "fat")]
    plan = override(
        PLAN, {"earlier": early, "takes.how": "channel", "takes.also": [{"stage": 1, "how": "map"}]}
    )
    *first, last = stages_of(plan)
    assert last.takes == {"stage": 0, "as": "channel", "also": [{"stage": 1, "as": "map"}]}
    assert [one["as"] for one in last.taken] == ["channel", "map"]
    assert [stage.plan.train.members for stage in first] == [5, 5], "each case has one that never saw it"
    with pytest.raises(PlanError, match="takes two parts of the image"):
        stages_of(override(PLAN, {"earlier": early, "takes.stage": 0, "takes.also": [{"stage": 1}]}))
    with pytest.raises(PlanError, match="takes the channel of stage 0 twice"):
        stages_of(override(plan, {"takes.also": [{"stage": 0, "how": "channel"}]}))
    with pytest.raises(UnknownName, match="unknown handover 'chanel'.*channel"):
        stages_of(override(plan, {"takes.how": "chanel"}))


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
