"""What reference nets answered, and the same tensors made anew: recorded by tools/record_weights.py."""

from __future__ import annotations

import functools
import gzip
import json
import runpy
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from vesalius import nets
from vesalius.weights import Weights
from vesalius.weights.found import Found

HERE = Path(__file__).parent
RULE = runpy.run_path(str(HERE.parents[1] / "tools" / "record_weights.py"))


@functools.cache
def records(path: Path = HERE / "references.json.gz") -> dict[str, Any]:
    """Return all records by `maker/net`."""
    found: dict[str, Any] = json.loads(gzip.decompress(path.read_bytes()))
    return found


def as_file(record: dict[str, Any], about: dict[str, Any] | None = None) -> Found:
    """Return the file that the reference net's tensors would be."""
    tensors = {
        name: RULE["made"](record["same"].get(name, name), shape, dtype, record["gain"])
        for name, (shape, dtype) in record["tensors"].items()
    }
    return Found(Path("weights.pth"), tensors, "weights with SHA-256 0", about or {})


def ours(weights: Weights, *, channels: int, classes: int | None = None) -> nn.Module:
    """Return our net with the weights, and the head where they have one and a number of classes is given."""
    assert weights.net is not None
    head: Any = None
    with torch.device("meta"):  # no weights are drawn that are replaced anyway
        net = nets.build(
            weights.net.name,
            dims=weights.dims,
            in_channels=channels,
            scale=weights.net.scale,
            size=weights.size,
            options=weights.net.options,
        )
        if classes is not None and net.role == "dense":
            head = (nn.Conv2d if net.dims == 2 else nn.Conv3d)(net.out_channels, classes, 1)
        elif classes is not None:
            head = net.head(classes)
    own = net.state_dict()
    counters = {k: torch.zeros(()) for k in own if k.endswith("num_batches_tracked")}
    net.load_state_dict({**counters, **weights.tensors}, assign=True)
    if head is None:
        return net.eval()
    head.load_state_dict(weights.head, assign=True)
    return Whole(net, head).eval()


class Whole(nn.Module):
    """A net and its head."""

    def __init__(self, net: Any, head: nn.Module) -> None:
        super().__init__()
        self.net, self.head = net, head

    def forward(self, x: Tensor) -> Tensor:
        """Return logits."""
        out = self.net(x)
        logits: Tensor = self.head(out.full if self.net.role == "dense" else out)
        return logits


def farthest(record: dict[str, Any], answer: Tensor) -> float:
    """Return how far an answer is from the recorded one at most, in units of the recorded one's spread below 1."""
    theirs = torch.tensor(record["answer"], dtype=torch.float64)
    mine = torch.tensor(RULE["kept"](answer), dtype=torch.float64)
    assert list(answer.shape) == record["shape"]
    return float((theirs - mine).abs().max() / min(1.0, float(theirs.std())))


def picture(record: dict[str, Any]) -> Tensor:
    """Return the input that the reference net was given."""
    x: Tensor = RULE["picture"](record["channels"], record["size"])
    return x
