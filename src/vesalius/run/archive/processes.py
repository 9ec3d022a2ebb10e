"""Workers of an archive as processes of this machine: a study that ends its process ends no other."""

from __future__ import annotations

import multiprocessing
import signal
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Any

from vesalius.core import errors
from vesalius.core.errors import BudgetError, VesaliusError
from vesalius.core.parent import end_with_parent
from vesalius.run.archive.order import Job, Order, Result
from vesalius.run.archive.pool import Ended, Lost

Answer = Callable[[Job], Result]
AHEAD = 2  # studies that a worker is given at once, so that it need not wait for the leader
RECYCLED = 5_000  # studies after which a worker's memory is given back
GROWN, GROWN_BYTES = 1.5, 512 * 2**20  # or when it holds so much more than after its first studies
SETTLED = 20  # studies after which it holds what it needs
ENDS_S = 5.0  # that a worker is given to end by itself
BROKEN = 3  # workers in a row that end before they have answered anything: none ever will


@dataclass(eq=False)
class _Worker:
    process: BaseProcess
    line: Connection
    name: str
    jobs: deque[Job] = field(default_factory=deque)
    since: float = 0.0  # when the first of its jobs began
    ready: bool = False
    done: int = 0
    held: int = 0  # bytes after its first studies
    full: bool = False  # it is given nothing more
    alone: bool = False


class Processes:
    """Local workers, which are started when there is work. `case_limit_s` is how long a study may take.

    `answerer` makes of an order what answers, by default an Answerer; each process makes its own.
    """

    def __init__(
        self,
        order: Order,
        workers: int,
        *,
        case_limit_s: float | None = None,
        answerer: Callable[[Order], Answer] | None = None,
    ) -> None:
        self._order, self._many, self._limit_s, self._answerer = order, workers, case_limit_s, answerer
        self._context = multiprocessing.get_context("spawn")
        self._workers: list[_Worker] = []
        self._begun = self._broken = 0

    @property
    def room(self) -> int:
        """How many more jobs may be given now."""
        taken = sum(AHEAD if w.full or w.alone else len(w.jobs) for w in self._workers)
        return max(0, AHEAD * self._many - taken)

    @property
    def busy(self) -> int:
        """How many jobs were given and have not ended."""
        return sum(len(w.jobs) for w in self._workers)

    def give(self, job: Job, *, fresh: bool = False) -> None:
        """Hand out a job, to the worker that has least to do; a `fresh` one to a new worker that gets no other."""
        free = [w for w in self._workers if not w.full and not w.alone]
        if fresh:
            for worker in [w for w in free if not w.jobs]:
                self._end(worker)
            chosen = self._start()
            chosen.alone = True
        else:
            idle = [w for w in free if not w.jobs]
            grown = len([w for w in self._workers if not w.full]) >= self._many
            chosen = (
                idle[0] if idle else min(free, key=lambda w: len(w.jobs)) if grown and free else self._start()
            )
        chosen.jobs.append(job)
        if len(chosen.jobs) == 1:
            chosen.since = time.monotonic()
        try:
            chosen.line.send(job)
        except OSError:  # it has just ended, which `wait` finds
            return

    def wait(self, timeout_s: float) -> list[Ended | Lost]:
        """Return what ended, after `timeout_s` at the latest. Raises what must end the run."""
        ready = wait([w.line for w in self._workers], self._until(timeout_s)) if self._workers else []
        found: list[Ended | Lost] = []
        for worker in [w for w in self._workers if w.line in ready]:
            found += self._heard(worker)
        now = time.monotonic()
        for worker in list(self._workers):
            late = self._limit_s is not None and worker.ready and worker.jobs
            if late and now - worker.since > (self._limit_s or 0.0):
                worker.process.kill()
                found.append(self._lost(worker, f"it took longer than {self._limit_s:g} s"))
        return found

    def stop(self, patience_s: float) -> list[Ended | Lost]:
        """Finish what is in work within that time, and end; what was only handed out is not begun."""
        found: list[Ended | Lost] = []
        until = time.monotonic() + patience_s
        for worker in self._workers:
            worker.full = True
        first = {id(w): w.jobs[0] for w in self._workers if w.jobs and w.ready}
        while first and time.monotonic() < until:
            ready = wait([w.line for w in self._workers if id(w) in first], until - time.monotonic())
            for worker in [w for w in self._workers if w.line in ready]:
                found += self._heard(worker)
                first.pop(id(worker), None)
        for worker in list(self._workers):
            if worker.jobs:
                worker.process.kill()
            self._end(worker)
        return found

    def _until(self, timeout_s: float) -> float:
        if self._limit_s is None:
            return timeout_s
        now = time.monotonic()
        left = [w.since + self._limit_s - now for w in self._workers if w.jobs and w.ready]
        return max(0.0, min([timeout_s, *left]))

    def _start(self) -> _Worker:
        ours, theirs = self._context.Pipe()
        self._begun += 1
        name = f"worker-{self._begun}"
        process = self._context.Process(
            target=_work, args=(self._order, theirs, self._answerer), daemon=True, name=name
        )
        process.start()
        theirs.close()
        worker = _Worker(process, ours, name)
        self._workers.append(worker)
        return worker

    def _heard(self, worker: _Worker) -> list[Ended | Lost]:
        """Return what a worker told, or that it ended."""
        try:
            told = worker.line.recv()
        except (EOFError, OSError):
            worker.process.join(ENDS_S)
            return [self._lost(worker, _how(worker.process.exitcode))] if worker.jobs else self._gone(worker)
        if isinstance(told, _Ready):
            worker.ready, worker.since = True, time.monotonic()
            return []
        if isinstance(told, _Fault):
            if told.kind:
                self._end(worker)
                raise told.error()
            worker.process.join(ENDS_S)
            return [self._lost(worker, told.what)]
        job = worker.jobs.popleft()
        worker.since = time.monotonic()
        worker.done, self._broken = worker.done + 1, 0
        if worker.done == SETTLED:
            worker.held = told.rss
        grown = worker.held and told.rss > max(GROWN * worker.held, worker.held + GROWN_BYTES)
        worker.full = worker.full or worker.done >= RECYCLED or bool(grown)
        if (worker.full or worker.alone) and not worker.jobs:
            self._end(worker)
        return [Ended(job, told, worker.name)]

    def _gone(self, worker: _Worker) -> list[Ended | Lost]:
        self._end(worker)
        return []

    def _lost(self, worker: _Worker, reason: str) -> Lost:
        """Take a worker away that ended during its first job; its others are handed to another."""
        job, others = worker.jobs.popleft(), list(worker.jobs)
        worker.jobs.clear()
        begun = worker.ready
        self._end(worker)
        self._broken = 0 if begun else self._broken + 1
        if self._broken >= BROKEN:
            raise BudgetError(
                "workers end before they have answered anything", found=reason, hint="fewer --workers"
            )
        for other in others:
            self.give(other)
        return Lost(job, reason, worker.name)

    def _end(self, worker: _Worker) -> None:
        worker.line.close()
        worker.process.join(ENDS_S)
        if worker.process.is_alive():
            worker.process.kill()
            worker.process.join()
        worker.process.close()
        self._workers.remove(worker)


@dataclass(frozen=True)
class _Ready:
    """A worker has loaded its bundle."""


@dataclass(frozen=True)
class _Fault:
    """An error that must end the run, by its kind; or without one, an error that nobody expected, in words."""

    kind: str
    what: str
    found: str | None = None
    hint: str | None = None

    def error(self) -> VesaliusError:
        kind: Any = getattr(errors, self.kind, VesaliusError)
        try:
            found: VesaliusError = kind(self.what, found=self.found, hint=self.hint)
        except TypeError:  # a kind that is made otherwise
            found = VesaliusError(self.what, found=self.found, hint=self.hint)
        return found


def _how(code: int | None) -> str:
    """Return in words how a worker ended."""
    if code is not None and code < 0:
        name = signal.Signals(-code).name
        cause = ", as where memory runs out" if -code == signal.SIGKILL else ""
        return f"its worker ended by {name}{cause}"
    return f"its worker ended with code {code}"


def _work(order: Order, line: Connection, answerer: Callable[[Order], Answer] | None) -> None:
    """Answer what comes until nothing comes any more."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the leader's
    end_with_parent()
    from vesalius.run.archive.answering import Answerer

    try:
        answer = (answerer or Answerer)(order)
        line.send(_Ready())
        while True:
            result: Result = answer(line.recv())
            line.send(result)
    except EOFError:
        return
    except VesaliusError as error:
        line.send(_Fault(type(error).__name__, error.what, error.found, error.hint))
    except Exception as error:  # noqa: BLE001 - the leader tries the study again, and sets it aside at last
        said = " ".join(str(error).split())[:300]
        line.send(_Fault("", f"{type(error).__name__}: {said}" if said else type(error).__name__))
