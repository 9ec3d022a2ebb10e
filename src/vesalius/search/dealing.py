"""One process hands the trials of a search to workers elsewhere: it alone has the store, they alone measure.

A store in SQLite, and locks of folders, are not safe to share between machines over a network's file system. So whoever
measures elsewhere never sees the store: a trial's settings go out, looks on the way and what it came to come back.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from vesalius.core.errors import ClusterError
from vesalius.core.progress import Progress
from vesalius.core.words import counted
from vesalius.search.store import ATTEMPTS, DEFAULT, RUNNING, Store, Taken
from vesalius.search.work import hopeless, name_of, time_left

WAIT_S = 0.5  # for something to happen elsewhere, before the clock is looked at
DEATHS = 3  # of workers in a row, a worker, after which no more are begun


@dataclass(frozen=True)
class Looked:
    """A worker's score on the way, the `look`-th from 1; it waits to be told whether its trial is ended early."""

    worker: int
    look: int
    score: float


@dataclass(frozen=True)
class Measured:
    """What a trial came to: `result` where it was finished, `look` where it was ended early, else `reason`."""

    worker: int
    result: Mapping[str, Any] | None = None
    look: int | None = None
    reason: str = ""


@dataclass(frozen=True)
class Died:
    """A worker ended without a word, or its machine did; another one is begun in its place."""

    worker: int
    why: str


Event = Looked | Measured | Died


class Elsewhere(Protocol):
    """Workers that are somewhere else, by number from 0; each measures one trial at a time."""

    many: int

    def begin(self, worker: int, settings: Mapping[str, Any], name: str) -> None:
        """Let a worker measure a trial; one that died is begun anew."""

    def answer(self, worker: int, *, ended: bool) -> None:
        """Tell a worker that looked whether its trial is ended early."""

    def wait(self, seconds: float) -> Sequence[Event]:
        """Return what has happened, after `seconds` at most. Raises ClusterError where no worker can work."""


@dataclass(eq=False, kw_only=True)
class Dealer:
    """Hands trials out until none is left or the time is over, by the same rules as a worker that takes its own.

    `until` is a `time.monotonic()` past which no trial is begun that would not be finished, `each_s` how long one is
    expected to take at first.
    """

    store: Store
    elsewhere: Elsewhere
    progress: Progress
    until: float | None = None
    each_s: float = 0.0
    _busy: dict[int, tuple[Taken, float]] = field(default_factory=dict)
    _deaths: int = 0
    _default_deaths: int = 0

    def work(self) -> None:
        """Deal trials until all are measured, or the time is over; what is under way then is left to the next search.

        Raises ClusterError where workers die one after the other, and Ctrl-C's KeyboardInterrupt.
        """
        self.progress.start("trials", self.store.trials)
        try:
            while not hopeless(self.store):
                self._deal()
                if self._busy:
                    for event in self.elsewhere.wait(WAIT_S):
                        self._heed(event)
                    if self._late():
                        self.progress.note("time is over: a trial under way is left as it is")
                        return
                elif self._others():
                    time.sleep(WAIT_S)
                else:
                    return
        finally:
            for taken, _ in self._busy.values():
                self.store.let_go(taken)
            self._busy.clear()
            self.progress.finish("trials")

    def _deal(self) -> None:
        """Give each idle worker a trial, as long as there are any and there is time."""
        for worker in range(self.elsewhere.many):
            if worker in self._busy or not time_left(self.store, self.until, self.each_s):
                continue
            taken = self.store.take(worker)
            if taken is None:
                return
            self._busy[worker] = taken, time.monotonic()
            self.elsewhere.begin(worker, taken.settings, name_of(taken.number))

    def _heed(self, event: Event) -> None:
        if event.worker not in self._busy:  # of a trial that was let go of meanwhile
            return
        taken, began = self._busy[event.worker]
        if isinstance(event, Looked):
            ended = taken.report(event.look, event.score) and taken.number != DEFAULT
            self.elsewhere.answer(event.worker, ended=ended)
            return
        del self._busy[event.worker]
        if isinstance(event, Died):
            self._buried(taken, event)
            return
        self._deaths = 0
        if event.result is not None:
            self.store.finish(taken, {**event.result, "wall_s": round(time.monotonic() - began, 2)})
            word = f"{event.result['score']:.4f}"
        elif event.look is not None:
            self.store.prune(taken, event.look)
            word = "ended early"
        else:
            self.store.fail(taken, event.reason)
            word = "failed"
        colon = ":" if event.result is not None else ""
        self.progress.advance("trials", text=f"trial {taken.number}{colon} {word}")

    def _buried(self, taken: Taken, event: Died) -> None:
        """Leave the trial of a worker that died to the next that is idle. Raises ClusterError where all die."""
        self._deaths += 1
        self._default_deaths += taken.number == DEFAULT
        if taken.number == DEFAULT and self._default_deaths >= ATTEMPTS:
            self.store.fail(taken, f"its worker died {counted(ATTEMPTS, 'time')} ({event.why})")
            next_ = "failed"
        else:
            self.store.lost(taken)
            next_ = "is taken up again, or given up where that happened before"
        self.progress.note(f"worker {event.worker} died ({event.why}); trial {taken.number} {next_}")
        if self._deaths >= DEATHS * self.elsewhere.many:
            raise ClusterError(
                "the workers of the cluster die before a trial is finished",
                found=f"{self._deaths} in a row, the last: {event.why}",
                hint="fewer --workers, or more memory for each; the same command goes on",
            )

    def _late(self) -> bool:
        return self.until is not None and time.monotonic() > self.until + 2 * self.each_s

    def _others(self) -> bool:
        """Return whether another search in this folder works on a trial, for which it is worth to wait."""
        return not self._late() and any(t.state == RUNNING for t in self.store.all())
