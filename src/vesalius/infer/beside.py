"""Beside: a compiled graph that stands beside a member and answers in its place where only its raw output is asked."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from vesalius.core.errors import BundleError
from vesalius.infer.feeds import RAW, Signature
from vesalius.infer.layers import Look
from vesalius.plan import torch_threads
from vesalius.prepare.batch import Batch

if TYPE_CHECKING:
    from vesalius.infer.graphs import Graph
    from vesalius.infer.runtimes.contract import Runtime, Session

_KEY = "_beside"
_MOST = 2  # sessions that are kept, each with another number of threads


class Beside:
    """What stands beside one member: its graph, opened by a runtime with as many threads as torch has then.

    It answers only where torch would say the same: without gradients, in evaluation mode, about a batch of the kind
    that the graph takes, on the processor, while the member's weights are those that the graph was made of, and while
    nobody listens to the member's layers but an alarm whose sums the graph gives. Otherwise the member itself is asked.
    `source` reads the graph again where another number of threads is wanted. `asked` counts the batches that the graph
    answered.
    """

    def __init__(
        self,
        model: nn.Module,
        signature: Signature,
        source: Callable[[], Graph],
        runtime: Runtime,
        *,
        cache: Path | None = None,
    ) -> None:
        self.signature, self.runtime, self.asked = signature, runtime, 0
        self._source, self.cache = source, cache
        self._modules = tuple(model.modules())
        self._tensors = (*model.parameters(), *model.buffers())
        self._versions = self._changes()
        self._lock = threading.Lock()
        self._sessions: dict[int, Session] = {}

    def __deepcopy__(self, memo: dict[int, Any]) -> None:
        """Return None: a copy of a member, which is made to be changed, stands alone."""
        return None

    def __reduce__(self) -> Any:
        """Return what is written where a member is pickled: nothing."""
        return type(None), ()

    def raw(self, batch: Batch) -> Tensor | None:
        """Return the raw output `(B, …)` about a batch; None where the member itself is to be asked."""
        if torch.is_grad_enabled() or any(m.training for m in self._modules):
            return None
        looks = [
            hook
            for m in self._modules
            for hook in (*m._forward_hooks.values(), *m._forward_pre_hooks.values())
        ]
        if any(not isinstance(hook, Look) for hook in looks) or self._changes() != self._versions:
            return None
        mine = threading.get_ident()
        own = next((h for h in looks if isinstance(h, Look) and h.thread == mine), None)
        if own is not None and (own.take is None or not self.signature.layers):
            return None
        feeds = self.signature.arrays_of(batch)
        if feeds is None:
            return None
        outputs = self.session()(feeds)
        self.asked += 1
        if own is not None and own.take is not None:
            own.take(self.signature.shown(outputs))
        return torch.from_numpy(outputs[RAW])

    def session(self, graph: Graph | None = None) -> Session:
        """Return the graph, opened with as many threads as torch computes with in this thread.

        `graph` is what `source` would read, where that is at hand.
        """
        threads = torch_threads.in_use()
        with self._lock:
            found = self._sessions.get(threads)
            if found is None:
                found = self._opened(threads, graph)
                last = list(self._sessions.items())[-(_MOST - 1) :]
                self._sessions = {**dict(last), threads: found}
            return found

    def _opened(self, threads: int, graph: Graph | None) -> Session:
        """Return a new session, or one with another number of threads where the graph's file has gone meanwhile."""
        try:
            return self.runtime.open(graph or self._source(), threads, cache=self.cache)
        except BundleError:
            if not self._sessions:
                raise
            return next(reversed(self._sessions.values()))

    def _changes(self) -> int:
        """Return how often the member's tensors were changed in place."""
        return sum(0 if t.is_inference() else t._version for t in self._tensors)


def put(model: nn.Module, beside: Beside | None) -> None:
    """Let something stand beside a member, or nothing any more."""
    vars(model)[_KEY] = beside


def of(model: nn.Module) -> Beside | None:
    """Return what stands beside a member; None where it answers alone."""
    found: Beside | None = vars(model).get(_KEY)
    return found


@contextmanager
def aside(models: Sequence[nn.Module]) -> Iterator[bool]:
    """Let members answer alone inside this block; it is told whether anything stood beside one of them."""
    held = [of(model) for model in models]
    for model in models:
        put(model, None)
    try:
        yield any(one is not None for one in held)
    finally:
        for model, one in zip(models, held, strict=True):
            put(model, one)
