"""A classifier's bundle starts a segmenter: the plan takes a U-Net over its net, and its weights are in the encoder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file

import vesalius as vs
from vesalius.core.answers.mask import Mask
from vesalius.core.image import Image

FEW: dict[str, Any] = {
    "train.steps": 1,
    "train.members": 1,
    "train.threads": 1,
    "train.batch": 2,
    "train.validations": 1,
    "train.lr": 1e-12,  # so that weights stay what they began as
    "train.weight_decay": 0.0,
    "train.ema": 0.0,
    "infer.novelty": "none",
}


def test_a_bundle_of_a_classifier_starts_a_segmenter(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    for k in range(16):
        pixels = rng.integers(0, 255, (1, 1, 48, 48)).astype(np.uint8)
        mask = np.zeros_like(pixels)
        mask[..., 8 + k : 30 + k, 8:40] = 1
        for folder in (f"classes/{'ab'[k % 2]}", "pairs/images"):
            (tmp_path / folder).mkdir(parents=True, exist_ok=True)
            vs.write(Image(array=pixels), tmp_path / folder / f"{k}.png")
        (tmp_path / "pairs/masks").mkdir(exist_ok=True)
        vs.write(Mask(image=Image(array=mask), labels=()), tmp_path / "pairs/masks" / f"{k}.png")
    own = {
        "net.name": "resnet-10",
        "net.scale": 0.125,
        "net.options": {"stem": "half"},
        "data.size": [1, 48, 48],
    }
    first = vs.fit(tmp_path / "classes", tmp_path / "first", settings={**FEW, **own})
    assert first.bundle is not None
    run = vs.fit(tmp_path / "pairs", tmp_path / "run", init=first.bundle, settings=FEW)
    assert run.plan.net.name == "flexunet" and run.bundle is not None
    assert run.plan.net.options == {
        "encoder": "resnet-10",
        "encoder_scale": 0.125,
        "encoder_options": '{"stem": "half"}',
    }
    before = load_file(first.bundle.path / first.bundle.stages[-1].members[0])
    after = load_file(run.bundle.path / run.bundle.stages[-1].members[0])
    kernels = [n for n in before if n.startswith("net.") and before[n].ndim > 1]
    assert len(kernels) > 8
    for name in kernels:
        assert torch.allclose(after[name.replace("net.", "net.encoder.", 1)], before[name], atol=1e-6)
