"""Rules: a dozen kinds of cohort, the plan each gets, and a reason for every value."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch

from vesalius import nets
from vesalius.core.cohort import Label, TargetInfo
from vesalius.core.errors import PlanError
from vesalius.core.plan import Plan, override
from vesalius.plan.fingerprint import Fingerprint, sided
from vesalius.plan.machine import Machine
from vesalius.plan.positive import positive_of, why_positive
from vesalius.plan.rules import check, draft_plan
from vesalius.tasks import contract as tasks

CPU, GPU = Machine(2, 8 << 30, None, 0, False), Machine(16, 64 << 30, "a card", 80 << 30, True)
BASE = Fingerprint(
    cases=200, patients=200, voxels={}, images=("image",), channels=1, grey=True, flat=True, shape_median=(1, 28, 28),
    shape_max=(1, 28, 28), spacing_median=None, spacing_known=False, unit=None, bits=8, low=0, high=255, mean=80, sd=40,
    inside=False, classes={"benign": 150, "malignant": 50}, labels=("benign", "malignant"), sided=False,
)  # fmt: skip
CT = replace(
    BASE, flat=False, shape_median=(60, 128, 128), shape_max=(90, 160, 160), spacing_median=(1.5, 1.5, 3.0),
    spacing_known=True, unit="HU", bits=16, low=-120, high=240, mean=60, sd=50, inside=True, classes={},
    labels=("liver", "spleen"),
)  # fmt: skip
SEVERAL = ("a", "b", "c")
COHORTS: dict[str, tuple[str, Fingerprint]] = {
    "small 8-bit pictures": ("classify", BASE),
    "large pictures": ("classify", replace(BASE, shape_median=(1, 1024, 768), shape_max=(1, 2000, 2000))),
    "colour pictures": ("classify", replace(BASE, channels=3, grey=False)),
    "grey pictures stored as RGB": ("classify", replace(BASE, channels=3, grey=True)),
    "uneven classes": (
        "classify",
        replace(BASE, classes={"normal": 990, "sick": 10}, labels=("normal", "sick")),
    ),
    "many classes": ("classify", replace(BASE, classes=dict.fromkeys(SEVERAL, 60), labels=SEVERAL)),
    "classes that name a side": ("classify", replace(BASE, labels=("left eye", "right eye"), sided=True)),
    "volumes by class": ("classify", replace(CT, classes={"no": 100, "yes": 90}, labels=("no", "yes"))),
    "CT volumes": ("segment", CT),
    "small CT volumes": ("segment", replace(CT, shape_median=(24, 40, 40), shape_max=(32, 48, 48))),
    "tiny volumes": ("segment", replace(CT, shape_median=(12, 24, 24), shape_max=(12, 24, 24))),
    "tiny masks": ("segment", replace(BASE, shape_median=(1, 20, 24), shape_max=(1, 24, 24))),
    "two MR images": ("segment", replace(CT, images=("t1", "t2"), unit=None, bits=None, inside=False)),
    "sided organs": ("segment", replace(CT, labels=("kidney_left", "kidney_right"), sided=True)),
    "a rare label": ("segment", replace(CT, voxels={"liver": 0.06, "spleen": 0.01})),
    "thick slices": ("segment", replace(CT, spacing_median=(0.8, 0.8, 6.0))),
    "pictures with masks": ("segment", replace(BASE, shape_median=(1, 400, 500), shape_max=(1, 600, 700))),
    "pictures with sided masks": ("segment", replace(BASE, sided=True, labels=("left lung", "right lung"))),
    "many cases": ("classify", replace(BASE, cases=30_000)),
}


def drafted(name: str, machine: Machine = CPU) -> Plan:
    task, prints = COHORTS[name]
    kind = "mask" if task == "segment" else "class"
    labels = tuple(Label(k, n) for k, n in enumerate(prints.labels, start=1))
    return draft_plan(tasks.get(task), TargetInfo("truth", kind, labels, "it is there"), prints, machine)  # type: ignore[arg-type]


@pytest.mark.parametrize("machine", [CPU, GPU], ids=["cpu", "gpu"])
@pytest.mark.parametrize("name", COHORTS)
def test_every_planned_value_has_a_reason(name: str, machine: Machine) -> None:
    plan = drafted(name, machine)
    data: dict[str, Any] = plan.model_dump()
    assert plan.reasons and all(r.strip() for r in plan.reasons.values())
    for path in plan.reasons:
        node: Any = data
        for part in path.split("."):
            node = node[part]
    # a value that differs from the schema's default was planned by some rule, which must say so
    for section in ("data", "augment", "net", "loss", "train", "infer", "task"):
        fields = type(getattr(plan, section)).model_fields
        for field, info in fields.items():
            value = getattr(getattr(plan, section), field)
            if info.is_required() or value != info.get_default():
                assert f"{section}.{field}" in plan.reasons, f"{section}.{field} = {value} has no reason"
    assert plan.fingerprint["cases"] == COHORTS[name][1].cases


@pytest.mark.parametrize("name", COHORTS)
def test_a_plan_can_be_followed(name: str) -> None:
    plan = drafted(name)
    z, y, x = plan.data.size
    assert (z == 1) == (plan.data.dims == 2) == COHORTS[name][1].flat
    assert len(plan.data.normalise) == plan.data.channels
    assert plan.train.members <= plan.train.folds and min(y, x) >= 8
    assert set(plan.infer.mirror) <= set(plan.augment.flip_axes)
    with torch.device("meta"):
        assert any(w.numel() for w in tasks.planned_net(plan, nets).parameters()), "its net can be built"


@pytest.mark.parametrize("name", [n for n, (_, p) in COHORTS.items() if p.sided])
def test_where_labels_name_a_side_left_and_right_are_not_exchanged(name: str) -> None:
    plan = drafted(name)
    assert "x" not in plan.augment.flip_axes and "side" in plan.reasons["augment.flip_axes"]
    task, prints = COHORTS[name]
    other = {"flips": replace(prints, sided=False, labels=("one", "two"))}
    labels = tuple(Label(k, n) for k, n in enumerate(("one", "two"), start=1))
    kind = "mask" if task == "segment" else "class"
    free = draft_plan(tasks.get(task), TargetInfo("truth", kind, labels), other["flips"], CPU)  # type: ignore[arg-type]
    assert "x" in free.augment.flip_axes


@pytest.mark.parametrize(
    ("names", "is_sided"),
    [
        (("kidney_left", "kidney_right"), True), (("Lung R",), True), (("LEFT-ventricle",), True),
        (("Niere links",), True),
        (("liver", "spleen"), False), (("cleft", "bright"), False), (("upright",), False), ((), False),
    ],
)  # fmt: skip
def test_what_names_a_side(names: tuple[str, ...], is_sided: bool) -> None:
    assert sided([Label(1, n) for n in names]) is is_sided


def test_hounsfield_units_are_absolute() -> None:
    (entry,) = drafted("CT volumes").data.normalise
    assert (entry.method, entry.low, entry.high, entry.mean, entry.sd) == ("fixed", -120, 240, 60, 50)
    assert all(e.method == "zscore" for e in drafted("two MR images").data.normalise)
    (bits,) = drafted("small 8-bit pictures").data.normalise
    assert (bits.method, bits.low, bits.high, bits.mean, bits.sd) == ("fixed", 0, 255, 80, 40)


def test_channels_follow_the_images() -> None:
    assert drafted("grey pictures stored as RGB").data.channels == 1
    assert "all equal" in drafted("grey pictures stored as RGB").reasons["data.channels"]
    assert drafted("colour pictures").data.channels == 3
    both = drafted("two MR images")
    assert (both.data.channels, both.data.images) == (2, ("t1", "t2"))


def test_classes_decide_weights_and_the_positive_one() -> None:
    uneven = drafted("uneven classes")
    assert uneven.loss.class_weights == "balanced" and uneven.task.positive == "sick"
    assert drafted("small 8-bit pictures").task.positive == "malignant"
    assert drafted("volumes by class").task.positive == "yes"
    assert (
        drafted("many classes").loss.class_weights == "none" and drafted("many classes").task.positive is None
    )


@pytest.mark.parametrize(
    ("counts", "want"),
    [
        ({"malignant": 9, "benign": 1}, "malignant"),
        ({"1": 50, "0": 5}, "1"),
        ({"cyst": 4, "normal": 4}, "cyst"),
        ({"Grade 1": 3, "Grade 2": 2}, "Grade 2"),
        ({"normal, benign": 3, "suspicious": 9}, "suspicious"),
        ({"no tumour": 3, "tumour": 9}, "tumour"),
        ({"non-malignant": 3, "malignant": 9}, "malignant"),
        ({"no_disease": 9, "disease": 3}, "disease"),
        ({"not pneumonia": 2, "pneumonia": 9}, "pneumonia"),
        ({"cancer-free": 2, "cancer": 9}, "cancer"),
        ({"no covid": 3, "covid": 9}, "covid"),
        ({"abnormal": 9, "normal": 3}, "abnormal"),
    ],
)
def test_the_positive_class_is_a_finding_or_not_normal_or_the_rarer_one(
    counts: dict[str, int], want: str
) -> None:
    assert positive_of(counts) == want


def test_the_reason_for_the_positive_class_is_the_true_one() -> None:
    assert why_positive("tumour", {"no tumour": 3, "tumour": 9}) == "'tumour' names a finding"
    assert why_positive("covid", {"normal, benign": 3, "covid": 9}) == "'normal, benign' is called normal"
    both = why_positive("tumour", {"healthy": 9, "tumour": 3})
    assert both == "'tumour' names a finding and is the rarer class (3 of 12)"
    assert why_positive("Grade 2", {"Grade 1": 3, "Grade 2": 2}) == "'Grade 2' is the rarer class (2 of 5)"


def test_a_rare_label_weighs_more() -> None:
    assert drafted("a rare label").loss.class_weights == "root"
    assert "five times rarer" in drafted("a rare label").reasons["loss.class_weights"]
    assert drafted("CT volumes").loss.class_weights == "none"


def test_patches_fit_the_machine_and_small_images_are_seen_whole() -> None:
    small = drafted("small CT volumes")
    assert all(n >= m for n, m in zip(small.data.size, (24, 40, 40), strict=True))
    assert small.train.foreground == 0
    large = drafted("CT volumes")
    z, y, x = large.data.size
    assert z * y * x <= 60**3 and large.train.foreground > 0
    assert z * y * x < _volume(drafted("CT volumes", GPU)), "a larger machine takes larger patches"
    assert large.data.spacing_mm == (1.5, 1.5, 3.0)
    assert drafted("pictures with masks").data.spacing_mm is None


def test_masks_are_averaged_over_members_and_over_mirror_images_where_those_are_cheap() -> None:
    assert drafted("CT volumes").train.members == 3
    assert drafted("small CT volumes").infer.mirror == ("x",)
    assert (
        drafted("CT volumes").infer.mirror == () and "time" in drafted("CT volumes").reasons["infer.mirror"]
    )


def _volume(plan: Plan) -> int:
    z, y, x = plan.data.size
    return z * y * x


def test_thick_slices_turn_only_in_their_plane() -> None:
    assert drafted("thick slices").augment.rotate_in_plane_only
    assert not drafted("CT volumes").augment.rotate_in_plane_only


def test_the_precision_is_what_the_hardware_is_good_at() -> None:
    assert (drafted("CT volumes").train.precision, drafted("CT volumes", GPU).train.precision) == (
        "fp32",
        "bf16",
    )


def test_a_net_that_does_not_fit_is_refused_with_those_that_do() -> None:
    with pytest.raises(PlanError, match="unet"):
        check(override(drafted("CT volumes"), {"net.name": "resnet-18"}), tasks.get("segment"))
    with pytest.raises(PlanError, match="resnet"):
        check(override(drafted("small 8-bit pictures"), {"net.name": "unet"}), tasks.get("classify"))


def test_a_plan_that_contradicts_itself_is_refused() -> None:
    plan, task = drafted("small 8-bit pictures"), tasks.get("classify")
    with pytest.raises(PlanError, match="one entry a channel"):
        check(override(plan, {"data.channels": 2}), task)
    with pytest.raises(PlanError, match="more members than folds"):
        check(override(plan, {"train.members": 9}), task)


def test_a_task_that_somebody_named_is_planned_because_it_was_asked_for() -> None:
    target = TargetInfo("truth", "class", (), "it is there")
    reasons = [
        draft_plan(tasks.get("classify"), target, COHORTS["many cases"][1], CPU, asked=asked).reasons
        for asked in (True, False)
    ]
    assert [r["task.name"] for r in reasons] == ["asked for", "the target is a class"]
