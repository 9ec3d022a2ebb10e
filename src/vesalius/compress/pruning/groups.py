"""Groups: what of a model can be removed at once, what that saves, and the model that is left."""

from __future__ import annotations

import copy
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from torch import Tensor, nn

from vesalius.compress.pruning.rules import RULES
from vesalius.compress.pruning.tracing import Slice, Trace, Tracer, tensors_in
from vesalius.core.errors import CodeError
from vesalius.infer.shapes import Form, take
from vesalius.nets import Net

Run = Callable[[nn.Module], Any]  # asks a model about some cases, and returns its raw outputs
ALIKE = (
    1e-4  # of the largest output: as far may a model without some filters be from one in which these are zero
)


@dataclass(frozen=True, eq=False)
class Unit:
    """What is removed at once: a filter with its norm and all that reads it, or several that skips hold together."""

    number: int
    slices: tuple[Slice, ...]

    @cached_property
    def axes(self) -> frozenset[tuple[str, int]]:
        """The axes of parameters that become shorter by it."""
        return frozenset((s.name, s.axis) for s in self.slices)


@dataclass(frozen=True, eq=False)
class Groups:
    """The units of a model by group: those of one group lie along the same axes, such as all filters of one layer.

    `trace` is what the model's operations told.
    """

    trace: Trace
    groups: tuple[tuple[Unit, ...], ...]
    shapes: Mapping[str, tuple[int, ...]]

    @property
    def units(self) -> tuple[Unit, ...]:
        """All units."""
        return tuple(unit for group in self.groups for unit in group)

    @property
    def operations(self) -> int:
        """How many multiplications the model takes for what was traced."""
        return operations(self.trace.positions, self.shapes)

    def saved(self, unit: Unit) -> float:
        """Return how many multiplications less there are without a unit, all others still there."""
        found: dict[str, float] = {}
        for one in unit.slices:
            if one.name in self.trace.positions:
                shape = self.shapes[one.name]
                found[one.name] = found.get(one.name, 1.0) * (1 - 1 / shape[one.axis])
        return sum(self.trace.positions[n] * _size(self.shapes[n]) * (1 - left) for n, left in found.items())

    @property
    def reasons(self) -> dict[str, int]:
        """Return why units stay, in words, and how many for each reason."""
        return dict(sorted(self.trace.units.why.items(), key=lambda item: -item[1]))


def operations(positions: Mapping[str, int], shapes: Mapping[str, tuple[int, ...]]) -> int:
    """Return the multiplications of convolutions and linear layers."""
    return sum(many * _size(shapes[name]) for name, many in positions.items() if name in shapes)


def _size(shape: Sequence[int]) -> int:
    return int(torch.Size(shape).numel())


def shapes_of(model: nn.Module) -> dict[str, tuple[int, ...]]:
    """Return the shapes of a model's tensors by name."""
    return {name: tuple(t.shape) for name, t in model.state_dict().items()}


def groups_of(model: nn.Module, run: Run, *, also: Run | None = None) -> Groups:
    """Return what can be removed of a model, found while it is asked about some cases.

    `run` returns its raw outputs, which keep their shape; `also` runs what else must go on working, such as its loss.
    """
    asked = copy.deepcopy(model).eval().requires_grad_(False)
    tracer = Tracer(asked, RULES)
    with torch.no_grad(), tracer:
        found = run(asked)
        more = tensors_in(found)
        if also is not None:
            more += tensors_in(also(asked))
    for tensor in more:
        tracer.freeze(tracer.labels(tensor), "the outputs themselves")
    held = tracer.trace.slices()
    grouped: dict[frozenset[tuple[str, int]], list[Unit]] = defaultdict(list)
    for number, slices in held.items():
        unit = Unit(number, tuple(slices))
        grouped[unit.axes].append(unit)
    return Groups(tracer.trace, tuple(tuple(g) for g in grouped.values() if len(g) > 1), shapes_of(model))


def without(model: nn.Module, units: Iterable[Unit]) -> tuple[nn.Module, Form]:
    """Return a model from which units are removed, and in which form it is; the given one stays as it is."""
    gone: dict[tuple[str, int], set[int]] = defaultdict(set)
    for unit in units:
        for one in unit.slices:
            gone[one.name, one.axis].add(one.place)
    weights = dict(model.state_dict())
    for (name, axis), places in gone.items():
        kept = [k for k in range(model.state_dict()[name].shape[axis]) if k not in places]
        weights[name] = weights[name].index_select(axis, torch.tensor(kept))
    form = Form({name: tuple(weights[name].shape) for name, _ in gone})
    left = copy.deepcopy(model)
    take(left, form)
    left.load_state_dict(weights)
    return left, form


def silenced(model: nn.Module, units: Iterable[Unit]) -> nn.Module:
    """Return a model in which what units compute is zero: the weights that make it are; those that read it stay."""
    quiet = copy.deepcopy(model)
    weights = quiet.state_dict()
    with torch.no_grad():
        for unit in units:
            for one in unit.slices:
                if one.makes:
                    weights[one.name].select(one.axis, one.place).zero_()
    return quiet


def removed(model: nn.Module, units: Sequence[Unit], run: Run) -> tuple[nn.Module, Form]:
    """Return a model without units, and its form; it was held against the whole one in which they compute zero.

    Raises CodeError where the two answer differently, so that no model is ever cut in the wrong places.
    """
    names = ", ".join(sorted({s.name for u in units[:1] for s in u.slices})[:3])
    try:
        left, form = without(model, units)
        form = Form(form.shapes, (), channels_of(left, run))
        take(left, Form(channels=form.channels))
        with torch.no_grad():
            expected, found = (tensors_in(run(m.eval())) for m in (silenced(model, units), left))
    except (RuntimeError, ValueError, IndexError) as error:
        raise CodeError(
            "the net cannot run without some of its filters",
            found=f"{' '.join(str(error).split())[:120]} ({names})",
            hint="another way: distil, prune-weights",
        ) from error
    apart = [
        float((a - b).abs().max() / a.abs().max().clamp_min(1e-6))
        for a, b in zip(expected, found, strict=True)
    ]
    if not max(apart, default=0.0) <= ALIKE:
        raise CodeError(
            "the net answers differently without filters that compute zero, so its filters cannot be told apart",
            found=f"{max(apart):.2g} ({names})",
            hint="another way: distil, prune-weights",
        )
    return left, form


def channels_of(model: nn.Module, run: Run) -> dict[str, tuple[int, ...]]:
    """Return the channels of the maps that networks return, and then their `out_channels`, where these are others.

    They are told by what a network returns while the model is asked.
    """
    found: dict[str, tuple[int, ...]] = {}

    def looking(name: str) -> Any:
        def look(net: Any, inputs: Any, output: Any) -> None:
            maps = output.features if net.role == "dense" else output
            if not isinstance(maps, list | tuple) or len(maps) != len(net.channels):
                return
            channels = tuple(int(m.shape[1]) for m in maps)
            out = int(output.full.shape[1]) if net.role == "dense" else channels[-1]
            found[name] = (*channels, out)

        return look

    nets: list[tuple[str, Any]] = [(n, m) for n, m in model.named_modules() if isinstance(m, Net)]
    handles = [net.register_forward_hook(looking(name)) for name, net in nets]
    try:
        with torch.no_grad():
            run(model.eval())
    finally:
        for handle in handles:
            handle.remove()
    own = {name: (*net.channels, net.out_channels) for name, net in nets}
    return {name: many for name, many in found.items() if many != own[name]}


def random_units(groups: Groups, share: float, generator: torch.Generator) -> list[Unit]:
    """Return units drawn at random, so many of each group; what else is along their axes stays."""
    found: list[Unit] = []
    for group in groups.groups:
        many = min(len(group) - 1, round(share * len(group)))
        found += [group[k] for k in torch.randperm(len(group), generator=generator)[:many].tolist()]
    return found


def outputs(found: Any) -> list[Tensor]:
    """Return the tensors in what a model returned."""
    return tensors_in(found)
