"""dataset.json: names by value however they are written, regions, and nnU-Net's ignore label."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest

from vesalius import cohorts
from vesalius.cohorts._dataset_json import channel_names, labels_of
from vesalius.core.case import IGNORED
from vesalius.plan.facts import facts
from vesalius.prepare.case import load_mask
from vesalius.reliability.inspect import inspect


@pytest.mark.parametrize(
    "raw",
    [
        {"background": 0, "liver": 1, "cyst": 2},
        {"0": "background", "1": "liver", "2": "cyst"},
        {"background": "0", "liver": "1", "cyst": "2"},
        {"background": 0.0, "liver": 1.0, "cyst": [2]},
        {"background": "0", "liver": " 1 ", "cyst": ["2"]},
    ],
)
def test_names_by_value_however_they_are_written(raw: dict[str, Any]) -> None:
    found = labels_of({"labels": raw})
    assert dict(found.values) == {0: "background", 1: "liver", 2: "cyst"}
    assert not found.regions and not found.unread and not found.ignore


def test_regions_keep_their_single_values_and_what_cannot_be_read_is_called_that() -> None:
    raw = {"background": 0, "whole": [1, 2, "3"], "core": [2], "odd": "first", "none": None, "ignore": 4}
    found = labels_of({"labels": raw})
    assert dict(found.values) == {0: "background", 1: "1", 2: "core", 3: "3", 4: "ignore"}
    assert found.regions == ("whole",) and found.unread == ("odd", "none") and found.ignore == (4,)


def nnunet(root: Path, *, text: bool = False, ignore: bool = True, count: int = 6) -> Path:
    """Volumes whose masks hold 1 and 2, and 3 over a fifth of the voxels."""
    rng = np.random.default_rng(0)
    for folder in ("imagesTr", "labelsTr"):
        (root / folder).mkdir(parents=True)
    for k in range(count):
        mask = rng.choice(np.array([0, 1, 2, 3], np.uint8), (16, 16, 8), p=[0.4, 0.2, 0.2, 0.2])
        image = nib.Nifti1Image(rng.normal(0, 1, mask.shape).astype(np.float32), np.eye(4))
        nib.save(image, root / "imagesTr" / f"c{k}_0000.nii.gz")
        nib.save(nib.Nifti1Image(mask, np.eye(4)), root / "labelsTr" / f"c{k}.nii.gz")
    named: dict[str, Any] = {"background": 0, "liver": 1, "cyst": 2, "ignore" if ignore else "kidney": 3}
    labels = {n: str(v) for n, v in named.items()} if text else named
    data = {"channel_names": {"0": "MR"}, "labels": labels, "numTraining": count, "file_ending": ".nii.gz"}
    (root / "dataset.json").write_text(json.dumps(data))
    return root


@pytest.mark.parametrize("text", [False, True])
def test_the_ignore_label_is_no_label_and_its_voxels_are_counted_nowhere(tmp_path: Path, text: bool) -> None:
    root = nnunet(tmp_path, text=text)
    cohort = cohorts.check(cohorts.read(root))
    assert [(x.value, x.name) for x in cohort.targets["mask"].labels] == [(1, "liver"), (2, "cyst")]
    assert not any("values that nothing names" in n or "regions" in n for n in cohort.notes)
    assert any("3, 'ignore', nothing is learned and nothing is scored" in n for n in cohort.notes)
    raw = np.asarray(nib.load(root / "labelsTr" / "c0.nii.gz").dataobj).transpose(2, 1, 0)
    mask = load_mask(cohort.case("c0").targets["mask"])  # type: ignore[arg-type]
    assert np.array_equal(mask.array[0] == IGNORED, raw == 3)
    assert np.array_equal(np.where(raw == 3, 0, raw), np.where(mask.array[0] == IGNORED, 0, mask.array[0]))
    found = inspect(cohorts.read(root)).summary.targets[0].labels
    assert [(x.name, x.cases) for x in found] == [("liver", 6), ("cyst", 6)]


def test_the_ignore_label_of_other_layouts(tmp_path: Path) -> None:
    root = nnunet(tmp_path)
    data = json.loads((root / "dataset.json").read_text())
    data["labels"] = {"0": "background", "1": "liver", "2": "cyst", "3": "Ignore"}
    (root / "dataset.json").write_text(json.dumps(data))
    rows = [f"imagesTr/c{k}_0000.nii.gz,labelsTr/c{k}.nii.gz" for k in range(6)]
    (root / "t.csv").write_text("image,mask\n" + "\n".join(rows) + "\n")
    wanted = [(1, "liver"), (2, "cyst")]
    for layout in ("table", "nnunet"):
        cohort = cohorts.check(cohorts.read(root, layout=layout))
        assert [(x.value, x.name) for x in cohort.targets["mask"].labels] == wanted
        assert load_mask(cohort.cases[0].targets["mask"]).array.min() == IGNORED  # type: ignore[arg-type]
    told = nnunet(tmp_path / "told", ignore=False)
    cohort = cohorts.check(cohorts.read(told, labels={"kidney": "", "liver": "2"}))
    assert [(x.value, x.name) for x in cohort.targets["mask"].labels] == [(2, "cyst")]
    assert load_mask(cohort.cases[0].targets["mask"]).array.min() == IGNORED  # type: ignore[arg-type]


def test_intensities_inside_labels_leave_out_what_is_ignored(tmp_path: Path) -> None:
    cohort = cohorts.check(cohorts.read(nnunet(tmp_path, count=2)))
    case = cohort.cases[0]
    mask = load_mask(case.targets["mask"])  # type: ignore[arg-type]
    bright = np.where(mask.array == IGNORED, 1000.0, 1.0).astype(np.float32)
    from vesalius.core.image import Image

    inside = facts(Image(bright), mask).inside
    assert inside is not None and inside[1] == 1.0


def test_names_in_a_list_or_alone_have_their_place_as_number() -> None:
    assert dict(labels_of({"labels": ["background", "liver"]}).values) == {0: "background", 1: "liver"}
    assert channel_names({"channel_names": ["CT", "PET"]}) == ("CT", "PET")
    assert channel_names({"modality": "MR"}) == ("MR",)
    assert channel_names({"modality": [1, 2]}) == ()
