"""What is observed of a bundle that answers: the marks of its answer, and the raw outputs of its networks on the way.

A case goes the ordinary way of every case (`infer/predictor.py`), once; each stage's task is only listened to.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor

from vesalius.answers import contract
from vesalius.core.answers import Answer
from vesalius.core.case import Case
from vesalius.core.image import Array
from vesalius.core.marks import Mark, cells, fields_of, spread_of
from vesalius.infer.asked import inferred
from vesalius.infer.predictor import Predictor
from vesalius.tasks.contract import Task

APART = 16  # calls of networks whose raw outputs are kept one by one; of further ones the mean
NUMBERS = 128  # of one call
_OWN = (
    "case_id",
    "source",
    "bundle",
    "by",
    "parts",
    "outside",
    "on",
)  # of an answer: whose it is, not what it says
RAW = "raw outputs"


@dataclass(frozen=True, slots=True)
class Observed:
    """What was seen while a case was answered: marks by name, and how many values went through how many weights."""

    marks: Mapping[str, Mark]
    work: float


class _Heard:
    """The raw outputs of one stage, each as a short list of numbers."""

    def __init__(self) -> None:
        self.calls: list[Array] = []
        self.rest: dict[int, tuple[Array, int]] = {}
        self.work = 0.0

    def add(self, raw: Any) -> None:
        """Keep what one call gave."""
        found = [_short(t) for t in _tensors(raw)]
        numbers = np.concatenate(found) if found else np.zeros(0)
        if len(self.calls) < APART:
            self.calls.append(numbers)
            return
        total, n = self.rest.get(len(numbers), (np.zeros(len(numbers)), 0))
        self.rest[len(numbers)] = (total + numbers, n + 1)

    def numbers(self) -> Array:
        """Return all that was kept, call after call."""
        rest = [total / n for total, n in self.rest.values()]
        return np.concatenate([*self.calls, *rest]) if self.calls else np.zeros(0)


class _Listening:
    """A task that does what another does, and whose raw outputs are heard."""

    def __init__(self, task: Task, heard: _Heard) -> None:
        self._task, self._heard = task, heard
        self.__module__ = type(task).__module__  # whose code an error is of

    def __getattr__(self, name: str) -> Any:
        return getattr(self._task, name)

    def infer(self, model: Any, batch: Any, generator: Any) -> Any:
        """Return the raw output of the other task."""
        raw = inferred(self._task, model, batch, generator)
        self._heard.add(raw)
        seen = sum(t.numel() for t in batch.images.values()) or len(batch.case_ids)
        self._heard.work += float(seen) * sum(p.numel() for p in model.parameters())
        return raw


def observe(predictor: Predictor, case: Case) -> Observed:
    """Return what is observed while a case is answered in the ordinary way. Raises what answering it raises."""
    heard = [_Heard() for _ in predictor.stages]
    listening = copy.copy(predictor)
    listening.refuse_unlike = False  # what is made up is unlike everything
    listening.stages = tuple(
        replace(loaded, task=cast(Task, _Listening(loaded.task, one)))
        for loaded, one in zip(predictor.stages, heard, strict=True)
    )
    answer = listening(case)
    tasks = {loaded.stage.name: loaded for loaded in predictor.stages[:-1]}
    last = predictor.stages[-1]
    marks = list(_of_answer(answer, last.task.spread(last.stage.state)))
    for name, part in answer.parts.items():
        loaded = tasks.get(name)
        spread = None if loaded is None else loaded.task.spread(loaded.stage.state)
        marks += [replace(m, name=f"{name}: {m.name}") for m in _of_answer(part, spread)]
    several = len(heard) > 1
    for loaded, one in zip(predictor.stages, heard, strict=True):
        numbers = one.numbers()
        name = f"{RAW} of {loaded.stage.name}" if several else RAW
        marks.append(Mark(name, tuple(map(float, numbers)), unit=spread_of(numbers)))
    return Observed({m.name: m for m in marks}, sum(one.work for one in heard))


def _of_answer(answer: Answer, spread: float | None) -> Iterator[Mark]:
    """Yield the marks of an answer: those of its kind, then what every answer may carry beside."""
    own = list(contract.of(answer).marks(answer))
    beside = [f.name for f in fields(Answer) if f.name not in _OWN]
    for name in beside:
        value = getattr(answer, name)
        own.append(Mark(f"{name} is given", "no" if value is None else "yes"))
        if not isinstance(value, str):  # a sentence may hold a number, rounded
            own += fields_of(value, name)
    for mark in own:
        yield mark if mark.unit is not None else replace(mark, unit=_unit(mark.value, spread))


def _unit(value: str | float | tuple[float, ...], spread: float | None) -> float:
    if spread:
        return spread
    known = np.asarray([] if isinstance(value, str) else value, dtype=np.float64).ravel()
    return float(np.abs(known).max()) if known.size and np.abs(known).max() > 0 else 1.0


def _tensors(raw: Any) -> Iterator[Tensor]:
    if isinstance(raw, Tensor):
        yield raw.detach()
    elif isinstance(raw, Mapping):
        for value in raw.values():
            yield from _tensors(value)
    elif isinstance(raw, Sequence) and not isinstance(raw, str):
        for value in raw:
            yield from _tensors(value)


def _short(raw: Tensor) -> Array:
    """Return a raw output as at most NUMBERS means: of blocks where it is a field, of stretches otherwise."""
    if raw.ndim >= 4:
        channels = raw.reshape(-1, *raw.shape[-3:])
        most = 2 if len(channels) * 8 <= NUMBERS else 1
        blocks = (_mean(block) for channel in channels for block in cells(channel, most=most))
        flat = np.array(list(blocks))
    else:
        flat = raw.to("cpu", torch.float64).numpy().ravel()
    if len(flat) <= NUMBERS:
        return flat
    edges = [k * len(flat) // NUMBERS for k in range(NUMBERS)]
    return np.asarray(np.add.reduceat(flat, edges) / np.diff([*edges, len(flat)]))


def _mean(block: Any) -> float:
    return float(block.mean(dtype=torch.float64))
