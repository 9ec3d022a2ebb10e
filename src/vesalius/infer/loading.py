"""Loading: the stages of a bundle made ready, their members filled, with the graphs beside them that they have."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path

import torch
from torch import nn

from vesalius import nets
from vesalius.core.bundle import Bundle, Stage, State
from vesalius.core.calling import calling
from vesalius.core.errors import BundleError, PlanError
from vesalius.infer import beside, runtimes
from vesalius.infer.alarm import Alarm, alarm_of
from vesalius.infer.alone import Alone, is_alone
from vesalius.infer.asked import built
from vesalius.infer.drift import Drift, drift_of
from vesalius.infer.exact import keep_exact
from vesalius.infer.graphs import open_graph
from vesalius.infer.stored import weights_of
from vesalius.infer.twins import FOLDED, NUMBERS, twin_state
from vesalius.tasks import contract as tasks
from vesalius.tasks.contract import Task

GRAPH = ".onnx"  # of a member whose weights lie in a graph


@dataclass(frozen=True, eq=False)
class Loaded:
    """One stage, ready: its task, its members' models in evaluation mode, and what tells strange cases, if anything."""

    stage: Stage
    task: Task
    models: tuple[nn.Module, ...]
    alarm: Alarm | None = None
    drift: Drift | None = None


def device_of(name: str | None = None) -> torch.device:
    """Return the torch device of that name, by default a GPU where there is one.

    Raises PlanError for one that is not.
    """
    try:
        device = torch.device(name or ("cuda" if torch.cuda.is_available() else "cpu"))
        torch.zeros(1, device=device).cpu()
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        there = "cpu, cuda" if torch.cuda.is_available() else "cpu"
        raise PlanError(f"there is no device '{name}' on this machine", hint=there) from error
    return device


def load(
    bundle: Bundle, stage: Stage, device: torch.device, *, weights: bool = True, runtime: str | None = None
) -> Loaded:
    """Return a stage of a bundle, ready.

    A stage whose members are graphs answers with them, on the processor, as it says, or as `runtime` says; with
    `torch` their torch twins answer alone. Raises BundleError for weights that do not fit, MissingExtra.
    """
    if stage.runtime != runtimes.TORCH and not all(name.endswith(GRAPH) for name in stage.members):
        raise BundleError(
            f"{bundle.path}: a stage of runtime '{stage.runtime}' has members that are no graphs",
            found=", ".join(stage.members),
        )
    task = tasks.get(stage.plan.task.name)
    models = tuple(
        _member(bundle, stage, task, k, device, runtime or stage.runtime)
        for k in range(len(stage.members) if weights else 0)
    )
    alarm = alarm_of(stage) if weights else None
    return Loaded(stage, task, models, alarm, None if alarm is None else drift_of(stage))


def _place(name: str, folded: State | None, place: int) -> int:
    """Return which of a bundle's members a file is, where a stage may have been left with some of them."""
    numbers = None if folded is None else folded.values.get(NUMBERS)
    return place if numbers is None else int(numbers.index(int(Path(name).stem.rpartition("-")[2])))


def _member(
    bundle: Bundle, stage: Stage, task: Task, place: int, device: torch.device, runtime: str
) -> nn.Module:
    name = stage.members[place]
    path = bundle.path / name
    if is_alone(stage):
        opened = runtimes.get(stage.runtime if runtime == runtimes.TORCH else runtime)
        _ = opened.version  # says now what is not installed
        return Alone(path, opened).eval()
    model = keep_exact(built(task, stage.plan, stage.state, nets))
    graph = open_graph(path) if path.suffix == GRAPH else None
    try:
        if graph is None:
            model.load_state_dict(weights_of(path))
        else:
            folded = stage.extras.get(FOLDED)
            model.load_state_dict(twin_state(graph, folded, _place(name, folded, place), model))
    except (OSError, RuntimeError, ValueError) as error:
        raise BundleError(
            f"{bundle.path}: weights '{name}' do not fit the plan", found=str(error)[:200]
        ) from error
    model = model.to(device).eval()
    with calling(f"task {task.name}", task, "ready"):
        model = task.ready(model, stage.calibration)
    if graph is not None and device.type == "cpu" and runtime != runtimes.TORCH:
        opened = runtimes.get(runtime)
        _ = opened.version  # says now what is not installed
        beside.put(model, beside.Beside(model, graph.signature, partial(open_graph, path), opened))
    return model
