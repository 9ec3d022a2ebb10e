"""What a plan takes over of weights of others beside their net: axes, intensities and voxels of the same meaning."""

from __future__ import annotations

from typing import Any

import pytest

from vesalius.core.errors import PlanError
from vesalius.core.plan import NetPlan, Normalisation, Plan, parse_plan
from vesalius.core.registry import held
from vesalius.run.adopting import adopted
from vesalius.run.init import Start
from vesalius.run.past import Past
from vesalius.weights import Weights

CT = Normalisation(method="fixed", low=-60.0, high=250.0, mean=90.0, sd=40.0)
NET = NetPlan(
    name="unet", options={"channels": [8, 8], "strides": [[1, 1], [2, 2]], "kernels": [[1, 3], [3, 3]]}
)


def planned(unit: str | None, dims: int = 3, sampling: str = "patches", **normalise: Any) -> Plan:
    """Return a plan of a segmentation of one channel."""
    return parse_plan(
        {
            "task": {"name": "segment"},
            "data": {
                "dims": dims,
                "channels": 1,
                "sampling": sampling,
                "size": [16 if dims == 3 else 1, 32, 32],
                "spacing_mm": [1, 1, 2],
                "normalise": [{"method": "zscore", **normalise}],
            },
            "net": {"name": "unet"},
            "loss": {"name": "dice_ce"},
            "train": {"steps": 3, "batch": 2},
            "fingerprint": {"unit": unit},
        }
    )


def after(plan: Plan, settings: dict[str, Any] | None = None, **given: Any) -> Plan:
    """Return the plan with what it takes over of weights."""
    weights = Weights({}, "theirs", **given)
    start = Start({}, Past("theirs"), given=weights)
    return adopted(plan, start, held("tasks", "segment", "TASK"), settings or {})


def test_limits_in_hounsfield_units_are_for_hounsfield_units() -> None:
    assert after(planned("HU"), dims=3, normalise=(CT,)).data.normalise == (CT,)
    assert after(planned(None), dims=3, normalise=(CT,)).data.normalise == planned(None).data.normalise
    assert after(planned("HU"), dims=3, normalise=(CT, CT)).data.normalise == planned("HU").data.normalise
    told = after(planned("HU"), {"data.normalise": []}, dims=3, normalise=(CT,))
    assert told.data.normalise == planned("HU").data.normalise


def test_a_scale_of_eight_bits_is_for_eight_bits() -> None:
    scale = Normalisation(method="fixed", mean=0.0, sd=255.0)
    eight = {"method": "fixed", "low": 0.0, "high": 255.0, "mean": 100.0, "sd": 50.0}
    assert after(planned(None, **eight), dims=3, normalise=(scale,)).data.normalise == (scale,)
    assert after(planned("HU"), dims=3, normalise=(scale,)).data.normalise == planned("HU").data.normalise


def test_voxels_are_taken_over_by_patches_alone() -> None:
    spacing = (0.8, 0.8, 3.0)
    plan = after(planned("HU"), dims=3, spacing_mm=spacing)
    assert plan.data.spacing_mm == spacing and plan.reasons["data.spacing_mm"]
    whole = planned("HU", sampling="whole")
    assert after(whole, dims=3, spacing_mm=spacing).data.spacing_mm == whole.data.spacing_mm


def test_a_net_of_pictures_is_given_a_third_axis_and_not_the_other_way() -> None:
    options = after(planned("HU"), dims=2, net=NET).net.options
    assert options["strides"] == [[1, 1, 1], [2, 2, 2]] and options["kernels"] == [[1, 1, 3], [3, 3, 3]]
    assert options["channels"] == [8, 8]
    with pytest.raises(PlanError, match=r"net of volumes; found 3-D weights, and a 2-D plan"):
        after(planned(None, dims=2), dims=3, net=NetPlan(name="unet"))


def test_a_runs_weights_see_images_normalised_as_its_own_were() -> None:
    eight = {"method": "fixed", "low": 0.0, "high": 255.0}
    theirs = planned(None, **eight, mean=123.675, sd=58.395)
    ours = planned(None, **eight, mean=80.0, sd=46.0)
    task = held("tasks", "segment", "TASK")
    start = Start({}, Past("a run"), plan=theirs)
    taken = adopted(ours, start, task, {})
    assert taken.data.normalise == theirs.data.normalise
    assert taken.reasons["data.normalise"] == "as for the images that the weights learned from"
    assert adopted(ours, start, task, {"data.normalise": []}).data.normalise == ours.data.normalise
    sixteen = planned(None)  # each image by itself, as its values are on no scale of eight bits
    assert adopted(sixteen, start, task, {}).data.normalise == sixteen.data.normalise
