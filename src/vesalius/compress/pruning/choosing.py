"""Choosing which units go: what each counts for, by the loss, against the operations that it takes."""

from __future__ import annotations

import heapq
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from vesalius.compress.contract import Source
from vesalius.compress.learning import drawn
from vesalius.compress.pruning.groups import Groups, Unit, operations
from vesalius.core.bundle import State
from vesalius.core.plan import override
from vesalius.learn.stepper import Stepper, fabric_for

LOOKED_AT = 8  # training batches by which it is told what a unit counts for
STAYS = 0.125  # of the units of a group: at least so many are left
Scores = Mapping[int, float]  # by a unit's number


def by_loss(
    source: Source, state: State, number: int, weights: Mapping[str, Tensor], groups: Groups
) -> Scores:
    """Return how far the loss would change without each unit, in first order, as the mean over training batches.

    It is |Σ w · ∂L/∂w| over what makes the unit (Molchanov et al. 2019, Importance estimation for
    neural network pruning, arXiv 1906.10771, eq. 8, of whole groups).
    """
    plan = override(
        source.model.plan, {"train.lora": 0, "train.shard": "none"}, reason="units are scored by all weights"
    )
    stepper = Stepper(source.task, plan, state, number, fabric_for(plan, source.device), weights)
    draw = drawn(source, number)
    found = {unit.number: 0.0 for unit in groups.units}
    for step in range(LOOKED_AT):
        stepper.gradients(step, draw(step, stepper.fabric.device))
        along = _changes(stepper.model)
        stepper.wrapped.zero_grad()
        for unit in groups.units:
            found[unit.number] += abs(_sum(unit, along)) / LOOKED_AT
    return found


def _changes(model: nn.Module) -> dict[tuple[str, int], list[float]]:
    """Return by parameter and axis the sum of weight times gradient at each place along it."""
    found: dict[tuple[str, int], list[float]] = {}
    for name, p in model.named_parameters():
        if p.grad is not None:
            change = (p.detach() * p.grad).cpu()
            for axis in range(p.ndim):
                found[name, axis] = (
                    change.movedim(axis, 0).flatten(1).sum(1).tolist() if p.ndim > 1 else change.tolist()
                )
    return found


def _sum(unit: Unit, along: Mapping[tuple[str, int], Sequence[float]]) -> float:
    return sum(along[s.name, s.axis][s.place] for s in unit.slices if s.makes and (s.name, s.axis) in along)


def chosen(groups: Groups, scores: Sequence[Scores], goal: float) -> list[list[Unit]]:
    """Return the units that go of each member, so that at most `goal` operations are left, or as few as can be.

    `scores` are of each member. All members lose equally many units of each group, so that one plan builds them all;
    which ones, each member's own scores say. Those go first that count least for each operation that they take.
    """
    orders = [[sorted(group, key=lambda u: own[u.number]) for group in groups.groups] for own in scores]
    shapes = {name: list(shape) for name, shape in groups.shapes.items()}
    left = float(operations(groups.trace.positions, groups.shapes))
    many = [0] * len(groups.groups)

    def cost(place: int, rank: int) -> float:
        units = [order[place][rank] for order in orders]
        value = sum(own[u.number] for own, u in zip(scores, units, strict=True)) / len(units)
        return value / max(groups.saved(units[0]), 1.0)

    heap = [(cost(k, 0), k) for k, _ in enumerate(groups.groups)]
    heapq.heapify(heap)
    while heap and left > goal:
        _, k = heapq.heappop(heap)
        unit = orders[0][k][many[k]]
        names = {s.name for s in unit.slices if s.name in groups.trace.positions}
        before = sum(_operations(groups, shapes, name) for name in names)
        for one in unit.slices:
            shapes[one.name][one.axis] -= 1
        left -= before - sum(_operations(groups, shapes, name) for name in names)
        many[k] += 1
        if many[k] < min(len(groups.groups[k]) - 1, int((1 - STAYS) * len(groups.groups[k]))):
            heapq.heappush(heap, (cost(k, many[k]), k))
    return [[unit for place, n in enumerate(many) for unit in order[place][:n]] for order in orders]


def _operations(groups: Groups, shapes: Mapping[str, Sequence[int]], name: str) -> int:
    return groups.trace.positions[name] * int(torch.Size(shapes[name]).numel())
