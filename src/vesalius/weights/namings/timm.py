"""timm's names: ResNet, DenseNet, VGG, EfficientNet, MobileNetV2, ViT (DeiT, DINO, DINOv2, MAE's encoder) and Swin.

Some of timm's nets have the same names and compute different things. Where that is so, the file must say which net it
is of: by the `config.json` that timm's hub keeps beside it, by the `arch` of a checkpoint, or by its own name.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import torch

from vesalius.core.channels import COLOURS
from vesalius.core.errors import BundleError
from vesalius.core.plan import NetPlan
from vesalius.weights._rules import (
    Family,
    Rules,
    Tensors,
    count,
    efficientnet_name,
    grid_size,
    read_as,
    unlike,
)
from vesalius.weights.contract import Weights
from vesalius.weights.files import open_file
from vesalius.weights.found import Found
from vesalius.weights.namings.torchvision import (
    DENSENET,
    MOBILE,
    PLAIN,
    RESNET,
    SWINS,
    VGG,
    VITS,
    corners,
    swin_options,
)

NAMES = {"timm": "timm's names, which DeiT, DINO, DINOv2 and MAE have, too"}
FINDS = True
FILES = ("model.safetensors", "pytorch_model.bin")  # what timm's hub calls the tensors of a folder

CONFIG = "config.json"
LITE = {(1, 2, 2, 3, 3, 4, 1): "efficientnet-lite0", (1, 3, 3, 4, 4, 5, 1): "efficientnet-lite1"}
STRIDED = (0, 1, 1, 1, 0, 1, 0)  # stages of an EfficientNet that begin with a stride of 2
EFFICIENT = r"(tf_)?efficientnet_(b[0-7]|lite[01])|mobilenetv2_100"


def find(what: str) -> Found | None:
    """Return the tensors of a folder of timm's hub, whose config.json names an architecture; None for others."""
    folder = Path(what)
    path = next((folder / f for f in FILES if (folder / f).is_file()), None)
    if path is None or not (folder / CONFIG).is_file():
        return None
    found = open_file(path)
    return found if "architecture" in found.about.get(CONFIG, {}) else None


def architecture(found: Found) -> str:
    """Return what a file says of the net that it is of (`tf_efficientnet_b0`); empty where it says nothing."""
    config = found.about.get(CONFIG, {})
    said = config.get("architecture") or found.about.get("arch") or ""
    name = str(said).partition(".")[0]
    if name:
        return name
    by_name = re.match(rf"({EFFICIENT})(?![0-9a-z])", found.path.name)
    return by_name.group(1) if by_name else ""


def efficientnet_rules(theirs: Tensors, *, padded: bool) -> Rules:
    """Return the rules of an EfficientNet or MobileNetV2; `padded` where a layer before a stride's kernel pads."""
    stem = 1 if padded else 0
    found = [
        (r"conv_stem\.(.+)", rf"stem.{stem}.\1"),
        (r"bn1\.(.+)", rf"stem.{stem + 1}.\1"),
        (r"conv_head\.(.+)", r"last.0.\1"),
        (r"bn2\.(.+)", r"last.1.\1"),
    ]
    for stage, strided in enumerate(STRIDED):
        for k in range(count(theirs, rf"blocks\.{stage}\.(\d+)\.")):
            there, here = rf"blocks\.{stage}\.{k}", f"stages.{stage}.{k}.layers"
            expands = f"blocks.{stage}.{k}.conv_pwl.weight" in theirs
            squeezes = f"blocks.{stage}.{k}.se.conv_reduce.weight" in theirs
            begin, at = int(expands), int(padded and strided and k == 0)
            last = begin + 1 + int(squeezes)
            names = ("conv_pwl", "bn2", "bn3") if expands else ("conv_pw", "bn1", "bn2")
            if expands:
                found.append((rf"{there}\.conv_pw\.(.+)", rf"{here}.0.0.\1"))
                found.append((rf"{there}\.bn1\.(.+)", rf"{here}.0.1.\1"))
            found += [
                (rf"{there}\.conv_dw\.(.+)", rf"{here}.{begin}.{at}.\1"),
                (rf"{there}\.{names[1]}\.(.+)", rf"{here}.{begin}.{at + 1}.\1"),
                (rf"{there}\.se\.conv_reduce\.(.+)", rf"{here}.{begin + 1}.reduce.\1"),
                (rf"{there}\.se\.conv_expand\.(.+)", rf"{here}.{begin + 1}.expand.\1"),
                (rf"{there}\.{names[0]}\.(.+)", rf"{here}.{last}.\1"),
                (rf"{there}\.{names[2]}\.(.+)", rf"{here}.{last + 1}.\1"),
            ]
    return found


def efficientnet(theirs: Tensors, name: str) -> NetPlan:
    """Return our net of an EfficientNet, of which `name` is what timm calls it."""
    layers = tuple(count(theirs, rf"blocks\.{i}\.(\d+)\.") for i in range(7))
    tensorflow = name.startswith("tf_")
    if layers == MOBILE and not any(".se." in k for k in theirs):
        return NetPlan(name="mobilenetv2")
    if "_lite" in name:
        if layers not in LITE:
            raise unlike("an EfficientNet-Lite", f"layers {layers}")
        lite = {} if tensorflow else {"padding": "symmetric", "eps": 1e-5}
        return NetPlan(name=LITE[layers], options=lite)
    widths = (int(theirs["conv_stem.weight"].shape[0]), int(theirs["conv_head.weight"].shape[0]))
    options = {"padding": "tensorflow"} if tensorflow else {"eps": 1e-5}
    return NetPlan(name=efficientnet_name(widths, layers), options=options)


def efficientnet_family(found: Found) -> Family:
    """Return the family of an EfficientNet. Raises BundleError where the file does not say how it pads."""
    theirs, name = dict(found.tensors), architecture(found)
    mobile = not any(".se." in k for k in theirs) and count(theirs, r"blocks\.1\.(\d+)\.") == MOBILE[1]
    mobile = mobile and count(theirs, r"blocks\.2\.(\d+)\.") == MOBILE[2]
    if not mobile and re.fullmatch(EFFICIENT, name) is None:
        raise BundleError(
            "timm's efficientnet_* and tf_efficientnet_* have the same names, and pad in different ways",
            found=name or f"{found.path.name}, which does not say which it is",
            hint="its config.json beside it, or a file name that begins with tf_efficientnet_b0 or efficientnet_b0",
        )
    plan = efficientnet(theirs, name)
    padded = plan.options.get("padding") == "tensorflow" or (
        "lite" in plan.name and "padding" not in plan.options
    )
    return Family(
        marks=(),
        plan=lambda _: plan,
        first=f"stem.{int(padded)}.weight",
        rules=efficientnet_rules(theirs, padded=padded),
        head=((r"classifier\.(weight|bias)", r"linear.\1"),),
    )


def vit(theirs: Tensors) -> NetPlan:
    """Return our ViT by its width and its layers. Raises BundleError for relatives that compute something else."""
    kernel = theirs["patch_embed.proj.weight"]
    strange = {
        "reg_token": "registers",
        "dist_token": "a token of distillation",
        "norm_pre.weight": "a norm before its layers (CLIP)",
        "fc_norm.weight": "a head on the mean of its patches",
        "blocks.0.attn.q_norm.weight": "norms of its queries",
        "attn_pool.latent": "a head that attends (SigLIP)",
        "register_tokens": "registers",
    }
    for name, what in strange.items():
        if name in theirs:
            raise unlike("a ViT", f"it has {what}, which ours has not")
    width, layers = int(kernel.shape[0]), count(theirs, r"blocks\.(\d+)\.")
    if (width, layers) not in VITS:
        raise unlike("a ViT", f"width {width}, {layers} layers")
    token = {} if "cls_token" in theirs else {"token": False}
    return NetPlan(name=VITS[width, layers], options={"patch": list(kernel.shape[2:]), **token})


def vit_places(theirs: Tensors) -> tuple[int, bool]:
    """Return how many patches a ViT has, and whether its class token has a position, too."""
    places = int(theirs["pos_embed"].shape[1])
    patch = tuple(theirs["patch_embed.proj.weight"].shape[2:])
    if "cls_token" in theirs and grid_size(places - 1, patch) is not None:
        return places - 1, True
    return places, False


def vit_size(theirs: Tensors) -> tuple[int, ...]:
    """Return the size of a ViT's input. Raises BundleError where its patches make no square."""
    places, _ = vit_places(theirs)
    size = grid_size(places, tuple(theirs["patch_embed.proj.weight"].shape[2:]))
    if size is None:
        raise unlike("a ViT", f"{places} patches, which make no square")
    return size


def vit_change(theirs: Tensors) -> Tensors:
    """Return tensors with the layers' scales multiplied in, and zeros for biases and positions that are missing."""
    out = dict(theirs)
    for name, tensor in theirs.items():
        if (scale := re.fullmatch(r"(blocks\.\d+)\.(ls[12]\.gamma|gamma_[12])", name)) is not None:
            del out[name]
            last = f"{scale.group(1)}.{'attn.proj' if '1' in scale.group(2) else 'mlp.fc2'}"
            out[f"{last}.weight"] = theirs[f"{last}.weight"] * tensor[:, None]
            out[f"{last}.bias"] = theirs[f"{last}.bias"] * tensor
        elif name.endswith("attn.qkv.weight"):
            out.setdefault(name.removesuffix("weight") + "bias", torch.zeros(len(tensor)))
    if "cls_token" in theirs and not vit_places(theirs)[1]:
        places = theirs["pos_embed"]
        out["pos_embed"] = torch.cat((torch.zeros_like(places[:, :1]), places), dim=1)
    return out


VIT = Family(
    marks=("pos_embed", "patch_embed.proj.weight", "blocks.0.attn.qkv.weight"),
    plan=vit,
    first="embed.weight",
    rules=(
        (r"cls_token", "token"),
        (r"patch_embed\.proj\.(.+)", r"embed.\1"),
        (r"pos_embed", "positions"),
        (r"blocks\.(\d+)\.norm([12])\.(.+)", r"blocks.\1.norm\2.\3"),
        (r"blocks\.(\d+)\.attn\.qkv\.(.+)", r"blocks.\1.attention.qkv.\2"),
        (r"blocks\.(\d+)\.attn\.proj\.(.+)", r"blocks.\1.attention.out.\2"),
        (r"blocks\.(\d+)\.mlp\.fc1\.(.+)", r"blocks.\1.mlp.0.\2"),
        (r"blocks\.(\d+)\.mlp\.fc2\.(.+)", r"blocks.\1.mlp.3.\2"),
        (r"norm\.(.+)", r"norm.\1"),
    ),
    head=((r"head\.(weight|bias)", r"linear.\1"),),
    change=vit_change,
    size=vit_size,
    left={
        r"mask_token": "what stood for masked patches",
        r"decoder_.+": "the decoder of a masked autoencoder",
        r"(head|head_dist|projector)\.(mlp|last_layer|layers|\d+)\..+": "the head of its pre-training",
    },
    notes=lambda theirs: ("64 numbers a head of attention are assumed, as all of timm's have",),
)


def swin(theirs: Tensors) -> NetPlan:
    """Return our Swin by its width, its layers and its window. Raises BundleError for the second version."""
    if any("cpb_mlp" in k or "logit_scale" in k for k in theirs):
        raise unlike("a Swin", "its second version, whose attention is another")
    first = theirs["patch_embed.proj.weight"]
    layers = tuple(count(theirs, rf"layers\.{i}\.blocks\.(\d+)\.") for i in range(4))
    if (int(first.shape[0]), layers) not in SWINS:
        raise unlike("a Swin", f"width {first.shape[0]}, layers {layers}")
    table = theirs["layers.0.blocks.0.attn.relative_position_bias_table"]
    return NetPlan(
        name=SWINS[int(first.shape[0]), layers],
        options=swin_options(int(table.shape[0]), int(first.shape[2])),
    )


def swin_rules(theirs: Tensors) -> Rules:
    """Return the rules of a Swin; before timm 0.9 a stage merged at its end, and now at its beginning."""
    ended = "layers.0.downsample.norm.weight" in theirs
    found = [
        (r"patch_embed\.proj\.(.+)", r"embed.\1"),
        (r"patch_embed\.norm\.(.+)", r"embed_norm.\1"),
        (r"layers\.(\d)\.blocks\.(\d+)\.norm([12])\.(.+)", r"stages.\1.\2.norm\3.\4"),
        (r"layers\.(\d)\.blocks\.(\d+)\.attn\.qkv\.(.+)", r"stages.\1.\2.attention.qkv.\3"),
        (r"layers\.(\d)\.blocks\.(\d+)\.attn\.proj\.(.+)", r"stages.\1.\2.attention.out.\3"),
        (r"layers\.(\d)\.blocks\.(\d+)\.attn\.relative_position_bias_table", r"stages.\1.\2.attention.bias"),
        (r"layers\.(\d)\.blocks\.(\d+)\.mlp\.fc1\.(.+)", r"stages.\1.\2.mlp.0.\3"),
        (r"layers\.(\d)\.blocks\.(\d+)\.mlp\.fc2\.(.+)", r"stages.\1.\2.mlp.3.\3"),
        (r"norm\.(.+)", r"norm.\1"),
    ]
    for k in range(3):
        there = rf"layers\.{k if ended else k + 1}\.downsample"
        found.append((rf"{there}\.norm\.(.+)", rf"merges.{k}.norm.\1"))
        found.append((rf"{there}\.reduction\.(.+)", rf"merges.{k}.reduce.\1"))
    return found


SWIN = Family(
    marks=("patch_embed.proj.weight", "patch_embed.norm.weight", "layers.0.blocks.0.attn.qkv.weight"),
    plan=swin,
    first="embed.weight",
    rules=swin_rules,
    head=((r"head\.(?:fc\.)?(weight|bias)", r"linear.\1"),),
    change=lambda theirs: corners(theirs, r"layers\.\d\.downsample\.(norm|reduction)\..+"),
    left={r".*(relative_position_index|attn_mask)": ""},
)


def vgg_change(theirs: Tensors) -> Tensors:
    """Return tensors whose dense layers are matrices; timm has them as convolutions over the grid."""
    return {
        k: t.flatten(1) if re.fullmatch(r"pre_logits\.fc[12]\.weight", k) else t for k, t in theirs.items()
    }


TIMM_VGG = replace(
    VGG,
    head=(
        (r"pre_logits\.fc1\.(weight|bias)", r"layers.1.\1"),
        (r"pre_logits\.fc2\.(weight|bias)", r"layers.4.\1"),
        (r"head\.fc\.(weight|bias)", r"layers.6.\1"),
    ),
    change=vgg_change,
    imagenet=None,
)


def family_for(found: Found) -> Family | None:
    """Return the family of a file; None where it is not timm's. Raises BundleError where it does not say enough."""
    theirs, name = found.tensors, architecture(found)
    if any(t.ndim > 4 for t in theirs.values()):
        return None
    for family in (VIT, SWIN):
        if all(m in theirs for m in family.marks):
            return family
    if "conv_stem.weight" in theirs and "blocks.0.0.conv_dw.weight" in theirs:
        return efficientnet_family(found)
    if all(m in theirs for m in TIMM_VGG.marks) and "pre_logits.fc1.weight" in theirs:
        return TIMM_VGG
    if CONFIG in found.about and re.fullmatch(rf"(tv_)?({PLAIN})", name):
        plain = (RESNET, DENSENET, TIMM_VGG)
        return next((replace(f, imagenet=None) for f in plain if all(m in theirs for m in f.marks)), None)
    return None


def read(found: Found) -> Weights | None:
    """Return weights in timm's naming; None for others. Raises BundleError for relatives of another function."""
    family = family_for(found)
    config: Mapping[str, Any] = found.about.get(CONFIG, {})
    if family is None:
        if "architecture" in config and "pretrained_cfg" in config:
            raise unlike(f"timm's {config['architecture']}", "no net of ours computes the same")
        return None
    weights = read_as(family, found, "timm")
    return of_config(weights, config.get("pretrained_cfg"))


def of_config(weights: Weights, config: Any) -> Weights:
    """Return weights with what timm's configuration says of the pictures that they learned from."""
    if not isinstance(config, Mapping) or weights.dims != 2:
        return weights
    mean, sd, sides = (cast("list[Any]", config.get(name)) for name in ("mean", "std", "input_size"))
    three = all(isinstance(x, list) and len(x) == 3 for x in (mean, sd, sides))
    if not three or sides[0] != 3:
        return weights
    licence = config.get("license")
    return replace(
        weights,
        channels=COLOURS,
        mean=tuple(255 * float(m) for m in mean),
        sd=tuple(255 * float(s) for s in sd),
        licence=licence if isinstance(licence, str) else "",
    )
