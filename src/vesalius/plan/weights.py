"""Weights to begin from where nobody names any: which, for which pictures, and how a net that has them is trained.

What was tried, and what each gave, is in docs/decisions/0015-weights-of-others-by-default.md.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from vesalius.core import registry
from vesalius.nets import describe
from vesalius.plan.draft import Draft
from vesalius.plan.fingerprint import Fingerprint
from vesalius.plan.machine import Machine
from vesalius.weights.sources import KIND

ORDER = ("mobilenetv2-imagenet", "efficientnetlite0-imagenet")  # of those that are there, the first is taken
SMALLEST = 96  # pixels along the longer side: what photographs taught is not seen in thumbnails
SIDE, SIDE_GPU = 128, 224  # what pictures are scaled to at most; 160 on a processor was no better by folds
STILL = "encoder:3"  # of nine depths: the stem and two stages, which work at the highest resolutions
CHANNELS = (1, 3)
ENOUGH = ((2000, 0.25), (20000, 0.5))  # below so many cases, the share of a net from nothing's steps


def first_of(installed: Iterable[str]) -> str | None:
    """Return those of the installed weights to begin from where nobody names any; None where none sees images."""
    there = [name for name in installed if describe(str(_about(name)["NET"])).get("ROLE") == "encoder"]
    return next((name for name in (*ORDER, *there) if name in there), None)


def propose(draft: Draft, prints: Fingerprint, machine: Machine) -> None:
    """Plan the weights of ImageNet for pictures, where they are installed; where they are missing, say how to get them.

    Nothing is planned where none are wanted (`machine.weights` is None), for volumes, and for thumbnails.
    """
    if machine.weights is None or not prints.flat:
        return
    side = max(prints.shape_median[1:])
    if side < SMALLEST or (1 if prints.grey else prints.channels) * len(prints.images) not in CHANNELS:
        return
    chosen = first_of(machine.weights)
    if chosen is None:
        install = _about(ORDER[0])["INSTALL"]
        draft.set("net.init", None, f"from nothing, as weights of ImageNet are missing: {install}")
        return
    why = "these pictures are few beside those of ImageNet; --init none begins from nothing"
    draft.set("net.init", chosen, why)


def fewer_steps(draft: Draft, prints: Fingerprint) -> None:
    """Set which share of the epochs of whole images is enough for a net that has the proposed weights."""
    enough = next((share for cases, share in ENOUGH if prints.cases < cases), 1.0)
    if draft.values.get("net.init") is not None and enough < 1:
        why = "weights that know something need fewer steps, of few cases above all"
        draft.set("train.enough", enough, why)


def side(draft: Draft, machine: Machine) -> int | None:
    """Return how large pictures are at most for a net that has the proposed weights; None without any."""
    if draft.values.get("net.init") is None:
        return None
    return SIDE_GPU if machine.gpu else SIDE


def encoder(draft: Draft, machine: Machine) -> bool:
    """Set the net of the proposed weights, and how it is trained. Returns False where there are none."""
    name = draft.values.get("net.init")
    if name is None:
        return False
    draft.set("net.name", _about(name)["NET"], "what the weights to begin from are of")
    draft.set("net.scale", 1.0, "as the weights to begin from have it")
    draft.set("net.options", {}, "as the weights to begin from have them")
    draft.set("net.dropout", 0.2, "few images")
    why = "first layers see edges and spots in any picture: frozen, they cost half as much, and nothing else by folds"
    draft.set("train.phases", [{"share": 1.0, "frozen": [STILL]}], why)
    draft.set(
        "train.lr",
        1e-3,
        "a third of the rate from nothing: weights that know something move in smaller steps",
    )
    if machine.gpu is None:
        draft.set(
            "train.precision", "fp32", "convolutions of single channels are no quicker in bf16 on a processor"
        )
    return True


def dense(draft: Draft) -> bool:
    """Set a U-Net over the net of the proposed weights, and how it is trained. Returns False where there are none."""
    name = draft.values.get("net.init")
    if name is None:
        return False
    draft.set("net.name", "flexunet", "a U-Net over the encoder that the weights to begin from are of")
    draft.set("net.scale", 1.0, "the usual width of a decoder")
    draft.set("net.options", {"encoder": _about(name)["NET"]}, "what the weights to begin from are of")
    return True


def _about(name: str) -> dict[str, Any]:
    return registry.literals(KIND, registry.stem_of(KIND, name))
