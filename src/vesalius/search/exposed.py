"""The usual search space: what a task's plan exposes, with the ranges that nets, losses and schedules declare."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import torch

from vesalius import losses, nets
from vesalius.core import registry
from vesalius.core.errors import VesaliusError
from vesalius.core.plan import USER, Plan, override, value_at
from vesalius.nets import describe, names_for
from vesalius.plan.rules import Planned, check, for_net
from vesalius.search.space import Choice, Only, Part, Range, Space

WIDEST = {True: 2.0, False: 1.0}  # `net.scale` on a GPU and on a processor, or twice the planned one
NARROWEST = 0.125
SIDES = (0.75, 1.0, 1.5)  # times the planned size
STEP = 8  # voxels that sizes are multiples of


def exposed(
    plan: Plan, task: Planned, *, gpu: bool, chosen: Sequence[str] = (), labels: bool = True
) -> Space:
    """Return the space that follows from the default `plan` of `task`.

    `chosen` are paths that the user set, which stay as they are; `labels` says that the target has classes. A plan that
    a user told to begin from weights keeps their net.
    """
    parts = [
        *_nets(plan, task, gpu=gpu, chosen=chosen),
        *_data(plan),
        *_training(plan),
        *_losses(plan, task, labels=labels),
        Range("augment.probability", 0.0, 1.0, why="from images as they are to all of them changed"),
    ]
    once = {
        part.path: part for part in reversed(parts)
    }  # an option that two nets declare: the first one's values
    kept = tuple(part for part in parts if once[part.path] is part and not _is_set(part.path, chosen))
    paths = {part.path for part in kept} | {path for part in kept for path in part.only}
    planned = {path: value_at(plan, path) for path in paths}
    return Space(kept, planned, weights=plan.net.init is not None)


def suitable(plan: Plan, task: Planned) -> list[str]:
    """Return the nets that suit a plan of a task: of each family the first in its file that serves the planned size.

    They have the planned net's role, and that one comes first. No weights are made.
    """
    role = describe(plan.net.name).get("ROLE", "")
    found: dict[str, str] = {}
    for name in names_for(role, dims=plan.data.dims):
        family = registry.stem_of("nets", name)
        if family not in found and (name == plan.net.name or _serves(plan, task, name)):
            found[family] = name
    return [plan.net.name, *(name for name in found.values() if name != plan.net.name)]


def _serves(plan: Plan, task: Planned, name: str) -> bool:
    data = plan.data
    size = data.size if data.dims == 3 else data.size[1:]
    try:
        check(for_net(override(plan, {"net.name": name, "net.options": {}}), {"net.name": name}), task)
        with torch.device("meta"):
            nets.build(name, dims=data.dims, in_channels=data.inputs, size=size)
    except (
        VesaliusError,
        ValueError,
        RuntimeError,
    ):  # a library that is missing, a size that is too small for it
        return False
    return True


def _nets(plan: Plan, task: Planned, *, gpu: bool, chosen: Sequence[str]) -> Iterator[Part]:
    told = plan.net.init is not None and plan.reasons.get("net.init") == USER
    yield Range("net.dropout", 0.0, 0.5, why="from none to half of the features")
    if told or _is_set("net.name", chosen):
        if plan.net.init is None:
            yield from _sizes(plan, [plan.net.name], {}, gpu=gpu)
        return
    names = suitable(plan, task)
    role = describe(plan.net.name).get("ROLE")
    yield Choice("net.name", tuple(names), f"nets of role {role}, one of each family")
    scaled = [name for name in names if not (plan.net.init is not None and name == plan.net.name)]
    only: Only = {} if len(scaled) == len(names) else {"net.name": tuple(scaled)}
    if scaled:
        yield from _sizes(plan, scaled, only, gpu=gpu)
    for name in scaled:
        yield from _options("nets", name, "net.options", {"net.name": (name,)})


def _sizes(plan: Plan, names: Sequence[str], only: Only, *, gpu: bool) -> Iterator[Part]:
    """Yield how wide and deep nets may be. A net that is not made narrower than some scale has no smaller one."""
    smallest = max(NARROWEST, min(float(describe(name).get("SMALLEST", 0.0)) for name in names))
    widest = max(WIDEST[gpu], 2 * plan.net.scale)
    fits = tuple(name for name in names if float(describe(name).get("SMALLEST", 0.0)) < widest)
    if len(fits) < len(names):
        only = {"net.name": fits}
    if fits and smallest < widest:
        why = "width and depth, from a fraction of the published net on"
        yield Range("net.scale", smallest, widest, log=True, why=why, only=only)


def _data(plan: Plan) -> Iterator[Part]:
    sizes = dict.fromkeys(tuple(_sized(n, f) for n in plan.data.size) for f in SIDES)
    kept = [plan.data.size, *(s for s in sizes if s != plan.data.size)]
    if plan.net.options.get("spacing_mm") is None and len(kept) > 1:
        yield Choice("data.size", tuple(list(s) for s in kept), "smaller and larger than planned")


def _sized(n: int, factor: float) -> int:
    return n if n == 1 or factor == 1 else max(STEP, round(n * factor / STEP) * STEP)


def _training(plan: Plan) -> Iterator[Part]:
    train = plan.train
    yield Range("train.lr", train.lr / 10, train.lr * 10, log=True, why="around the planned rate")
    decay = train.weight_decay or 0.01
    yield Range("train.weight_decay", decay / 30, decay * 10, log=True, why="around the planned decay")
    batches = tuple(dict.fromkeys(max(1, b) for b in (train.batch // 2, train.batch, train.batch * 2)))
    yield Choice("train.batch", batches, "half and twice the planned batch")
    names = tuple(registry.names("schedules"))
    yield Choice("train.schedule", names, "every schedule of the learning rate")


def _losses(plan: Plan, task: Planned, *, labels: bool) -> Iterator[Part]:
    if plan.loss.name == losses.OWN:
        return
    names = [name for name in registry.names("losses") if _has_loss(plan, task, name)]
    if len(names) > 1:
        yield Choice("loss.name", tuple(names), "losses for this kind of target")
    for name in names:
        only: Only = {"loss.name": (name,)} if len(names) > 1 else {}
        yield from _options("losses", name, "loss.options", only)
    if labels:
        yield Range("loss.smoothing", 0.0, 0.2, why="from sure labels to ones that are doubted a little")
        yield Choice("loss.class_weights", ("none", "root", "balanced"), "how much rare classes count")


def _has_loss(plan: Plan, task: Planned, name: str) -> bool:
    try:
        check(override(plan, {"loss.name": name, "loss.options": {}}), task)
    except VesaliusError:
        return False
    return True


def _options(kind: str, name: str, place: str, only: Only) -> Iterator[Part]:
    """Yield the options that a file declares with a range or a list of values."""
    text = registry.literals(kind, registry.stem_of(kind, name))
    options: Mapping[str, Any] = text.get("OPTIONS", {})
    limits: Mapping[str, Mapping[str, Any]] = text.get("LIMITS", {})
    for option, usual in options.items():
        limit, path = limits.get(option, {}), f"{place}.{option}"
        why = f"as {name} declares"
        if "in" in limit:
            yield Choice(path, tuple(limit["in"]), why, only)
        elif type(usual) in (int, float) and (ends := _ends(usual, limit)) is not None:
            yield Range(path, *ends, whole=type(usual) is int, why=why, only=only)


def _ends(usual: float, limit: Mapping[str, Any]) -> tuple[float, float] | None:
    """Return the ends of an option's range: its limits, and where one is open, half and twice the usual value."""
    if not limit or usual <= 0:
        return None
    low = float(limit.get("ge", limit.get("gt", -math.inf)))
    high = float(limit.get("le", limit.get("lt", math.inf)))
    low, high = max(low, usual / 2), min(high, usual * 2)
    if "lt" in limit and high >= limit["lt"]:
        high = (usual + limit["lt"]) / 2
    if type(usual) is int:
        low, high = math.ceil(low), math.floor(high)
    return (low, high) if low < high else None


def _is_set(path: str, chosen: Sequence[str]) -> bool:
    """Return whether a user set a path, a part of it, or all of what it is a part of."""
    return any(path == one or path.startswith(f"{one}.") for one in chosen)
