"""MONAI's names: ResNet (and MedicalNet's files), DenseNet, EfficientNet, ViT, UNETR, SwinUNETR and DynUNet."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace

import torch

from vesalius.core.errors import BundleError
from vesalius.core.plan import NetPlan
from vesalius.weights._rules import (
    EFFICIENTNETS,
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
from vesalius.weights._ushape import skip_first, without_biases
from vesalius.weights.contract import Weights
from vesalius.weights.found import Found
from vesalius.weights.namings.torchvision import DENSENET, RESNET, densenet_rules, resnet

NAMES = {"monai": "MONAI's names, MedicalNet's, and those of EfficientNet-PyTorch's B0 to B7"}

HEADS = 12  # of MONAI's transformers, which their tensors do not tell
STRIDED = (0, 1, 1, 1, 0, 1, 0)  # stages of an EfficientNet that begin with a stride of 2
WINDOWS = (3, 6, 12, 24)  # heads of Swin UNETR's stages


def scaled(channels: int, base: int, multiple: int) -> float:
    """Return the `scale` of ours that has this many channels. Raises BundleError where none has."""
    if channels % multiple:
        raise unlike("a net of MONAI's", f"{channels} channels, which are no multiple of {multiple}")
    return channels / base


def is_resnet(theirs: Tensors) -> bool:
    """Return whether a ResNet is MONAI's: in 3-D, with biases in its shortcuts, or with shortcuts without weights."""
    first = theirs["conv1.weight"]
    return (
        first.ndim == 5
        or "layer2.0.downsample.0.bias" in theirs
        or "layer2.0.downsample.0.weight" not in theirs
    )


def resnet_plan(theirs: Tensors) -> NetPlan:
    """Return our ResNet: with MONAI's slow stem, or with the paper's for MedicalNet's files.

    MedicalNet's have no biases in their shortcuts, which is how MONAI tells them, too.
    """
    plan = resnet(theirs)
    if theirs["conv1.weight"].shape[-1] != 7:
        raise unlike("a ResNet of MONAI's", f"a first kernel of {tuple(theirs['conv1.weight'].shape[2:])}")
    biased = "layer2.0.downsample.0.bias" in theirs
    options = {"stem": "slow"} if biased else {}
    options |= {} if "layer2.0.downsample.0.weight" in theirs else {"shortcut": "padded"}
    return replace_options(plan, options)


def replace_options(plan: NetPlan, options: Mapping[str, object]) -> NetPlan:
    """Return a plan of the same net with these options as well."""
    return NetPlan(name=plan.name, scale=plan.scale, options={**plan.options, **options})


def resnet_change(theirs: Tensors) -> Tensors:
    """Return tensors without the biases of shortcuts, which the norms behind them keep."""
    found = [m.group(1) for k in theirs if (m := re.fullmatch(r"(layer\d\.\d+\.downsample)\.0\.bias", k))]
    return without_biases(theirs, {f"{k}.0": f"{k}.1" for k in found})


def resnet_notes(theirs: Tensors) -> tuple[str, ...]:
    """Return what is assumed of a ResNet: the stride of its first convolution is in no tensor."""
    if "layer2.0.downsample.0.bias" in theirs:
        return ("the stride of the first convolution is taken to be 1, as MONAI has it by default",)
    return (
        "read as MedicalNet's: a first stride of 2; where its own code widens the last two stages' kernels, they are"
        " strided here, as MONAI does with them",
    )


MONAI_RESNET = replace(
    RESNET,
    plan=resnet_plan,
    change=resnet_change,
    notes=resnet_notes,
    left={**RESNET.left, r"conv_seg\..+": "MedicalNet's decoder"},
    imagenet=None,
)
MONAI_DENSENET = replace(
    DENSENET,
    marks=(*DENSENET.marks, "features.denseblock1.denselayer1.layers.conv1.weight"),
    rules=densenet_rules,
    head=((r"class_layers\.out\.(weight|bias)", r"linear.\1"),),
    imagenet=None,
)


def vit(theirs: Tensors) -> NetPlan:
    """Return our ViT. Raises BundleError for a width of which our nets have other heads than MONAI's."""
    kernel = theirs["patch_embedding.patch_embeddings.weight"]
    plan = NetPlan(
        name="vit-base",
        scale=scaled(int(kernel.shape[0]), 768, HEADS),
        options={"patch": list(kernel.shape[2:]), "eps": 1e-5},
    )
    return plan if "cls_token" in theirs else replace_options(plan, {"token": False})


def vit_change(theirs: Tensors) -> Tensors:
    """Return tensors with zeros for biases that MONAI's attention has not, and for the class token's position."""
    out = dict(theirs)
    for name, tensor in theirs.items():
        if name.endswith("attn.qkv.weight"):
            out.setdefault(name.removesuffix("weight") + "bias", torch.zeros(len(tensor)))
    places = "patch_embedding.position_embeddings"
    if "cls_token" in theirs:
        out[places] = torch.cat((torch.zeros_like(theirs[places][:, :1]), theirs[places]), dim=1)
    return out


def vit_size(theirs: Tensors, before: str = "") -> tuple[int, ...]:
    """Return the size of a transformer's input. Raises BundleError where its patches make no square or cube."""
    places = theirs[f"{before}patch_embedding.position_embeddings"].shape[1]
    size = grid_size(places, tuple(theirs[f"{before}patch_embedding.patch_embeddings.weight"].shape[2:]))
    if size is None:
        raise unlike("a transformer of MONAI's", f"{places} patches, which make no square or cube")
    return size


UNUSED = {
    r".*norm_cross_attn\..+": "",  # MONAI makes them, and never calls them
    r".*cross_attn\..+": "",
}
VIT = Family(
    marks=("patch_embedding.position_embeddings", "patch_embedding.patch_embeddings.weight"),
    plan=vit,
    first="embed.weight",
    rules=(
        (r"cls_token", "token"),
        (r"patch_embedding\.patch_embeddings\.(.+)", r"embed.\1"),
        (r"patch_embedding\.position_embeddings", "positions"),
        (r"blocks\.(\d+)\.norm([12])\.(.+)", r"blocks.\1.norm\2.\3"),
        (r"blocks\.(\d+)\.attn\.qkv\.(.+)", r"blocks.\1.attention.qkv.\2"),
        (r"blocks\.(\d+)\.attn\.out_proj\.(.+)", r"blocks.\1.attention.out.\2"),
        (r"blocks\.(\d+)\.mlp\.linear1\.(.+)", r"blocks.\1.mlp.0.\2"),
        (r"blocks\.(\d+)\.mlp\.linear2\.(.+)", r"blocks.\1.mlp.3.\2"),
        (r"norm\.(.+)", r"norm.\1"),
    ),
    head=((r"classification_head\.(weight|bias)", r"linear.\1"),),
    change=vit_change,
    size=vit_size,
    left={
        **UNUSED,
        r"classification_head\.0\..+": "its head, which ends in a hyperbolic tangent",
        r"conv3d_transpose.*": "the decoder of an autoencoder",
    },
    notes=lambda theirs: (f"{HEADS} heads of attention are assumed, as MONAI has by default",),
)


def unetr(theirs: Tensors) -> NetPlan:
    """Return our UNETR. Raises BundleError where its transformer and its decoder are of different scales."""
    kernel = theirs["vit.patch_embedding.patch_embeddings.weight"]
    scale = scaled(int(kernel.shape[0]), 768, HEADS)
    if set(kernel.shape[2:]) != {16}:
        raise unlike("a UNETR", f"patches of {tuple(kernel.shape[2:])}, and ours have 16 a side")
    return NetPlan(name="unetr", scale=scale)


UNETR = Family(
    marks=("vit.patch_embedding.position_embeddings", "encoder1.layer.conv1.conv.weight"),
    plan=unetr,
    first="net.vit.patch_embedding.patch_embeddings.weight",
    rules=((r"((?:vit|encoder\d|decoder\d)\..+)", r"net.\1"),),
    head=((r"out\.conv\.conv\.(weight|bias)", r"\1"),),
    size=lambda theirs: vit_size(theirs, "vit."),
    left=UNUSED,
    notes=lambda theirs: (f"{HEADS} heads of attention are assumed, as MONAI has by default",),
)


def swinunetr(theirs: Tensors, before: str = "swinViT.") -> NetPlan:
    """Return our Swin UNETR. Raises BundleError for its second version, and other heads or patches."""
    if any(re.match(rf"{re.escape(before)}layers\dc\.", k) for k in theirs):
        raise unlike("a Swin UNETR", "its second version, which has convolutions before each stage")
    first = theirs[f"{before}patch_embed.proj.weight"]
    tables = [theirs[f"{before}layers{k}.0.blocks.0.attn.relative_position_bias_table"] for k in (1, 2, 3, 4)]
    if set(first.shape[2:]) != {2} or tuple(int(t.shape[1]) for t in tables) != WINDOWS:
        raise unlike("a Swin UNETR", "other patches, or other heads of attention, than MONAI's own")
    window = (round(tables[0].shape[0] ** (1 / (first.ndim - 2))) + 1) // 2
    layers = [count(theirs, rf"{re.escape(before)}layers{k}\.0\.blocks\.(\d+)\.") for k in (1, 2, 3, 4)]
    options = {"window": window} if window != 7 else {}
    norm = {"norm": "batch"} if "encoder1.layer.norm1.running_mean" in theirs else {}
    return NetPlan(
        name="swinunetr",
        scale=scaled(int(first.shape[0]), 48, 12),
        options={**options, **norm, "layers": layers},
    )


SWIN_NOTE = "patches are taken to merge as in MONAI's default, `merging`, which no tensor tells"
SWINUNETR = Family(
    marks=("swinViT.patch_embed.proj.weight", "encoder10.layer.conv1.conv.weight"),
    plan=swinunetr,
    first="net.swinViT.patch_embed.proj.weight",
    rules=(
        (r"(swinViT\..+\.mlp)\.(?:fc|linear)([12])\.(.+)", r"net.\1.linear\2.\3"),
        (r"((?:swinViT|encoder\d+|decoder\d)\..+)", r"net.\1"),
    ),
    head=((r"out\.conv\.conv\.(weight|bias)", r"\1"),),
    notes=lambda theirs: (SWIN_NOTE,),
)
SWINVIT = Family(
    marks=(
        "patch_embed.proj.weight",
        "layers1.0.blocks.0.attn.qkv.weight",
        "layers4.0.downsample.norm.weight",
    ),
    plan=lambda theirs: swinunetr(theirs, ""),
    first="net.swinViT.patch_embed.proj.weight",
    rules=(
        (r"(layers\d\..+\.mlp)\.(?:fc|linear)([12])\.(.+)", r"net.swinViT.\1.linear\2.\3"),
        (r"((?:layers\d|patch_embed)\..+)", r"net.swinViT.\1"),
    ),
    left={
        r"norm\..+": "a norm of its pre-training",
        r"(rotation|contrastive)\w*\..+": "the heads of its pre-training",
        r"conv(Trans3d)?\..+|conv\w*\..+": "the decoder of its pre-training",
    },
    notes=lambda theirs: (SWIN_NOTE, "the transformer alone: the convolutions around it are not in the file"),
    some=True,
)


def efficientnet_layers(theirs: Tensors) -> tuple[int, ...]:
    """Return the layers of an EfficientNet's stages: MONAI counts by stage, EfficientNet-PyTorch in one row."""
    if "_blocks.0.0._depthwise_conv.weight" in theirs:
        return tuple(count(theirs, rf"_blocks\.{i}\.(\d+)\.") for i in range(7))
    widths, total = efficientnet_widths(theirs), count(theirs, r"_blocks\.(\d+)\.")
    return next((n for w, n in EFFICIENTNETS if w == widths and sum(n) == total), (total,))


def efficientnet_widths(theirs: Tensors) -> tuple[int, int]:
    """Return the channels of an EfficientNet's first and last convolutions."""
    return int(theirs["_conv_stem.weight"].shape[0]), int(theirs["_conv_head.weight"].shape[0])


def efficientnet(theirs: Tensors) -> NetPlan:
    """Return our EfficientNet, padded as TensorFlow does."""
    name = efficientnet_name(efficientnet_widths(theirs), efficientnet_layers(theirs))
    return NetPlan(name=name, options={"padding": "tensorflow"})


def efficientnet_rules(theirs: Tensors) -> Rules:
    """Return the rules of an EfficientNet, which pads before each kernel with a stride; its layers are counted on."""
    found = [
        (r"_conv_stem\.(.+)", r"stem.1.\1"),
        (r"_bn0\.(.+)", r"stem.2.\1"),
        (r"_conv_head\.(.+)", r"last.0.\1"),
        (r"_bn1\.(.+)", r"last.1.\1"),
    ]
    number = 0
    for stage, (layers, strided) in enumerate(zip(efficientnet_layers(theirs), STRIDED, strict=True)):
        for k in range(layers):
            there, here = rf"_blocks\.(?:{stage}\.)?{number}", f"stages.{stage}.{k}.layers"
            begin, at = (1 if stage else 0), (1 if strided and k == 0 else 0)
            found += [
                (rf"{there}\._expand_conv\.(.+)", rf"{here}.0.0.\1"),
                (rf"{there}\._bn0\.(.+)", rf"{here}.0.1.\1"),
                (rf"{there}\._depthwise_conv\.(.+)", rf"{here}.{begin}.{at}.\1"),
                (rf"{there}\._bn1\.(.+)", rf"{here}.{begin}.{at + 1}.\1"),
                (rf"{there}\._se_reduce\.(.+)", rf"{here}.{begin + 1}.reduce.\1"),
                (rf"{there}\._se_expand\.(.+)", rf"{here}.{begin + 1}.expand.\1"),
                (rf"{there}\._project_conv\.(.+)", rf"{here}.{begin + 2}.\1"),
                (rf"{there}\._bn2\.(.+)", rf"{here}.{begin + 3}.\1"),
            ]
            number += 1
    return found


EFFICIENTNET = Family(
    marks=("_conv_stem.weight", "_conv_head.weight", "_bn1.weight"),
    plan=efficientnet,
    first="stem.1.weight",
    rules=efficientnet_rules,
    head=((r"_fc\.(weight|bias)", r"linear.\1"),),
    notes=lambda theirs: ("equal at even sizes: odd ones are padded by the size that the net was built for",),
)


def dynunet(theirs: Tensors) -> NetPlan:
    """Return our U-Net by the shapes of its kernels. Raises BundleError for residual ones."""
    if "input_block.conv3.conv.weight" in theirs:
        raise unlike("a DynUNet", "residual blocks, which are others than those of our residual U-Net")
    if "input_block.norm1.weight" not in theirs:
        raise unlike("a DynUNet", "norms without scale and shift")
    downs = count(theirs, r"downsamples\.(\d+)\.")
    blocks = ["input_block", *(f"downsamples.{k}" for k in range(downs)), "bottleneck"]
    kernels = [theirs[f"{b}.conv1.conv.weight"] for b in blocks]
    ups = [theirs[f"upsamples.{k}.transp_conv.conv.weight"] for k in range(downs + 1)]
    dims = kernels[0].ndim - 2
    rising = [theirs[f"upsamples.{downs - k}.conv_block.conv1.conv.weight"] for k in range(downs + 1)]
    norm = {"norm": "batch"} if "input_block.norm1.running_mean" in theirs else {}
    return NetPlan(
        name="unet",
        options={
            "channels": [int(k.shape[0]) for k in kernels],
            "kernels": [list(k.shape[2:]) for k in kernels],
            "kernels_up": [list(k.shape[2:]) for k in rising],
            "strides": [[1] * dims, *(list(u.shape[2:]) for u in reversed(ups))],
            **norm,
        },
    )


def dynunet_rules(theirs: Tensors) -> Rules:
    """Return the rules of a DynUNet, whose way up is counted from the bottom."""
    downs = count(theirs, r"downsamples\.(\d+)\.")
    blocks = [("input_block", "encoder.0"), ("bottleneck", f"encoder.{downs + 1}")]
    blocks += [(rf"downsamples\.{k}", f"encoder.{k + 1}") for k in range(downs)]
    blocks += [(rf"upsamples\.{k}\.conv_block", f"decoder.{downs - k}") for k in range(downs + 1)]
    found = [(rf"upsamples\.{k}\.transp_conv\.conv\.(.+)", rf"up.{downs - k}.\1") for k in range(downs + 1)]
    for there, here in blocks:
        for layer in (1, 2):
            found.append((rf"{there}\.conv{layer}\.conv\.(.+)", rf"{here}.{layer - 1}.0.\1"))
            found.append((rf"{there}\.norm{layer}\.(.+)", rf"{here}.{layer - 1}.1.\1"))
    return found


def dynunet_change(theirs: Tensors) -> Tensors:
    """Return tensors with joined channels in our order, and zeros for biases that its way up has not."""
    out = dict(theirs)
    for name, tensor in theirs.items():
        if re.fullmatch(r"upsamples\.\d+\.conv_block\.conv1\.conv\.weight", name):
            out[name] = skip_first(tensor)
        elif name.endswith("transp_conv.conv.weight"):
            out.setdefault(name.removesuffix("weight") + "bias", torch.zeros(tensor.shape[1]))
    return out


DYNUNET = Family(
    marks=(
        "input_block.conv1.conv.weight",
        "bottleneck.conv1.conv.weight",
        "upsamples.0.transp_conv.conv.weight",
    ),
    plan=dynunet,
    first="encoder.0.0.0.weight",
    rules=dynunet_rules,
    head=((r"output_block\.conv\.conv\.(weight|bias)", r"\1"),),
    change=dynunet_change,
    left={r"skip_layers\..+": "", r"(deep_supervision_)?heads\..+": "the coarser heads of deep supervision"},
    notes=lambda theirs: ("strides are taken to be those of the way up, which the tensors tell",),
)

FAMILIES = (MONAI_DENSENET, VIT, UNETR, SWINUNETR, SWINVIT, EFFICIENTNET, DYNUNET)
RELATIVES = {
    r"(model\.)?1\.submodule\..+": "a UNet or AttentionUnet of MONAI's: PReLU, and units or gates of its own",
    r"conv_0\.conv_0\.conv\.weight": "a BasicUNet of MONAI's: it doubles its first channels otherwise",
    r"convInit\.conv\.weight": "a SegResNet of MONAI's: norms before convolutions",
    r"in_tr\.conv_block\..+": "a VNet of MONAI's",
    r"patch_embedding\.patch_embeddings\.1\.weight": "a ViT of MONAI's whose patches are no convolution (perceptron)",
    r"vit\.patch_embedding\.patch_embeddings\.1\.weight": "a UNETR whose patches are no convolution (perceptron)",
}


def read(found: Found) -> Weights | None:
    """Return weights in MONAI's naming; None for others. Raises BundleError for relatives of another function."""
    theirs = dict(found.tensors)
    if all(m in theirs for m in MONAI_RESNET.marks) and is_resnet(theirs):
        return read_as(MONAI_RESNET, found, "MONAI")
    family = family_of(found, FAMILIES)
    if family is EFFICIENTNET and not any("_se_reduce" in k for k in theirs):
        return None  # a Lite form
    if family is not None:
        return read_as(family, found, "MONAI")
    for pattern, what in RELATIVES.items():
        if any(re.fullmatch(pattern, k) for k in theirs):
            raise BundleError(
                f"weights of {what.partition(':')[0]} cannot be taken over",
                found=what.partition(": ")[2] or None,
                hint="see docs/weights.md for those that can",
            )
    return None
