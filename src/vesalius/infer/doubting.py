"""Doubting an answer: the same case asked of several opinions, and how far these are from one another."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from vesalius.answers import contract as answers
from vesalius.answers.contract import Handling
from vesalius.core import registry
from vesalius.core.answers import Answer
from vesalius.core.answers.map import Map
from vesalius.core.bundle import Stage
from vesalius.core.calling import calling
from vesalius.core.case import Case
from vesalius.core.doubt import NAT, WORDS, Doubt
from vesalius.core.errors import PlanError
from vesalius.core.image import Array, Image
from vesalius.core.seeds import seed_of
from vesalius.infer import opinions, runs
from vesalius.infer.asked import decoded
from vesalius.infer.opinions.contract import Opinion
from vesalius.infer.runs.contract import Members, Spread, Told
from vesalius.prepare.batch import Example
from vesalius.prepare.geometry import Undo
from vesalius.tasks.contract import Task


@dataclass(frozen=True, eq=False)
class Prepared:
    """A case as a stage is given it: with its example, the way back, and the image that the answer lies on."""

    case: Case
    example: Example
    undo: Undo
    reference: Image


class Doubter:
    """Says of a stage's answers how far several opinions are apart. The opinions are made once and asked of each case.

    `way` is one of `vesalius opinions`. The answer itself stays what it is. Raises UnknownName, and PlanError where the
    answers, the models or the number of samples do not go with it.
    """

    def __init__(self, way: str, samples: int | None, *, members: Members, stage: Stage) -> None:
        found = opinions.get(way)
        refused = unfit(members.task) or found.refuses(members)
        if refused is not None:
            raise refused
        self.way, self.stage, self.task = way, stage, members.task
        self.opinions: Sequence[Opinion] = found.opinions(members, samples=samples)
        self.handling: Handling[Any] = answers.of(members.task.answer)
        self.run = runs.get(members.task.run)
        self._lock = threading.Lock()  # the opinions' generators are of one case at a time

    def __call__(self, answer: Answer, seen: Prepared, *, told: Told | None = None) -> Answer:
        """Return the answer with its doubt; fields of it are parts of the answer."""
        seed = seed_of(_digest(seen))
        with self._lock:
            for opinion in self.opinions:
                opinion.begin(seed)
            each = self._on_grid if _compares_points(self.task) else self._apart
            doubt, maps = each(answer, seen, told)
        held = replace(doubt, way=self.way, samples=len(self.opinions), maps=tuple(maps))
        return replace(answer, doubt=held, parts={**answer.parts, **maps})

    def _apart(self, answer: Answer, seen: Prepared, told: Told | None) -> tuple[Doubt, dict[str, Answer]]:
        """Compare opinions that are answers of their own."""
        samples = []
        for k, opinion in enumerate(self.opinions):
            raw = self.run.answer(opinion.members, seen.example, seen.undo)
            samples.append(
                decoded(
                    self.task, raw, self.stage.state, self.stage.calibration, seen.reference,
                    undo=seen.undo, case=seen.case.id,
                )
            )  # fmt: skip
            if told is not None:
                told((k + 1) / len(self.opinions))
        with calling(f"answers of kind {type(answer).__name__}", self.handling, "doubt", case=seen.case.id):
            found = self.handling.doubt(answer, samples)
        if found is None:
            raise _none(self.task)
        return found, {}

    def _on_grid(self, answer: Answer, seen: Prepared, told: Told | None) -> tuple[Doubt, dict[str, Answer]]:
        """Compare opinions about each point of a field."""
        spread: Spread = self.run.spread(
            [o.members for o in self.opinions],
            seen.example,
            seen.undo,
            fields=self.handling.point_doubt,
            told=told,
        )
        with calling(
            f"answers of kind {type(answer).__name__}", self.handling, "field_doubt", case=seen.case.id
        ):
            found = self.handling.field_doubt(answer, spread.fields, spread.called)
        if found is None:
            raise _none(self.task)
        how = {"way": self.way, "samples": str(len(self.opinions))}
        return found, {name: _map(name, field, seen.reference, how) for name, field in spread.fields.items()}


class Doubting:
    """The doubters of one predictor by way and number of samples, each made when it is first asked for."""

    def __init__(self, make: Callable[[str, int | None], Doubter]) -> None:
        self._make = make
        self._held: tuple[tuple[str, int | None], Doubter] | None = None

    def get(self, way: str, samples: int | None) -> Doubter:
        """Return the doubter of that way; the last one that was made is kept. Raises as Doubter does."""
        held = self._held  # another thread may ask for another one meanwhile
        if held is not None and held[0] == (way, samples):
            return held[1]
        made = self._make(way, samples)
        self._held = ((way, samples), made)
        return made


def unfit(task: Task) -> PlanError | None:
    """Return why answers of a task cannot be doubted; None where they can."""
    handling = answers.of(task.answer)
    wanted = ("point_doubt", "field_doubt") if _compares_points(task) else ("doubt",)
    said = all(getattr(type(handling), name) is not getattr(Handling, name) for name in wanted)
    return None if said else _none(task)


def _compares_points(task: Task) -> bool:
    """Return whether opinions are compared point by point: of a field whose points are a choice among several."""
    return runs.get(task.run).on_grid and type(task).chances is not Task.chances


def ways_of(members: Members) -> list[str]:
    """Return the ways in which answers of these models can be doubted."""
    if unfit(members.task) is not None:
        return []
    return [name for name in registry.names(opinions.KIND) if opinions.get(name).refuses(members) is None]


def _none(task: Task) -> PlanError:
    kind = task.answer.__name__
    missing = "chances" if runs.get(task.run).on_grid else "doubt"
    return PlanError(
        f"no doubt is defined for answers of kind {kind} by {task.name}",
        found=f"no `{missing}` in its files",
        hint="no --doubt",
    )


def _map(name: str, field: Array, reference: Image, how: dict[str, str]) -> Map:
    """Return a field of figures as a Map on the reference's grid."""
    image = Image(
        np.asarray(field, dtype=np.float32)[None],
        affine=reference.affine,
        spacing_mm=reference.spacing_mm,
        spacing_at=reference.spacing_at,
        modality=reference.modality,
        source=reference.source,
    )
    return Map(image=image, quantity=WORDS.get(name, name), unit=NAT, facts=how)


def _digest(seen: Prepared) -> str:
    """Return what tells a case apart by what it holds, not by its name: its pixels as read, and its covariates."""
    array = np.ascontiguousarray(seen.reference.array)
    hashed = hashlib.sha256(
        f"{array.dtype.str} {array.shape} {sorted(seen.case.covariates.items())}".encode()
    )
    if seen.case.images:
        hashed.update(array.data if array.size else b"")
    else:
        hashed.update(seen.case.id.encode())
    return hashed.hexdigest()
