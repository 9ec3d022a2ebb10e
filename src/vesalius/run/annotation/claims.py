"""Who has which case at this moment: soft claims that end by themselves, so that nobody is sent where another works."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Claim:
    """That somebody has a case open: since when and until when, in seconds as `time.time` has them."""

    since: float
    until: float


class Claims:
    """The claims of a project. They are in memory alone: after a restart nobody holds a case."""

    def __init__(self, lasting_s: float, clock: Callable[[], float] = time.time) -> None:
        self.lasting_s, self.clock = lasting_s, clock
        self._lock = threading.Lock()
        self._held: dict[tuple[str, str], Claim] = {}

    def take(self, case: str, annotator: str) -> Claim:
        """Claim a case, or hold on to it."""
        with self._lock:
            now = self.clock()
            before = self._held.get((case, annotator))
            since = before.since if before is not None and before.until > now else now
            made = self._held[case, annotator] = Claim(since, now + self.lasting_s)
            return made

    def get(self, case: str, annotator: str) -> Claim | None:
        """Return somebody's claim of a case, an expired one too; None where it was never opened or let go."""
        with self._lock:
            return self._held.get((case, annotator))

    def holders(self, case: str) -> list[str]:
        """Return who holds a case."""
        with self._lock:
            now = self.clock()
            return [name for (key, name), claim in self._held.items() if key == case and claim.until > now]

    def release(self, case: str, annotator: str) -> None:
        """Let a case go."""
        with self._lock:
            self._held.pop((case, annotator), None)

    def release_others(self, case: str, annotator: str, kept: set[str]) -> None:
        """Let somebody's other cases go but those in `kept`: who opens the next one has left the one before."""
        with self._lock:
            for key, name in list(self._held):
                if name == annotator and key != case and key not in kept:
                    del self._held[key, name]
