"""Processes of this machine, started by torch's elastic launcher, and begun again at a checkpoint where one dies."""

from __future__ import annotations

import logging
import pickle
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vesalius.core.errors import DataError, Interrupted, PlanError
from vesalius.core.progress import Progress
from vesalius.core.words import counted
from vesalius.learn.parallel.notes import Notes, replayed

FOLLOWED = (-15, 75)  # how processes end because another did: told to by the launcher, or on their own
AGAIN = 3  # times that all are begun again, before one fewer is tried
WORKER = "vesalius.learn.parallel.worker"


@dataclass(frozen=True)
class Job:
    """What every process runs: `function(**arguments)`, pickled. `device` is the kind that they compute on."""

    function: Callable[..., object]
    arguments: Mapping[str, Any]
    device: str | None = None


@dataclass(frozen=True)
class Loss:
    """Processes that were lost at one time: how many there were, and how each ended, by its number."""

    size: int
    ended: Mapping[int, str]

    @property
    def text(self) -> str:
        """Say it in a sentence."""
        each = (
            ", ".join(f"process {rank} {how}" for rank, how in sorted(self.ended.items()))
            or "the processes ended"
        )
        return f"{each} (of {self.size})"


def launched(job: Job, size: int, *, progress: Progress) -> Path | None:
    """Run a job in so many processes of this machine, and return the folder that it left behind.

    Where one is killed, all begin again at the last checkpoint; after AGAIN times with one fewer. What the leader tells
    of its progress is told to `progress`. Raises what the leader raises, Interrupted, and DataError where the processes
    end again and again.
    """
    with tempfile.TemporaryDirectory(prefix="vesalius-") as place, _quiet():
        notes = Notes(Path(place))
        notes.keep_job(_pickled(job))
        lost: list[Loss] = []
        with replayed(notes, progress):
            while True:
                found = _attempt(notes, size, len(lost))
                notes.raise_told()
                if found is None:
                    return notes.folder()
                lost.append(found)
                notes.keep_lost([{"processes": one.size, "lost": one.text} for one in lost])
                size = _next_size(lost, progress)


def _next_size(lost: list[Loss], progress: Progress) -> int:
    """Return how many processes begin again. Raises DataError where it was tried often enough."""
    last = lost[-1]
    same = sum(one.size == last.size for one in lost)
    size = last.size if same <= AGAIN else last.size - 1
    if last.size == 1 and same > AGAIN:
        raise DataError(
            "the training was begun again and again, and its processes ended each time",
            found=last.text,
            hint="more memory, or a smaller train.batch; --resume goes on from the last checkpoint",
        )
    fewer = (
        ""
        if size == last.size
        else f", with {counted(size, 'process', 'processes')}: rounding differs from here on"
    )
    progress.note(f"{last.text}; all begin again at the last checkpoint{fewer}")
    return size


def _pickled(job: Job) -> bytes:
    try:
        return pickle.dumps(job)
    except (pickle.PicklingError, AttributeError, TypeError) as error:
        raise PlanError(
            "what is asked for cannot be handed to other processes",
            found=str(error).splitlines()[0][:120],
            hint="a path in place of an object, or devices=1",
        ) from error


def _attempt(notes: Notes, size: int, begun: int) -> Loss | None:
    """Run the processes once. Returns None where all ended of themselves, or what was lost. Raises Interrupted."""
    from torch.distributed.elastic.multiprocessing import DefaultLogsSpecs, SignalException
    from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
    from torch.distributed.launcher.api import LaunchConfig, elastic_launch

    config = LaunchConfig(
        min_nodes=1,
        max_nodes=1,
        nproc_per_node=size,
        run_id=f"{notes.place.name}-{begun}",
        rdzv_backend="c10d",
        rdzv_endpoint="127.0.0.1:0",
        max_restarts=0,
        monitor_interval=0.1,
        logs_specs=DefaultLogsSpecs(log_dir=str(notes.place / "logs")),
        local_addr="127.0.0.1",
    )
    try:
        elastic_launch(config, sys.executable)("-m", WORKER, str(notes.place), str(begun))
    except ChildFailedError as error:
        codes = {k: f.exitcode for k, f in error.failures.items()}
        first = {k: code for k, code in codes.items() if code not in FOLLOWED}
        return Loss(size, {k: _ended(code) for k, code in (first or codes).items()})
    except (SignalException, KeyboardInterrupt) as error:
        notes.raise_told()
        raise Interrupted(
            "interrupted; what was trained until the last checkpoint is saved", hint="--resume"
        ) from error
    return None


def _ended(code: int) -> str:
    return f"was ended by signal {-code}" if code < 0 else f"ended with exit code {code}"


@contextmanager
def _quiet() -> Iterator[None]:
    """Silence torch's launcher, whose words are of its own inside."""
    import torch.distributed.launcher.api  # noqa: F401 - whose loggers are there from then on

    held = [logging.getLogger(name) for name in ("torch.distributed", "torch.distributed.elastic")]
    held += [
        one
        for name, one in logging.Logger.manager.loggerDict.items()
        if name.startswith("torch.distributed.") and isinstance(one, logging.Logger)
    ]
    before = [one.level for one in held]
    for one in held:
        one.setLevel(logging.CRITICAL + 1)
    try:
        yield
    finally:
        for one, level in zip(held, before, strict=True):
            one.setLevel(level)
