"""Refusing a time limit while the data are read, where reading alone is seen to take too much of it."""

from __future__ import annotations

import time

from vesalius.core.progress import Progress
from vesalius.core.words import counted
from vesalius.plan.budget import used_up

REPORT_S = 3.0  # what the scorecard, its plots and the bundle take at the end, where nothing else runs
LOOK_AHEAD_S = 1.0  # of reading, before it says how long all of it will take
START_S = 4.5  # what loading the rest and timing steps takes before training, where nothing else runs
INDEX_SHARE = 0.03  # of the time limit: what an index of the training cases may take at most
SHARE = 0.96  # of the time limit; the rest is for what no measurement foresaw


class Limited:
    """Progress that refuses a time limit as soon as reading the data alone is seen to take too much of it."""

    def __init__(self, shown: Progress, began: float, limit: float) -> None:
        self.shown, self.began, self.limit = shown, began, limit
        self.total: int | None = None
        self.since, self.done = began, 0

    def start(self, name: str, total: int | None = None) -> None:
        """A piece of work begins."""
        self.shown.start(name, total)
        self.total, self.since, self.done = total, time.monotonic(), 0

    def advance(self, name: str, done: int = 1, text: str = "") -> None:
        """Count, and look ahead. Raises BudgetError."""
        self.shown.advance(name, done, text)
        self.done += done
        spent = time.monotonic() - self.since
        if not self.total or not self.done or spent < LOOK_AHEAD_S:
            return
        ahead = self.since - self.began + spent / self.done * self.total
        if ahead > self.limit * SHARE:
            why = f"reading and checking {counted(self.total, 'case')} takes all of it"
            raise used_up(ahead + START_S + REPORT_S, self.limit, why)

    def finish(self, name: str) -> None:
        """It is over."""
        self.shown.finish(name)

    def note(self, text: str) -> None:
        """A line worth reading."""
        self.shown.note(text)
