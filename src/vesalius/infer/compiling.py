"""Compiling: the members of a loaded bundle as graphs, tried beside torch on made-up input before they answer."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor, nn

from vesalius.core.errors import DataError, PlanError
from vesalius.infer import beside, runs, runtimes
from vesalius.infer.asked import inferred
from vesalius.infer.feeds import batch_from, feeds_of, tensors_of
from vesalius.infer.graphs import Graph, graph_of, open_graph
from vesalius.infer.loading import Loaded
from vesalius.infer.predictor import Predictor
from vesalius.infer.selftest import inputs
from vesalius.infer.weighing import listened
from vesalius.prepare.batch import Batch
from vesalius.tasks.contract import Task

TOLERANCE = 1e-4  # of raw outputs, as a share of the largest where that is above 1
_TIMES, _ENOUGH_S = 5, 1.0  # passes that are timed, and from which sum on no further one is
_SEED = 1


@dataclass(frozen=True, eq=False)
class Piece:
    """One member of one stage, with a batch that it was asked about made-up input, where it was."""

    number: int
    place: int
    loaded: Loaded
    batch: Batch = field(default_factory=lambda: Batch({}))

    @property
    def model(self) -> nn.Module:
        """The member."""
        return self.loaded.models[self.place]

    @property
    def name(self) -> str:
        """What its graph's file is called."""
        return f"graph-{self.number}-{self.place}.onnx"

    def said(self, batch: Batch | None = None) -> Tensor:
        """Return the raw output about the batch, or about another one: of the graph where one stands beside."""
        with torch.inference_mode():
            return inferred(
                self.loaded.task, self.model, batch or self.batch, torch.Generator().manual_seed(0)
            )

    def graph(self) -> Graph:
        """Return the member as a graph. Raises PlanError where it cannot be one, or would say less than the member."""
        stage = self.loaded.stage
        if listened(self.model) is not None:
            raise PlanError(
                "a model of several sources says how much each counted, which a graph does not",
                hint="runtime torch",
            )
        watch = self.loaded.alarm is not None and self.place == 0
        return graph_of(self.loaded.task, stage.plan, stage.state, self.model, like=self.batch, watch=watch)


class _Asked:
    """A task that does what another does, and keeps what each of its models is asked first."""

    def __init__(self, task: Task, kept: dict[int, Batch]) -> None:
        self._task, self._kept = task, kept
        self.__module__ = type(task).__module__  # whose code an error is of

    def __getattr__(self, name: str) -> Any:
        return getattr(self._task, name)

    def infer(self, model: nn.Module, batch: Batch, generator: torch.Generator) -> Tensor:
        """Return the raw output of the other task."""
        self._kept.setdefault(id(model), batch)
        return inferred(self._task, model, batch, generator)


def members_of(predictor: Predictor) -> list[Piece]:
    """Return the members of all stages, which are asked nothing."""
    return [
        Piece(number, place, loaded)
        for number, loaded in enumerate(predictor.stages)
        for place in range(len(loaded.models))
    ]


def pieces_of(predictor: Predictor) -> list[Piece]:
    """Return the members of all stages, each with what it is asked of a made-up case of the bundle's self-test.

    Raises PlanError where there is no such case, or where a member is not asked about batches, such as one that goes
    over frames step by step.
    """
    last = predictor.stages[-1]
    kept: list[dict[int, Batch]] = [{} for _ in predictor.stages]
    asking = copy.copy(predictor.accepting)
    asking.refuse_unlike, asking.listen = False, None
    asking.stages = tuple(
        replace(loaded, task=cast(Task, _Asked(loaded.task, one)))
        for loaded, one in zip(predictor.stages, kept, strict=True)
    )
    try:
        _, case = inputs.make(last.task, last.stage, inputs.recipe_of(predictor.bundle, last.task), _SEED)
        asking(case)
    except DataError as error:
        raise PlanError(
            "runtimes cannot be tried: no case can be made up for this bundle",
            found=str(error),
            hint="runtime torch",
        ) from error
    found = []
    for number, (loaded, asked) in enumerate(zip(predictor.stages, kept, strict=True)):
        for place, model in enumerate(loaded.models):
            batch = asked.get(id(model))
            if batch is None:
                raise PlanError(
                    f"a member of the stage {loaded.stage.name} is not asked about whole batches",
                    hint="runtime torch",
                )
            feeds = feeds_of(batch)
            plain = batch_from(feeds, [t.clone() for t in tensors_of(batch, feeds)])
            found.append(Piece(number, place, loaded, plain))
    return found


@dataclass(frozen=True, eq=False)
class Tried:
    """How a runtime did: the seconds of one pass of all members, and why it is refused, "" where it is not."""

    seconds: float
    refused: str = ""


def tried_torch(pieces: Sequence[Piece]) -> Tried:
    """Return how torch does by itself."""
    for piece in pieces:
        beside.put(piece.model, None)
    with ExitStack() as held:
        for piece in pieces:
            plan = piece.loaded.stage.plan
            if plan.train.precision == "bf16" and runs.get(piece.loaded.task.run).lowers:  # as it answers
                held.enter_context(torch.autocast("cpu", dtype=torch.bfloat16))
        return Tried(_seconds(pieces))


def tried(
    name: str, pieces: Sequence[Piece], sources: Mapping[str, Callable[[], Graph]], cache: Path | None
) -> Tried:
    """Return how a runtime does, whose graphs then stand beside the members, unless it is refused.

    It is refused where a raw output differs from torch's by more than `TOLERANCE`, about the batch and about another
    number of its rows.
    """
    alone = [[piece.said(batch) for batch in _batches(piece.batch)] for piece in pieces]
    try:
        stand(name, pieces, sources, cache)
        for piece, expected in zip(pieces, alone, strict=True):
            for batch, own in zip(_batches(piece.batch), expected, strict=True):
                said = piece.said(batch)
                reason = _differs(said, own)
                if reason:
                    raise PlanError(f"{name} does not answer as torch does", found=reason)
            compiled = beside.of(piece.model)
            if compiled is None or not compiled.asked:
                raise PlanError(f"{name} was not asked: the batches are of another kind than its graph takes")
    except PlanError as error:
        tried_off(pieces)
        return Tried(float("inf"), str(error))
    return Tried(_seconds(pieces))


def stand(
    name: str, pieces: Sequence[Piece], sources: Mapping[str, Callable[[], Graph]], cache: Path | None
) -> None:
    """Let graphs stand beside the members, opened by the runtime of that name."""
    runtime = runtimes.get(name)
    for piece in pieces:
        source = sources[piece.name]
        graph = source()
        compiled = beside.Beside(piece.model, graph.signature, source, runtime, cache=cache)
        compiled.session(graph)  # compiled now, not while the first case waits
        beside.put(piece.model, compiled)


def tried_off(pieces: Sequence[Piece]) -> None:
    """Let the members answer alone."""
    for piece in pieces:
        beside.put(piece.model, None)


def from_files(folder: Path, pieces: Sequence[Piece]) -> dict[str, Callable[[], Graph]]:
    """Return by their names what reads the graphs of the members from a folder."""
    return {piece.name: partial(open_graph, folder / piece.name) for piece in pieces}


def _batches(batch: Batch) -> list[Batch]:
    """Return a batch, and one with another number of its rows."""
    feeds = feeds_of(batch)
    tensors = tensors_of(batch, feeds)
    other = [torch.cat([t, t[:1]]) if len(t) < 2 else t[:1] for t in tensors]
    return [batch, batch_from(feeds, other)]


def _differs(said: Tensor, own: Tensor) -> str:
    """Return how two raw outputs differ by more than is allowed, in words; "" where they do not."""
    if said.shape != own.shape:
        return f"the shape {tuple(said.shape)} instead of {tuple(own.shape)}"
    a, b = said.double().numpy(), own.double().numpy()
    both = np.isfinite(a) & np.isfinite(b)
    if not np.array_equal(np.isfinite(a), np.isfinite(b)):
        return "numbers that are not finite in one of them"
    most = float(np.abs(a - b, where=both, out=np.zeros_like(a)).max(initial=0.0))
    limit = TOLERANCE * max(1.0, float(np.abs(b, where=both, out=np.zeros_like(b)).max(initial=0.0)))
    return "" if most <= limit else f"a difference of {most:.3g}, where {limit:.3g} is allowed"


def _seconds(pieces: Sequence[Piece]) -> float:
    """Return the seconds of one pass of all members about their batches, the shortest of several."""
    best, began = float("inf"), time.perf_counter()
    for piece in pieces:
        piece.said()  # a first pass builds what later ones find
    for _ in range(_TIMES):
        start = time.perf_counter()
        for piece in pieces:
            piece.said()
        best = min(best, time.perf_counter() - start)
        if time.perf_counter() - began > _ENOUGH_S:
            break
    return best
