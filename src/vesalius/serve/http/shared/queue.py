"""The database that service processes share, this process's place among them, and whether it can be reached now."""

from __future__ import annotations

import contextlib
import logging
import math
import secrets
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vesalius.core.errors import BudgetError, OutputError
from vesalius.serve import database
from vesalius.serve.http.problems import Problem, log_unexpected
from vesalius.serve.http.shared.tables import SCHEMA

_LOG = logging.getLogger("vesalius.serve")
TICK_S = 0.2  # after which a process knows what another has done
_FIGURES_S = 1.0
AWAY_S = 5  # after which a client may ask again while the database is away
LEASE_S = 30.0
ATTEMPTS = 3
_LONGEST_S, _RATE_S = 600, 60.0


class QueueAway(Problem):
    """The database cannot be reached, or does not take anything: 503, to be asked again."""

    def __init__(self) -> None:
        super().__init__(
            503,
            "the queue cannot be reached at the moment",
            hint="ask again: nothing of what was accepted is lost",
            headers={"Retry-After": str(AWAY_S)},
        )


@dataclass(frozen=True, slots=True)
class Figures:
    """What all processes together have, as it was a moment ago.

    `ended` is how many cases were answered or failed in the last minute, `touched_s` when a case last went on by the
    database's clock.
    """

    waiting: int = 0
    ended: int = 0
    touched_s: float = 0.0
    result_bytes: int = 0
    stored_bytes: int = 0
    studies: int = 0
    workers: int = 0

    def wait_s(self, more: int) -> int:
        """Return after how many seconds that many waiting cases will have been answered, at the rate of this minute."""
        if not self.ended:
            return AWAY_S
        return max(1, min(_LONGEST_S, math.ceil(max(1, more) * _RATE_S / self.ended)))


class SharedQueue:
    """One process's access to the shared database.

    It says every `lease_s`/3 seconds that it lives; where a process did not for `lease_s`, the others take what it was
    working on, a case `attempts` times at most. `models`: name → hash of the bundle. Raises OutputError,
    MissingExtra.
    """

    def __init__(
        self,
        where: Path | str,
        models: Mapping[str, str],
        *,
        lease_s: float = LEASE_S,
        attempts: int = ATTEMPTS,
    ) -> None:
        self.where, self.lease_s, self.attempts = database.named(where), lease_s, attempts
        self.models = dict(models)
        self.worker = secrets.token_hex(6)
        self._base = database.connect(where, SCHEMA)
        self._own = database.connect(where, SCHEMA)  # the pulse's, which waits for no request
        self.now = self._base.now
        self.figures = Figures()
        self.first = False  # whether this process does what one of all has to do
        self.each_tick: list[Callable[[], None]] = []
        self.each_beat: list[Callable[[], None]] = []
        self._stopping, self._hurry = threading.Event(), threading.Event()
        self._there = threading.Event()
        self._patient_until = 0.0
        self._thread = threading.Thread(target=self._run, name="pulse", daemon=True)
        self.beat()

    @property
    def away(self) -> bool:
        """Whether the database could not be reached when it was last tried."""
        return not self._there.is_set()

    def start(self) -> None:
        """Say from now on that this process lives."""
        self._thread.start()

    def stop(self) -> None:
        """Say no more that this process lives; what it works on is another's."""
        self._stopping.set()
        self._hurry.set()
        if self._thread.is_alive():
            self._thread.join(15.0)
        with contextlib.suppress(OutputError, BudgetError):
            self._leave()
        self._own.close()
        self._base.close()

    def wait_until_back(self) -> bool:
        """Wait while the database is away. Returns False where this process ends meanwhile."""
        while not self._stopping.is_set():
            if self._there.wait(TICK_S):
                return True
        return False

    # -- used by requests and by the threads that answer

    @contextlib.contextmanager
    def transaction(self) -> Iterator[database.Execute]:
        """Run the block as one transaction, before or after each other one. Raises QueueAway."""
        with self._noticed(), self._base.transaction() as execute:
            yield execute

    def rows(self, statement: str, *values: object) -> list[tuple[Any, ...]]:
        """Return the rows that a query finds. Raises QueueAway."""
        with self._noticed():
            return self._base.rows(statement, *values)

    @contextlib.contextmanager
    def _noticed(self) -> Iterator[None]:
        if self.away:  # a request does not wait for what is known to be away
            raise QueueAway
        try:
            yield
        except (OutputError, BudgetError) as error:
            self._lost(error)
            raise QueueAway from error

    # -- the pulse

    def beat(self) -> None:
        """Say that this process lives, and find out which others do. Raises OutputError where that cannot be said."""
        models = "\n".join(f"{name} {digest}" for name, digest in self.models.items())
        with self._own.transaction() as execute:
            execute(
                f"INSERT INTO workers VALUES (?, ?, {self.now} + ?) ON CONFLICT (id) DO UPDATE SET until_s ="
                " excluded.until_s",
                (self.worker, models, self.lease_s),
            )
            # after a time in which nobody could say that it lives, everybody gets the time to
            if time.monotonic() >= self._patient_until:
                execute(f"DELETE FROM workers WHERE until_s < {self.now}")
            (first,) = execute("SELECT min(id) FROM workers").fetchone()
        self.first = first == self.worker
        if self.away:
            self._there.set()

    def look(self) -> None:
        """Take the figures of all processes anew. Raises OutputError."""
        ((waiting,),) = self._own.rows("SELECT count(*) FROM cases WHERE state = 'waiting'")
        ((ended, touched),) = self._own.rows(
            "SELECT coalesce(sum(CASE WHEN state IN ('answered', 'failed') THEN 1 ELSE 0 END), 0), max(touched_s)"
            f" FROM cases WHERE touched_s > {self.now} - {_RATE_S}"
        )
        ((results,),) = self._own.rows("SELECT coalesce(sum(size), 0) FROM jobs")
        ((studies, kept),) = self._own.rows("SELECT count(*), coalesce(sum(size), 0) FROM studies")
        ((coming,),) = self._own.rows("SELECT coalesce(sum(size), 0) FROM folders WHERE coming = 1")
        ((workers,),) = self._own.rows("SELECT count(*) FROM workers")
        stored = int(results) + int(kept) + int(coming)
        self.figures = Figures(
            int(waiting), int(ended), float(touched or 0.0), int(results), stored, int(studies), int(workers)
        )

    def _run(self) -> None:
        beat = look = time.monotonic()
        while not self._stopping.is_set():
            self._hurry.wait(1.0 if self.away else TICK_S)
            self._hurry.clear()
            if self._stopping.is_set():
                return
            try:
                now = time.monotonic()
                if self.away or now >= beat:
                    back = self.away
                    self.beat()
                    beat = now + self.lease_s / 3
                    if back:
                        _LOG.warning("the queue at %s is there again", self.where)
                    self._each(self.each_beat)
                if now >= look:
                    self.look()
                    look = now + _FIGURES_S
                self._each(self.each_tick)
            except (OutputError, BudgetError) as error:
                self._lost(error)
            except Exception as error:  # noqa: BLE001 - a process that is silent is taken for a dead one
                log_unexpected(_LOG, "the queue could not be looked at", error)

    def _each(self, tasks: list[Callable[[], None]]) -> None:
        for task in tasks:
            with contextlib.suppress(QueueAway):
                task()

    def _lost(self, error: Exception) -> None:
        """Take note that the database is away; the pulse tries it again each second."""
        self._patient_until = time.monotonic() + 2 * self.lease_s
        if self._there.is_set():
            self._there.clear()
            _LOG.warning("the queue at %s cannot be used: %s", self.where, error)
            self._hurry.set()

    def _leave(self) -> None:
        """Be no longer among those that live: the others take at once what this process had."""
        with self._own.transaction() as execute:
            execute("DELETE FROM workers WHERE id = ?", (self.worker,))
