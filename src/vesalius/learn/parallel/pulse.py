"""Whether the others live: each counts on in a store, and a process that waits for one that is silent ends itself.

What leader and followers say to one another has no time that ends it, as followers wait for as long as the leader
reads, plans and validates. So a process that was stopped, or whose machine is gone without a word, would be waited for
without end.
"""

from __future__ import annotations

import os
import sys
import threading
from contextlib import suppress
from datetime import timedelta

from torch.distributed import DistError, TCPStore  # type: ignore[attr-defined]

from vesalius.learn.parallel.places import Place

LOOKS = 10  # within the time after which a process is given up
LOST = 75  # the exit code of a process that lost another: a failure that may pass (sysexits.h, EX_TEMPFAIL)


class Pulse:
    """Threads that count on, and that look whether others do: the leader at all, the others at the leader.

    `silent_s` is how long one may be silent, by the looks of who waits: where all are suspended together, none is lost.
    The store is where all met; where its own process was stopped, asking it does not return, so that one thread asks
    and another one counts its looks.
    """

    def __init__(self, place: Place, silent_s: float) -> None:
        self.place, self.silent_s = place, silent_s
        self.every = silent_s / LOOKS
        self._over = threading.Event()
        self._silent = dict.fromkeys(
            range(1, place.size) if place.rank == 0 else (0,), 0
        )  # looks, by process
        for work in (self._ask, self._look):
            threading.Thread(target=work, daemon=True, name="pulse").start()

    def end(self) -> None:
        """Look no more."""
        self._over.set()

    def _ask(self) -> None:
        """Count on in the store, and note who did; a store that does not answer is silence, too."""
        store, count, last = None, 0, dict.fromkeys(self._silent, b"")
        while not self._over.wait(self.every):
            with suppress(DistError, RuntimeError):
                store = store or self._store()
                store.set(self._key(self.place.rank), str(count := count + 1))
                for rank, before in last.items():
                    if (
                        store.check([self._key(rank)])
                        and (now := bytes(store.get(self._key(rank)))) != before
                    ):
                        last[rank], self._silent[rank] = now, 0

    def _look(self) -> None:
        """Give up where one was silent at too many looks."""
        while not self._over.wait(self.every):
            for rank in self._silent:
                self._silent[rank] += 1
                if self._silent[rank] > LOOKS:
                    self._give_up(rank)

    def _key(self, rank: int) -> str:
        return f"vesalius-pulse-{self.place.begun}-{rank}"

    def _store(self) -> TCPStore:
        """Return a line of its own to where all met."""
        place, within = self.place, timedelta(seconds=self.silent_s)
        return TCPStore(place.address, place.port, is_master=False, wait_for_workers=False, timeout=within)

    def _give_up(self, rank: int) -> None:
        """End this process, whose main thread waits inside torch and hears nothing."""
        own, size = self.place.rank, self.place.size
        sys.stderr.write(
            f"vesalius: process {own} of {size} ends: process {rank} has not answered for {self.silent_s:g} s; "
            "begin again with --resume\n"
        )
        sys.stderr.flush()
        os._exit(LOST)
