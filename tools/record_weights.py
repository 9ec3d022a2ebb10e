"""Record what reference nets answer, for tests that read weights in their makers' names without their packages.

Run it in an environment of its own that has torchvision, timm and dynamic_network_architectures:

    python tools/record_weights.py tests/weights/references.json.gz           the nets that the tests look at
    python tools/record_weights.py /tmp/all.json.gz --all                     those, and larger ones

Nets that are in the file already stay as they are.

Of each net the file holds names and shapes of its tensors, the size of its input and some numbers of its answer. The
tensors themselves are made anew wherever they are needed, from name and shape alone (see `made`).
"""

from __future__ import annotations

import gzip
import hashlib
import importlib
import json
import math
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

CLASSES = 5
GAINS = tuple(1.1**k for k in range(16))
APART = 0.05  # the mean difference of two images' answers
PLACES = 48  # numbers of a map that are kept


def uniform(name: str, count: int) -> np.ndarray:
    """Return numbers between -1 and 1 that follow from a name, the same on every machine and in every version."""
    seed = int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big")
    raw = np.random.PCG64(seed).random_raw(-(-count // 2)).view(np.uint32)[:count]
    return (raw >> 8).astype(np.float32) / np.float32(2**23) - 1


def made(name: str, shape: Iterable[int], dtype: str = "float32", gain: float = 1.0) -> Tensor:
    """Return the tensor of a name and shape: matrices that keep the scale, and norms whose statistics all differ.

    `gain` multiplies the matrices, for nets in which little of an image would arrive at the end.
    """
    shape = tuple(shape)
    if dtype != "float32":
        return torch.zeros(shape, dtype=getattr(torch, dtype))
    x = torch.from_numpy(uniform(name, math.prod(shape))).reshape(shape)
    if name.endswith("running_var"):
        return 1 + 0.5 * x
    if len(shape) > 1:
        return x * (gain * math.sqrt(3 / max(1, math.prod(shape[1:]))))
    return 1 + 0.3 * x if name.endswith("weight") else 0.2 * x


def picture(channels: int, size: Iterable[int]) -> Tensor:
    """Return two images `(2, C, *size)` that are as rough as they are smooth."""
    size = tuple(size)
    rough = torch.from_numpy(uniform("picture", 2 * channels * math.prod(size))).reshape(2, channels, *size)
    for axis, n in enumerate(size):
        wave = torch.sin(torch.arange(n) * (0.2 + 0.1 * axis)).reshape(
            [-1 if a == axis else 1 for a in range(len(size))]
        )
        rough = rough + torch.stack([wave, 0.5 * wave.flip(axis)])[:, None]
    return rough


def kept(answer: Tensor) -> list[float]:
    """Return the numbers of an answer that are recorded: all of a few, and of many those in places by a rule."""
    flat = answer.detach().double().flatten()
    if len(flat) > PLACES:
        flat = flat[torch.linspace(0, len(flat) - 1, PLACES, dtype=torch.float64).round().long()]
    return [float(x) for x in flat]


def record(
    net: nn.Module,
    size: tuple[int, ...],
    *,
    channels: int = 3,
    answer: Callable[[Any], Any] | None = None,
    about: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """Return what is kept of a net: its tensors' names and shapes, and its answer with tensors made by the rule.

    `same` tells of a tensor that has several names by which of them it was made. `gain` is the smallest with which two
    images have answers that clearly differ.
    """
    own = net.state_dict()
    net.eval()
    for gain in GAINS:
        floats = {k: made(k, t.shape, gain=gain) for k, t in own.items() if t.dtype == torch.float32}
        net.load_state_dict(floats, strict=False)
        with torch.no_grad():
            out = (answer or net)(picture(channels, size))
        if float((out[0] - out[1]).abs().mean()) >= APART:
            break
    named: dict[int, list[str]] = {}
    for name in floats:
        named.setdefault(own[name].data_ptr(), []).append(name)
    same = {}
    for names in named.values():
        source = next(n for n in names if torch.equal(own[n], floats[n]))
        same |= {n: source for n in names if n != source}
    return {
        "tensors": {k: [list(t.shape), str(t.dtype).removeprefix("torch.")] for k, t in own.items()},
        "same": same,
        "gain": gain,
        "size": list(size),
        "channels": channels,
        "answer": kept(out),
        "shape": list(out.shape),
        "about": about or {},
    }


def of_torchvision(name: str, size: int = 64, **options: Any) -> dict[str, Any]:
    """Record one of torchvision's nets, by its name."""
    models = importlib.import_module("torchvision.models")
    return record(getattr(models, name)(weights=None, num_classes=CLASSES, **options), (size, size))


def in_a_row(name: str, size: int = 64) -> dict[str, Any]:
    """Record a VGG or AlexNet without its dense layers, which are large: the mean of its last map."""
    net = getattr(importlib.import_module("torchvision.models"), name)(weights=None, num_classes=CLASSES)
    del net.classifier
    return record(net, (size, size), answer=lambda x: net.features(x).mean((2, 3))[:, :24])


def small_vit() -> dict[str, Any]:
    """Record torchvision's Vision Transformer in a size that it has no name for."""
    vit = importlib.import_module("torchvision.models.vision_transformer").VisionTransformer
    return record(
        vit(
            image_size=64,
            patch_size=16,
            num_layers=12,
            num_heads=3,
            hidden_dim=192,
            mlp_dim=768,
            num_classes=CLASSES,
        ),
        (64, 64),
    )


def of_timm(name: str, size: int = 64, **options: Any) -> dict[str, Any]:
    """Record one of timm's nets, by its name."""
    net = importlib.import_module("timm").create_model(name, num_classes=CLASSES, **options)
    return record(net, (size, size))


def of_nnunet(name: str, size: tuple[int, ...], *, norm: str = "instance", **shape: Any) -> dict[str, Any]:
    """Record one of nnU-Net's nets as it plans them, with what its checkpoint says of it."""
    unet = importlib.import_module("dynamic_network_architectures.architectures.unet")
    dims = len(size)
    layers = {
        "conv_op": f"torch.nn.modules.conv.Conv{dims}d",
        "norm_op": f"torch.nn.modules.{norm}norm.{norm.capitalize()}Norm{dims}d",
        "nonlin": "torch.nn.LeakyReLU",
    }
    kwargs = {
        **shape,
        "n_stages": len(shape["features_per_stage"]),
        "conv_bias": True,
        "norm_op_kwargs": {"eps": 1e-3, "affine": True},
        "nonlin_kwargs": {"inplace": True, "negative_slope": 0.02},
    }
    classes = {k: getattr(nn, v.rpartition(".")[2]) for k, v in layers.items()}
    net = getattr(unet, name)(
        input_channels=2, num_classes=CLASSES, deep_supervision=False, **kwargs, **classes
    )
    architecture = {
        "network_class_name": f"dynamic_network_architectures.architectures.unet.{name}",
        "arch_kwargs": {**kwargs, **layers},
    }
    return record(net, size, channels=2, about=architecture)


NETS: dict[str, Callable[[], dict[str, Any]]] = {
    "torchvision/alexnet": lambda: in_a_row("alexnet", 96),
    "torchvision/vgg11": lambda: in_a_row("vgg11"),
    "torchvision/vgg13_bn": lambda: in_a_row("vgg13_bn"),
    "torchvision/googlenet": lambda: of_torchvision(
        "googlenet", 75, init_weights=False, aux_logits=True, transform_input=False
    ),
    "torchvision/resnet18": lambda: of_torchvision("resnet18", 70),
    "torchvision/resnet50": lambda: of_torchvision("resnet50"),
    "torchvision/densenet121": lambda: of_torchvision("densenet121"),
    "torchvision/efficientnet_b0": lambda: of_torchvision("efficientnet_b0", 70),
    "torchvision/mobilenet_v2": lambda: of_torchvision("mobilenet_v2", 70),
    "torchvision/vit": small_vit,
    "torchvision/swin_t": lambda: of_torchvision("swin_t", 224),
    "timm/vit_tiny_patch16_224": lambda: of_timm("vit_tiny_patch16_224", 64, img_size=64),
    "timm/vit_small_patch14_dinov2": lambda: of_timm("vit_small_patch14_dinov2", 56, img_size=56),
    "timm/deit3_small_patch16_224": lambda: of_timm("deit3_small_patch16_224", 48, img_size=48),
    "timm/swin_tiny_patch4_window7_224": lambda: of_timm("swin_tiny_patch4_window7_224", 224),
    "timm/efficientnet_b0": lambda: of_timm("efficientnet_b0", 70),
    "timm/tf_efficientnet_b0": lambda: of_timm("tf_efficientnet_b0", 70),
    "timm/tf_efficientnet_lite0": lambda: of_timm("tf_efficientnet_lite0", 70),
    "timm/mobilenetv2_100": lambda: of_timm("mobilenetv2_100", 70),
    "timm/resnet26": lambda: of_timm("resnet26", 64),
    "timm/resnetaa50": lambda: of_timm("resnetaa50", 64),
    "nnunet/plain": lambda: of_nnunet(
        "PlainConvUNet",
        (8, 24, 16),
        features_per_stage=[8, 12, 16],
        kernel_sizes=[[1, 3, 3], [3, 3, 3], [3, 3, 3]],
        strides=[[1, 1, 1], [1, 2, 2], [2, 2, 2]],
        n_conv_per_stage=[2, 2, 3],
        n_conv_per_stage_decoder=[2, 1],
    ),
    "nnunet/plain in 2-D": lambda: of_nnunet(
        "PlainConvUNet",
        (24, 32),
        norm="batch",
        features_per_stage=[8, 12, 16],
        kernel_sizes=[[3, 3]] * 3,
        strides=[[1, 1], [2, 2], [2, 2]],
        n_conv_per_stage=[2, 2, 2],
        n_conv_per_stage_decoder=[2, 2],
    ),
    "nnunet/residual": lambda: of_nnunet(
        "ResidualEncoderUNet",
        (8, 24, 16),
        features_per_stage=[8, 12, 12],
        kernel_sizes=[[1, 3, 3], [3, 3, 3], [3, 3, 3]],
        strides=[[1, 1, 1], [1, 2, 2], [2, 2, 2]],
        n_blocks_per_stage=[1, 2, 3],
        n_conv_per_stage_decoder=[1, 1],
    ),
}
MORE: dict[str, Callable[[], dict[str, Any]]] = {
    "timm/vgg11": lambda: of_timm("vgg11", 224),
    "timm/resnet50": lambda: of_timm("resnet50", 64),
    "timm/densenet121": lambda: of_timm("densenet121", 64),
    "timm/vit_base_patch16_224": lambda: of_timm("vit_base_patch16_224", 224),
    "timm/swin_base_patch4_window12_384": lambda: of_timm("swin_base_patch4_window12_384", 384),
    "timm/tf_efficientnet_lite1": lambda: of_timm("tf_efficientnet_lite1", 70),
    "timm/efficientnet_lite0": lambda: of_timm("efficientnet_lite0", 70),
    "timm/tf_efficientnet_b3": lambda: of_timm("tf_efficientnet_b3", 71),
    "torchvision/alexnet whole": lambda: of_torchvision("alexnet", 96),
    "torchvision/vgg11 whole": lambda: of_torchvision("vgg11", 64),
    **{
        f"torchvision/{n}": (lambda n=n: in_a_row(n))
        for n in ("vgg13", "vgg16", "vgg19", "vgg11_bn", "vgg16_bn", "vgg19_bn")
    },
    **{f"torchvision/{n}": (lambda n=n: of_torchvision(n)) for n in ("resnet34", "resnet101", "resnet152")},
    **{
        f"torchvision/{n}": (lambda n=n: of_torchvision(n))
        for n in ("densenet161", "densenet169", "densenet201")
    },
    **{
        f"torchvision/efficientnet_b{k}": (lambda k=k: of_torchvision(f"efficientnet_b{k}"))
        for k in range(1, 8)
    },
    **{
        f"torchvision/{n}": (lambda n=n: of_torchvision(n, 224))
        for n in ("vit_b_16", "vit_b_32", "vit_l_32", "swin_s", "swin_b")
    },
}


def main(path: Path, every: bool) -> None:
    """Write the records of all nets into one file; those that are in it already stay."""
    records = json.loads(gzip.decompress(path.read_bytes())) if path.exists() else {}
    for name, make in {**NETS, **(MORE if every else {})}.items():
        if name in records:
            continue
        records[name] = make()
        answer = np.array(records[name]["answer"])
        tell(
            f"{name}: {len(records[name]['tensors'])} tensors, answer {answer.mean():.3f} ± {answer.std():.3f}"
        )
        path.write_bytes(gzip.compress(json.dumps(records, separators=(",", ":")).encode(), mtime=0))


def tell(line: str) -> None:
    """Write a line to the terminal."""
    sys.stderr.write(line + "\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]), "--all" in sys.argv)
