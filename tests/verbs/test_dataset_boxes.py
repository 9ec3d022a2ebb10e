"""A cohort of somebody's dataset of boxes, as torchvision's are: `{"boxes": (N, 4), "labels": (N,)}`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import vesalius as vs
from vesalius import cohorts
from vesalius.core.case import Box
from vesalius.core.errors import DataError

CORNERS = [[10.0, 5.0, 30.0, 25.0], [40.5, 20.0, 60.0, 40.0]]


def items(count: int, **more: Any) -> list[tuple[Any, dict[str, Any]]]:
    """Return pictures of 60 x 40 with two boxes each, and none in the last."""
    rng = np.random.default_rng(0)
    made = []
    for k in range(count):
        held = {
            "boxes": torch.tensor(CORNERS),
            "labels": torch.tensor([1, 2]),
            "image_id": k,
            "file_name": "x",
        }
        if k == count - 1:
            held = {"boxes": torch.zeros((0, 4)), "labels": torch.zeros(0, dtype=torch.int64)}
        made.append((rng.integers(0, 255, (40, 60)).astype(np.uint8), held | more))
    return made


def test_boxes_are_written_once_and_read_again(tmp_path: Path) -> None:
    classes = ("background", "cell", "speck")
    cohort = vs.cohort_from_dataset(items(4), tmp_path / "c", classes=classes)
    info = cohort.targets["target"]
    assert info.kind == "boxes" and [x.name for x in info.labels] == ["cell", "speck"]
    assert cohort.cases[0].targets["target"] == (
        Box((0, 5, 10), (1, 25, 30), "cell"),
        Box((0, 20, 40.5), (1, 40, 60), "speck"),
    )
    assert cohort.cases[3].targets["target"] == ()
    again = cohorts.check(cohorts.read(tmp_path / "c"), strict=False)
    assert [c.targets for c in again] == [c.targets for c in cohort] and len(again) == 4


def test_crowds_names_and_volumes(tmp_path: Path) -> None:
    volume = np.zeros((8, 40, 60), np.int16)
    held = {"boxes": [[10, 5, 2, 30, 25, 6]], "labels": ["nodule"], "iscrowd": [1]}
    cohort = vs.cohort_from_dataset([(volume, held)], tmp_path / "v", axes="ZYX")
    assert cohort.cases[0].targets["target"] == (Box((2, 5, 10), (6, 25, 30), "nodule", crowd=True),)


@pytest.mark.parametrize(
    ("held", "reason"),
    [
        ({"boxes": [[30, 5, 10, 25]], "labels": [1]}, "box 0 has no extent"),
        ({"boxes": [[1, 2, 3]], "labels": [1]}, r"shape \(N, 4\)"),
        ({"boxes": CORNERS, "labels": [1]}, "each box needs one label"),
        ({"boxes": CORNERS, "labels": [1, 9]}, "no class has the number 9"),
    ],
)
def test_what_cannot_be_boxes_is_refused(tmp_path: Path, held: dict[str, Any], reason: str) -> None:
    with pytest.raises(DataError, match=reason):
        vs.cohort_from_dataset([(np.zeros((40, 60), np.uint8), held)], tmp_path / "c", classes=("a", "b"))
