"""Waiting in tests: for a state rather than for seconds; where seconds must be, as many as this machine needs now."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from typing import Any

_QUIET_S = 0.010  # of CPU time that `_work` takes on the machine that limits are written for
_WAIT_S = 240.0  # no state takes so long on any machine; only a test that fails waits so long


def _work() -> int:
    return sum(k * k % 7 for k in range(150_000))


def slowness() -> float:
    """Return how many times longer work takes here and now than on a quiet machine of the usual kind, at least 1.

    CPU seconds tell how fast the cores are; the number of runnable processes per core, how often work has to wait.
    """
    spent = []
    for _ in range(3):
        began = time.process_time()
        _work()
        spent.append(time.process_time() - began)
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    busy = os.getloadavg()[0] / cores if hasattr(os, "getloadavg") else 1.0
    return max(1.0, min(spent) / _QUIET_S) * (1.0 + busy)


def patience(seconds: float) -> float:
    """Return the limit for work that takes less than `seconds` on a quiet machine, as long as this machine needs."""
    return seconds * slowness()


def until(state: Callable[[], Any], what: str = "", *, every_s: float = 0.01) -> Any:
    """Wait until `state()` is true, and return it. Raises AssertionError after minutes that no machine needs."""
    end = time.monotonic() + _WAIT_S
    while not (found := state()):
        assert time.monotonic() < end, f"not within {_WAIT_S:.0f} s: {what or state}"
        time.sleep(every_s)
    return found
