"""Workers on a cluster that each do one job after another: a job that ends its worker ends no other."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from vesalius.cluster.connect import Share
from vesalius.cluster.library import library, why_died, worker_options
from vesalius.core import errors
from vesalius.core.errors import ClusterError, VesaliusError

J = TypeVar("J")
R = TypeVar("R")
E = TypeVar("E")
L = TypeVar("L")
Work = Callable[[J], R]
AHEAD = 1  # jobs that a worker is given at once: an answer to one may be lost with the worker that the next one ends
BROKEN = 3  # workers in a row that end before they are ready: none ever will be
READY, FAULT, UNEXPECTED = "ready", "fault", "unexpected"


class _Hand:
    """One worker: it makes what does the jobs once, and does them in the order in which they come."""

    def __init__(self, make: Callable[[], Work[Any, Any]]) -> None:
        self._make = make
        self._work: Work[Any, Any] | None = None

    def ready(self) -> tuple[str, Any]:
        """Make what does the jobs; return (`ready`, None), or (`fault`, what is wrong)."""
        return self._told(self._made)

    def do(self, job: Any) -> tuple[str, Any]:
        """Return (`done`, result), (`fault`, what must end the whole), or (`unexpected`, why)."""
        return self._told(lambda: ("done", self._made()[1](job)))

    def _made(self) -> tuple[str, Any]:
        if self._work is None:
            self._work = self._make()
        return READY, self._work

    def _told(self, what: Callable[[], tuple[str, Any]]) -> tuple[str, Any]:
        try:
            word, found = what()
        except VesaliusError as error:
            return FAULT, (type(error).__name__, error.what, error.found, error.hint)
        except Exception as error:  # noqa: BLE001 - the job is tried again, and set aside at last
            said = " ".join(str(error).split())[:300]
            return UNEXPECTED, f"{type(error).__name__}: {said}" if said else type(error).__name__
        return word, None if word == READY else found


@dataclass(eq=False)
class _Worker(Generic[J]):
    hand: Any
    name: str
    jobs: deque[tuple[J, Any]] = field(default_factory=deque)  # each with what it is about to return
    first: Any = None  # what `ready` is about to return
    since: float = 0.0  # when the first of its jobs began
    ready: bool = False
    alone: bool = False


class RayPool(Generic[J, R, E, L]):
    """As many workers as a share says, begun when there is work; `make` gives each what does its jobs.

    `ended` makes of a job, its result and the worker's name what `wait` returns, `lost` of a job, a reason and the
    name. A job may take `limit_s` at most. Workers end with this process, however that ends.
    """

    def __init__(
        self,
        make: Callable[[], Work[J, R]],
        share: Share,
        *,
        ended: Callable[[J, R, str], E],
        lost: Callable[[J, str, str], L],
        limit_s: float | None = None,
    ) -> None:
        self._make, self._share, self._ended, self._lost = make, share, ended, lost
        self._limit_s, self._ray = limit_s, library()
        self._workers: list[_Worker[J]] = []
        self._begun = self._broken = 0

    @property
    def room(self) -> int:
        """How many more jobs may be given now."""
        taken = sum(AHEAD if w.alone else len(w.jobs) for w in self._workers)
        return max(0, AHEAD * self._share.workers - taken)

    @property
    def busy(self) -> int:
        """How many jobs were given and have not ended."""
        return sum(len(w.jobs) for w in self._workers)

    def give(self, job: J, *, fresh: bool = False) -> None:
        """Hand out a job, to the worker that has least to do; a `fresh` one to a new worker that gets no other."""
        free = [w for w in self._workers if not w.alone]
        if fresh:
            for worker in [w for w in free if not w.jobs]:
                self._end(worker)  # so that there is room in the cluster
            chosen = self._start()
            chosen.alone = True
        else:
            least = min(free, key=lambda w: len(w.jobs), default=None)
            grown = len(free) >= self._share.workers
            chosen = least if least is not None and (grown or not least.jobs) else self._start()
        chosen.jobs.append((job, chosen.hand.do.remote(job)))
        if len(chosen.jobs) == 1:
            chosen.since = time.monotonic()

    def wait(self, timeout_s: float) -> list[E | L]:
        """Return what ended, after `timeout_s` at the latest. Raises what must end the whole."""
        of = {
            worker.first if worker.first is not None else worker.jobs[0][1]: worker
            for worker in self._waiting()
        }
        if not of:
            time.sleep(timeout_s)
            return []
        done, _ = self._ray.wait(list(of), num_returns=1, timeout=self._until(timeout_s))
        found: list[E | L] = []
        for ref in done:
            found += self._heard(of[ref], ref)
        if self._limit_s is not None:
            found += self._late(self._limit_s)
        return found

    def stop(self, patience_s: float) -> list[E | L]:
        """Finish what is in work within that time, and end; what was only handed out is not told of."""
        until, found = time.monotonic() + patience_s, []
        first = {w.jobs[0][1]: w for w in self._workers if w.jobs and w.ready}
        while first and (left := until - time.monotonic()) > 0:
            done, _ = self._ray.wait(list(first), num_returns=1, timeout=left)
            for ref in done:
                found += self._heard(first.pop(ref), ref)
        for worker in list(self._workers):
            self._end(worker)
        return found

    def _waiting(self) -> list[_Worker[J]]:
        return [w for w in self._workers if w.jobs or w.first is not None]

    def _until(self, timeout_s: float) -> float:
        if self._limit_s is None:
            return timeout_s
        now = time.monotonic()
        left = [w.since + self._limit_s - now for w in self._workers if w.jobs and w.ready]
        return max(0.0, min([timeout_s, *left]))

    def _late(self, limit_s: float) -> list[L]:
        late = [w for w in self._workers if w.jobs and w.ready and time.monotonic() - w.since > limit_s]
        return [self._gone(worker, f"it took longer than {limit_s:g} s") for worker in late]

    def _start(self) -> _Worker[J]:
        self._begun += 1
        options = worker_options(self._share.cpus, self._share.gpus)
        hand = self._ray.remote(_Hand).options(**options).remote(self._make)
        worker: _Worker[J] = _Worker(hand, f"worker-{self._begun}", first=hand.ready.remote())
        self._workers.append(worker)
        return worker

    def _heard(self, worker: _Worker[J], ref: Any) -> list[E | L]:
        """Return what a worker told, or that it ended."""
        try:
            word, told = self._ray.get(ref)
        except self._ray.exceptions.RayError as error:
            return (
                [self._gone(worker, f"its worker ended: {why_died(error)}")]
                if worker.jobs
                else self._empty(worker)
            )
        if word == FAULT:
            self._end(worker)
            raise _error(*told)
        if word == UNEXPECTED:
            return [self._gone(worker, told)] if worker.jobs else self._empty(worker)
        if word == READY:
            worker.first, worker.ready, worker.since = None, True, time.monotonic()
            return []
        job, _ = worker.jobs.popleft()
        worker.since, self._broken = time.monotonic(), 0
        if worker.alone and not worker.jobs:
            self._end(worker)
        return [self._ended(job, told, worker.name)]

    def _empty(self, worker: _Worker[J]) -> list[E | L]:
        self._end(worker)
        return []

    def _gone(self, worker: _Worker[J], reason: str) -> L:
        """Take away a worker that ended during its first job; its others are handed to another."""
        (job, _), *others = worker.jobs
        worker.jobs.clear()
        self._broken = 0 if worker.ready else self._broken + 1
        self._end(worker)
        if self._broken >= BROKEN:
            raise ClusterError(
                "workers of the cluster end before they are ready", found=reason, hint="fewer --workers"
            )
        for other, _ in others:
            self.give(other)
        return self._lost(job, reason, worker.name)

    def _end(self, worker: _Worker[J]) -> None:
        self._ray.kill(worker.hand)
        self._workers.remove(worker)


def _error(kind: str, what: str, found: str | None, hint: str | None) -> VesaliusError:
    """Return a worker's error as it was there."""
    made: Any = getattr(errors, kind, VesaliusError)
    try:
        error: VesaliusError = made(what, found=found, hint=hint)
    except TypeError:  # a kind that is made otherwise
        error = VesaliusError(what, found=found, hint=hint)
    return error
