"""A fit that begins from weights of others: their net is planned, what is taken is said, and it is resumed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pytest
from PIL import Image as Pillow
from safetensors.torch import load_file, save_file

import vesalius as vs
from vesalius.core.errors import PlanError, UnknownName
from vesalius.run.init import initial_weights
from vesalius.weights.reader import read

STILL = {"train.lr": 1e-12, "train.steps": 1, "train.ema": 0, "train.weight_decay": 0, "train.members": 1}
SMALL = {"data.size": [1, 32, 32], "train.batch": 2, **STILL}
IMAGENET = "mobilenetv2-imagenet"


@pytest.fixture(scope="module")
def colours(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve pictures in colour of two classes, 48×48."""
    root = tmp_path_factory.mktemp("colours")
    for k in range(12):
        rng = np.random.default_rng(k)
        folder = root / ("even", "odd")[k % 2]
        folder.mkdir(exist_ok=True)
        pixels = rng.integers(0, 256, (48, 48, 3)).astype(np.uint8)
        Pillow.fromarray(pixels).save(folder / f"{k}.png")
    return root


@pytest.fixture(scope="module")
def begun(colours: Path, tmp_path_factory: pytest.TempPathFactory) -> vs.Run:
    return vs.fit(colours, tmp_path_factory.mktemp("run") / "run", settings=SMALL, init=IMAGENET)


def test_their_net_and_their_normalisation_are_planned_with_reasons(begun: vs.Run) -> None:
    plan = begun.plan
    assert (plan.net.name, plan.net.scale, plan.net.options) == ("mobilenetv2", 1.0, {})
    assert [n.mean for n in plan.data.normalise] == [123.675, 116.28, 103.53]
    assert plan.reasons["net.name"] == "that of the weights to begin from"
    assert plan.net.init is not None and plan.net.init.startswith(IMAGENET) and "/" not in plan.net.init
    why = plan.reasons["net.init"]
    assert why.startswith("312 of the net's 314 tensors taken over") and "head.linear.weight" in why


def test_what_was_taken_is_theirs_and_no_test_case_is_suspected(begun: vs.Run) -> None:
    assert begun.path is not None
    made = load_file(begun.path / "bundle" / "weights-0-0.safetensors")
    given = read(IMAGENET).tensors
    kernels = [k for k, v in given.items() if v.ndim > 1]
    assert len(kernels) == 52
    assert max(float(abs(made[f"net.{k}"] - given[k]).max()) for k in kernels) < 1e-6
    record = json.loads((begun.path / "trained_on.json").read_text())
    assert record["unknown"] == []


def test_it_is_resumed_from_the_same_and_refused_from_others(begun: vs.Run, colours: Path) -> None:
    assert begun.path is not None
    again = vs.fit(colours, begun.path, resume=True)
    assert again.bundle is not None and begun.bundle is not None
    assert again.plan.net == begun.plan.net and again.bundle.hash == begun.bundle.hash
    with pytest.raises(PlanError, match=f"began from other weights; found .*; it began from {IMAGENET}"):
        vs.fit(colours, begun.path, resume=True, init="efficientnetlite0-imagenet")


def test_a_grey_cohort_is_normalised_by_the_mean_over_their_channels(pictures: Any) -> None:
    run = vs.fit(pictures.data, settings=SMALL, init=IMAGENET, dry_run=True)
    if run.plan.data.normalise[0].method == "fixed":
        assert run.plan.data.normalise[0].mean == pytest.approx((123.675 + 116.28 + 103.53) / 3)
    assert "3 channels summed into one: net.stem.0.weight" in run.plan.reasons["net.init"]


def test_what_the_user_sets_of_the_net_stays(colours: Path) -> None:
    with pytest.raises(PlanError, match="none of the given weights fits this net"):
        vs.fit(colours, settings={**SMALL, "net.name": "resnet-10"}, init=IMAGENET, dry_run=True)
    run = vs.fit(
        colours,
        settings={**SMALL, "net.name": "mobilenetv2", "net.dropout": 0.5},
        init=IMAGENET,
        dry_run=True,
    )
    assert run.plan.net.dropout == 0.5 and run.plan.net.init is not None


def test_a_volume_begins_from_inflated_kernels(tmp_path: Path) -> None:
    for k in range(8):
        folder = tmp_path / ("even", "odd")[k % 2]
        folder.mkdir(exist_ok=True)
        pixels = np.random.default_rng(k).normal(size=(24, 24, 12)).astype(np.float32)
        nibabel.save(nibabel.Nifti1Image(pixels, np.eye(4)), folder / f"{k}.nii.gz")
    run = vs.fit(tmp_path, settings=STILL, init=IMAGENET, dry_run=True)
    assert run.plan.data.dims == 3 and run.plan.net.name == "mobilenetv2"
    assert "inflated to 3 planes" in run.plan.reasons["net.init"]


def test_nothing_named_nothing_begun(colours: Path) -> None:
    assert vs.fit(colours, settings=SMALL, init="none", dry_run=True).plan.net.init is None
    with pytest.raises(UnknownName, match="unknown weights 'mobilenetv2-imagnet'"):
        vs.fit(colours, settings=SMALL, init="mobilenetv2-imagnet", dry_run=True)


def test_a_bundle_brings_its_net(begun: vs.Run, colours: Path) -> None:
    run = vs.fit(colours, settings=SMALL, init=begun, dry_run=True)
    assert run.plan.net.name == "mobilenetv2"
    why = run.plan.reasons["net.init"]
    assert why.startswith("314 of the net's 314 tensors taken over, all of its")
    assert f"its run began from {IMAGENET}" in why and initial_weights(str(begun.path)).licence in why
    assert why.endswith(initial_weights(IMAGENET).licence)  # a licence is not lost on the way
    assert run.plan.data.normalise == begun.plan.data.normalise


def test_names_without_the_models_prefix_are_placed(begun: vs.Run, colours: Path, tmp_path: Path) -> None:
    save_file({k: v.contiguous() for k, v in read(IMAGENET).tensors.items()}, tmp_path / "bare.safetensors")
    settings = {**SMALL, "net.name": "mobilenetv2", "net.scale": 1}
    run = vs.fit(colours, settings=settings, init=tmp_path / "bare.safetensors", dry_run=True)
    assert run.plan.reasons["net.init"].startswith("312 of the net's 314 tensors taken over")
