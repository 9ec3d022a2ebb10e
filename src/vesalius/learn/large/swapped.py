"""Another forward for one module: its class is exchanged for a subclass, so that no name of a parameter changes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm as BatchNorm

from vesalius.core.errors import CodeError


def swapped(module: nn.Module, mixin: type) -> None:
    """Give a module the class that it has with `mixin` before it, in place.

    A copy of it has that class, too, and its own weights; a forward that was put on the instance would be the
    original's in every copy.
    """
    own = type(module)
    if not issubclass(own, mixin):
        module.__class__ = type(own.__name__, (mixin, own), {"__module__": own.__module__})


def tensors_in(value: Any) -> Iterator[Tensor]:
    """Yield the tensors in what a module is given or returns: in tuples, lists and mappings, too."""
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, Mapping):
        for one in value.values():
            yield from tensors_in(one)
    elif isinstance(value, list | tuple):
        for one in value:
            yield from tensors_in(one)


class Unchanged:
    """What a forward that runs twice must leave as it is: the tensors that it is given, and a module's buffers.

    The running statistics of BatchNorm are no part of it, as `statistics_kept` sees to these.
    """

    def __init__(self, module: nn.Module, given: Any) -> None:
        self.module = module
        own = {id(b) for m in module.modules() if isinstance(m, BatchNorm) for b in m.buffers(recurse=False)}
        self.watched = [*tensors_in(given), *(b for b in module.buffers() if id(b) not in own)]
        self.versions = [t._version for t in self.watched]

    def require(self) -> None:
        """Raise CodeError where one of them was changed in place since."""
        if [t._version for t in self.watched] != self.versions:
            raise CodeError(
                f"{type(self.module).__name__} changes what it was given, or a buffer, in place, "
                "so that it cannot be computed again",
                hint="--set train.recompute=false train.accumulate=1",
            )


@contextmanager
def statistics_kept(modules: Iterable[nn.Module]) -> Iterator[None]:
    """Let no BatchNorm among these modules count a batch inside this block: it was counted the first time.

    What it would count goes into copies of its running statistics, which are given up.
    """
    counting = [m for m in modules if isinstance(m, BatchNorm) and m.track_running_stats and m.training]
    own = [dict(module._buffers) for module in counting]
    for module in counting:
        for name, buffer in module._buffers.items():
            module._buffers[name] = None if buffer is None else buffer.clone()
    try:
        yield
    finally:
        for module, buffers in zip(counting, own, strict=True):
            module._buffers.update(buffers)
