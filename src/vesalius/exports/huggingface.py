"""Hugging Face folder: config.json, model.safetensors and a card; one that transformers opens, of its own encoders."""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from vesalius import nets
from vesalius.core.disk import write_text
from vesalius.core.image import Array
from vesalius.exports._agreement import agreed
from vesalius.exports._preparation import left_out
from vesalius.exports.contract import LIMIT, Agreement, Asked, Source, Target, Written
from vesalius.infer.asked import built

WEIGHTS, CONFIG, HEAD, README = "model.safetensors", "config.json", "head.safetensors", "README.md"
OWN = (
    "transformers has no such architecture: the folder holds the weights as safetensors under the names of Vesalius, "
    "and in config.json the plan that builds the network"
)
WHOLE = "transformers opens it as AutoModelForImageClassification; its images are prepared as the plan says"
ENCODER = "transformers opens the encoder as AutoModel; the head that stands on it lies in head.safetensors"


class HuggingFace(Target):
    """The folder itself of one member, `member-K/` of several; read back by transformers, or by safetensors alone."""

    def write(self, source: Source, folder: Path) -> Written:
        """Write each member, read it back, and compare."""
        agreements, notes = [], []
        for member in source.members:
            place = folder if len(source.members) == 1 else folder / f"member-{member}"
            place.mkdir(exist_ok=True)
            inner = getattr(getattr(source.model(member), "net", None), "inner", None)
            if hasattr(inner, "save_pretrained"):
                agreement, note = _of_transformers(source, member, inner, place)
            else:
                agreement, note = _ours(source, member, place), OWN
            agreements.append(agreement)
            notes.append(note)
            write_text(place / README, _readme(source, note))
        files = sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())
        return Written(tuple(files), tuple(agreements), tuple(dict.fromkeys(notes)))


def _ours(source: Source, member: int, folder: Path) -> Agreement:
    """Write a member under our own names, and build it again from the folder."""
    stage = source.stage
    model = source.model(member)
    save_file({name: t.contiguous() for name, t in model.state_dict().items()}, folder / WEIGHTS)
    plan = stage.plan.model_dump(mode="json", include={"task", "data", "sources", "net", "nets", "infer"})
    config = {"model_type": "vesalius", "bundle_sha256": source.bundle.hash, "plan": plan}
    write_text(folder / CONFIG, json.dumps(config, indent=2) + "\n")
    again = built(source.task, stage.plan, stage.state, nets)
    again.load_state_dict(load_file(folder / WEIGHTS))
    return agreed(source, member, _asking(source, again), by="safetensors, and the network of Vesalius")


def _of_transformers(source: Source, member: int, inner: Any, folder: Path) -> tuple[Agreement, str]:
    """Write an encoder of transformers; with its head where the library has a classifier that is the same."""
    import transformers
    from transformers import AutoModel, AutoModelForImageClassification

    by = f"transformers {transformers.__version__}"
    model = source.model(member)
    whole = _classifier(source, model, inner)
    if whole is not None:
        whole.save_pretrained(folder)
        back: Any = AutoModelForImageClassification.from_pretrained(folder)
        return agreed(source, member, _pixels(back), by=by), WHOLE
    inner.save_pretrained(folder)
    head = {n: t.contiguous() for n, t in model.state_dict().items() if not n.startswith("net.inner.")}
    save_file(head, folder / HEAD)
    again = copy.deepcopy(model)
    encoder: Any = AutoModel.from_pretrained(folder)
    read = encoder.state_dict()  # which may have a pooling that the library makes anew, and ours has not
    kept = {name: read[name] for name in inner.state_dict()}
    again.net.inner.load_state_dict(kept)  # type: ignore[union-attr]
    return agreed(source, member, _asking(source, again), by=f"the encoder of {by} under our head"), ENCODER


def _classifier(source: Source, model: nn.Module, inner: Any) -> Any:
    """Return the library's classifier with a member's weights; None where it has none that says the same."""
    from transformers import AutoModelForImageClassification

    rule = source.task.as_rule(source.stage.state, source.stage.calibration) or {}
    labels = rule.get("labels")
    if (
        rule.get("rule") != "probabilities"
        or not isinstance(labels, list)
        or source.stage.plan.data.dims != 2
    ):
        return None
    config = copy.deepcopy(inner.config)
    config.id2label, config.label2id = (
        {k: str(name) for k, name in enumerate(labels)},
        {str(name): k for k, name in enumerate(labels)},
    )
    exclusive = bool(rule.get("exclusive", True))
    config.problem_type = "single_label_classification" if exclusive else "multi_label_classification"
    try:
        made: Any = AutoModelForImageClassification.from_config(config)
        base = made.base_model_prefix
        getattr(made, base).load_state_dict(inner.state_dict())
        last = [
            m for n, m in made.named_modules() if isinstance(m, nn.Linear) and not n.startswith(f"{base}.")
        ]
        ours = [m for m in model.head.modules() if isinstance(m, nn.Linear)]  # type: ignore[union-attr]
        last[-1].load_state_dict(ours[-1].state_dict())
        ask, ours_asked = _pixels(made), _asking(source, model)
        names = [feed.name for feed in source.feeds]
        for tensors in source.tensors():
            arrays = {name: t.numpy() for name, t in zip(names, tensors, strict=True)}
            wanted = ours_asked(arrays)
            if np.abs(ask(arrays) - wanted).max() > LIMIT * max(1.0, float(np.abs(wanted).max())):
                return None
    except (ValueError, RuntimeError, AttributeError, IndexError, KeyError):
        return None
    return made


def _pixels(model: Any) -> Any:
    """Return what asks a classifier of the library about images `(B, C, 1, Y, X)`."""

    def ask(arrays: Mapping[str, Array]) -> Array:
        with torch.inference_mode():
            found: Tensor = model.eval()(pixel_values=torch.from_numpy(arrays["image"])[:, :, 0]).logits
        return np.asarray(found.numpy())

    return ask


def _asking(source: Source, model: nn.Module) -> Any:
    """Return what asks a model of ours."""
    asked = Asked(source.task, model.eval(), source.feeds).eval()

    def ask(arrays: Mapping[str, Array]) -> Array:
        with torch.inference_mode():
            found: Tensor = asked(*(torch.from_numpy(arrays[f.name]) for f in source.feeds))
        return np.asarray(found.numpy())

    return ask


def _readme(source: Source, note: str) -> str:
    """Return the card that the hub shows: what it is, of which bundle, what is left out, and the model card."""
    plan, card = source.stage.plan, source.bundle.path / "card.md"
    library = "vesalius" if note is OWN else "transformers"
    left = "\n".join(f"- {what}" for what in left_out(source.stage, scripted=False))
    text = card.read_text(encoding="utf-8") if card.is_file() else ""
    return (
        f"---\nlibrary_name: {library}\ntags:\n- medical\n- vesalius\n---\n\n"
        f"A model of Vesalius, {plan.task.name} by {plan.net.name}; not a medical device. {note}.\n\n"
        f"Exported from the bundle {source.bundle.hash}. "
        f"An answer of Vesalius has what this has not:\n\n{left}\n\n{text}"
    )


TARGET = HuggingFace()
