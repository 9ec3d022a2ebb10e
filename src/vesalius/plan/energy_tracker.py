"""Energy as codecarbon estimates it, offline: processor, memory and graphics cards, where RAPL cannot be read."""

from __future__ import annotations

import logging
import threading
import time
from contextlib import suppress
from importlib.metadata import version
from importlib.util import find_spec
from typing import Any

EVERY_S = 5
AFTER_S = 10.0  # of work, before it is begun, as it loads a library and looks at the machine
COVERED = 0.9  # of the time: what it must have counted for, where its number is to stand for all of it
LIBRARY = "codecarbon"


class Tracker:
    """codecarbon's offline tracker of this process, begun beside the work once that has lasted a while.

    It knows no place, sends nothing and writes nothing. `joules` is None until it has begun to count.
    """

    def __init__(self) -> None:
        self._tracker: Any = None
        self._version = ""
        self._counts_since = float("inf")
        self._lock = threading.Lock()
        self._over = threading.Event()
        threading.Thread(target=self._begin, daemon=True).start()

    def _begin(self) -> None:
        if self._over.wait(AFTER_S):
            return
        with suppress(Exception):  # whatever it meets on a strange machine, the estimate without it remains
            import codecarbon

            logging.getLogger(LIBRARY).setLevel(logging.CRITICAL)
            made = codecarbon.OfflineEmissionsTracker(
                save_to_file=False,
                log_level="critical",
                allow_multiple_runs=True,
                measure_power_secs=EVERY_S,
                tracking_mode="process",
                force_carbon_intensity_g_co2e_kwh=1000.0,  # so that its kilogrammes are kilowatt hours
            )
            made.start()
            with self._lock:
                self._tracker, self._version = made, version(LIBRARY)
                self._counts_since = time.monotonic()
                late = self._over.is_set()
            if late:
                self.stop()

    def joules(self) -> float | None:
        """Return the joules since it began to count; None where it does not count yet."""
        with self._lock:
            tracker = self._tracker
        if tracker is None:
            return None
        with suppress(Exception):
            found = tracker.flush()
            return None if found is None else float(found) * 3.6e6
        return None

    def stop(self) -> float | None:
        """Return the joules since it began to count, and end; None where it never did."""
        self._over.set()
        with self._lock:
            tracker, self._tracker = self._tracker, None
        if tracker is None:
            return None
        with suppress(Exception):
            found = tracker.stop()
            return None if found is None else float(found) * 3.6e6
        return None

    def covers(self, since: float) -> bool:
        """Return whether it has counted for nearly all of the time since a `time.monotonic()`."""
        now = time.monotonic()
        return now - self._counts_since >= COVERED * (now - since)

    @property
    def text(self) -> str:
        """What the number is, for a person."""
        return f"codecarbon {self._version}: its model of the processor, the memory and graphics cards of this process"


def tracked() -> Tracker | None:
    """Return a tracker that has been started; None where codecarbon is not installed."""
    return Tracker() if find_spec(LIBRARY) is not None else None
