"""MONAI bundles answer here as MONAI's own transforms, inferer and net do; expressions and programs are never run."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest
import torch
from monai.inferers import SlidingWindowInferer
from monai.networks.nets import DynUNet
from monai.transforms import (
    Compose,
    EnsureChannelFirstd,
    LoadImaged,
    Orientationd,
    ScaleIntensityRanged,
    Spacingd,
)
from tests.imports._fields import case_of, members_of

from vesalius.core.errors import BundleError
from vesalius.imports.contract import Brought, Told
from vesalius.imports.origins import monai
from vesalius.infer import tiles
from vesalius.prepare.batch import collate
from vesalius.prepare.case import load_reference, prepare

NET: dict[str, Any] = {
    "spatial_dims": 3,
    "in_channels": 1,
    "out_channels": 3,
    "kernel_size": [3, 3, 3],
    "strides": [1, 2, 2],
    "upsample_kernel_size": [2, 2],
    "filters": [4, 8, 8],
    "norm_name": ["INSTANCE", {"affine": True}],
}
PIXDIM, ROI = [1.5, 1.2, 2.0], [16, 16, 16]
BEFORE: list[dict[str, Any]] = [
    {"_target_": "LoadImaged", "keys": "image"},
    {"_target_": "monai.transforms.EnsureChannelFirstd", "keys": "image"},
    {"_target_": "Orientationd", "keys": "image", "axcodes": "RAS"},
    {"_target_": "Spacingd", "keys": "image", "pixdim": PIXDIM, "mode": "bilinear"},
    {
        "_target_": "ScaleIntensityRanged",
        "keys": "image",
        "a_min": -57,
        "a_max": 164,
        "b_min": 0,
        "b_max": 1,
        "clip": True,
    },
]
CONFIG: dict[str, Any] = {
    "imports": ["$import os", "$os.system('touch planted')"],
    "roi": ROI,
    "network_def": {"_target_": "DynUNet", **NET},
    "network": "$@network_def.to('cpu')",
    "preprocessing": {"_target_": "Compose", "transforms": BEFORE},
    "inferer": {"_target_": "SlidingWindowInferer", "roi_size": "@roi", "overlap": 0.5, "mode": "gaussian"},
    "postprocessing": {
        "_target_": "Compose",
        "transforms": [
            {"_target_": "Activationsd", "keys": "pred", "softmax": True},
            {"_target_": "AsDiscreted", "keys": "pred", "argmax": True},
        ],
    },
}
META = {
    "network_data_format": {"outputs": {"pred": {"channel_def": {"0": "background", "1": "a", "2": "b"}}}}
}


@pytest.fixture(scope="module")
def theirs() -> torch.nn.Module:
    torch.manual_seed(0)
    return DynUNet(**NET).eval()


def written(
    folder: Path, theirs: torch.nn.Module, config: dict[str, Any], name: str = "inference.json"
) -> Path:
    """Write a MONAI bundle into a folder."""
    (folder / "configs").mkdir(parents=True)
    (folder / "models").mkdir()
    torch.save(theirs.state_dict(), folder / "models" / "model.pt")
    (folder / "configs" / name).write_text(json.dumps(config))  # JSON is YAML, too
    (folder / "configs" / "metadata.json").write_text(json.dumps(META))
    return folder


def varied(path: str, value: Any) -> dict[str, Any]:
    """Return the config with one value changed by its path."""
    found: dict[str, Any] = json.loads(json.dumps(CONFIG))
    *parents, leaf = path.split(".")
    node: Any = found
    for part in parents:
        node = node[int(part) if part.isdecimal() else part]
    node[int(leaf) if isinstance(node, list) else leaf] = value
    return found


@pytest.fixture(scope="module")
def brought(theirs: torch.nn.Module, tmp_path_factory: pytest.TempPathFactory) -> Brought:
    folder = written(tmp_path_factory.mktemp("monai") / "bundle", theirs, CONFIG)
    assert monai.suits(folder)
    return monai.bring(folder, Told())


def test_it_answers_as_monais_own_transforms_and_inferer(
    brought: Brought, theirs: torch.nn.Module, tmp_path: Path
) -> None:
    affine = np.array([[-1.3, 0, 0, 10], [0, 1.1, 0, -20], [0, 0, 2.5, 5], [0, 0, 0, 1.0]])
    pixels = np.random.default_rng(0).normal(60, 80, (24, 27, 16)).astype(np.float32)
    path = tmp_path / "image.nii.gz"
    nib.save(nib.Nifti1Image(pixels, affine), path)
    chain = Compose(
        [
            LoadImaged("image"),
            EnsureChannelFirstd("image"),
            Orientationd("image", "RAS"),
            Spacingd("image", pixdim=PIXDIM, mode="bilinear"),
            ScaleIntensityRanged("image", -57, 164, 0.0, 1.0, True),
        ]
    )
    x = torch.as_tensor(np.asarray(chain({"image": str(path)})["image"]))
    case = case_of({"image": path})
    prepared = prepare(case, brought.plan.data, reference=load_reference(case))
    assert prepared.array.shape == tuple(x.shape)
    assert np.abs(prepared.array - x.numpy()).max() < 1e-5
    with torch.inference_mode():
        wanted = SlidingWindowInferer(ROI, 1, 0.5, mode="gaussian")(x[None], theirs)[0]
        members = members_of(brought)
        found = torch.zeros_like(wanted)
        for axis, start, stop, raw in tiles.stream(
            prepared.array,
            size=brought.plan.data.size,
            overlap=brought.plan.infer.overlap,
            tiling=brought.plan.infer.tiling,
            batch=1,
            forward=members.models[0],
            device=torch.device("cpu"),
        ):
            found.narrow(axis + 1, start, stop - start).copy_(raw)
    assert float(wanted.std()) > 0.01
    assert float((found - wanted).abs().max()) < 1e-4


def test_nothing_of_the_config_was_evaluated(brought: Brought) -> None:
    assert not Path("planted").exists()
    assert [x["name"] for x in brought.state.values["labels"]] == ["a", "b"]
    assert brought.plan.data.axes == "RAS" and brought.plan.data.spacing_mm == tuple(reversed(PIXDIM))
    assert brought.plan.infer.tiling == "monai" and brought.plan.data.size == tuple(ROI)


@pytest.mark.parametrize(
    ("path", "value", "said"),
    [
        ("network_def._target_", "os.system", "os.system"),
        ("network_def._target_", "SegResNet", "SegResNet"),
        ("network_def.out_channels", "$__import__('os').system('touch planted')", "expression"),
        ("network_def.act_name", "relu", "says other than our unet"),
        ("network_def.nonsense", 1, "do not fit DynUNet"),
        ("roi", "@inferer::roi_size", "in a circle"),
        ("roi", "@nowhere", "refers to what is not in it"),
        ("preprocessing.transforms.3", {"_target_": "CropForegroundd", "keys": "image"}, "CropForeground"),
        ("preprocessing.transforms.3._target_", "mine.transforms.Spacingd", "mine.transforms.Spacingd"),
        ("preprocessing.transforms.3.mode", "bicubic", "bicubic"),
        ("postprocessing.transforms.1", {"_target_": "KeepLargestConnectedComponentd"}, "KeepLargest"),
        ("inferer.sigma_scale", 0.3, "sigma_scale"),
    ],
)
def test_what_has_no_equal_is_refused_by_its_name(
    path: str, value: Any, said: str, theirs: torch.nn.Module, tmp_path: Path
) -> None:
    folder = written(tmp_path / "bundle", theirs, varied(path, value))
    with pytest.raises(BundleError, match=said):
        monai.bring(folder, Told())
    assert not Path("planted").exists()


def test_tags_of_yaml_and_programs_are_refused(theirs: torch.nn.Module, tmp_path: Path) -> None:
    folder = written(tmp_path / "tagged", theirs, CONFIG, "inference.yaml")
    (folder / "configs" / "inference.yaml").write_text(
        "a: !!python/object/apply:os.system ['touch planted']\n"
    )
    with pytest.raises(BundleError, match="no plain JSON or YAML"):
        monai.bring(folder, Told())
    program = written(tmp_path / "program", theirs, CONFIG)
    (program / "models" / "model.pt").rename(program / "models" / "model.ts")
    with pytest.raises(BundleError, match="TorchScript program"):
        monai.bring(program, Told())
    assert not Path("planted").exists()


def test_aliases_that_multiply_are_cut_off(theirs: torch.nn.Module, tmp_path: Path) -> None:
    folder = written(tmp_path / "laughs", theirs, CONFIG, "inference.yaml")
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{k}: &a{k} [{', '.join([f'*a{k - 1}'] * 10)}]" for k in range(1, 12)]
    (folder / "configs" / "inference.yaml").write_text("\n".join([*lines, "network_def: *a11", ""]))
    with pytest.raises(BundleError, match="grows without end"):
        monai.bring(folder, Told())


def test_a_batch_of_the_task_goes_through_its_own_model(brought: Brought) -> None:
    members = members_of(brought)
    array = np.zeros((1, 16, 16, 16), np.float32)
    from vesalius.prepare.batch import Example

    raw = members.task.infer(members.models[0], collate([Example("a", {"image": array})]), torch.Generator())
    assert raw.shape == (1, 3, 16, 16, 16)
