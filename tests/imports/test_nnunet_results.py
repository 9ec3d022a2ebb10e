"""Models that nnU-Net made itself answer here as its own predictor did; what is done otherwise is refused by name."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.imports._fields import case_of, probabilities

from vesalius.core.errors import BundleError
from vesalius.imports.contract import Brought, Told
from vesalius.imports.origins import nnunet

MADE = Path(__file__).parent / "nnunet"  # by tests_extras/imports/make_nnunet.py
STEP = 1 / 65535  # of the probabilities that were recorded
KINDS = {  # images; axes that are turned, mirrored or resampled by themselves
    "ct": ["CT"],
    "mr": ["T1", "T2"],
    "flat": ["MR"],
}


def folder_of(kind: str) -> Path:
    """Return the folder of results of a kind."""
    return next(p for p in (MADE / kind).iterdir() if p.is_dir())


@pytest.fixture(scope="module")
def mr() -> Brought:
    return nnunet.bring(folder_of("mr"), Told())


@pytest.mark.parametrize("kind", KINDS)
def test_probabilities_are_those_of_nnunets_own_predictor(kind: str, mr: Brought) -> None:
    brought = mr if kind == "mr" else nnunet.bring(folder_of(kind), Told())
    paths = dict(zip(brought.plan.data.images, sorted((MADE / kind).glob("image_*.nii.gz")), strict=True))
    assert list(paths) == KINDS[kind]
    found = probabilities(brought, case_of(paths))
    with np.load(MADE / kind / "answer.npz") as recorded:
        wanted = recorded["steps"] * STEP
    inside = wanted.sum(axis=0) > 0  # nnU-Net's own probabilities are 0 where it cut the image off
    assert inside.mean() > 0.3 and wanted.max() > 0.5, "the recording tells nothing"
    assert np.abs(found[1:] - wanted)[:, inside].max() < 1e-4


def test_the_plan_is_that_of_nnunet(mr: Brought) -> None:
    data, infer = mr.plan.data, mr.plan.infer
    assert (
        data.spacing_mm == (1.1, 1.2, 4.0)
        and data.size == (6, 16, 16)
        and data.nonzero
        and data.normalise_first
    )
    assert [n.method for n in data.normalise] == ["zscore"] * 2 and all(n.masked for n in data.normalise)
    assert data.resample is not None and (data.resample.order, data.resample.apart_order) == (3, 0)
    assert infer.mirror == ("z", "y", "x") and infer.tiling == "nnunet"
    assert len(mr.members) == 2 and "folds 0, 1" in mr.origin
    assert [x["name"] for x in mr.state.values["labels"]] == ["organ", "lesion"]


def test_axes_that_were_turned_are_turned_back() -> None:
    brought = nnunet.bring(folder_of("ct"), Told())
    plans = json.loads((folder_of("ct") / "plans.json").read_text())
    assert plans["transpose_forward"] == [1, 0, 2]
    y, z, x = plans["configurations"]["3d_fullres"]["spacing"]
    assert brought.plan.data.spacing_mm == (x, y, z)
    first = brought.plan.data.normalise[0]
    known = plans["foreground_intensity_properties_per_channel"]["0"]
    assert (first.low, first.high) == pytest.approx((known["percentile_00_5"], known["percentile_99_5"]))
    assert (first.mean, first.sd) == pytest.approx((known["mean"], known["std"]))


def changed(tmp_path: Path, change: Any, kind: str = "ct") -> Path:
    """Return a copy of a folder of results, with its plan changed in the checkpoint's place and beside it."""
    import torch

    copy = tmp_path / folder_of(kind).name
    shutil.copytree(folder_of(kind), copy)
    for path in copy.glob("fold_*/*.pth"):
        held = torch.load(path, weights_only=False)
        change(held["init_args"]["plans"]["configurations"], held["init_args"]["dataset_json"])
        torch.save(held, path)
    return copy


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"previous_stage": "3d_lowres"}, "cascade"),
        ({"normalization_schemes": ["RescaleTo01Normalization"]}, "RescaleTo01Normalization"),
        ({"preprocessor_name": "MyPreprocessor"}, "MyPreprocessor"),
        ({"resampling_fn_data": "resample_torch_fornnunet"}, "resample_torch_fornnunet"),
        ({"resampling_fn_probabilities_kwargs": {"order": 3}}, "resampling of answers"),
    ],
)
def test_what_is_done_otherwise_is_refused_by_its_name(
    tmp_path: Path, change: dict[str, Any], said: str
) -> None:
    folder = changed(tmp_path, lambda configurations, _: configurations["3d_fullres"].update(change))
    with pytest.raises(BundleError, match=said):
        nnunet.bring(folder, Told())


def test_labels_that_overlap_are_refused(tmp_path: Path) -> None:
    folder = changed(tmp_path, lambda _, dataset: dataset["labels"].update(organ=[1, 2]))
    with pytest.raises(BundleError, match="regions"):
        nnunet.bring(folder, Told())


def test_a_fold_that_is_missing_its_end_is_said(tmp_path: Path) -> None:
    copy = tmp_path / "results"
    shutil.copytree(folder_of("mr"), copy)
    (copy / "fold_1" / "checkpoint_final.pth").rename(copy / "fold_1" / "checkpoint_latest.pth")
    with pytest.raises(BundleError, match="not all trained to their end"):
        nnunet.bring(copy, Told())
