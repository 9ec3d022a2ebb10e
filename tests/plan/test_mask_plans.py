"""Plans of masks on pictures: over weights of ImageNet or from nothing, whole pictures or patches of them."""

from __future__ import annotations

from dataclasses import replace

from vesalius.core.cohort import Label, TargetInfo
from vesalius.core.plan import Plan
from vesalius.plan.fingerprint import Fingerprint
from vesalius.plan.machine import Machine
from vesalius.plan.rules import draft_plan
from vesalius.tasks import contract as tasks

HERE = "mobilenetv2-imagenet"
NOWHERE = Machine(2, 8 << 30, None, 0, False)
CPU = replace(NOWHERE, weights=(HERE,))
GPU = Machine(16, 64 << 30, "a card", 80 << 30, True, weights=(HERE,))
MASK = TargetInfo("mask", "mask", (Label(1, "lesion"),))
SMALL = Fingerprint(
    cases=200, patients=40, voxels={"lesion": 0.1}, images=("image",), channels=3, grey=False, flat=True,
    shape_median=(1, 216, 250), shape_max=(1, 256, 256), spacing_median=None, spacing_known=False, unit=None, bits=8,
    low=0, high=255, mean=80, sd=40, inside=False, classes={}, labels=("lesion",), sided=False, width_px=5.0,
    channel_names=("red", "green", "blue"),
)  # fmt: skip
LARGE = replace(SMALL, shape_median=(1, 410, 512), width_px=70.0)


def planned(prints: Fingerprint, machine: Machine = CPU) -> Plan:
    return draft_plan(tasks.get("segment"), MASK, prints, machine)


def test_pictures_begin_from_weights_in_patches_half_of_which_hold_a_label() -> None:
    plan = planned(SMALL)
    assert (plan.net.name, plan.net.options, plan.net.init) == ("flexunet", {"encoder": "mobilenetv2"}, HERE)
    assert plan.data.sampling == "patches" and plan.data.size == (1, 192, 192)
    assert plan.train.foreground == 0.5


def test_large_pictures_with_wide_labels_are_scaled_down_whole() -> None:
    """70 pixels wide at 512 are 35 at 256; 410 × 512 become 205 × 256, and 224 is the next multiple of 32."""
    plan = planned(LARGE)
    assert plan.data.sampling == "whole" and plan.data.size == (1, 224, 256)
    assert "70.0 pixels wide" in plan.reasons["data.sampling"]
    assert planned(LARGE, GPU).data.size == (1, 416, 512)


def test_large_pictures_with_thin_labels_keep_their_grid() -> None:
    plan = planned(replace(LARGE, width_px=2.5))
    assert plan.data.sampling == "patches" and max(plan.data.size) <= 256
    assert "too thin" in plan.reasons["data.sampling"] and plan.train.foreground == 0.5


def test_without_weights_the_net_is_that_of_before() -> None:
    plan = planned(SMALL, NOWHERE)
    assert plan.net.name == "unet" and plan.net.init is None and "net.init" not in plan.reasons
    assert (
        plan.data.sampling == "patches" and plan.data.size == (1, 192, 192) and plan.train.foreground == 0.5
    )
    missing = planned(SMALL, replace(CPU, weights=()))
    assert (
        missing.net.name == "unet"
        and missing.net.init is None
        and "pip install" in missing.reasons["net.init"]
    )


def test_volumes_and_more_channels_than_colours_begin_from_nothing() -> None:
    volume = replace(
        SMALL, flat=False, shape_median=(40, 60, 60), spacing_median=(1, 1, 1), spacing_known=True, channels=1,
        channel_names=(), width_px=None,
    )  # fmt: skip
    assert planned(volume).net.name == "unet"
    assert planned(replace(SMALL, channels=4, channel_names=())).net.name == "unet"
