"""Folders and names of the hub: what is taken of them, what is left, and what is said of those that cannot be read."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
import transformers as hf
from huggingface_hub import constants
from safetensors.torch import load_file, save_file

from vesalius import nets
from vesalius.core.errors import BundleError, MissingExtra, PlanError, UnknownName
from vesalius.weights import hub, reader
from vesalius.weights.namings import huggingface


@pytest.fixture
def vit(folders: dict[str, Path], tmp_path: Path) -> Path:
    """A copy of the ViT's folder, to be damaged."""
    return Path(shutil.copytree(folders["vit"], tmp_path / "vit"))


def test_all_of_the_encoder_is_taken_and_the_rest_is_named(folders: dict[str, Path]) -> None:
    for name, folder in folders.items():
        weights = reader.read(folder)
        assert weights.net is not None and weights.net.scale == 1.0
        net = nets.build(weights.net.name, dims=2, in_channels=3, options=weights.net.options)
        assert set(weights.tensors) == set(net.state_dict()), name
        assert "/" not in weights.origin and weights.origin.startswith(f"Hugging Face ({name}) with SHA-256 ")
        text = json.loads(str(weights.net.options["config"]))
        assert not set(text) & {"architectures", "id2label", "transformers_version", "dtype"}
    assert reader.read(folders["bert"]).net.name == "bert"  # type: ignore[union-attr]
    assert reader.read(folders["vit"]).left_out() == "their own last layer"
    pair = reader.read(folders["siglip"])
    assert pair.unused and all(not n.startswith("vision_model.") for n in pair.unused)
    assert "tensors without a place in it: logit_bias, logit_scale" in pair.left_out()
    assert "dense" in reader.read(folders["bert"]).left_out(), "the pooler"


def test_pictures_are_prepared_as_they_were_on_the_scale_of_bytes(vit: Path) -> None:
    weights = reader.read(vit)
    assert weights.channels == ("red", "green", "blue")
    assert weights.mean == pytest.approx((127.5, 102.0, 76.5)) and weights.sd == pytest.approx(
        (51, 63.75, 127.5)
    )
    beside = vit / hub.PREPARED
    beside.write_text('{"image_mean": [100, 100, 100], "image_std": [50, 50, 50], "do_rescale": false}')
    assert reader.read(vit).mean == (100.0,) * 3
    beside.write_text('{"image_mean": [0.5, 0.5, 0.5], "image_std": [0, 0.5, 0.5]}')
    assert reader.read(vit).mean == ()
    beside.unlink()
    assert (reader.read(vit).mean, reader.read(vit).channels) == ((), ())


def test_in_parts_in_half_precision_pickled_and_as_a_file_it_is_the_same(vit: Path) -> None:
    whole = reader.read(vit)
    tensors = load_file(vit / "model.safetensors")
    again = reader.read(vit / "model.safetensors")
    assert again.net == whole.net and all(torch.equal(again.tensors[n], t) for n, t in whole.tensors.items())
    (vit / "model.safetensors").unlink()
    torch.save(tensors, vit / "pytorch_model.bin")
    pickled = reader.read(vit)
    (vit / "pytorch_model.bin").unlink()
    names = sorted(tensors)
    parts = {"model-00001-of-00002.safetensors": names[:20], "model-00002-of-00002.safetensors": names[20:]}
    for file, held in parts.items():
        save_file({n: tensors[n].contiguous() for n in held}, vit / file)
    places = {n: file for file, held in parts.items() for n in held}
    (vit / "model.safetensors.index.json").write_text(json.dumps({"weight_map": places}))
    sharded = reader.read(vit)
    for other in (pickled, sharded):
        assert all(torch.equal(other.tensors[n], t) for n, t in whole.tensors.items())
    for file, held in parts.items():
        save_file({n: tensors[n].to(torch.bfloat16).contiguous() for n in held}, vit / file)
    assert all(t.dtype == torch.float32 for t in reader.read(vit).tensors.values())
    (vit / "model-00002-of-00002.safetensors").unlink()
    with pytest.raises(
        BundleError, match="lacks 1 of the 2 files of its weights; found model-00002-of-00002"
    ):
        reader.read(vit)
    (vit / "model.safetensors.index.json").write_text('{"weight_map": {"a": "../../secret.safetensors"}}')
    with pytest.raises(BundleError, match="names no files beside it"):
        reader.read(vit)


def _config(**changed: object) -> Callable[[Path], object]:
    def change(folder: Path) -> None:
        path = folder / hub.CONFIG
        path.write_text(json.dumps(json.loads(path.read_text()) | changed))

    return change


def _tensors(change: Callable[[dict[str, torch.Tensor]], object]) -> Callable[[Path], object]:
    def changed(folder: Path) -> None:
        tensors = load_file(folder / "model.safetensors")
        change(tensors)
        save_file(tensors, folder / "model.safetensors")

    return changed


QUERY = "vit.encoder.layer.1.attention.attention.query.weight"
DAMAGED: list[tuple[Callable[[Path], object], str]] = [
    (lambda f: (f / "config.json").write_text("{oops"), "config.json is not JSON"),
    (lambda f: (f / "config.json").write_text("[]"), "config.json is not a JSON object"),
    (
        _config(model_type="llama"),
        "a type that is not known here; found model_type 'llama' in its config.json; try: vit",
    ),
    (_config(model_type=3), "a type that is not known here"),
    (_config(auto_map={"AutoModel": "code.Model"}), "code of its own, which is never run"),
    (_config(hidden_size=48), "are not of one network; found .*there, .*by its config.json"),
    (_config(num_hidden_layers=3), "are not of one network; found no layers.2"),
    (_config(hidden_act="none"), "describes no network"),
    (_tensors(lambda t: t.pop(QUERY)), "are not of one network; found no layers.1.attention.q_proj.weight"),
    (lambda f: (f / "model.safetensors").unlink(), "has a config.json and no weights"),
    (lambda f: (f / "model.safetensors").write_bytes(b"half of a file"), "is not a whole safetensors file"),
    (
        lambda f: (f / "model.safetensors").write_bytes(b"version https://git-lfs.github.com/spec/v1\n"),
        "Git LFS",
    ),
]


@pytest.mark.parametrize(("damage", "words"), DAMAGED)
def test_a_damaged_folder_is_said_in_one_line(
    damage: Callable[[Path], object], words: str, vit: Path
) -> None:
    damage(vit)
    with pytest.raises(BundleError, match=words) as raised:
        reader.read(vit)
    assert "\n" not in str(raised.value)


def test_missing_positions_are_left_out_and_never_made_up(vit: Path) -> None:
    _tensors(lambda t: t.pop("vit.embeddings.position_embeddings"))(vit)
    assert "inner.embeddings.position_embeddings" not in reader.read(vit).tensors


def test_a_folder_of_another_program_is_none_of_these(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text('{"architecture": "resnet18"}')
    (tmp_path / "model.safetensors").write_bytes(b"")
    assert huggingface.find(str(tmp_path)) is None, "timm's folders are another file's business"


def test_a_name_of_the_hub_is_read_from_its_cache_alone(
    vit: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = tmp_path / "cache"
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(cache))
    with pytest.raises(
        BundleError, match="someone/tiny-vit is no folder here, not in .*cache.*another machine"
    ) as raised:
        reader.read("someone/tiny-vit")
    assert "\n" not in str(raised.value)
    kept = cache / "models--someone--tiny-vit"
    (kept / "refs").mkdir(parents=True)
    (kept / "refs" / "main").write_text("0" * 40)
    shutil.copytree(vit, kept / "snapshots" / ("0" * 40))
    found = reader.read("someone/tiny-vit")
    assert found.origin.startswith("someone/tiny-vit (vit) with SHA-256 ")
    assert found.net == reader.read(vit).net
    (tmp_path / "runs").mkdir()
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UnknownName):  # a mistyped path below a folder that is here is not asked for at a hub
        reader.read("runs/old")


def test_without_the_libraries_their_extra_is_named(
    folders: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(
        MissingExtra, match=r"'transformers' is not installed; try: pip install 'vesalius\[hf\]'"
    ):
        reader.read(folders["vit"])
    with pytest.raises(MissingExtra, match=r"vesalius\[hf\]"):
        nets.build("huggingface", dims=2, in_channels=3)
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(BundleError, match=r"nothing to look for it.*vesalius\[hf\]"):
        reader.read("someone/tiny-vit")


def test_checkpoints_of_before_the_library_renamed_its_layers_are_read(folders: dict[str, Path]) -> None:
    """The files keep the names of transformers 4; a model in memory has newer ones (`layers.0.attention.q_proj`)."""
    names = load_file(folders["vit"] / "model.safetensors")
    assert QUERY in names
    own = hf.AutoModel.from_pretrained(folders["vit"]).state_dict()
    taken = reader.read(folders["vit"]).tensors
    assert torch.equal(taken["inner.layers.1.attention.q_proj.weight"], names[QUERY])
    assert all(torch.equal(taken[f"inner.{n}"], own[n]) for n in own if not n.startswith("pooler."))


def test_a_config_set_by_hand_may_be_an_object() -> None:
    from vesalius.core.plan import NetPlan

    plan = NetPlan(name="huggingface", options={"config": {"model_type": "vit"}})  # type: ignore[dict-item]
    assert plan.options == {"config": '{"model_type": "vit"}'}
    with pytest.raises(PlanError, match="needs the option 'config'"):
        nets.build("huggingface", dims=2, in_channels=3)
