"""What the leader hands to followers: one training to take part in, its examples in a file that all of them map."""

from __future__ import annotations

import mmap
import pickle
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor, nn

from vesalius.core.bundle import State
from vesalius.core.disk import output_errors
from vesalius.core.errors import DataError
from vesalius.core.plan import Plan
from vesalius.learn.checkpoint import Checkpoint
from vesalius.learn.course import Change
from vesalius.learn.parallel.crew import Crew
from vesalius.prepare.batch import Example
from vesalius.tasks.contract import Task

ALIGN = 64  # bytes, from which arrays begin in the file


@dataclass(frozen=True, eq=False)
class Call:
    """One member's training, as `loop.train` takes it; `saved` is where it begins, `steps` its course so far."""

    task: Task
    plan: Plan
    state: State
    examples: Sequence[Example]
    member: int
    device: str | None
    start: Mapping[str, Tensor] | None
    unlabelled: frozenset[str]
    teacher: nn.Module | None
    saved: Checkpoint
    changes: Sequence[Change]
    validates: bool


@contextmanager
def handed(crew: Crew, call: Call, path: Path) -> Iterator[None]:
    """Hand a training to the followers; inside this block they take part in it.

    The arrays of its examples are written to `path` once, and mapped by all: on one machine they lie in memory once.
    Raises OutputError, CrewLost.
    """
    if crew.alone:
        yield
        return
    held: list[pickle.PickleBuffer] = []
    examples = pickle.dumps([_plain(e) for e in call.examples], protocol=5, buffer_callback=held.append)
    try:
        spans = _write([b.raw() for b in held], path)
        crew.hand((replace(call, examples=()), examples, str(path.absolute()), spans))
        yield
    finally:
        path.unlink(missing_ok=True)


def next_call(crew: Crew) -> Call | None:
    """Wait for what the leader hands over next; return None where all is over.

    Raises DataError where the run's folder is not there on this process's machine, CrewLost.
    """
    found: Any = crew.hand(None)
    if found is None:
        return None
    call, examples, path, spans = found
    held: Call = replace(call, examples=pickle.loads(examples, buffers=_mapped(Path(path), spans, crew)))
    return held


def over(crew: Crew) -> None:
    """Tell the followers that nothing follows. Raises CrewLost."""
    if crew.leads and not crew.alone:
        crew.hand(None)


def _plain(example: Example) -> Example:
    """Return an example whose arrays pickle without being copied."""

    def plain(value: Any) -> Any:
        if isinstance(value, np.ndarray):
            return np.ascontiguousarray(np.asarray(value))
        if isinstance(value, Mapping):
            return {k: plain(v) for k, v in value.items()}
        return value

    return replace(example, **{f.name: plain(getattr(example, f.name)) for f in fields(example)})


def _write(buffers: Sequence[memoryview], path: Path) -> list[tuple[int, int]]:
    """Write buffers one after another; return where each begins and how long it is, in bytes."""
    spans: list[tuple[int, int]] = []
    with output_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("wb") as file:
            for one in buffers:
                file.write(b"\0" * (-file.tell() % ALIGN))
                spans.append((file.tell(), one.nbytes))
                file.write(one)
            file.write(b"\0")  # an empty file cannot be mapped
    return spans


def _mapped(path: Path, spans: Sequence[tuple[int, int]], crew: Crew) -> list[memoryview]:
    """Return the buffers in a file; what is written into them stays in this process."""
    try:
        with path.open("rb") as file:
            view = memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY))
    except (OSError, ValueError) as error:
        raise DataError(
            f"process {crew.rank} of {crew.size} does not see the run's folder, which all must share",
            found=f"no {path}",
            hint="-o on a disk that every host has under the same path",
        ) from error
    return [view[start : start + size] for start, size in spans]
