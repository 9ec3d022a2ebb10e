"""nnU-Net's checkpoints: our U-Net gives what nnU-Net's own net gave, and its plan is understood."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from tests.weights._references import as_file, farthest, ours, picture, records

from vesalius.core.errors import BundleError
from vesalius.core.plan import Normalisation
from vesalius.weights import Weights
from vesalius.weights.reader import named, read

NAMES = [n for n in records() if n.startswith("nnunet/")]
DATASET = {"channel_names": {"0": "CT", "1": "PET"}, "labels": {"background": 0, "liver": 1, "tumour": 2}}
CT = {"mean": 90.0, "std": 40.0, "percentile_00_5": -60.0, "percentile_99_5": 250.0}


def plans(name: str, **configuration: Any) -> dict[str, Any]:
    """Return nnU-Net's plan of a recorded net."""
    record = records()[name]
    own = {
        "patch_size": record["size"],
        "spacing": [3.0, 0.7, 0.8][-len(record["size"]) :],
        "normalization_schemes": ["CTNormalization", "ZScoreNormalization"],
        "use_mask_for_norm": [False, False],
        "architecture": record["about"],
        **configuration,
    }
    return {
        "configurations": {"base": own, "fine": {"inherits_from": "base"}},
        "foreground_intensity_properties_per_channel": {"0": CT},
    }


def taken(name: str, changes: dict[str, Any] | None = None, **configuration: Any) -> Weights:
    """Return the weights of a recorded net's checkpoint."""
    init = {
        "plans": {**plans(name, **configuration), **(changes or {})},
        "dataset_json": DATASET,
        "configuration": "fine",
        "fold": 0,
    }
    return named(as_file(records()[name], {"init_args": init}))


@pytest.mark.parametrize("name", NAMES)
def test_our_net_gives_the_logits_of_nnunets(name: str) -> None:
    weights = taken(name)
    with torch.no_grad():
        answer = ours(weights, channels=2, classes=5)(picture(records()[name]))
    assert farthest(records()[name], answer) < 1e-4
    assert any("deep supervision (2 tensors)" in note for note in weights.notes)
    assert set(weights.unused) == {"decoder.seg_layers.0.weight", "decoder.seg_layers.0.bias"}


def test_axes_that_nnunet_swapped_are_turned_back() -> None:
    name = "nnunet/plain"
    weights = taken(name, {"transpose_forward": [1, 2, 0], "transpose_backward": [2, 0, 1]})
    x = picture(records()[name])  # in nnU-Net's order: axis k is axis (1, 2, 0)[k] of the image
    image = x.permute(0, 1, 4, 2, 3)
    with torch.no_grad():
        answer = ours(weights, channels=2, classes=5)(image).permute(0, 1, 3, 4, 2)
    assert farthest(records()[name], answer) < 1e-4
    assert weights.size == (16, 8, 24) and weights.spacing_mm == (0.7, 3.0, 0.8)
    assert any("turned back" in note for note in weights.notes)


def test_what_the_plan_says_is_kept() -> None:
    weights = taken("nnunet/plain")
    assert weights.net is not None and weights.net.name == "unet" and weights.dims == 3
    assert weights.channels == ("CT", "PET") and weights.labels == ("background", "liver", "tumour")
    assert weights.size == (8, 24, 16) and weights.spacing_mm == (0.8, 0.7, 3.0)
    ct = Normalisation(method="fixed", low=-60.0, high=250.0, mean=90.0, sd=40.0)
    assert weights.normalise == (ct, Normalisation(method="zscore"))
    assert "nnU-Net's fold 0" in weights.notes
    other = taken("nnunet/plain", normalization_schemes=["CTNormalization", "MyOwn"])
    assert other.normalise == () and any("no counterpart here" in note for note in other.notes)


def test_a_plan_of_2023_is_read_too() -> None:
    """It named strides and kernels alone; eps and slope were those of torch."""
    record = records()["nnunet/plain"]
    kwargs = record["about"]["arch_kwargs"]
    old = {
        "UNet_class_name": "PlainConvUNet",
        "pool_op_kernel_sizes": kwargs["strides"],
        "conv_kernel_sizes": kwargs["kernel_sizes"],
        "architecture": None,
    }
    net = taken("nnunet/plain", **old).net
    assert net is not None and net.options["eps"] == 1e-5 and net.options["slope"] == 0.01


def test_a_folder_of_a_training_is_opened_with_its_plan(tmp_path: Path) -> None:
    name = "nnunet/plain"
    folder = tmp_path / "nnUNetTrainer__nnUNetPlans__fine"
    tensors = dict(as_file(records()[name]).tensors)
    for fold in (0, 1):
        (folder / f"fold_{fold}").mkdir(parents=True)
        torch.save({"network_weights": tensors}, folder / f"fold_{fold}" / "checkpoint_final.pth")
    (folder / "plans.json").write_text(json.dumps(plans(name)))
    (folder / "dataset.json").write_text(json.dumps(DATASET))
    for place in (folder, folder / "fold_1", folder / "fold_1" / "checkpoint_final.pth"):
        weights = read(place)
        assert weights.net is not None and weights.labels[1] == "liver"
    (folder / "plans.json").unlink()
    with pytest.raises(BundleError, match="does not say what it computes"):
        read(folder / "fold_0")
    empty = tmp_path / "empty"
    empty.mkdir()
    (empty / "plans.json").write_text("{}")
    with pytest.raises(BundleError, match="without a checkpoint"):
        read(empty)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"nonlin": "torch.nn.ReLU"}, "ours are leaky"),
        ({"norm_op": "torch.nn.modules.normalization.GroupNorm"}, "GroupNorm"),
        ({"nonlin_first": True}, "activations before norms"),
        ({"strides": [[1, 1, 1], [2, 2, 2], [2, 2, 2]]}, "strides"),
    ],
)
def test_a_plan_of_another_function_is_refused(change: dict[str, Any], words: str) -> None:
    about = records()["nnunet/plain"]["about"]
    architecture = {**about, "arch_kwargs": {**about["arch_kwargs"], **change}}
    with pytest.raises(BundleError, match=words):
        taken("nnunet/plain", architecture=architecture)


def test_another_net_of_nnunet_is_refused() -> None:
    about = records()["nnunet/plain"]["about"]
    with pytest.raises(BundleError, match="PrimusL"):
        taken("nnunet/plain", architecture={**about, "network_class_name": "x.PrimusL"})
