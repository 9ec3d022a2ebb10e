"""What is known of a folder of Hugging Face before its library is asked: where its files are, and what is not one."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

import vesalius as vs
from vesalius import nets
from vesalius.core.errors import BundleError, MissingExtra, UnknownName
from vesalius.weights import hub, reader
from vesalius.weights.contract import Weights


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a config and two parts of weights."""
    found = tmp_path / "model"
    found.mkdir()
    (found / hub.CONFIG).write_text('{"model_type": "vit", "hidden_size": 8}')
    save_file({"a.weight": torch.ones(2, 2)}, found / "model-00001-of-00002.safetensors")
    save_file({"b.weight": torch.zeros(3)}, found / "model-00002-of-00002.safetensors")
    places = {f"{n}.weight": f"model-0000{k}-of-00002.safetensors" for k, n in ((1, "a"), (2, "b"))}
    (found / hub.PARTS[0]).write_text(json.dumps({"weight_map": places}))
    return found


def test_parts_are_read_as_one_and_known_by_a_hash_of_all(folder: Path) -> None:
    tensors, mark = hub.tensors_of(folder)
    assert sorted(tensors) == ["a.weight", "b.weight"] and len(mark) == 16
    save_file({"b.weight": torch.ones(3)}, folder / "model-00002-of-00002.safetensors")
    assert hub.tensors_of(folder)[1] != mark
    assert reader.is_known(folder)


def test_what_is_damaged_is_said_without_the_library(folder: Path) -> None:
    (folder / "model-00001-of-00002.safetensors").write_bytes(b"version https://git-lfs.github.com/spec/v1\n")
    with pytest.raises(BundleError, match="a pointer of Git LFS.*try: git lfs pull"):
        hub.tensors_of(folder)
    (folder / "model-00001-of-00002.safetensors").unlink()
    with pytest.raises(BundleError, match="lacks 1 of the 2 files"):
        hub.tensors_of(folder)
    (folder / hub.CONFIG).write_text("{")
    with pytest.raises(BundleError, match="config.json is not JSON"):
        reader.is_known(folder)


def test_only_a_name_of_two_parts_that_is_no_path_here_is_one_of_the_hub(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "runs").mkdir()
    assert hub.is_name("facebook/dinov2-small") and hub.is_name("google/vit-base-patch16-224")
    for what in ("runs/old", "./facebook/x", "/facebook/x", "vit", "a/b/c", "../a/b", "a\\b"):
        assert not hub.is_name(what), what
    with pytest.raises(UnknownName):
        reader.read("runs/old")


def test_without_its_libraries_the_extra_is_named(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "transformers", None)
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(
        MissingExtra, match=r"'transformers' is not installed; try: pip install 'vesalius\[hf\]'"
    ):
        reader.read(folder)
    with pytest.raises(MissingExtra, match=r"vesalius\[hf\]"):
        nets.build("huggingface", dims=2, in_channels=1, options={"config": '{"model_type": "vit"}'})
    with pytest.raises(MissingExtra, match=r"vesalius\[hf\]"):
        nets.build("bert", dims=2, in_channels=1)
    with pytest.raises(BundleError, match=r"no folder someone/model here.*vesalius\[hf\]"):
        reader.read("someone/model")
    with pytest.raises(MissingExtra, match="'transformers' is not installed"):
        vs.fit(folder, init=str(folder))


def test_what_is_left_of_a_file_is_named() -> None:
    tensors = {"a": torch.ones(1)}
    assert Weights(tensors, "x").left_out() == ""
    assert Weights(tensors, "x", head={"linear.weight": torch.ones(1)}).left_out() == "their own last layer"
    assert Weights(tensors, "x", unused=("b",)).left_out() == "1 tensor without a place in it: b"
