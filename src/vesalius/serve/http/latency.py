"""Latencies: p50 and p95 of the last answers as a Prometheus summary, of which prometheus_client has no quantiles.

A quantile is of what was answered in the last `WINDOW_S` seconds, of the last `MOST` answers where there were more, and
one that was really taken (nearest rank: Hyndman and Fan 1996, definition 1). Where nothing was, it is NaN, as with
Prometheus's own clients. `_count` and `_sum` are since the service was started.
"""

from __future__ import annotations

import math
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Literal

from prometheus_client import Metric
from prometheus_client.registry import Collector

Sort = Literal["job", "frame", "click"]
NAME = "vesalius_latency_seconds"
QUANTILES = (0.5, 0.95)
WINDOW_S = 600.0
MOST = 2000


@dataclass
class _Window:
    count: int = 0
    total: float = 0.0
    last: deque[tuple[float, float]] = field(default_factory=lambda: deque(maxlen=MOST))


class Latency(Collector):
    """How long answers took, by sort and model. A job's time is from when it was asked for until it was done; a frame's
    from when it came until its answer was ready to be sent, a click's until its mask was. Safe for several threads at
    once.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock, self._lock = clock, threading.Lock()
        self._windows: dict[tuple[Sort, str], _Window] = {}

    def observe(self, sort: Sort, model: str, seconds: float) -> None:
        """Take in how long one answer took."""
        with self._lock:
            window = self._windows.setdefault((sort, model), _Window())
            window.count += 1
            window.total += seconds
            window.last.append((self._clock(), seconds))

    def quantiles(self, sort: Sort, model: str) -> dict[float, float]:
        """Return the seconds of each of `QUANTILES` over the window; NaN where nothing was answered in it."""
        with self._lock:
            window = self._windows.get((sort, model), _Window())
            since = self._clock() - WINDOW_S
            values = sorted(seconds for at, seconds in window.last if at >= since)
        return {q: values[max(0, math.ceil(q * len(values)) - 1)] if values else math.nan for q in QUANTILES}

    def collect(self) -> Iterable[Metric]:
        """Return it as Prometheus reads it."""
        text = f"Time to answer, quantiles of the last {WINDOW_S / 60:g} minutes ({MOST} answers at most)"
        found = Metric(NAME, text, "summary")
        for sort, model, count, total in self._totals():
            labels = {"sort": sort, "model": model}
            for q, seconds in self.quantiles(sort, model).items():
                found.add_sample(NAME, {**labels, "quantile": f"{q:g}"}, seconds)
            found.add_sample(f"{NAME}_count", labels, count)
            found.add_sample(f"{NAME}_sum", labels, total)
        return [found]

    def _totals(self) -> Iterator[tuple[Sort, str, int, float]]:
        with self._lock:
            held = [(s, m, w.count, w.total) for (s, m), w in self._windows.items()]
        return iter(held)
