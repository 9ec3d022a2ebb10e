"""Drafts are pinned: plans are, to the last value and reason and in the same order, what they were.

`drafts.json` was written by the rules of before each task owned its choices (commit cc2ddb9). It holds what differs
from the defaults of the schema. What has been planned beside that since then (`infer.novelty`) was added to it alone.
"""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from vesalius.core.cohort import Label, TargetInfo
from vesalius.plan.fingerprint import Fingerprint
from vesalius.plan.machine import Machine
from vesalius.plan.rules import draft_plan
from vesalius.tasks import contract as tasks

PINNED = Path(__file__).with_name("drafts.json")
MACHINES = {
    "cpu": Machine(2, 8 << 30, None, 0, False),
    "gpu": Machine(16, 64 << 30, "a card", 80 << 30, True),
}
FLAT = Fingerprint(
    cases=200, patients=200, voxels={}, images=("image",), channels=1, grey=True, flat=True, shape_median=(1, 28, 28),
    shape_max=(1, 28, 28), spacing_median=None, spacing_known=False, unit=None, bits=8, low=0, high=255, mean=80, sd=40,
    inside=False, classes={"benign": 150, "malignant": 50}, labels=("benign", "malignant"), sided=False,
)  # fmt: skip
CT = replace(
    FLAT, flat=False, shape_median=(60, 128, 128), shape_max=(90, 160, 160), spacing_median=(1.5, 1.5, 3.0),
    spacing_known=True, unit="HU", bits=16, low=-120, high=240, mean=60, sd=50, inside=True, classes={},
    labels=("liver", "spleen"),
)  # fmt: skip
RGB = ("red", "green", "blue")
COHORTS: dict[str, tuple[str, str, Fingerprint]] = {
    "two classes": ("classify", "class", FLAT),
    "many large colour pictures": (
        "classify",
        "class",
        replace(FLAT, cases=9000, channels=3, grey=False, channel_names=RGB, shape_median=(1, 1024, 600)),
    ),
    "uneven classes": (
        "classify",
        "class",
        replace(FLAT, classes={"normal": 990, "sick": 10}, labels=("normal", "sick"), sided=True),
    ),
    "volumes by class": (
        "classify",
        "class",
        replace(CT, classes={"no": 100, "yes": 90}, labels=("no", "yes")),
    ),
    "several labels": ("classify", "multilabel", replace(FLAT, classes={"a": 60, "b": 9, "c": 30})),
    "grades": ("classify", "ordinal", replace(FLAT, classes={"0": 20, "1": 30}, labels=("0", "1"))),
    "CT volumes": ("segment", "mask", CT),
    "tiny volumes": (
        "segment",
        "mask",
        replace(CT, shape_median=(12, 24, 24), voxels={"liver": 0.06, "spleen": 0.01}),
    ),
    "two MR images": (
        "segment",
        "mask",
        replace(CT, images=("t1", "t2"), unit=None, bits=None, inside=False, sided=True),
    ),
    "thick slices": (
        "segment",
        "mask",
        replace(CT, shape_median=(24, 40, 40), spacing_median=(0.8, 0.8, 6.0)),
    ),
    "pictures with masks": ("segment", "mask", replace(FLAT, shape_median=(1, 400, 500))),
    "tiny masks": ("segment", "mask", replace(FLAT, shape_median=(1, 20, 24))),
}


def drafted(cohort: str, machine: str) -> dict[str, Any]:
    """The draft of one cohort on one machine as JSON, without the fingerprint, which is what went in."""
    task, kind, prints = COHORTS[cohort]
    labels = tuple(Label(k, n) for k, n in enumerate(prints.labels, start=1))
    target = TargetInfo("truth", kind, labels, "it is there")  # type: ignore[arg-type]
    plan = draft_plan(tasks.get(task), target, prints, MACHINES[machine], seed=7)
    made: dict[str, Any] = plan.model_dump(mode="json", exclude_defaults=True, exclude={"fingerprint"})
    return made


@pytest.mark.parametrize("machine", MACHINES)
@pytest.mark.parametrize("cohort", COHORTS)
def test_a_draft_is_what_it_was(cohort: str, machine: str) -> None:
    before = json.loads(PINNED.read_text(encoding="utf-8"))[f"{cohort}, {machine}"]
    now = drafted(cohort, machine)
    assert now == before
    assert list(now["reasons"]) == list(before["reasons"]), "in the same order"
