"""How many threads compute: as many as there are free cores, looked at again from time to time."""

from __future__ import annotations

import time

from vesalius.plan import torch_threads
from vesalius.plan.machine import Vacancy, fitting

FIRST_S = 0.3
LONGEST_S = 30.0


class Threads:
    """Watches what others do on this machine while we compute on the processor.

    Fewer threads at once when others take cores, since threads that wait for one another lose far more than what
    the others take; more of them only when two looks in a row found cores free. Never more than `most`.
    """

    def __init__(self, most: int, *, every_s: float = 1.5) -> None:
        self.most, self.every_s = most, every_s
        self.now = torch_threads.in_use()
        self._watch()

    def _watch(self) -> None:
        self._vacancy = Vacancy(self.most)
        self._began = self._looked = time.monotonic()
        self._rising = False
        self._next = FIRST_S

    def begin(self) -> None:
        """A piece of work begins: what was long before it says nothing about it. Then as `follow`."""
        if time.monotonic() - self._looked > LONGEST_S:
            self._watch()
        self.follow()

    def look(self) -> int | None:
        """Return the number that there should be from now on, where it is another one; None where nothing changes."""
        now = time.monotonic()
        if self.most == 1 or now - self._looked < self._next:
            return None
        self._looked = now
        self._next = min(LONGEST_S, max(self.every_s, 0.01 * (now - self._began)))
        free = self._vacancy.free()
        if free is None:
            return None
        wanted = fitting(free, self.most)
        rises, self._rising = self._rising and wanted > self.now, wanted > self.now
        if wanted == self.now or (wanted > self.now and not rises):
            return None
        self.now = wanted
        return wanted

    def follow(self) -> None:
        """Look, and compute with that many threads from now on, in the thread that calls."""
        self.look()
        if self.most > 1 and torch_threads.in_use() != self.now:
            torch_threads.use(self.now)
