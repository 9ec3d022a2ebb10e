"""The processes that train together: a leader, rank 0, and followers; what they say to one another."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from vesalius.core.errors import PlanError, VesaliusError
from vesalius.learn.parallel import places
from vesalius.learn.parallel.gradients import mean
from vesalius.learn.parallel.places import Place
from vesalius.learn.parallel.pulse import Pulse

T = TypeVar("T")
STEP_S = 600.0  # a step that one process has not finished after so long is taken to hang, and so is one that is silent
IDLE = timedelta(days=30)  # a follower waits for as long as the leader reads, plans and validates


class CrewLost(Exception):
    """A process of the crew is gone, or does not answer; whoever launched them may begin again at a checkpoint."""


@dataclass(eq=False)
class Crew:
    """One process's view of all. A crew of one, which every training has without a launcher, says nothing to nobody.

    `device` is what this process computes on, None for the usual one. `begun` is how often all were begun again.
    `active` holds while all of them take the same step.
    """

    rank: int = 0
    size: int = 1
    local_rank: int = 0
    local_size: int = 1
    begun: int = 0
    launcher: str = ""
    steps: Any = None  # torch's process group for what happens within a step
    idle: Any = None  # and the one that followers wait on
    active: bool = field(default=False, init=False)
    splits: bool = field(default=False, init=False)  # within a module that computes some rows alone
    notes: Path | None = field(default=None, init=False)  # where what the launcher should know is written
    others_s: float = field(
        default=0.0, init=False
    )  # of processor time that the others had used when it was counted
    pulse: Pulse | None = field(default=None, init=False)

    def __deepcopy__(self, memo: object) -> Crew:
        return self

    @property
    def leads(self) -> bool:
        """Whether this process is the one that runs the verb."""
        return self.rank == 0

    @property
    def alone(self) -> bool:
        """Whether there is no other process."""
        return self.size == 1

    def device(self, wanted: str | None) -> str | None:
        """Return the device of this process where `wanted` names a kind: of several graphics cards, one each.

        Raises PlanError where there are fewer graphics cards than processes on this machine.
        """
        kind = wanted or ("cuda" if torch.cuda.is_available() else "cpu")
        if self.alone or not kind.startswith("cuda"):
            return wanted
        there = torch.cuda.device_count()
        if there < self.local_size:
            raise PlanError(
                f"{self.local_size} processes need a graphics card each",
                found=f"{there} on this machine",
                hint=f"--devices {max(1, there)}, or --device cpu",
            )
        return f"cuda:{self.local_rank}"

    def rows(self, n: int, rank: int | None = None) -> slice:
        """Return which of `n` rows are a process's share: as many each, or one more for the first."""
        k = self.rank if rank is None else rank
        each, more = divmod(n, self.size)
        start = k * each + min(k, more)
        return slice(start, start + each + (k < more))

    def agree(self, *numbers: int) -> tuple[int, ...]:
        """Return the leader's numbers, on every process; what a clock or a signal decides is decided so."""
        if self.alone:
            return numbers
        told = torch.tensor(numbers, dtype=torch.int64)
        with _lost():
            torch.distributed.broadcast(told, 0, group=self.idle)
        return tuple(map(int, told))

    def hand(self, value: T | None) -> T:
        """Return the leader's value, pickled, on every process."""
        held: list[Any] = [value]
        if not self.alone:
            with _lost():
                torch.distributed.broadcast_object_list(held, 0, group=self.idle, device=torch.device("cpu"))
        found: T = held[0]
        return found

    def each(self, value: T) -> list[T]:
        """Return what each process says, by rank, on every process."""
        if self.alone:
            return [value]
        found: list[Any] = [None] * self.size
        with _lost():
            torch.distributed.all_gather_object(found, value, group=self.steps)
        return found

    def sum(self, value: Tensor) -> Tensor:
        """Return the sum over all processes, in place; without gradients."""
        if not self.alone:
            with _lost():
                torch.distributed.all_reduce(value, group=self.steps)
        return value

    def largest(self, value: Tensor) -> Tensor:
        """Return the largest of each number over all processes, in place; without gradients."""
        if not self.alone:
            with _lost():
                torch.distributed.all_reduce(value, torch.distributed.ReduceOp.MAX, group=self.steps)
        return value

    def mean_gradients(self, parameters: Iterable[nn.Parameter]) -> None:
        """Replace gradients by their mean over all processes; see `gradients.py`."""
        if not self.alone:
            with _lost():
                mean(list(parameters), self)

    @contextmanager
    def together(self) -> Iterator[None]:
        """Inside this block every process takes the same step: what `rows.share` made shared is computed in parts."""
        before, self.active = self.active, not self.alone
        try:
            with _lost() if self.active else _plainly():
                yield
        finally:
            self.active = before

    def count_time(self) -> None:
        """Have every process know how many seconds of processor time the others have used so far, in `others_s`."""
        if not self.alone:
            used = self.each(time.process_time())
            self.others_s = sum(used) - used[self.rank]

    def end(self) -> None:
        """Leave the process group; nothing can be said to one another after it."""
        if self.pulse is not None:
            self.pulse.end()
        if not self.alone and torch.distributed.is_initialized():
            torch.distributed.destroy_process_group()


@contextmanager
def _plainly() -> Iterator[None]:
    yield


@contextmanager
def _lost() -> Iterator[None]:
    """Say of what torch raises where another process is gone that it is. Raises CrewLost."""
    try:
        yield
    except (torch.distributed.DistError, RuntimeError) as error:
        if not is_lost(error):
            raise
        raise CrewLost(str(error).splitlines()[0][:200]) from error


_WORDS = (
    "connection closed",
    "connection reset",
    "broken pipe",
    "timed out",
    "timeout",
    "gloo",
    "nccl",
    "socket",
)


def is_lost(error: BaseException) -> bool:
    """Return whether torch says that another process is gone, or does not answer."""
    if isinstance(error, torch.distributed.DistError):
        return True
    text = str(error).lower()
    return (
        isinstance(error, RuntimeError)
        and not isinstance(error, VesaliusError)
        and any(w in text for w in _WORDS)
    )


_JOINED: list[Crew] = []  # as torch's own process group is: one a process


def current() -> Crew:
    """Return the crew that this process has joined; a crew of one where it has joined none."""
    return _JOINED[0] if _JOINED else Crew()


def joined(device: str | None = None, *, step_s: float = STEP_S) -> Crew | None:
    """Join the processes that a launcher started, once; return None where there is none.

    All must be there before it returns. Raises PlanError, CrewLost where not all come.
    """
    if _JOINED:
        return _JOINED[0]
    place = places.found()
    if place is None:
        return None
    made = join(place, device, step_s=step_s)
    _JOINED.append(made)
    return made


def adopt(crew: Crew) -> Crew:
    """Let this process be of a crew that another launcher brought together; return it."""
    _JOINED[:] = [crew]
    return crew


def join(place: Place, device: str | None = None, *, step_s: float = STEP_S) -> Crew:
    """Return the crew of which this process is at `place`, once all of it have come. Raises PlanError, CrewLost."""
    made = Crew(place.rank, place.size, place.local_rank, place.local_size, place.begun, place.launcher)
    chosen = made.device(device)
    on_card = str(chosen or ("cuda" if torch.cuda.is_available() else "cpu")).startswith("cuda")
    if on_card:
        torch.cuda.set_device(place.local_rank)
    backend = "cpu:gloo,cuda:nccl" if on_card else "gloo"
    within = timedelta(seconds=step_s)
    with _lost():
        torch.distributed.init_process_group(
            backend,
            init_method=f"tcp://{place.address}:{place.port}" if not _has_store() else "env://",
            rank=place.rank,
            world_size=place.size,
            timeout=within,
        )
        made.steps = torch.distributed.group.WORLD
        made.idle = torch.distributed.new_group(backend="gloo", timeout=IDLE)
        made.pulse = Pulse(place, step_s)
    return made


def left() -> None:
    """Leave the crew that was joined, if any."""
    while _JOINED:
        _JOINED.pop().end()


def _has_store() -> bool:
    """Return whether torchrun keeps the store by which processes find one another."""
    import os

    return "TORCHELASTIC_RUN_ID" in os.environ
