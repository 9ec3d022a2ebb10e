"""The contract between a way of running a case and everything that answers, validates, times and calibrates."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from vesalius.core.case import Case
from vesalius.core.image import Array
from vesalius.core.plan import Plan
from vesalius.infer.asked import inferred
from vesalius.infer.layers import Watch
from vesalius.infer.session import WHOLE, Anew, Answering, Session
from vesalius.infer.weighing import Weighing
from vesalius.prepare.batch import Batch, Example
from vesalius.prepare.geometry import Undo
from vesalius.tasks.contract import Task

Grid = tuple[int, int, int]
AXES = {"z": -3, "y": -2, "x": -1}
Told = Callable[[float], None]


@dataclass(frozen=True, eq=False)
class Members:
    """The models of one stage in evaluation mode, with their task, their plan and the device that they are on.

    `view` are the axes of the one mirror image that is asked about, none for the image itself; where it is None it is
    the image with all planned mirror images. `levels` asks a way that has a field for how likely each label is at each
    point, too (`Task.levels`). `watch` sums up what the first model's layers show of what it is asked, `weighing` how
    much each source counted, of models that join several. `memory` is how many bytes this process may hold in all;
    where it is None, what the machine has.
    """

    task: Task
    models: Sequence[nn.Module]
    plan: Plan
    device: torch.device
    view: tuple[str, ...] | None = None
    levels: bool = False
    watch: Watch | None = None
    weighing: Weighing | None = None
    memory: int | None = None


@dataclass(frozen=True, eq=False)
class Spread:
    """What several opinions about a field come to: figures of each point, and how much each of them calls.

    `fields` are `(Z, Y, X)` float32 on the native grid by name; `called` `(S, K)` is how many native points each
    opinion gives each value, the background first.
    """

    fields: Mapping[str, Array]
    called: Array


class Run(ABC):
    """A way of running cases. Instances hold nothing; a file of this kind ends in `RUN = …()`.

    A file also has literals that are read without import: `SAMPLING`, whether training sees images `whole` or in
    `patches`, and `MIRRORS = False` where raw answers about mirror images cannot be joined with the others, whatever
    a task's `mirrors` says, unless it `turns_back` what they say.
    `joins` says that several cases go through the models in one pass, so that an answer is cheap. `held_out` says
    that the members' raw answers about the cases that they never saw are kept, for calibration. `apart` says that raw
    answers about a batch are `(B, M, …)`, one of each member, instead of what these say together. `on_grid` says that
    a raw answer has a value for each point of the image's grid. `lowers` says that answers are computed in the planned
    precision of training where that is lower than single. `streams` says that `open` keeps what models remember of
    the frames so far, for a task that `streams`. `strokes` says that cases are answered stroke by stroke.
    """

    joins: ClassVar[bool] = False
    apart: ClassVar[bool] = False
    held_out: ClassVar[bool] = False
    on_grid: ClassVar[bool] = False
    lowers: ClassVar[bool] = False
    streams: ClassVar[bool] = False
    strokes: ClassVar[bool] = False

    @abstractmethod
    def answer(self, members: Members, example: Example, undo: Undo, *, told: Told | None = None) -> Any:
        """Return what `task.decode` takes of one prepared case.

        `undo` is the way back from the prepared grid. `told` is called from time to time with the share of the work
        that is done; what it raises ends the work.
        """

    @abstractmethod
    def raw(self, members: Members, examples: Sequence[Example]) -> Iterator[Any]:
        """Return what `task.decode` takes of many prepared cases, one after the other, on their prepared grids."""

    def together(self, members: Members, batch: Batch, generator: torch.Generator) -> Tensor:
        """Return the raw outputs about a batch, `(B, …)`, of all models; `(B, M, …)` of a way that keeps them apart."""
        return members.task.join(views(self, members, m, batch, generator) for m in members.models)

    def decodable(self, members: Members, raw: Tensor, undo: Undo) -> Any:
        """Return what `task.decode` takes, of what `together` says of one whole prepared case, without its `B`."""
        return raw.float().cpu().numpy()

    def time(self, members: Members, examples: Sequence[Example]) -> float:
        """Return the seconds that one answer takes, the second time that it is asked for."""
        few = list(examples[: max(members.plan.infer.batch, 1) if self.joins else 1])
        took = 0.0
        for _ in range(2):
            began = time.monotonic()
            for _ in self.raw(members, few):
                pass
            took = (time.monotonic() - began) / max(len(few), 1)
        return took

    def turned_back(self, raw: Tensor, axes: Sequence[int]) -> Tensor:
        """Return the raw output of a mirror image as that of the image itself; `axes` count from the end."""
        return raw

    def window(self, plan: Plan, shape: Grid, where: Array | None) -> tuple[Grid, Grid]:
        """Return `(start, size)`, each `(z, y, x)`, of what one pass of a model sees of a prepared image.

        It is the whole image unless it is answered tile by tile; then the tile around the bits `where` on the prepared
        grid, or in the middle.
        """
        return (0, 0, 0), shape

    def spread(
        self,
        opinions: Sequence[Members],
        example: Example,
        undo: Undo,
        *,
        fields: Callable[[Array, Array], Mapping[str, Array]],
        told: Told | None = None,
    ) -> Spread:
        """Return how far opinions about each point are from one another, of a run whose answers are `on_grid`.

        `fields` makes named figures of each point from the opinions' mean chances `(K, …)` and the mean of their
        entropies `(…)`.
        """
        raise NotImplementedError("a run whose answers lie on no grid")

    def open(self, predictor: Answering, case: Case) -> Session:
        """Return a session about a case; by default every step is answered anew (see `infer/session.py`)."""
        return Anew(predictor, case, whole=predictor.over_frames == WHOLE)


def views(run: Run, members: Members, model: nn.Module, batch: Batch, generator: torch.Generator) -> Tensor:
    """Return the raw output of one model, joined over the planned mirror images of the input."""
    return members.task.join(_each_view(run, members, model, batch, generator))


def unflipped(members: Members, model: nn.Module, batch: Batch, generator: torch.Generator) -> Tensor:
    """Return the raw output of one model about a batch as it is; the first model's layers are watched if asked for."""
    watch = members.watch
    if watch is None or model is not members.models[0]:
        return inferred(members.task, model, batch, generator)
    with watch.over(model, batch.rows):
        raw = inferred(members.task, model, batch, generator)
    watch.told(raw)
    return raw


def flips(members: Members, batch: Batch) -> Iterator[list[int]]:
    """Yield the axes, counted from the end, of each mirror image of a batch that is planned beside the image itself."""
    axes = [AXES[a] for a in (members.plan.infer.mirror if members.view is None else ())]
    for k in range(1, 2 ** len(axes)):
        chosen = [a for i, a in enumerate(axes) if k >> i & 1]
        if batch.images and not any(t.shape[a] == 1 for t in batch.images.values() for a in chosen):
            yield chosen


def flipped(batch: Batch, axes: Sequence[int]) -> Batch:
    """Return a batch with its images mirrored along axes that are counted from the end."""
    return replace(batch, images={name: t.flip(list(axes)) for name, t in batch.images.items()})


def _each_view(
    run: Run, members: Members, model: nn.Module, batch: Batch, generator: torch.Generator
) -> Iterator[Tensor]:
    if members.view:
        chosen = [AXES[a] for a in members.view]
        yield run.turned_back(inferred(members.task, model, flipped(batch, chosen), generator), chosen)
        return
    yield unflipped(members, model, batch, generator)
    for chosen in flips(members, batch):
        yield run.turned_back(inferred(members.task, model, flipped(batch, chosen), generator), chosen)
