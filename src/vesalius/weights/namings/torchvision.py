"""torchvision's names: AlexNet, VGG, GoogLeNet, ResNet, DenseNet, EfficientNet, MobileNetV2, ViT and Swin."""

from __future__ import annotations

import math
import re

import torch

from vesalius.core.plan import NetPlan
from vesalius.weights._rules import (
    PICTURES,
    Family,
    Rules,
    Tensors,
    count,
    efficientnet_name,
    family_of,
    grid_size,
    read_as,
    unlike,
)
from vesalius.weights.contract import Weights
from vesalius.weights.found import Found

NAMES = {"torchvision": "torchvision's names, which most ResNets and DenseNets of others have, too"}

HALVES = ((127.5,) * 3, (127.5,) * 3)  # GoogLeNet's pictures reach from -1 to 1
RESNETS: dict[tuple[tuple[int, ...], bool], str] = {
    ((1, 1, 1, 1), False): "resnet-10",
    ((2, 2, 2, 2), False): "resnet-18",
    ((3, 4, 6, 3), False): "resnet-34",
    ((3, 4, 6, 3), True): "resnet-50",
    ((3, 4, 23, 3), True): "resnet-101",
    ((3, 8, 36, 3), True): "resnet-152",
}
DENSENETS = {
    (6, 12, 24, 16): "densenet-121",
    (6, 12, 36, 24): "densenet-161",
    (6, 12, 32, 32): "densenet-169",
    (6, 12, 48, 32): "densenet-201",
}
VGGS = {8: "vgg-11", 10: "vgg-13", 13: "vgg-16", 16: "vgg-19"}  # by the number of convolutions
MOBILE = (1, 2, 3, 4, 3, 3, 1)  # layers of each stage
VITS = {(192, 12): "vit-tiny", (384, 12): "vit-small", (768, 12): "vit-base", (1024, 24): "vit-large"}
SWINS: dict[tuple[int, tuple[int, ...]], str] = {
    (96, (2, 2, 6, 2)): "swin-tiny",
    (96, (2, 2, 18, 2)): "swin-small",
    (128, (2, 2, 18, 2)): "swin-base",
}


def resnet(theirs: Tensors) -> NetPlan:
    """Return our ResNet by the number of its blocks. Raises BundleError for wide ones, and those in groups."""
    blocks = tuple(count(theirs, rf"layer{i}\.(\d+)\.") for i in (1, 2, 3, 4))
    deep = "layer1.0.conv3.weight" in theirs
    name = RESNETS.get((blocks, deep))
    if name is None:
        raise unlike("a ResNet", f"blocks {blocks}" + (" with bottlenecks" if deep else ""))
    inner = theirs["layer1.0.conv2.weight"]
    if "bn1.running_mean" not in theirs:
        raise unlike("a ResNet", "no statistics of batch normalisation: it has group normalisation")
    if deep and (inner.shape[1] != inner.shape[0] or inner.shape[0] != 64):
        raise unlike("a ResNet", "a wide one, or one in groups (ResNeXt)")
    extra = [k for k in theirs if re.search(r"\.(se|attn|eca|conv2\.conv|downsample\.2)\.", k)]
    if extra or "conv1.0.weight" in theirs:
        raise unlike("a ResNet", "another stem, or attention over channels (ResNet-D, SE-ResNet …)")
    return NetPlan(name=name)


RESNET = Family(
    marks=("conv1.weight", "bn1.weight", "layer1.0.conv1.weight", "layer4.0.bn2.weight"),
    plan=resnet,
    first="conv1.weight",
    rules=((r"((?:conv1|bn1|layer[1-4]\.\d+\.(?:conv[123]|bn[123]|downsample\.[01]))\..+)", r"\1"),),
    head=((r"fc\.(weight|bias)", r"linear.\1"),),
    left={
        r"(fc\.\d+|projector|projection_head|predictor|prototypes|head)\..+|queue(_ptr)?": (
            "the head of its pre-training"
        )
    },
    imagenet=PICTURES,
)


def densenet(theirs: Tensors) -> NetPlan:
    """Return our DenseNet by the number of its layers."""
    layers = tuple(count(theirs, rf"features\.denseblock{i}\.denselayer(\d+)\.") for i in (1, 2, 3, 4))
    if layers not in DENSENETS:
        raise unlike("a DenseNet", f"layers {layers}")
    return NetPlan(name=DENSENETS[layers])


def densenet_rules(theirs: Tensors) -> Rules:
    """Return the rules of a DenseNet, whose layers are counted from 1 there and from 0 here."""
    found = [
        (r"features\.conv0\.(.+)", r"stem.0.\1"),
        (r"features\.norm0\.(.+)", r"stem.1.\1"),
        (r"features\.norm5\.(.+)", r"last_norm.\1"),
    ]
    for block in (1, 2, 3, 4):
        if block < 4:
            found.append(
                (rf"features\.transition{block}\.(norm|conv)\.(.+)", rf"transitions.{block - 1}.\1.\2")
            )
        for layer in range(1, 1 + count(theirs, rf"features\.denseblock{block}\.denselayer(\d+)\.")):
            found.append(
                (
                    rf"features\.denseblock{block}\.denselayer{layer}\.(?:layers\.)?(norm|conv)\.?([12])\.(.+)",
                    rf"blocks.{block - 1}.{layer - 1}.\1\2.\3",
                )
            )
    return found


DENSENET = Family(
    marks=("features.conv0.weight", "features.norm0.weight", "features.norm5.weight"),
    plan=densenet,
    first="stem.0.weight",
    rules=densenet_rules,
    head=((r"classifier\.(weight|bias)", r"linear.\1"),),
    imagenet=PICTURES,
)
ALEXNET = Family(
    marks=("features.0.weight", "features.3.weight", "features.6.weight", "features.10.weight"),
    plan=lambda theirs: NetPlan(name="alexnet"),
    first="conv1.weight",
    rules=tuple(
        (rf"features\.{there}\.(weight|bias)", rf"conv{here}.\1")
        for here, there in ((1, 0), (2, 3), (3, 6), (4, 8), (5, 10))
    ),
    head=((r"classifier\.([146])\.(weight|bias)", r"layers.\1.\2"),),
    imagenet=PICTURES,
)


def vgg(theirs: Tensors) -> NetPlan:
    """Return our VGG by the number of its convolutions. Raises BundleError for SqueezeNet and others of one row."""
    if any("squeeze" in k for k in theirs) or theirs["features.0.weight"].shape[-1] != 3:
        raise unlike("a net whose layers lie in one row", "it is no VGG")
    convs = [k for k, t in theirs.items() if re.fullmatch(r"features\.\d+\.weight", k) and t.ndim > 2]
    if len(convs) not in VGGS:
        raise unlike("a VGG", f"{len(convs)} convolutions")
    return NetPlan(name=VGGS[len(convs)] + ("-bn" if "features.1.running_mean" in theirs else ""))


def vgg_rules(theirs: Tensors) -> Rules:
    """Return the rules of a VGG: its layers in one row there, in five stages here, each ended by pooling."""
    normalised = "features.1.running_mean" in theirs
    stages = {"11": (1, 1, 2, 2, 2), "13": (2, 2, 2, 2, 2), "16": (2, 2, 3, 3, 3), "19": (2, 2, 4, 4, 4)}
    each, place, found = (3 if normalised else 2), 0, []
    for stage, convs in enumerate(stages[vgg(theirs).name.split("-")[1]]):
        for layer in range(convs * each + 1):
            found.append((rf"features\.{place}\.(.+)", rf"stages.{stage}.{layer}.\1"))
            place += 1
    return found


VGG = Family(
    marks=("features.0.weight", "features.0.bias"),
    plan=vgg,
    first="stages.0.0.weight",
    rules=vgg_rules,
    head=(
        (r"classifier\.0\.(weight|bias)", r"layers.1.\1"),
        (r"classifier\.3\.(weight|bias)", r"layers.4.\1"),
        (r"classifier\.6\.(weight|bias)", r"layers.6.\1"),
    ),
    imagenet=PICTURES,
)


def googlenet_rules(theirs: Tensors) -> Rules:
    """Return the rules of a GoogLeNet, whose modules are called 3a to 5b."""
    found = [
        (r"conv1\.conv\.(.+)", r"stem.0.0.\1"),
        (r"conv1\.bn\.(.+)", r"stem.0.1.\1"),
        (r"conv2\.conv\.(.+)", r"stem.2.0.\1"),
        (r"conv2\.bn\.(.+)", r"stem.2.1.\1"),
        (r"conv3\.conv\.(.+)", r"stem.3.0.\1"),
        (r"conv3\.bn\.(.+)", r"stem.3.1.\1"),
    ]
    branches = (
        ("branch1", "one"),
        (r"branch2\.0", "three.0"),
        (r"branch2\.1", "three.1"),
        (r"branch3\.0", "five.0"),
        (r"branch3\.1", "five.1"),
        (r"branch4\.1", "pool.1"),
    )
    for stage, letters in enumerate(("ab", "abcde", "ab")):
        for k, letter in enumerate(letters):
            for there, here in branches:
                for layer, place in (("conv", 0), ("bn", 1)):
                    old = rf"inception{stage + 3}{letter}\.{there}\.{layer}\.(.+)"
                    found.append((old, rf"stages.{stage}.{k}.{here}.{place}.\1"))
    return found


GOOGLENET = Family(
    marks=("conv1.conv.weight", "inception3a.branch1.conv.weight", "inception5b.branch4.1.conv.weight"),
    plan=lambda theirs: NetPlan(name="googlenet", options={"form": "torchvision"}),
    first="stem.0.0.weight",
    rules=googlenet_rules,
    head=((r"fc\.(weight|bias)", r"linear.\1"),),
    left={r"aux[12]\..+": "its two auxiliary classifiers"},
    imagenet=HALVES,
)


def efficientnet(theirs: Tensors) -> NetPlan:
    """Return our EfficientNet by the width of its ends and the number of its layers."""
    layers = tuple(count(theirs, rf"features\.{i}\.(\d+)\.") for i in range(1, 8))
    widths = (int(theirs["features.0.0.weight"].shape[0]), int(theirs["features.8.0.weight"].shape[0]))
    name = efficientnet_name(widths, layers)
    small = name[-1] in "01234"  # torchvision's five smaller ones have torch's own eps
    return NetPlan(name=name, options={"eps": 1e-5} if small else {})


def efficientnet_rules(theirs: Tensors) -> Rules:
    """Return the rules of an EfficientNet: blocks that expand nothing have one layer less."""
    found = [
        (r"features\.0\.([01])\.(.+)", r"stem.\1.\2"),
        (r"features\.8\.([01])\.(.+)", r"last.\1.\2"),
    ]
    for stage in range(1, 8):
        for k in range(count(theirs, rf"features\.{stage}\.(\d+)\.")):
            there, here = rf"features\.{stage}\.{k}\.block", f"stages.{stage - 1}.{k}.layers"
            last = 3 if f"features.{stage}.{k}.block.3.0.weight" in theirs else 2
            for layer in range(last - 1):
                found.append((rf"{there}\.{layer}\.([01])\.(.+)", rf"{here}.{layer}.\1.\2"))
            found.append((rf"{there}\.{last - 1}\.fc1\.(.+)", rf"{here}.{last - 1}.reduce.\1"))
            found.append((rf"{there}\.{last - 1}\.fc2\.(.+)", rf"{here}.{last - 1}.expand.\1"))
            found.append((rf"{there}\.{last}\.0\.(.+)", rf"{here}.{last}.\1"))
            found.append((rf"{there}\.{last}\.1\.(.+)", rf"{here}.{last + 1}.\1"))
    return found


EFFICIENTNET = Family(
    marks=("features.0.0.weight", "features.1.0.block.1.fc1.weight", "features.8.0.weight"),
    plan=efficientnet,
    first="stem.0.weight",
    rules=efficientnet_rules,
    head=((r"classifier\.1\.(weight|bias)", r"linear.\1"),),
    imagenet=PICTURES,
)


MOBILENET = Family(
    marks=("features.0.0.weight", "features.1.conv.0.0.weight", "features.18.0.weight"),
    plan=lambda theirs: NetPlan(name="mobilenetv2"),
    first="stem.0.weight",
    rules=(
        (r"features\.0\.([01]\..+)", r"stem.\1"),
        (r"features\.18\.([01]\..+)", r"last.\1"),
        *(
            (rf"features\.{1 + sum(MOBILE[:stage]) + k}\.conv\.(.+)", rf"stages.{stage}.{k}.layers.\1")
            for stage, layers in enumerate(MOBILE)
            for k in range(layers)
        ),
    ),
    head=((r"classifier\.1\.(weight|bias)", r"linear.\1"),),
    imagenet=PICTURES,
)


def vit(theirs: Tensors) -> NetPlan:
    """Return our ViT by its width and the number of its layers."""
    width = theirs["conv_proj.weight"].shape[0]
    layers = count(theirs, r"encoder\.layers\.encoder_layer_(\d+)\.")
    if (width, layers) not in VITS:
        raise unlike("a ViT", f"width {width}, {layers} layers")
    return NetPlan(name=VITS[width, layers], options={"patch": list(theirs["conv_proj.weight"].shape[2:])})


def vit_size(theirs: Tensors) -> tuple[int, ...]:
    """Return the size of a ViT's input. Raises BundleError where its patches make no square."""
    places = theirs["encoder.pos_embedding"].shape[1] - 1
    size = grid_size(places, tuple(theirs["conv_proj.weight"].shape[2:]))
    if size is None:
        raise unlike("a ViT", f"{places} patches, which make no square")
    return size


VIT = Family(
    marks=("class_token", "conv_proj.weight", "encoder.pos_embedding"),
    plan=vit,
    first="embed.weight",
    rules=(
        (r"class_token", "token"),
        (r"conv_proj\.(.+)", r"embed.\1"),
        (r"encoder\.pos_embedding", "positions"),
        (r"encoder\.layers\.encoder_layer_(\d+)\.ln_([12])\.(.+)", r"blocks.\1.norm\2.\3"),
        (
            r"encoder\.layers\.encoder_layer_(\d+)\.self_attention\.in_proj_(.+)",
            r"blocks.\1.attention.qkv.\2",
        ),
        (
            r"encoder\.layers\.encoder_layer_(\d+)\.self_attention\.out_proj\.(.+)",
            r"blocks.\1.attention.out.\2",
        ),
        (r"encoder\.layers\.encoder_layer_(\d+)\.mlp\.(?:0|linear_1)\.(.+)", r"blocks.\1.mlp.0.\2"),
        (r"encoder\.layers\.encoder_layer_(\d+)\.mlp\.(?:3|linear_2)\.(.+)", r"blocks.\1.mlp.3.\2"),
        (r"encoder\.ln\.(.+)", r"norm.\1"),
    ),
    head=((r"heads\.head\.(weight|bias)", r"linear.\1"),),
    size=vit_size,
    imagenet=PICTURES,
)


def swin(theirs: Tensors) -> NetPlan:
    """Return our Swin by its width, its layers and its window. Raises BundleError for the second version."""
    if any("cpb_mlp" in k or "logit_scale" in k for k in theirs):
        raise unlike("a Swin", "its second version, whose attention is another")
    width = theirs["features.0.0.weight"].shape[0]
    layers = tuple(count(theirs, rf"features\.{i}\.(\d+)\.") for i in (1, 3, 5, 7))
    if (width, layers) not in SWINS:
        raise unlike("a Swin", f"width {width}, layers {layers}")
    table = theirs["features.1.0.attn.relative_position_bias_table"]
    patch = theirs["features.0.0.weight"].shape[2]
    return NetPlan(name=SWINS[width, layers], options=swin_options(table.shape[0], int(patch)))


def swin_options(biases: int, patch: int) -> dict[str, int]:
    """Return window and patch where they are not our usual ones."""
    window = (math.isqrt(biases) + 1) // 2
    return ({"window": window} if window != 7 else {}) | ({"patch": patch} if patch != 4 else {})


def corners(tensors: Tensors, names: str) -> Tensors:
    """Put the corners that a Swin merges into our order: theirs goes down first, ours goes right first."""
    out = dict(tensors)
    for name in tensors:
        if re.fullmatch(names, name):
            first, below, right, both = tensors[name].chunk(4, dim=-1)
            out[name] = torch.cat((first, right, below, both), dim=-1)
    return out


def swin_rules(theirs: Tensors) -> Rules:
    """Return the rules of a Swin, whose stages and mergings lie in one row there."""
    found = [(r"features\.0\.0\.(.+)", r"embed.\1"), (r"features\.0\.2\.(.+)", r"embed_norm.\1")]
    for stage in range(4):
        there, here = rf"features\.{2 * stage + 1}\.(\d+)", rf"stages.{stage}.\1"
        found += [
            (rf"{there}\.norm([12])\.(.+)", rf"{here}.norm\2.\3"),
            (rf"{there}\.attn\.qkv\.(.+)", rf"{here}.attention.qkv.\2"),
            (rf"{there}\.attn\.proj\.(.+)", rf"{here}.attention.out.\2"),
            (rf"{there}\.attn\.relative_position_bias_table", rf"{here}.attention.bias"),
            (rf"{there}\.mlp\.([03])\.(.+)", rf"{here}.mlp.\2.\3"),
        ]
        if stage:
            found.append((rf"features\.{2 * stage}\.norm\.(.+)", rf"merges.{stage - 1}.norm.\1"))
            found.append((rf"features\.{2 * stage}\.reduction\.(.+)", rf"merges.{stage - 1}.reduce.\1"))
    return [*found, (r"norm\.(.+)", r"norm.\1")]


SWIN = Family(
    marks=("features.0.0.weight", "features.0.2.weight", "features.1.0.attn.qkv.weight"),
    plan=swin,
    first="embed.weight",
    rules=swin_rules,
    head=((r"head\.(weight|bias)", r"linear.\1"),),
    change=lambda theirs: corners(theirs, r"features\.[246]\.(norm|reduction)\..+"),
    left={r".*relative_position_index": ""},
    imagenet=PICTURES,
)

FAMILIES = (RESNET, DENSENET, GOOGLENET, EFFICIENTNET, MOBILENET, VIT, SWIN, ALEXNET, VGG)
PLAIN = r"resnet(10|18|34|50|101|152)|densenet(121|161|169|201)|vgg(11|13|16|19)(_bn)?"
RELATIVES = {
    r"features\.\d+\.\d+\.layer_scale": "ConvNeXt, which is no net of ours",
    r"Conv2d_1a_3x3\.conv\.weight": "Inception v3, which is no net of ours",
}


def read(found: Found) -> Weights | None:
    """Return weights in torchvision's naming; None for others. Raises BundleError for relatives of another function."""
    if "architecture" in found.about.get("config.json", {}):
        return None  # timm's hub says what a file is
    if any(t.ndim > 4 for t in found.tensors.values()):
        return None  # none of torchvision's nets that are read has three axes
    family = family_of(found, FAMILIES)
    if family is None:
        for pattern, what in RELATIVES.items():
            if any(re.fullmatch(pattern, k) for k in found.tensors):
                raise unlike(what.partition(",")[0], what)
        return None
    said = found.about.get("arch")  # of a checkpoint that its trainer wrote
    if isinstance(said, str) and family in (RESNET, DENSENET, VGG) and re.fullmatch(PLAIN, said) is None:
        raise unlike(
            f"a net that calls itself {said}", "some of its layers have no tensors, and are others than ours"
        )
    return read_as(family, found, "torchvision")
