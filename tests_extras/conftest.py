"""Tiny folders as transformers saves them, a family each, made on the spot; nothing is fetched from anywhere."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

os.environ["HF_HUB_OFFLINE"] = "1"
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # threads that wait sleep: two files run at a time
# Processes that tests start need not compile the package anew, each for itself.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

import numpy as np
import pytest
from PIL import Image as Pillow
from tests._quick import quick

WIDE = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2}
TOKENS = {**WIDE, "intermediate_size": 64, "image_size": 32, "patch_size": 8}
STAGES = {"hidden_sizes": [8, 16, 24, 32], "depths": [1, 1, 2, 1]}
SWIN = {
    "embed_dim": 16,
    "depths": [2, 2],
    "num_heads": [2, 4],
    "window_size": 4,
    "image_size": 32,
    "patch_size": 2,
}
LABELS = {"id2label": {0: "even", 1: "odd", 2: "none"}, "label2id": {"even": 0, "odd": 1, "none": 2}}
DINO = {**WIDE, "image_size": 32, "patch_size": 8, "use_mask_token": True}

IMAGES = [
    "vit",
    "dinov2",
    "dinov2_with_registers",
    "dinov3_vit",
    "dinov3_convnext",
    "siglip",
    "siglip_vision_model",
    "swin",
    "convnext",
    "convnextv2",
    "resnet",
]


@pytest.fixture(scope="session", autouse=True)
def quick_fits() -> Iterator[None]:
    """Fits are short, see `tests/_quick.py`."""
    with quick():
        yield


def families() -> dict[str, Callable[[], Any]]:
    """How a tiny model of each family is made. Only here transformers is imported, for most files need none."""
    import transformers as hf

    hf.logging.set_verbosity_error()
    hf.logging.disable_progress_bar()
    return {
        "vit": lambda: hf.ViTForImageClassification(hf.ViTConfig(**TOKENS, **LABELS)),
        "dinov2": lambda: hf.Dinov2Model(hf.Dinov2Config(**DINO)),
        "dinov2_with_registers": lambda: hf.Dinov2WithRegistersModel(
            hf.Dinov2WithRegistersConfig(**WIDE, image_size=32, patch_size=8, num_register_tokens=3)
        ),
        "dinov3_vit": lambda: hf.DINOv3ViTModel(hf.DINOv3ViTConfig(**TOKENS, num_register_tokens=4)),
        "dinov3_convnext": lambda: hf.DINOv3ConvNextModel(hf.DINOv3ConvNextConfig(**STAGES)),
        "siglip": lambda: hf.SiglipModel(
            hf.SiglipConfig(
                vision_config=TOKENS,
                text_config={
                    **WIDE,
                    "intermediate_size": 64,
                    "vocab_size": 50,
                    "bos_token_id": 2,
                    "eos_token_id": 3,
                },
            )
        ),
        "siglip_vision_model": lambda: hf.SiglipVisionModel(hf.SiglipVisionConfig(**TOKENS)),
        "swin": lambda: hf.SwinForImageClassification(hf.SwinConfig(**SWIN, drop_path_rate=0.0, **LABELS)),
        "convnext": lambda: hf.ConvNextForImageClassification(hf.ConvNextConfig(**STAGES, **LABELS)),
        "convnextv2": lambda: hf.ConvNextV2ForImageClassification(hf.ConvNextV2Config(**STAGES, **LABELS)),
        "resnet": lambda: hf.ResNetForImageClassification(
            hf.ResNetConfig(
                embedding_size=8, hidden_sizes=[8, 16], depths=[1, 1], layer_type="basic", **LABELS
            )
        ),
        "bert": lambda: hf.BertModel(
            hf.BertConfig(**WIDE, intermediate_size=64, vocab_size=50, max_position_embeddings=32)
        ),
    }


@pytest.fixture(scope="session")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A folder of each family, with weights drawn anew, and what its pictures are prepared with."""
    import torch

    root, found, made = tmp_path_factory.mktemp("hub"), {}, families()
    assert list(made) == [*IMAGES, "bert"]
    for number, (name, make) in enumerate(made.items()):
        torch.manual_seed(number)
        model = make()
        for (
            parameter
        ) in model.parameters():  # biases, tokens and norms too, so that none may be forgotten unseen
            parameter.data += 0.05 * torch.randn_like(parameter)
        model.save_pretrained(root / name)
        found[name] = root / name
    (root / "vit" / "preprocessor_config.json").write_text(
        '{"image_mean": [0.5, 0.4, 0.3], "image_std": [0.2, 0.25, 0.5], "rescale_factor": 0.00392156862745098}'
    )
    return found


@pytest.fixture(scope="session")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Sixteen pictures in colour of two classes, 40×40: one of them has a bright square."""
    root = tmp_path_factory.mktemp("pictures")
    for k in range(16):
        rng = np.random.default_rng(k)
        folder = root / ("even", "odd")[k % 2]
        folder.mkdir(exist_ok=True)
        pixels = rng.integers(0, 200, (40, 40, 3)).astype(np.uint8)
        if k % 2:
            pixels[8:24, 8:24] = 255
        Pillow.fromarray(pixels).save(folder / f"{k}.png")
    return root
