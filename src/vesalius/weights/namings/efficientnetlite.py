"""EfficientNet-Lite as EfficientNet-PyTorch names its tensors: `_blocks.0._depthwise_conv.weight`.

The same library's B0 to B7 are read by `monai.py`, whose nets of that family have the same names.
"""

from __future__ import annotations

import re

from vesalius.core.plan import NetPlan
from vesalius.weights.contract import Weights
from vesalius.weights.found import Found

NAMES = {"efficientnetlite": "EfficientNet-Lite in the naming of EfficientNet-PyTorch"}
LAYERS = {"efficientnet-lite0": (1, 2, 2, 3, 3, 4, 1), "efficientnet-lite1": (1, 3, 3, 4, 4, 5, 1)}
STRIDED = (1, 2, 3, 5)  # stages that begin with a stride of 2, and so with a layer that pads
_NAME = re.compile(r"_blocks\.(\d+)\.(\w+)\.(\w+)")


def read(found: Found) -> Weights | None:
    """Return the weights of an EfficientNet-Lite; None for other tensors."""
    names = found.tensors.keys()
    if "_conv_stem.weight" not in names or any("_se_" in name for name in names):
        return None
    blocks = {int(m[1]) for name in names if (m := _NAME.fullmatch(name))}
    known = {sum(layers): (net, layers) for net, layers in LAYERS.items()}
    if len(blocks) not in known:
        return None
    net, layers = known[len(blocks)]
    places = [(s, j) for s, n in enumerate(layers) for j in range(n)]
    tensors, head, unused = {}, {}, []
    for name, tensor in found.tensors.items():
        ours = _ours(name, places)
        if name.startswith("_fc."):
            head["linear." + name.rpartition(".")[2]] = tensor
        elif ours is None:
            unused.append(name)
        else:
            tensors[ours] = tensor
    return Weights(tensors, found.origin, NetPlan(name=net), dims=2, head=head, unused=tuple(unused))


def _ours(name: str, places: list[tuple[int, int]]) -> str | None:
    """Return our name of a tensor; None for what has no place in the net."""
    part, _, leaf = name.rpartition(".")
    outer = {"_conv_stem": "stem.1", "_bn0": "stem.2", "_conv_head": "last.0", "_bn1": "last.1"}
    if part in outer:
        return f"{outer[part]}.{leaf}"
    matched = _NAME.fullmatch(name)
    if matched is None:
        return None
    stage, layer = places[int(matched[1])]
    begin = 0 if stage == 0 else 1  # the first stage does not expand
    at = int(stage in STRIDED and layer == 0)  # after the layer that pads
    inner = {
        "_expand_conv": "0.0",
        "_bn0": "0.1",
        "_depthwise_conv": f"{begin}.{at}",
        "_bn1": f"{begin}.{at + 1}",
        "_project_conv": f"{begin + 1}",
        "_bn2": f"{begin + 2}",
    }
    where = inner.get(matched[2])
    return f"stages.{stage}.{layer}.layers.{where}.{leaf}" if where else None
