"""Refused calls in the audit log: the first of a client at once, the rest counted by the minute, against floods.

No key, no path that a client chose and nothing out of a request is written: who it was (a key's name, or the address
of one without a known key), the status, the route as the service calls it, and how many there were.
"""

from __future__ import annotations

import contextlib
import threading
import time
from dataclasses import dataclass

from vesalius.core.errors import VesaliusError
from vesalius.serve.http.audit import Audit, Details

STATUSES = (401, 403, 429)  # without a known key, beyond its role, too many
WINDOW_S = 60.0
CLIENTS = 20  # with lines of their own in a window; the others share one


@dataclass(slots=True)
class _Count:
    """What came after the line of a client and a status, in this window."""

    times: int = 0


class Refusals:
    """Writes refused requests into the audit log: for each client and status at most two lines a minute.

    At most `CLIENTS` clients are told apart at a time.
    """

    def __init__(self, audit: Audit) -> None:
        self._audit = audit
        self._lock = threading.Lock()
        self._began = time.monotonic()
        self._told: dict[tuple[str, int], _Count] = {}
        self._others = _Count()

    def add(self, who: str, status: int, route: str) -> None:
        """Write a refusal down, or count it where its client was written down in this minute."""
        with self._lock:
            self._end_window(time.monotonic())
            key = (who, status)
            if key in self._told:
                self._told[key].times += 1
            elif len(self._told) >= CLIENTS:
                self._others.times += 1
            else:
                self._told[key] = _Count()
                self._write(who, {"status": status, "route": route})

    def flush(self, *, last: bool = False) -> None:
        """Write the counts of a minute that is over; with `last`, of this one too."""
        with self._lock:
            self._end_window(time.monotonic() + (WINDOW_S if last else 0.0))

    def _end_window(self, now: float) -> None:
        if now - self._began < WINDOW_S:
            return
        for (who, status), more in self._told.items():
            if more.times:
                self._write(who, {"status": status, "times": more.times})
        if self._others.times:
            self._write("service", {"others": self._others.times})
        self._told, self._others, self._began = {}, _Count(), now

    def _write(self, who: str, details: Details) -> None:
        with contextlib.suppress(
            VesaliusError, ValueError
        ):  # a full disk, or a closed log: it is refused all the same
            self._audit.add(who, "refused", details)
