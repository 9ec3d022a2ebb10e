"""From a folder of Hugging Face to a bundle: planned, trained a step, sealed, and opened again without the folder."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image as Pillow
from safetensors.torch import load_file

import vesalius as vs
from conftest import IMAGES
from vesalius.core.errors import MissingExtra, PlanError
from vesalius.weights import reader

STILL: dict[str, Any] = {
    "train.steps": 1,
    "train.batch": 2,
    "train.members": 1,
    "train.ema": 0,
    "train.lr": 1e-12,
    "train.weight_decay": 0,
    "train.threads": 1,
    "infer.novelty": "none",
    "data.size": [1, 32, 32],
}


@pytest.mark.parametrize("name", IMAGES)
def test_a_fit_begins_from_each_family(
    name: str, folders: dict[str, Path], pictures: Path, tmp_path: Path
) -> None:
    folder = Path(shutil.copytree(folders[name], tmp_path / "a folder to lose"))
    run = vs.fit(pictures, tmp_path / "run", settings=STILL, init=folder)
    shutil.rmtree(folder)
    assert run.path is not None and run.bundle is not None
    plan, given = run.plan, reader.read(folders[name])
    assert plan.net.name == "huggingface" and plan.reasons["net.name"] == "that of the weights to begin from"
    assert plan.net.init == given.origin
    assert f"{len(given.tensors)} of the net's" in plan.reasons["net.init"]
    made = load_file(run.path / "bundle" / "weights-0-0.safetensors")
    for tensor, value in given.tensors.items():
        if value.is_floating_point() and "running_" not in tensor:
            assert torch.allclose(made[f"net.{tensor}"], value, atol=1e-6), tensor
    if name == "vit":
        assert [n.mean for n in plan.data.normalise] == pytest.approx([127.5, 102.0, 76.5])
        assert "not taken: their own last layer" in plan.reasons["net.init"]
    kept = "".join(f.read_text() for f in sorted((run.path / "bundle").glob("*.json")))
    assert "model_type" in kept, "the net is built from its config"
    assert "a folder to lose" not in kept and str(tmp_path) not in kept
    answer = vs.predict(run.bundle, pictures / "odd" / "1.png")
    assert answer.p.shape == (2,) and answer.p.sum() == pytest.approx(1)


@pytest.fixture(scope="module")
def masks(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ten grey pictures with a bright square, and its mask."""
    root = tmp_path_factory.mktemp("masks")
    for kind in ("images", "masks"):
        (root / kind).mkdir()
    for k in range(10):
        rng = np.random.default_rng(k)
        y, x = rng.integers(4, 20, 2)
        pixels, mask = rng.integers(0, 120, (40, 40)).astype(np.uint8), np.zeros((40, 40), np.uint8)
        pixels[y : y + 12, x : x + 12], mask[y : y + 12, x : x + 12] = 220, 255
        Pillow.fromarray(pixels).save(root / "images" / f"{k}.png")
        Pillow.fromarray(mask).save(root / "masks" / f"{k}.png")
    return root


@pytest.mark.parametrize("name", ["vit", "dinov2", "siglip", "swin", "convnext", "resnet"])
def test_a_u_net_is_laid_over_the_encoder_for_masks(
    name: str, folders: dict[str, Path], masks: Path, tmp_path: Path
) -> None:
    run = vs.fit(masks, tmp_path / "run", settings=STILL, init=folders[name])
    assert run.path is not None
    plan = run.plan
    assert plan.net.name == "flexunet" and plan.net.options["encoder"] == "huggingface"
    assert "summed into one" in plan.reasons["net.init"], "three channels for a grey picture"
    made = load_file(run.path / "bundle" / "weights-0-0.safetensors")
    given = reader.read(folders[name]).tensors
    kept = [n for n, t in given.items() if t.ndim > 1 and made[f"net.encoder.{n}"].shape == t.shape]
    assert len(kept) >= sum(t.ndim > 1 for t in given.values()) - 1
    assert all(torch.allclose(made[f"net.encoder.{n}"], given[n], atol=1e-6) for n in kept)


def test_adapters_are_asked_for_by_a_preset_and_leave_no_trace(
    folders: dict[str, Path], pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = {**STILL, "train.lr": 0.01, "train.steps": 3}
    run = vs.fit(pictures, tmp_path / "run", settings=settings, init=folders["vit"], preset="lora")
    assert run.path is not None and run.plan.train.lora == 8 and "Hu et al." in run.plan.reasons["train.lora"]
    made = load_file(run.path / "bundle" / "weights-0-0.safetensors")
    assert not any("lora" in n or "base_layer" in n for n in made)
    given = reader.read(folders["vit"]).tensors
    changed = {n for n, t in given.items() if not torch.equal(made[f"net.{n}"], t)}
    assert changed and all(n.endswith("weight") and ("proj" in n or "mlp" in n) for n in changed)
    monkeypatch.setitem(sys.modules, "peft", None)
    assert vs.predict(run.bundle, pictures / "odd" / "1.png") is not None
    with pytest.raises(MissingExtra, match="'peft' is not installed"):
        vs.fit(pictures, settings=settings, init=folders["vit"], preset="lora", dry_run=True)


def test_what_does_not_go_together_is_refused(folders: dict[str, Path], pictures: Path) -> None:
    with pytest.raises(PlanError, match="a net that classify has no use for; found bert, a net of role text"):
        vs.fit(pictures, settings=STILL, init=folders["bert"], dry_run=True)
    with pytest.raises(PlanError, match="net 'bert' does not suit classify"):
        vs.fit(pictures, settings={**STILL, "net.name": "bert"}, dry_run=True)
    with pytest.raises(PlanError, match="needs the option 'config'"):
        vs.fit(pictures, settings={**STILL, "net.name": "huggingface"}, dry_run=True)
    with pytest.raises(PlanError, match="there are none to begin from; try: --init"):
        vs.fit(pictures, settings=STILL, preset="lora", dry_run=True)
    own = {**STILL, "net.name": "resnet-10"}
    with pytest.raises(PlanError, match="none of the given weights fits this net"):
        vs.fit(pictures, settings=own, init=folders["vit"], dry_run=True)


def test_the_command_says_one_line_and_ends_with_2(
    folders: dict[str, Path], pictures: Path, tmp_path: Path
) -> None:
    broken = Path(shutil.copytree(folders["vit"], tmp_path / "broken"))
    (broken / "config.json").write_text(json.dumps({"model_type": "llama"}))
    command = [sys.executable, "-m", "vesalius", "fit", str(pictures), "--init", str(broken)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False, cwd=tmp_path)
    assert done.returncode == 2 and len(done.stderr.strip().splitlines()) == 1, done.stderr
    assert "a model of a type that is not known here" in done.stderr
