"""Weights as Hugging Face's transformers saves them: a folder with a config.json, or a model's name at the hub."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from torch import Tensor

from vesalius.core.channels import COLOURS
from vesalius.core.errors import BundleError, PlanError
from vesalius.core.fields import short
from vesalius.core.plan import NetPlan
from vesalius.core.words import listed
from vesalius.nets import bert, gpt, huggingface
from vesalius.weights.contract import Weights
from vesalius.weights.found import Found
from vesalius.weights.hub import (
    CONFIG,
    ELSEWHERE,
    PREPARED,
    TOKENIZER,
    folder_of,
    has_weights,
    is_name,
    plain,
    tensors_of,
)

NAMES = {"huggingface": "a folder of Hugging Face's transformers, or a model's name at its hub"}
FINDS = True
READERS = {"huggingface": huggingface, "bert": bert, "gpt": gpt}
CLASSIFIERS = ("classifier", "classifier.1", "head.classifier")  # linear layers over what an encoder sums up
GREYS = 255.0


def find(what: str) -> Found | None:
    """Return a folder with a config of transformers, here or of the hub; None for what is neither.

    Its tensors are read later. Raises BundleError for a damaged folder, and a name of the hub that cannot be had.
    """
    path = Path(what)
    named = ""
    if not path.exists() and is_name(what):
        path, named = folder_of(what), what
    if not path.is_dir() or not (path / CONFIG).is_file():
        return None
    if not has_weights(path) and not (path / PREPARED).is_file():
        return None  # some other program's config.json
    config = plain(path / CONFIG)
    if "model_type" not in config and not named:
        return None
    return Found(path, {}, named, {CONFIG: config, PREPARED: plain(path / PREPARED)})


def read(found: Found) -> Weights | None:
    """Return the weights of an encoder, or of a text model, and the net that its config describes.

    A classification head and other parts that the encoder does not have are left out. None for a file without such a
    config beside it. Raises BundleError where the config and the tensors are not of one network, or the network is
    none that is known here; MissingExtra without the library.
    """
    folder = found.path if found.path.is_dir() else found.path.parent
    config = found.about.get(CONFIG) or plain(folder / CONFIG)
    if "model_type" not in config:
        return None
    kind = config["model_type"]
    net = next(
        (n for n, module in READERS.items() if isinstance(kind, str) and kind in module.FAMILIES), None
    )
    if net is None:
        raise BundleError(
            f"{folder} holds a model of a type that is not known here",
            found=f"model_type {short(kind)} in its {CONFIG}",
            hint=listed(k for module in READERS.values() for k in module.FAMILIES),
        )
    tensors, mark = tensors_of(found.path)
    named = found.origin if found.path.is_dir() and found.origin else "Hugging Face"
    try:
        text = READERS[net].kept(config)
        model, told = READERS[net].encoder(text, tensors=tensors)
    except PlanError as error:
        raise BundleError(f"{folder / CONFIG}: {error}") from error
    _assert_whole(folder, told, model.state_dict())
    own = {f"inner.{name}" for name in told["missing_keys"]}
    head, left = _head(tensors, told["unexpected_keys"], model.channels[-1])
    colours = _colours(found.about.get(PREPARED) or plain(folder / PREPARED))
    channels, mean, sd = colours if model.role == "encoder" else ((), (), ())
    return Weights(
        {name: tensor for name, tensor in model.state_dict().items() if name not in own},
        f"{named} ({kind}) with SHA-256 {mark}",
        NetPlan(name=net, options={"config": text}),
        channels=channels,
        mean=mean,
        sd=sd,
        head=head,
        labels=_labels(config) if head else (),
        unused=tuple(left),
        tokenizer=_tokenizer(folder) if model.role in ("text", "writer") else None,
    )


def _tokenizer(folder: Path) -> dict[str, Any] | None:
    """Return the vocabulary that lies beside the weights of a text model, as `language/tokenizers` has it."""
    held = plain(folder / TOKENIZER)
    return {"name": "published", "file": dict(held)} if held else None


def _assert_whole(folder: Path, told: Mapping[str, Any], own: Mapping[str, Tensor]) -> None:
    """Raise BundleError where tensors that the encoder needs are missing, or have shapes that its config denies."""
    wrong = [
        f"{name} ({_shape(a)} there, {_shape(b)} by its {CONFIG})" for name, a, b in told["mismatched_keys"]
    ]
    missing = sorted(n for n in told["missing_keys"] if f"inner.{n}" in own)
    needed = [n for n in missing if not any(part in n for part in ("position", "pooler"))]
    if wrong or needed:
        raise BundleError(
            f"the tensors and the {CONFIG} of {folder} are not of one network",
            found=listed([*wrong, *(f"no {n}" for n in needed)], 3),
            hint=ELSEWHERE,
        )


def _shape(sides: Sequence[int]) -> str:
    return "×".join(map(str, sides))


def _head(tensors: Mapping[str, Tensor], unexpected: Any, wide: int) -> tuple[dict[str, Tensor], list[str]]:
    """Return the linear layer over what the encoder sums up, under our head's names, and the names of what is left."""
    left = set(unexpected)
    for name in CLASSIFIERS:
        weight = tensors.get(f"{name}.weight")
        if weight is not None and weight.ndim == 2 and weight.shape[1] == wide:
            held = {"linear.weight": weight}
            if (bias := tensors.get(f"{name}.bias")) is not None:
                held["linear.bias"] = bias
            return held, sorted(left - {f"{name}.weight", f"{name}.bias"})
    return {}, sorted(left)


def _labels(config: Mapping[str, Any]) -> tuple[str, ...]:
    """Return what the classification head tells apart, in its order; nothing where the config only numbers it."""
    named = config.get("id2label")
    if not isinstance(named, Mapping) or not all(str(k).isdecimal() for k in named):
        return ()
    labels = tuple(str(named[k]) for k in sorted(named, key=lambda k: int(k)))
    return () if all(label == f"LABEL_{k}" for k, label in enumerate(labels)) else labels


def _colours(
    prepared: Mapping[str, Any],
) -> tuple[tuple[str, ...], tuple[float, ...], tuple[float, ...]]:
    """Return the channels, with means and standard deviations on the scale of 8-bit pictures, where they are said."""
    mean, sd = _numbers(prepared.get("image_mean")), _numbers(prepared.get("image_std"))
    if not mean or len(mean) != len(sd) or prepared.get("do_normalize") is False:
        return (), (), ()
    scaled = prepared.get("do_rescale", True)
    factor = prepared.get("rescale_factor", 1 / GREYS) if scaled else 1.0
    if not isinstance(factor, int | float) or factor <= 0 or min(sd) <= 0:
        return (), (), ()
    channels = COLOURS if len(mean) == len(COLOURS) else ()
    if prepared.get("do_flip_channel_order"):
        channels = channels[::-1]
    return channels, tuple(round(m / factor, 6) for m in mean), tuple(round(s / factor, 6) for s in sd)


def _numbers(held: Any) -> tuple[float, ...]:
    """Return the numbers of a list of them; none of anything else."""
    fits = isinstance(held, list) and all(isinstance(v, int | float) for v in held)
    return tuple(float(v) for v in held) if fits else ()
