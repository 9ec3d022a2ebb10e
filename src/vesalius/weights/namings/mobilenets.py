"""MobileNetV2 as torchvision names its tensors: `features.1.conv.0.0.weight`."""

from __future__ import annotations

import re

from vesalius.core.plan import NetPlan
from vesalius.weights.contract import Weights
from vesalius.weights.found import Found

NAMES = {"mobilenets": "MobileNetV2 in torchvision's naming"}
LAYERS = (1, 2, 3, 4, 3, 3, 1)  # of each stage
PLACES = [(s, j) for s, n in enumerate(LAYERS) for j in range(n)]
_NAME = re.compile(r"features\.(\d+)\.(.+)")


def read(found: Found) -> Weights | None:
    """Return the weights of a MobileNetV2 of the published width; None for other tensors."""
    first = found.tensors.get("features.0.0.weight")
    if (
        first is None
        or "features.1.conv.0.0.weight" not in found.tensors
        or f"features.{len(PLACES) + 1}.0.weight" not in found.tensors
    ):
        return None
    tensors, head, unused = {}, {}, []
    for name, tensor in found.tensors.items():
        ours = _ours(name)
        if name.startswith("classifier.1."):
            head["linear." + name.rpartition(".")[2]] = tensor
        elif ours is None:
            unused.append(name)
        else:
            tensors[ours] = tensor
    return Weights(
        tensors, found.origin, NetPlan(name="mobilenetv2"), dims=2, head=head, unused=tuple(unused)
    )


def _ours(name: str) -> str | None:
    """Return our name of a tensor; None for what has no place in the net."""
    matched = _NAME.fullmatch(name)
    if matched is None:
        return None
    number, rest = int(matched[1]), matched[2]
    if number == 0:
        return f"stem.{rest}"
    if number == len(PLACES) + 1:
        return f"last.{rest}"
    if number > len(PLACES) or not rest.startswith("conv."):
        return None
    stage, layer = PLACES[number - 1]
    return f"stages.{stage}.{layer}.layers.{rest.removeprefix('conv.')}"
