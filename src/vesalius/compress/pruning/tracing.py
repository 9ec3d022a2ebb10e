"""Which channels of a model belong together: labels are carried through the operations that a model runs.

Each place along each axis of each parameter is a unit (see `labels.py`). While the model runs, every operation says
what it does to the units of what it is given: a convolution joins its input's channels with its weight's input axis,
and gives those of its output axis; a sum joins, a concatenation lists, a view moves. Where it is not known what an
operation does, its units stay. So nothing is assumed of how a network is written, only of what torch computes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from vesalius.compress.pruning.labels import FROZEN, Units, along, frozen

Key = tuple[int, tuple[int, ...], tuple[int, ...]]


@dataclass(frozen=True, eq=False)
class Seen:
    """What is known of a tensor: its labels; `loose` where it may not be zero although its unit's weights are.

    Of a parameter, or a view of one, `axes` are the parameter's axes that the tensor's own ones are.
    """

    labels: Tensor | None
    loose: bool = False
    name: str = ""
    axes: tuple[int, ...] = ()


@dataclass(frozen=True)
class Slice:
    """One place along one axis of a parameter. `makes` says that what the unit computes follows from it.

    Otherwise it reads what the unit computes.
    """

    name: str
    axis: int
    place: int
    makes: bool


@dataclass(eq=False)
class Trace:
    """What a run of a model told: its units, where they lie in which parameter, and how often each weight is used.

    `positions` are by a weight's name at how many places it is applied to the cases that were asked about, so that its
    operations are that many times its size. `along` are the axes of parameters whose units were met.
    """

    units: Units = field(default_factory=Units)
    ids: dict[tuple[str, int], range] = field(default_factory=dict)
    makes: set[tuple[str, int]] = field(default_factory=set)
    positions: dict[str, int] = field(default_factory=dict)
    along: set[tuple[str, int]] = field(default_factory=set)

    def slices(self) -> dict[int, list[Slice]]:
        """Return the slices of each unit that may be removed, by the unit that stands for it."""
        found: dict[int, list[Slice]] = {}
        for name, axis in sorted(self.along):
            makes = (name, axis) in self.makes
            for place, unit in enumerate(self.ids[name, axis]):
                if (root := self.units.root(unit)) != FROZEN:
                    found.setdefault(root, []).append(Slice(name, axis, place, makes))
        return {root: slices for root, slices in found.items() if any(s.makes for s in slices)}


class Tracer(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Carries labels through all that is computed inside this block, by the rules of `rules.py`."""

    def __init__(self, model: nn.Module, rules: Mapping[Any, Callable[..., Any]]) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.rules, self.trace = rules, Trace()
        self._seen: dict[Key, Seen] = {}
        self._alive: list[Tensor] = []  # so that no place in memory is used twice
        named = [
            *model.named_parameters(remove_duplicate=False),
            *model.named_buffers(remove_duplicate=False),
        ]
        known: dict[Key, str] = {}
        for name, tensor in named:
            for axis, many in enumerate(tensor.shape):
                self.trace.ids[name, axis] = self.trace.units.new(many)
            if not tensor.ndim or not tensor.numel():
                continue
            if key_of(tensor) in known:  # of one tensor under two names nothing is removed
                for other in (name, known[key_of(tensor)]):
                    self._stays(other, tensor.ndim, "a weight that is used under two names")
                continue
            known[key_of(tensor)] = name
            self._put(tensor, Seen(None, name=name, axes=tuple(range(tensor.ndim))))

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        found = func(*args, **(kwargs or {}))
        rule = self.rules.get(func.overloadpacket, None)
        if rule is None:
            self.unknown(str(func.overloadpacket).removeprefix("aten."), args, kwargs, found)
        else:
            rule(self, func, args, kwargs or {}, found)
        return found

    def unknown(self, what: str, args: Any, kwargs: Any, found: Any) -> None:
        """Let everything stay that goes into an operation, and everything that comes out of it."""
        for tensor in tensors_in((args, kwargs)):
            self.trace.units.freeze(self.labels(tensor), f"operation {what}")
        for tensor in tensors_in(found):
            self.put(tensor, frozen(tensor.shape))

    def seen(self, tensor: Tensor) -> Seen:
        """Return what is known of a tensor; of one from elsewhere that nothing of it is removed, and it is not zero."""
        return self._seen.get(key_of(tensor)) or Seen(frozen(tensor.shape), loose=True)

    def labels(self, tensor: Tensor) -> Tensor:
        """Return the labels of a tensor. Of a parameter with several axes all units stay, for they cannot be told."""
        seen = self.seen(tensor)
        if seen.labels is not None:
            return seen.labels
        long = [k for k, n in enumerate(tensor.shape) if n > 1] or ([0] if tensor.ndim == 1 else [])
        if len(long) == 1:
            self._made(seen.name, seen.axes[long[0]])
            return along(self.trace.ids[seen.name, seen.axes[long[0]]], tensor.shape, long[0])
        self._stays(seen.name, len(seen.axes), "a weight that is no convolution's and no linear layer's")
        return frozen(tensor.shape)

    def weight(self, tensor: Tensor) -> Seen | None:
        """Return what is known of a parameter, or of a view of one; None of any other tensor."""
        seen = self.seen(tensor)
        return seen if seen.labels is None else None

    def axis(self, weight: Seen, axis: int, *, makes: bool) -> range:
        """Return the units along an axis of a weight; `makes` says that what they compute follows from it."""
        if makes:
            self._made(weight.name, weight.axes[axis])
        self.trace.along.add((weight.name, weight.axes[axis]))
        return self.trace.ids[weight.name, weight.axes[axis]]

    def used(self, weight: Seen, positions: int) -> None:
        """Count at how many places a weight is applied."""
        self.trace.positions[weight.name] = self.trace.positions.get(weight.name, 0) + positions

    def put(self, tensor: Tensor, labels: Tensor, *, loose: bool = False) -> None:
        """Say what the labels of a new tensor are."""
        self._put(tensor, Seen(labels, loose))

    def put_view(self, tensor: Tensor, weight: Seen, axes: tuple[int, ...]) -> None:
        """Say of which parameter a tensor is a view, and which of its axes are which."""
        self._put(tensor, Seen(None, name=weight.name, axes=axes))

    def freeze(self, labels: Tensor, why: str) -> None:
        """Let units stay."""
        self.trace.units.freeze(labels, why)

    def _put(self, tensor: Tensor, seen: Seen) -> None:
        self._alive.append(tensor)
        self._seen[key_of(tensor)] = seen

    def _made(self, name: str, axis: int) -> None:
        self.trace.makes.add((name, axis))
        self.trace.along.add((name, axis))

    def _stays(self, name: str, axes: int, why: str) -> None:
        for axis in range(axes):
            ids = self.trace.ids[name, axis]
            if len(ids):
                self.freeze(torch.arange(ids.start, ids.stop), why)


def key_of(tensor: Tensor) -> Key:
    """Return what tells tensors apart that live at once: where they lie, and how."""
    return tensor.data_ptr(), tuple(tensor.shape), tuple(tensor.stride())


def tensors_in(value: Any) -> list[Tensor]:
    """Return the tensors in nested arguments."""
    if isinstance(value, Tensor):
        return [value]
    if isinstance(value, Mapping):
        return [t for v in value.values() for t in tensors_in(v)]
    if isinstance(value, list | tuple):
        return [t for v in value for t in tensors_in(v)]
    return []
