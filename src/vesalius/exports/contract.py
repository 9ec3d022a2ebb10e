"""The contract of a form in which a model goes out: one file in `exports/`, ending in `TARGET = …()`.

A file also has the literal `EXTRA = "compress"` where it needs optional libraries.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from vesalius.core.bundle import Bundle, Stage
from vesalius.core.case import Case
from vesalius.core.errors import PlanError
from vesalius.core.image import Array
from vesalius.core.shown import Shown, cut
from vesalius.core.words import counted
from vesalius.infer import runs
from vesalius.infer.asked import inferred
from vesalius.infer.feeds import Feed, batch_from, feeds_of, tensors_of
from vesalius.infer.predictor import Predictor
from vesalius.infer.selftest import inputs, record
from vesalius.prepare.batch import Batch, main_image
from vesalius.tasks.contract import Task

INPUTS = 2  # made-up cases on which an export is compared
LIMIT = 1e-4  # of a raw output, of the largest one where that is above 1


class Asked(nn.Module):
    """A member as a plain module: tensors `(B, …)` in the order of `feeds` in, what `Task.infer` returns out."""

    def __init__(self, task: Task, model: nn.Module, feeds: tuple[Feed, ...]) -> None:
        super().__init__()
        self.model = model
        self._task, self._feeds = task, feeds

    def forward(self, *tensors: Tensor) -> Tensor:
        """Return the raw output in single precision."""
        batch = batch_from(self._feeds, tensors)
        return inferred(self._task, self.model, batch, torch.Generator(device="cpu").manual_seed(0)).float()


@dataclass(frozen=True, eq=False)
class Source:
    """What is exported: an opened bundle of one stage, its loaded models, and which members go out, by their numbers.

    `cases` are made-up cases, that show nobody, on which what goes out is compared with what came in. `script` says
    whether the preparation goes with the models, as code that needs no Vesalius, where the form can have it.
    """

    bundle: Bundle
    predictor: Predictor
    members: tuple[int, ...]
    cases: tuple[Case, ...]
    script: bool = True

    @property
    def stage(self) -> Stage:
        """The one stage."""
        return self.bundle.stages[0]

    @property
    def task(self) -> Task:
        """Its task."""
        return self.predictor.stages[0].task

    def model(self, member: int) -> nn.Module:
        """Return one member's model, in evaluation mode."""
        return self.predictor.stages[0].models[member]

    @cached_property
    def batches(self) -> tuple[Batch, ...]:
        """Return what the models are given of the made-up cases: a batch of one each, and one of all of them.

        Where a case is answered tile by tile it is a tile.
        """
        accepting = self.predictor.accepting
        plan, run = self.stage.plan, runs.get(self.task.run)
        single = []
        for case in self.cases:
            example = accepting.encoded(case).example
            batch = self.task.collate([example])
            if plan.data.sampling != "whole" and example.images:
                shape = main_image(example).shape[-3:]
                start, size = run.window(plan, (int(shape[0]), int(shape[1]), int(shape[2])), None)
                z, y, x = (slice(a, a + n) for a, n in zip(start, size, strict=True))
                images = {name: image[..., z, y, x] for name, image in batch.images.items()}
                batch = _with_images(batch, images)
            single.append(batch)
        feeds = feeds_of(single[0])
        if any(feeds_of(one) != feeds for one in single):
            return tuple(single)
        columns = zip(*(tensors_of(one, feeds) for one in single), strict=True)
        return (*single, batch_from(feeds, [torch.cat(column) for column in columns]))

    @cached_property
    def feeds(self) -> tuple[Feed, ...]:
        """Return what a member is given, in its order. Raises PlanError for what is no array."""
        return feeds_of(self.batches[0])

    def asked(self, member: int) -> Asked:
        """Return one member as a plain module."""
        return Asked(self.task, self.model(member), self.feeds).eval()

    def tensors(self) -> list[list[Tensor]]:
        """Return what a member is given of each batch, tensor by tensor in the order of `feeds`."""
        return [tensors_of(batch, self.feeds) for batch in self.batches]

    def raw(self, member: int) -> list[Array]:
        """Return what a member says of each batch."""
        asked = self.asked(member)
        with torch.inference_mode():
            return [asked(*tensors).numpy() for tensors in self.tensors()]


@dataclass(frozen=True, slots=True)
class Agreement:
    """How far the raw outputs of one member, as another tool computes them, lie from ours, over all made-up inputs.

    `largest` is our largest raw output; `difference` may be LIMIT, or LIMIT of that where it is above 1. `by` says
    what computed them.
    """

    member: int
    difference: float
    largest: float
    batches: int
    by: str

    @property
    def limit(self) -> float:
        """How large the difference may be."""
        return LIMIT * max(1.0, self.largest)


@dataclass(frozen=True)
class Written:
    """What a form wrote: the files of each member, how far they agree, what reads them, and what a reader must know."""

    files: tuple[str, ...]
    agreements: tuple[Agreement, ...]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Exported(Shown):
    """A model that went out: where it lies, in which form, of which bundle, and how far it agrees with it.

    `agreements` has one entry a member. `script` is how far the answers of the script beside it lie from ours:
    `cases`, the largest `difference` of a number (in its unit, or its own size where that is above 1) and the largest
    share of `voxels` that differ; None where there is no script. `left_out` says what an answer of Vesalius has that
    none of the export has.
    """

    path: Path
    to: str
    bundle_sha256: str
    files: tuple[str, ...]
    agreements: tuple[Agreement, ...]
    script: Mapping[str, Any] | None
    notes: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()

    @property
    def difference(self) -> float:
        """The largest absolute difference of a raw output, over all members."""
        return max((one.difference for one in self.agreements), default=0.0)

    def _words(self) -> Iterable[str]:
        yield repr(cut(str(self.path)))
        yield f"{self.to}, {counted(len(self.agreements), 'member')}"
        yield f"raw outputs differ by at most {self.difference:.2g}"


class Target(ABC):
    """A form in which other tools take a model.

    `runs_without` says that a script beside it answers on its own; `carries` that what makes an image ready, and what
    makes an answer of raw outputs, go along with the models.
    """

    runs_without: ClassVar[bool] = False
    carries: ClassVar[bool] = False

    @abstractmethod
    def write(self, source: Source, folder: Path) -> Written:
        """Write the members into a folder, read them back with the other tool's own library, and compare.

        Raises PlanError for a model that cannot go out in this form, MissingExtra where the library is not installed,
        and DataError where it answers otherwise there.
        """


def source_of(bundle: Bundle, member: int | None, *, script: bool) -> Source:
    """Return what is exported of a bundle. Raises PlanError for a bundle of several stages, or a member it lacks."""
    if len(bundle.stages) > 1:
        raise PlanError(
            "only a bundle of one stage can be exported: what earlier stages hand over is Vesalius's own",
            found=", ".join(stage.name for stage in bundle.stages),
            hint="export the bundle that each stage was trained as",
        )
    stage = bundle.stages[0]
    if stage.runtime != "torch":
        raise PlanError(
            "only what torch runs can be exported: other runtimes' weights lie in graphs of their own",
            found=f"runtime {stage.runtime}",
            hint="the bundle that it was made of, or its own weights-0-0.onnx",
        )
    if member is not None and not 0 <= member < len(stage.members):
        raise PlanError(
            f"the bundle has no member {member}",
            found=f"{len(stage.members)} members",
            hint="--member 0, or --member all",
        )
    predictor = Predictor(bundle, device="cpu", accept_mismatch=True)
    members = tuple(range(len(stage.members))) if member is None else (member,)
    return Source(bundle, predictor, members, _made_up(bundle, predictor), script)


def _made_up(bundle: Bundle, predictor: Predictor) -> tuple[Case, ...]:
    """Return the made-up cases of the bundle's self-test; where it has none, such as they would be."""
    kept = record.of(bundle)
    if kept is not None and kept.inputs:
        return tuple(inputs.again(kept.recipe, one.made) for one in kept.inputs)
    task = predictor.stages[-1].task
    recipe = inputs.recipe_of(bundle, task)
    return tuple(inputs.make(task, bundle.stages[-1], recipe, seed)[1] for seed in range(INPUTS))


def _with_images(batch: Batch, images: Mapping[str, Tensor]) -> Batch:
    return replace(batch, images=images, targets={}, on_grid=frozenset())


def told_of(feeds: tuple[Feed, ...]) -> list[dict[str, Any]]:
    """Return what a member is given, as data: each tensor's name, the shape of one row, and its type."""
    return [{"name": f.name, "shape": list(f.shape), "dtype": f.dtype} for f in feeds]
