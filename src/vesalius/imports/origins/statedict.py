"""State dicts of registered nets, in torchvision's, timm's, MONAI's and other namings that are read here."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from vesalius.core.channels import COLOURS, are_colours
from vesalius.core.errors import BundleError, PlanError
from vesalius.core.plan import NetPlan
from vesalius.imports import normalising
from vesalius.imports.contract import Brought, Told
from vesalius.imports.planning import is_dense, labels_of, planned, sampling, state_of, target_of, task_of
from vesalius.imports.weighing import members_of
from vesalius.weights.contract import Weights
from vesalius.weights.files import SUFFIXES
from vesalius.weights.reader import read

NAMES = {"statedict": "A file of weights of a registered net, in the naming of torchvision, timm, MONAI …"}
ORDER = 40
THERE = "as the file's tensors have it"


def suits(source: Path) -> bool:
    """Return whether a file ends as files of weights do."""
    return source.is_file() and source.suffix in SUFFIXES


def bring(source: Path, told: Told) -> Brought:
    """Return the model of a file of weights with its last layer; what it means must be told.

    Raises BundleError for a file that is damaged, holds more than tensors, or whose net is none of ours, PlanError for
    what nobody says: labels, the size of the input, how images were normalised.
    """
    weights = read(source)
    net = weights.net
    if net is None:
        raise BundleError(
            f"{source} holds tensors of no net that is known here",
            found=weights.origin,
            hint="see docs/weights.md for the namings and nets that are read, or --as onnx of an exported model",
        )
    return from_weights(weights, net, told, what=source.name)


def from_weights(
    weights: Weights,
    net: NetPlan,
    told: Told,
    *,
    what: str,
    values: dict[str, tuple[Any, str]] | None = None,
) -> Brought:
    """Return a model of weights that were read; `values` are planned values that its files say beside them."""
    dense = is_dense(net)
    outputs = int(next(iter(weights.head.values())).shape[0]) if weights.head else 0
    task = task_of(told, dense=dense)
    labels = labels_of(told, outputs, dense=dense, known=weights.labels[dense:], what=what)
    target = target_of(task, labels, dense=dense)
    channels = _channels(weights)
    says: dict[str, tuple[Any, str]] = {
        "data.dims": (weights.dims, THERE),
        "data.channels": (channels, THERE),
        "data.channel_names": (list(weights.channels), "what is known of the weights"),
        "net": (net, THERE),
        "infer.mirror": ([], "nothing says that mirror images may be asked about"),
    }
    if weights.size is not None:
        says["data.size"] = ([*([1] if weights.dims == 2 else []), *weights.size], THERE)
    if weights.spacing_mm is not None:
        says["data.spacing_mm"] = (list(weights.spacing_mm), THERE)
    if (entries := _normalise(weights, told, channels)) is not None:
        says["data.normalise"] = entries
    says |= values or {}
    _assert_spacing(says, told, what)
    plan = planned(task, target, says, told=told)
    state = state_of(task, target, plan)
    notes = [*weights.notes]
    if left := weights.left_out().removeprefix("their own last layer").removeprefix(" and "):
        notes.append(f"left out: {left}")
    if sampling(task) == "whole":
        notes.append("an image is scaled as a whole to the planned size and padded; nothing of it is cropped")
    return Brought(
        plan,
        state,
        (members_of(task, plan, state, weights),),
        origin=weights.origin,
        facts={"naming": weights.naming} if weights.naming else {},
        notes=tuple(notes),
        licence=weights.licence,
    )


def _channels(weights: Weights) -> int:
    """Return how many channels the net sees: those of its first kernel."""
    return next(
        (int(t.shape[1]) for t in weights.tensors.values() if t.ndim == weights.dims + 2),
        max(1, len(weights.channels)),
    )


def _normalise(weights: Weights, told: Told, channels: int) -> tuple[list[dict[str, Any]], str] | None:
    if told.normalise is not None:
        entries = normalising.entries(told.normalise, channels)
        if told.normalise == "imagenet" and weights.channels and not are_colours(weights.channels):
            raise PlanError("imagenet is of colours", found=", ".join(weights.channels), hint=str(COLOURS))
        return entries, f"told at the import: {told.normalise}"
    if weights.normalise:
        return [n.model_dump() for n in weights.normalise], "what is known of the weights"
    if len(weights.mean) == channels and len(weights.sd) == channels:
        found = [normalising.linear(m, s) for m, s in zip(weights.mean, weights.sd, strict=True)]
        return found, "what is known of the weights"
    return None


def _assert_spacing(says: dict[str, tuple[Any, str]], told: Told, what: str) -> None:
    """Raise PlanError where nobody says at which spacing volumes were seen: it would be guessed without a word."""
    if says["data.dims"][0] == 3 and "data.spacing_mm" not in {**says, **told.settings}:
        raise PlanError(
            f"nothing says at which spacing the net of {what} saw volumes",
            hint="--set data.spacing_mm=[1,1,1], as x, y, z; null where they were not resampled",
        )
