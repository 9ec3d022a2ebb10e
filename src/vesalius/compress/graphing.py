"""Members as graphs: each is exported, changed by a way, given its torch twin, and the faster runtime is chosen."""

from __future__ import annotations

import copy
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from vesalius.compress.contract import ONNX, OPENVINO, TORCH, Member, Source, Variant
from vesalius.compress.shown import arrays_of, batches
from vesalius.core.bundle import State
from vesalius.core.errors import MissingExtra, PlanError
from vesalius.core.image import Array
from vesalius.core.progress import Progress, track
from vesalius.infer import runtimes
from vesalius.infer.alarm import RECORD as ALARM
from vesalius.infer.graphs import EXTRA, Graph, graph_of
from vesalius.infer.twins import FOLDED, NUMBERS, folded_of, twin_state
from vesalius.infer.weighing import listened
from vesalius.plan import torch_threads

SHOWN = 64  # training cases a member that a graph is calibrated by
RUNTIMES = (OPENVINO, ONNX)
ROUNDS = 5
Arrays = Sequence[dict[str, Array]]
Change = Callable[[Graph, Arrays], Graph]


def lacking(*libraries: str) -> str:
    """Return in words which library is missing that a graph needs, and how it is installed; empty where none is."""
    gone = [name for name in ("onnx", "onnxscript", *libraries) if find_spec(name) is None]
    return str(MissingExtra(gone[0], EXTRA)) if gone else ""


def runtime_lacking() -> str:
    """Return in words that no runtime for graphs is installed; empty where one is."""
    there = any(find_spec(runtimes.get(name).library) is not None for name in RUNTIMES)
    return "" if there else str(MissingExtra(runtimes.get(OPENVINO).library, EXTRA))


def as_graphs(
    source: Source,
    change: Change,
    *,
    way: str,
    to: Path,
    progress: Progress,
    changed: Sequence[str],
    only: Sequence[str] = RUNTIMES,
) -> Variant:
    """Return the members as graphs that `change` was done to, in the faster of the runtimes that take them.

    `change` is given a graph and what it is shown of training cases, as arrays. Raises PlanError where a member cannot
    be followed or no runtime takes what was made.
    """
    made: list[Graph] = []
    plains: list[Graph] = []
    took: dict[str, list[float]] = {}
    if any(listened(member.module) is not None for member in source.model.members):
        raise PlanError(
            "a model of several sources says how much each counted, which a graph does not",
            hint=f"--ways without {way}",
        )
    for member in track(source.model.members, progress, way, len(source.model.members)):
        seen = list(batches(source.task, source.model.plan, source.some(member.number, SHOWN)))
        plain = graph_of(
            source.task,
            source.model.plan,
            source.model.state,
            member.module,
            like=seen[0],
            watch=ALARM in source.bundle.stages[0].extras,
        )
        arrays = arrays_of(plain, seen)
        graph = change(plain, arrays)
        for name, seconds in _timed(graph, _at_once(arrays, source.model.plan.infer.batch), only).items():
            took.setdefault(name, []).append(seconds)
        plains.append(plain)
        made.append(graph)
    whole = {name: sum(times) for name, times in took.items() if len(times) == len(made)}
    if not whole:
        raise PlanError(f"no runtime takes what {way} made", hint=f"--ways without {way}")
    runtime = min(whole, key=lambda name: whole[name])
    folded = folded_of(plains, [one.module for one in source.model.members])
    numbers = [one.number for one in source.model.members]
    folded = State({**folded.values, NUMBERS: numbers}, folded.arrays)
    members = tuple(
        _written(member, graph, folded, place, to)
        for place, (member, graph) in enumerate(zip(source.model.members, made, strict=True))
    )
    extras = {**source.model.extras, FOLDED: folded}
    model = replace(source.model, members=members, runtime=runtime, extras=extras)
    figures = {f"{name}, seconds a pass": round(seconds / len(made), 6) for name, seconds in whole.items()}
    return Variant(way, model, (*changed, f"Answered by {runtime}, the faster here."), figures)


def _written(member: Member, graph: Graph, folded: State, place: int, to: Path) -> Member:
    """Return a member whose graph is written, with the torch model that belongs to it."""
    file = to / f"member-{member.number}.onnx"
    graph.save(file)
    twin = copy.deepcopy(member.module)
    twin.load_state_dict(twin_state(graph, folded, place, twin))
    return Member(member.number, twin.eval(), file)


def _at_once(arrays: Arrays, rows: int) -> dict[str, Array]:
    """Return as many rows as are planned to go through the model at once."""
    chosen = [arrays[k % len(arrays)] for k in range(max(rows, 1))]
    return {name: np.concatenate([one[name] for one in chosen]) for name in arrays[0]}


def _timed(graph: Graph, arrays: dict[str, Array], names: Sequence[str]) -> dict[str, float]:
    """Return the median seconds of a pass by each runtime that is installed and takes the graph."""
    found: dict[str, float] = {}
    for name in names:
        runtime = runtimes.get(name)
        if name == TORCH or find_spec(runtime.library) is None:
            continue
        try:
            session = runtime.open(graph, torch_threads.in_use())
        except PlanError:
            continue
        times = []
        for _ in range(ROUNDS + 1):
            began = time.perf_counter()
            session(arrays)
            times.append(time.perf_counter() - began)
        found[name] = statistics.median(times[1:])
    return found
