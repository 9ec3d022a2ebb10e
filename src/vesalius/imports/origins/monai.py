"""MONAI bundles: their config is read as data, their net built from a list of our own, and nothing of them is run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vesalius.core.errors import BundleError
from vesalius.core.plan import NetPlan
from vesalius.core.words import listed
from vesalius.imports import preprocessing
from vesalius.imports.configs import Config, read, target_of
from vesalius.imports.contract import Brought, Told
from vesalius.imports.origins.statedict import from_weights
from vesalius.imports.planning import is_dense
from vesalius.weights.contract import Weights
from vesalius.weights.files import as_it_lies, open_file
from vesalius.weights.reader import named

if TYPE_CHECKING:
    import torch

NAMES = {"monai": "A MONAI bundle: configs/inference.json or .yaml, and models/model.pt"}
ORDER = 20
CONFIGS = ("inference.json", "inference.yaml", "inference.yml")
WEIGHTS = ("model.pt", "model.safetensors")
PROGRAM = "model.ts"
NETS: tuple[str, ...] = (
    *("DynUNet", "SwinUNETR", "UNETR", "DenseNet121", "DenseNet169", "DenseNet201", "EfficientNetBN"),
    *("resnet10", "resnet18", "resnet34", "resnet50", "resnet101", "resnet152"),
)
CLOSE = 1e-4  # of the largest output: how far our net's may be from those of MONAI's own class
INFERERS = "monai.inferers."
SAID = "MONAI's inferer"
_MOST = 96  # voxels a side of the made-up input on which both nets are compared


def suits(source: Path) -> bool:
    """Return whether a folder holds the config of a MONAI bundle."""
    return source.is_dir() and any((source / "configs" / name).is_file() for name in CONFIGS)


def bring(source: Path, told: Told) -> Brought:
    """Return the model of a MONAI bundle. Our net is held against MONAI's own class on a made-up input first.

    Raises BundleError, by name, for every part of the config that has no equal here, for expressions (`$`), and for
    weights that lie in a program.
    """
    config = read(next(p for name in CONFIGS if (p := source / "configs" / name).is_file()))
    about = _metadata(source)
    weights, path = _weights(source)
    net = weights.net
    if net is None:
        raise BundleError(f"{path} holds a net that is none of ours", hint=listed(NETS, 20))
    part = config.at("network_def", "net_def", "net", "network")
    name, given = target_of(part, config, "monai.networks.nets.")
    dense = is_dense(net)
    _assert_alike(name, given, weights, net, path, config)
    channels = int(given.get("in_channels", given.get("n_input_channels", 1)))
    values = preprocessing.before(
        _transforms(config, ("preprocessing", "pre_transforms"), ("dataset", "transform")),
        config,
        dims=weights.dims,
        channels=channels,
    )
    behind = _transforms(config, ("postprocessing", "post_transforms"), ("evaluator", "postprocessing"))
    preprocessing.after(behind, config, dense=dense)
    values |= _inferer(config, weights.dims, dense=dense)
    called = _channel_names(about, channels)
    values["data.channel_names"] = (called, "metadata.json" if called else "nothing says what they are")
    known = _label_names(about)
    if known:
        weights = replace(weights, labels=known)
    made = from_weights(weights, net, told, what=path.name, values=values)
    title = str(about.get("name") or source.name)[:80]
    facts = {**made.facts, "version": str(about.get("version", "not said"))[:40], "weights": weights.origin}
    notes = (
        *made.notes,
        *(
            ("logits are brought back to an image's own grid, and MONAI brings back what comes after them",)
            if "data.resample" in values
            else ()
        ),
    )
    return replace(
        made,
        origin=f"a MONAI bundle, {title}",
        facts=facts,
        notes=notes,
        licence=str(about.get("license", ""))[:200],
    )


def _metadata(source: Path) -> Mapping[str, Any]:
    path = source / "configs" / "metadata.json"
    return read(path).data if path.is_file() else {}


def _weights(source: Path) -> tuple[Weights, Path]:
    folder = source / "models"
    path = next((folder / n for n in WEIGHTS if (folder / n).is_file()), None)
    if path is None:
        program = (folder / PROGRAM).is_file()
        raise BundleError(
            f"{source} has no weights that can be read without running them",
            found=f"models/{PROGRAM}, a TorchScript program" if program else "no models/model.pt",
            hint="models/model.pt, a state dict",
        )
    return named(open_file(path)), path


def _transforms(config: Config, names: tuple[str, ...], within: tuple[str, str]) -> list[Any]:
    """Return the transforms of a part, one after the other; none where there is no such part.

    It is a part of one of these names, else what a part of the first name `within` holds under the second.
    """
    part = config.at(*names)
    if part is None:
        holder = config.at(within[0])
        part = holder.get(within[1]) if isinstance(holder, Mapping) else None
    if part is None:
        return []
    if isinstance(part, list):
        return part
    name, given = target_of(part, config, preprocessing.PREFIX)
    if name != "Compose" or not isinstance(given.get("transforms"), list):
        raise BundleError(f"{config.path}: transforms that are no Compose", found=name)
    return list(given["transforms"])


def _inferer(config: Config, dims: int, *, dense: bool) -> dict[str, tuple[Any, str]]:
    """Return planned values of the inferer. Raises BundleError, by name, for one that has no equal here."""
    part = config.at("inferer")
    if part is None:
        return {}
    name, given = target_of(part, config, INFERERS)
    if name == "SimpleInferer":
        return {}
    if name != "SlidingWindowInferer" or not dense:
        raise BundleError(f"{config.path}: the inferer {name} has no equal here", hint="SlidingWindowInferer")
    roi = given.get("roi_size")
    odd = {k: v for k, v in given.items() if k not in ("roi_size", "sw_batch_size", "overlap", "mode")}
    usual = {"padding_mode": "constant", "sigma_scale": 0.125, "cval": 0, "cval_": 0, "progress": None}
    odd = {
        k: v
        for k, v in odd.items()
        if usual.get(k, _ODD) != v and k not in ("device", "sw_device", "progress")
    }
    mode, overlap = given.get("mode", "constant"), given.get("overlap", 0.25)
    sound = isinstance(roi, list) and len(roi) == dims and all(isinstance(n, int) and n > 0 for n in roi)
    if odd or not sound or mode not in ("constant", "gaussian") or not isinstance(overlap, float | int):
        raise BundleError(f"{config.path}: a sliding window that has no equal here", found=str(given)[:120])
    return {
        "data.size": ([*([1] if dims == 2 else []), *list(roi or ())], SAID),
        "infer.overlap": (float(overlap), SAID),
        "infer.tiling": ("monai" if mode == "gaussian" else "monai-constant", SAID),
        "infer.batch": (int(given.get("sw_batch_size", 1)), SAID),
    }


_ODD = object()


def _channel_names(about: Mapping[str, Any], channels: int) -> list[str]:
    found = _under(about, "network_data_format", "inputs", "image", "channel_def")
    named_ = [str(found[k])[:40] for k in sorted(found)] if isinstance(found, Mapping) else []
    return named_ if len(named_) == channels else []


def _label_names(about: Mapping[str, Any]) -> tuple[str, ...]:
    found = _under(about, "network_data_format", "outputs", "pred", "channel_def")
    if not isinstance(found, Mapping) or not all(str(k).isdecimal() for k in found):
        return ()
    return tuple(str(found[k])[:80] for k in sorted(found, key=lambda k: int(k)))


def _under(data: Any, *names: str) -> Any:
    for name in names:
        data = data.get(name) if isinstance(data, Mapping) else None
    return data


def _assert_alike(
    name: str, given: Mapping[str, Any], weights: Weights, net: NetPlan, path: Path, config: Config
) -> None:
    """Raise BundleError where our net says other than MONAI's own class, built as the config has it, on one input."""
    import torch

    from vesalius import nets

    theirs = _theirs(name, given, path, config)
    kernel = next(t for t in weights.tensors.values() if t.ndim == weights.dims + 2)
    side = [int(n) for n in weights.size] if weights.size else [min(_MOST, 64)] * weights.dims
    x = torch.randn((1, int(kernel.shape[1]), *side), generator=torch.Generator().manual_seed(0))
    ours = nets.build(
        net.name,
        dims=weights.dims,
        in_channels=x.shape[1],
        scale=net.scale,
        size=tuple(side),
        options=net.options,
    )
    ours.load_state_dict(dict(weights.tensors))
    outputs = int(next(iter(weights.head.values())).shape[0])
    with torch.inference_mode():
        found = _answer(ours.eval(), weights, x, outputs)
        wanted = theirs(x)
    wanted = wanted[0] if isinstance(wanted, list | tuple) else wanted
    worst = float((found - wanted).abs().max() / wanted.abs().max().clamp_min(1.0))
    if found.shape != wanted.shape or not worst < CLOSE:
        raise BundleError(
            f"{config.path}: {name} as its config has it says other than our {net.name}",
            found=f"outputs {worst:.2g} apart on a made-up input",
            hint="a bundle whose net is told with options that ours has, too",
        )


def _theirs(name: str, given: Mapping[str, Any], path: Path, config: Config) -> torch.nn.Module:
    """Return MONAI's own class of a name in our list, with plain arguments, and the weights in it."""
    import torch
    from monai.networks import nets as theirs

    if name not in NETS:
        raise BundleError(f"{config.path}: the net {name} has no equal here", hint=listed(NETS, 20))
    arguments = dict(given)
    if name.startswith(("DenseNet", "resnet", "EfficientNet")):
        arguments["pretrained"] = False  # which would be fetched
    try:
        with torch.device("meta"):
            model: torch.nn.Module = getattr(theirs, name)(**arguments)
        tensors = as_it_lies(path).tensors
        model.load_state_dict(dict(tensors), strict=True, assign=True)
    except Exception as error:  # whatever a class raises of arguments that are none of its own
        first = (str(error).splitlines() or [type(error).__name__])[0][:120]
        raise BundleError(f"{config.path}: its weights do not fit {name} as told", found=first) from error
    return model.eval()


def _answer(ours: Any, weights: Weights, x: torch.Tensor, outputs: int) -> torch.Tensor:
    """Return what our net and the head say of an input, `(B, K, …)`."""
    import torch

    if ours.role == "dense":
        conv = (torch.nn.Conv2d if weights.dims == 2 else torch.nn.Conv3d)(ours.out_channels, outputs, 1)
        conv.load_state_dict(dict(weights.head))
        dense: torch.Tensor = conv(ours(x).full)
        return dense
    head = ours.head(outputs)
    head.load_state_dict(dict(weights.head))
    said: torch.Tensor = head.eval()(ours(x))
    return said
