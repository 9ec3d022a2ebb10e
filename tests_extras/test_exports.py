"""Exports in ONNX and OpenVINO: the nets of the registry agree, and the script answers with onnxruntime alone."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

import vesalius as vs
from vesalius.verbs.phantom import phantom

pytest.importorskip("onnxruntime")
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from benchmarks._untrained import LEFT_OUT, bundle_of, wanted

# Those whose graphs take seconds to make stand for all of their kind; `python -m benchmarks exports` has every net.
QUICK = {
    ("unet", 2), ("unet", 3), ("resnet-10", 2), ("resnet-10", 3), ("cnn", 3), ("vit-tiny", 2), ("gru", 2),
    ("convlstm", 2), ("r2plus1d", 2), ("mlp", 2),
}  # fmt: skip
ALONE = """
import runpy, sys
sys.modules["vesalius"] = sys.modules["torch"] = None
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name="__main__")
"""


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


def test_at_most_three_nets_are_left_out_each_with_its_reason() -> None:
    assert len(LEFT_OUT) <= 3 and all(len(why) > 20 for why in LEFT_OUT.values())
    assert set(wanted(families=True)) >= QUICK


@pytest.mark.parametrize(("name", "dims"), sorted(QUICK))
def test_a_net_says_the_same_in_onnxruntime(name: str, dims: int, tmp_path: Path) -> None:
    done = vs.export(bundle_of(name, dims, tmp_path / "bundle"), "onnx", out=tmp_path / "out", script=False)
    (one,) = done.agreements
    assert one.difference <= one.limit and one.largest > 0 and "onnxruntime" in one.by


@pytest.mark.parametrize(("name", "dims"), [("unet", 3), ("resnet-10", 2)])
def test_a_net_says_the_same_in_openvino(name: str, dims: int, tmp_path: Path) -> None:
    done = vs.export(bundle_of(name, dims, tmp_path / "bundle"), "openvino", out=tmp_path / "out")
    assert done.agreements[0].difference <= done.agreements[0].limit and "f32" in done.notes[0]
    assert {p.suffix for p in (tmp_path / "out").iterdir()} == {".xml", ".bin", ".json"}


@pytest.fixture(scope="module")
def masks(tmp_path_factory: pytest.TempPathFactory) -> Any:
    root = tmp_path_factory.mktemp("masks")
    made = phantom(root / "made", cases=8, seed=4, size=(12, 32, 32))
    settings = {
        "train.steps": 4, "train.batch": 1, "train.members": 2, "train.folds": 2, "train.validations": 1,
        "train.threads": 1, "net.scale": 0.125, "data.size": [8, 16, 16], "infer.mirror": ["y"],
        "net.options": {},
    }  # fmt: skip
    return made, vs.fit(made, root / "run", target="mask", settings=settings, seed=4)


def test_the_script_gives_the_masks_of_two_members_from_tiles_and_mirror_images(
    masks: Any, tmp_path: Path
) -> None:
    _, run = masks
    done = vs.export(run, "onnx", out=tmp_path / "out")
    assert done.script is not None and done.script["cases"] == 2 and done.script["voxels"] <= 1e-3
    words = [sys.executable, "-c", ALONE, str(done.path / "predict.py"), "--selftest", "--threads", "1"]
    ended = subprocess.run(words, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    assert all(row["passed"] for row in json.loads(ended.stdout))


def test_transformers_opens_what_it_has(folders: dict[str, Path], pictures: Path, tmp_path: Path) -> None:
    import transformers as hf

    quick = {"train.steps": 2, "train.members": 1, "train.batch": 4, "train.threads": 1, "train.phases": []}
    run = vs.fit(pictures, tmp_path / "run", settings=quick, init=folders["vit"], seed=1)
    done = vs.export(run, "huggingface", out=tmp_path / "out")
    assert "transformers opens" in done.notes[0] and done.agreements[0].difference <= done.agreements[0].limit
    again: Any = hf.AutoModel.from_pretrained(done.path)
    assert again.config.model_type == "vit"
