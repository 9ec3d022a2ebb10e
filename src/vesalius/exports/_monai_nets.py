"""Nets of MONAI's that compute what a net of ours computes: their arguments, and our weights under their names."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from vesalius.core.errors import VesaliusError
from vesalius.core.plan import NetPlan
from vesalius.weights.found import Found
from vesalius.weights.reader import named

NET, HEAD = "net.", "head."  # how a model's own net and head are called in it
_DIGITS = 2**20  # ids are read in two passes, each exact in single precision

Tensors = Mapping[str, Tensor]


@dataclass(frozen=True, eq=False)
class Twin:
    """A net of MONAI's: its class, what it is built with, as JSON takes it, and its state with our weights in it."""

    target: str
    arguments: Mapping[str, Any]
    state: dict[str, Tensor]

    def build(self) -> nn.Module:
        """Return the net with its weights, in evaluation mode."""
        net = _built(self.target, self.arguments)
        net.load_state_dict(self.state)
        return net.eval()


def twin_of(model: nn.Module, plan: NetPlan, dims: int) -> Twin | None:
    """Return MONAI's net that is the same as a model's net with its head; None where we know of none.

    Whether it computes the same is for the caller to see: what no tensor tells, such as paddings, is not looked at.
    """
    ours = {k: v for k, v in model.state_dict().items() if k.startswith((NET, HEAD))}
    make = MADE.get(plan.name.partition("-")[0])
    if make is None or any(v.is_quantized for v in ours.values()):
        return None
    try:
        target, arguments = make(ours, plan, dims)
        net = _built(target, arguments)
        return Twin(target, arguments, _filled(net.state_dict(), ours))
    except (VesaliusError, KeyError, ValueError, TypeError, RuntimeError, StopIteration):
        return None


def _unet(ours: Tensors, plan: NetPlan, dims: int) -> tuple[str, dict[str, Any]]:
    stages = _count(ours, r"net\.encoder\.(\d+)\.0\.0\.weight")
    kernels = [ours[f"net.encoder.{k}.0.0.weight"] for k in range(stages)]
    ups = [list(ours[f"net.up.{k}.weight"].shape[2:]) for k in range(stages - 1)]
    rising = [list(ours[f"net.decoder.{k}.0.0.weight"].shape[2:]) for k in range(stages - 1)]
    chosen = plan.options
    plain = chosen.get("slope", 0.01) == 0.01 and chosen.get("eps", 1e-5) == 1e-5 and not chosen.get("fold")
    sizes = [list(k.shape[2:]) for k in kernels]
    if stages < 3 or not plain or (rising != sizes[:-1] and rising != sizes[1:]):
        raise ValueError("no DynUNet is like it")
    norm = str(chosen.get("norm", "instance"))
    return "monai.networks.nets.DynUNet", {
        "spatial_dims": dims,
        "in_channels": int(kernels[0].shape[1]),
        "out_channels": int(ours["head.weight"].shape[0]),
        "kernel_size": sizes,
        "strides": [[1] * dims, *ups],
        "upsample_kernel_size": ups,
        "filters": [int(k.shape[0]) for k in kernels],
        "norm_name": [norm.upper(), {"affine": True}],
        "trans_bias": True,
    }


def _unetr(ours: Tensors, plan: NetPlan, dims: int) -> tuple[str, dict[str, Any]]:
    embed = ours["net.net.vit.patch_embedding.patch_embeddings.weight"]
    places = int(ours["net.net.vit.patch_embedding.position_embeddings"].shape[1])
    side = round(places ** (1 / dims))
    if side**dims != places:
        raise ValueError("patches that make no square or cube")
    hidden, patch = int(embed.shape[0]), int(embed.shape[2])
    return "monai.networks.nets.UNETR", {
        "in_channels": int(embed.shape[1]),
        "out_channels": int(ours["head.weight"].shape[0]),
        "img_size": [side * patch] * dims,
        "feature_size": int(ours["net.net.encoder1.layer.conv1.conv.weight"].shape[0]),
        "hidden_size": hidden,
        "mlp_dim": 4 * hidden,
        "spatial_dims": dims,
    }


def _swinunetr(ours: Tensors, plan: NetPlan, dims: int) -> tuple[str, dict[str, Any]]:
    embed = ours["net.net.swinViT.patch_embed.proj.weight"]
    name = r"net\.net\.swinViT\.layers{}\.0\.blocks\.(\d+)\."
    return "monai.networks.nets.SwinUNETR", {
        "in_channels": int(embed.shape[1]),
        "out_channels": int(ours["head.weight"].shape[0]),
        "feature_size": int(embed.shape[0]),
        "depths": [_count(ours, name.format(k)) for k in (1, 2, 3, 4)],
        "window_size": int(str(plan.options.get("window", 7))),
        "norm_name": str(plan.options.get("norm", "instance")),
        "spatial_dims": dims,
    }


def _resnet(ours: Tensors, plan: NetPlan, dims: int) -> tuple[str, dict[str, Any]]:
    first, stem = ours["net.conv1.weight"], str(plan.options.get("stem", "paper"))
    if plan.options.get("norm", "batch") != "batch":
        raise ValueError("another norm")
    return "monai.networks.nets.ResNet", {
        "block": "bottleneck" if "net.layer1.0.conv3.weight" in ours else "basic",
        "layers": [_count(ours, rf"net\.layer{k}\.(\d+)\.") for k in (1, 2, 3, 4)],
        "block_inplanes": [int(ours[f"net.layer{k}.0.conv1.weight"].shape[0]) for k in (1, 2, 3, 4)],
        "spatial_dims": dims,
        "n_input_channels": int(first.shape[1]),
        "conv1_t_size": int(first.shape[-1]),
        "conv1_t_stride": 1 if stem in ("small", "slow") else 2,
        "no_max_pool": stem in ("small", "half"),
        "shortcut_type": "A" if plan.options.get("shortcut") == "padded" else "B",
        "num_classes": int(ours["head.linear.weight"].shape[0]),
        "bias_downsample": False,
    }


def _densenet(ours: Tensors, plan: NetPlan, dims: int) -> tuple[str, dict[str, Any]]:
    first, grown = ours["net.stem.0.weight"], ours["net.blocks.0.0.conv2.weight"]
    return "monai.networks.nets.DenseNet", {
        "spatial_dims": dims,
        "in_channels": int(first.shape[1]),
        "out_channels": int(ours["head.linear.weight"].shape[0]),
        "init_features": int(first.shape[0]),
        "growth_rate": int(grown.shape[0]),
        "block_config": [_count(ours, rf"net\.blocks\.{k}\.(\d+)\.") for k in range(4)],
        "bn_size": int(grown.shape[1]) // int(grown.shape[0]),
    }


MADE: Mapping[str, Callable[[Tensors, NetPlan, int], tuple[str, dict[str, Any]]]] = {
    "unet": _unet,
    "unetr": _unetr,
    "swinunetr": _swinunetr,
    "resnet": _resnet,
    "densenet": _densenet,
}


def _built(target: str, arguments: Mapping[str, Any]) -> nn.Module:
    """Return a net of MONAI's, of the classes above alone."""
    from monai.networks import nets

    net: nn.Module = getattr(nets, target.rpartition(".")[2])(**arguments)
    return net


def _count(ours: Tensors, pattern: str) -> int:
    """Return how many different numbers stand where a pattern has its group."""
    return len({m.group(1) for name in ours if (m := re.match(pattern, name))})


def _filled(theirs: Tensors, ours: Tensors) -> dict[str, Tensor]:
    """Return the tensors of theirs with the numbers of ours in them. Raises ValueError where some have no place.

    Where each number goes is found by the one reader of their names (`weights/`): it is given numbers that say where
    they stand. A net whose names are ours but for the last layer is renamed.
    """
    renamed = _renamed(theirs, ours)
    if renamed is not None:
        return renamed
    floats = {name: t for name, t in theirs.items() if t.is_floating_point()}
    starts: dict[str, int] = {}
    shared: dict[int, int] = {}  # where a tensor stands under several names
    total = 1
    for name, t in floats.items():
        if t.data_ptr() not in shared:
            shared[t.data_ptr()], total = total, total + t.numel()
        starts[name] = shared[t.data_ptr()]
    ids = {
        name: torch.arange(starts[name], starts[name] + t.numel()).view(t.shape) for name, t in floats.items()
    }
    rest = {name: t for name, t in theirs.items() if name not in floats}
    low = named(Found(Path("made"), {**{n: (t % _DIGITS).float() for n, t in ids.items()}, **rest}, "made"))
    high = named(Found(Path("made"), {**{n: (t // _DIGITS).float() for n, t in ids.items()}, **rest}, "made"))
    flat = torch.zeros(total)
    placed = 0
    for lead, parts in ((NET, (low.tensors, high.tensors)), (HEAD, (low.head, high.head))):
        for name, first in parts[0].items():
            own = ours[lead + name]
            if not own.is_floating_point():
                continue
            where = (first.double() + parts[1][name].double() * _DIGITS).round().long()
            if bool(((where == 0) & (own != 0)).any()):
                raise ValueError(f"{name} has no place in the other net")
            flat[where.flatten()] = own.float().flatten()
            placed += 1
    if placed != sum(v.is_floating_point() for v in ours.values()):
        raise ValueError("some tensors have no place in the other net")
    flat[0] = 0.0
    made = {n: flat[s : s + floats[n].numel()].view(floats[n].shape).clone() for n, s in starts.items()}
    return {**rest, **made}


def _renamed(theirs: Tensors, ours: Tensors) -> dict[str, Tensor] | None:
    """Return our tensors under names that are theirs but for the last layer; None where they are not."""
    for inner, last in (("", "fc"), (NET, "out.conv.conv")):
        found = {
            name.removeprefix(NET + inner): t for name, t in ours.items() if name.startswith(NET + inner)
        }
        found |= {f"{last}.{name.rpartition('.')[2]}": t for name, t in ours.items() if name.startswith(HEAD)}
        unused = {n: torch.zeros_like(t) for n, t in theirs.items() if "cross_attn" in n}
        full = {**unused, **found}
        if set(full) == set(theirs) and all(full[n].shape == t.shape for n, t in theirs.items()):
            return {n: t.clone() for n, t in full.items()}
    return None
