"""What a leader needs of whoever answers for it: local processes, or those of a cluster."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from vesalius.run.archive.order import Job, Result


@dataclass(frozen=True, slots=True)
class Ended:
    """A study that a worker has done."""

    job: Job
    result: Result
    worker: str


@dataclass(frozen=True, slots=True)
class Lost:
    """A study during which its worker ended: by itself, by the system, or for the time that it took."""

    job: Job
    reason: str
    worker: str


class Pool(Protocol):
    """Workers that answer one study after another. An error that must end the whole run is raised by `wait`."""

    @property
    def room(self) -> int:
        """How many more jobs may be given now."""

    @property
    def busy(self) -> int:
        """How many jobs were given and have not ended."""

    def give(self, job: Job, *, fresh: bool = False) -> None:
        """Hand out a job; a `fresh` one to a worker that has answered nothing yet."""

    def wait(self, timeout_s: float) -> list[Ended | Lost]:
        """Return what ended, after `timeout_s` at the latest."""

    def stop(self, patience_s: float) -> list[Ended | Lost]:
        """Finish what is in work within that time, and end; what is not finished is not told of."""
