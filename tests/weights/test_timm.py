"""timm's names: our net with the renamed tensors gives what timm's own net gave, and what is not ours is refused."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from tests.weights._references import as_file, farthest, ours, picture, records

from vesalius.core.errors import BundleError
from vesalius.weights import Weights
from vesalius.weights.found import Found
from vesalius.weights.reader import named

REFUSED = ("resnet26", "resnetaa50")
TAKEN = [n for n in records() if n.startswith("timm/") and not n.endswith(REFUSED)]


def of_hub(name: str, **more: Any) -> Found:
    """Return a file of timm's hub, with its configuration beside it."""
    about = {"config.json": {"architecture": name.partition("/")[2], **more}}
    return as_file(records()[name], about)


def read(found: Found) -> Weights:
    """Return the weights of a file, of which our net is known."""
    weights = named(found)
    assert weights.net is not None
    return weights


@pytest.mark.parametrize("name", TAKEN)
def test_our_net_gives_the_logits_of_timms(name: str) -> None:
    weights = read(of_hub(name))
    with torch.no_grad():
        answer = ours(weights, channels=3, classes=5)(picture(records()[name]))
    assert farthest(records()[name], answer) < 1e-4


def test_two_families_of_the_same_names_compute_different_things() -> None:
    """Were the one read as the other, no name and no shape would tell."""
    one, other = records()["timm/efficientnet_b0"], records()["timm/tf_efficientnet_b0"]
    assert one["tensors"] == other["tensors"]
    weights = read(of_hub("timm/efficientnet_b0"))
    with torch.no_grad():
        answer = ours(weights, channels=3, classes=5)(picture(other))
    assert farthest(other, answer) > 0.02
    file = as_file(one)
    with pytest.raises(BundleError, match=r"does not say which it is; try: its config\.json"):
        named(file)
    named_so = replace(file, path=Path("tf_efficientnet_b0_ns-c0e6a31c.pth"))
    net = read(named_so).net
    assert net is not None and net.options == {"padding": "tensorflow"}


def test_a_net_whose_pooling_has_no_tensors_is_refused_where_the_file_says_which_it_is() -> None:
    with pytest.raises(BundleError, match="timm's resnetaa50"):
        named(of_hub("timm/resnetaa50", pretrained_cfg={}))
    with pytest.raises(BundleError, match="calls itself resnetaa50"):
        named(as_file(records()["timm/resnetaa50"], {"arch": "resnetaa50"}))
    with pytest.raises(BundleError, match=r"a ResNet cannot be taken over; found blocks \(2, 2, 2, 2\)"):
        named(as_file(records()["timm/resnet26"]))


def test_what_the_hub_says_of_pictures_is_kept() -> None:
    config = {"mean": [0.5, 0.5, 0.5], "std": [0.5, 0.25, 0.5], "input_size": [3, 64, 64], "license": "mit"}
    weights = read(of_hub("timm/vit_tiny_patch16_224", pretrained_cfg=config))
    assert weights.mean == (127.5,) * 3 and weights.sd == (127.5, 63.75, 127.5)
    assert weights.channels == ("red", "green", "blue") and weights.licence == "mit"
    assert weights.size == (64, 64)
    assert read(as_file(records()["timm/vit_tiny_patch16_224"])).mean == ()


@pytest.mark.parametrize(
    ("name", "shape", "words"),
    [
        ("reg_token", (1, 4, 192), "registers"),
        ("norm_pre.weight", (192,), "CLIP"),
        ("fc_norm.weight", (192,), "mean of its patches"),
        ("blocks.0.attn.q_norm.weight", (64,), "norms of its queries"),
        (
            "blocks.0.attn.rel_pos.weight",
            (64,),
            "has tensors that it has not; found blocks.0.attn.rel_pos.weight",
        ),
    ],
)
def test_a_transformer_with_more_than_ours_is_refused(name: str, shape: tuple[int, ...], words: str) -> None:
    file = as_file(records()["timm/vit_tiny_patch16_224"])
    with pytest.raises(BundleError, match=words):
        named(replace(file, tensors={**file.tensors, name: torch.ones(shape)}))


def test_a_masked_autoencoder_gives_its_encoder_and_dino_its_backbone() -> None:
    file = as_file(records()["timm/vit_tiny_patch16_224"])
    body = {k: t for k, t in file.tensors.items() if not k.startswith("head.")}
    mae = {**body, "mask_token": torch.zeros(1, 1, 8), "decoder_embed.weight": torch.zeros(8, 192)}
    weights = read(replace(file, tensors=mae))
    assert not weights.head and set(weights.unused) == {"mask_token", "decoder_embed.weight"}
    assert any("masked autoencoder" in note for note in weights.notes)
    dino = {f"module.backbone.{k}": t for k, t in body.items()} | {
        "module.head.mlp.0.weight": torch.zeros(4, 192)
    }
    other = read(replace(file, tensors=dino))
    assert other.unused == ("head.mlp.0.weight",)
    assert all(torch.equal(other.tensors[k], t) for k, t in weights.tensors.items())


def test_an_older_swin_merged_at_the_end_of_a_stage() -> None:
    file = as_file(records()["timm/swin_tiny_patch4_window7_224"])
    older = {}
    for name, tensor in file.tensors.items():
        for k in (1, 2, 3):
            name = name.replace(f"layers.{k}.downsample", f"layers.{k - 1}.downsample_")
        older[name.replace("downsample_", "downsample").replace("head.fc.", "head.")] = tensor
    one, other = read(file), read(replace(file, tensors=older))
    assert all(torch.equal(other.tensors[k], t) for k, t in one.tensors.items())
