"""Alone: a member that is a graph of others, with no torch twin: it answers, and has neither layers nor gradients."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from vesalius.core.bundle import ORIGIN, Stage
from vesalius.core.errors import PlanError
from vesalius.infer.feeds import RAW
from vesalius.infer.graphs import open_graph
from vesalius.plan import torch_threads

if TYPE_CHECKING:
    from vesalius.infer.runtimes.contract import Runtime, Session

ALONE = "alone"  # in the record of where a stage was imported from
_PARTS = ("net", "head", "deep", "criterion")  # of a model of ours, for which layers and gradients are asked


class NoLayers(PlanError, AttributeError):
    """A graph of others has neither layers nor gradients; whoever only looks whether there is a part finds none."""


class Alone(nn.Module):
    """Stands where a member's torch model would, and says what its graph says of images `(B, C, Z, Y, X)`.

    Whoever asks it for gradients or for its layers is refused in plain words.
    """

    def __init__(self, path: Path, runtime: Runtime) -> None:
        super().__init__()
        self._path, self._runtime = path, runtime
        self._lock = threading.Lock()
        self._sessions: dict[int, Session] = {}
        self._feed = open_graph(path).feeds[0].name

    def __deepcopy__(self, memo: dict[int, Any]) -> Alone:
        """Return the module itself: it holds nothing that can be changed."""
        return self

    def __getattr__(self, name: str) -> Any:
        """Return an attribute. Raises PlanError for a part of a model of ours, which a graph has not."""
        if name in _PARTS:
            raise no_layers()
        return super().__getattr__(name)

    def forward(self, x: Tensor) -> Tensor:
        """Return the raw output `(B, …)`. Raises PlanError where gradients are followed, and off the processor."""
        if (torch.is_grad_enabled() and x.requires_grad) or x.device.type != "cpu":
            raise no_layers()
        found = self._session()({self._feed: x.detach().float().contiguous().numpy()})
        return torch.from_numpy(found[RAW].copy())

    def _session(self) -> Session:
        threads = torch_threads.in_use()
        with self._lock:
            if threads not in self._sessions:
                self._sessions = {threads: self._runtime.open(open_graph(self._path), threads)}
            return self._sessions[threads]


def no_layers() -> NoLayers:
    """Return the error for whoever asks a graph of others for gradients, for its layers, or on another device."""
    return NoLayers(
        "this model was imported as a graph: it answers on the processor in its own runtime, and has neither "
        "gradients nor layers that could be asked",
        hint="a way that changes the image and looks at the answer, such as --method occlusion; --device cpu",
    )


def is_alone(stage: Stage) -> bool:
    """Return whether the members of a stage are graphs of others."""
    record = stage.extras.get(ORIGIN)
    return record is not None and bool(record.values.get(ALONE))
