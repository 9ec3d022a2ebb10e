"""Looking ahead: work that is worth nothing before all of it is done is refused as soon as it cannot be in time."""

from __future__ import annotations

import time
from typing import Protocol

from vesalius.core.errors import BudgetError
from vesalius.core.progress import Progress
from vesalius.core.words import counted
from vesalius.plan.budget import written
from vesalius.plan.energy import Energy
from vesalius.run.limits.allowance import Allowance, energy_written

LOOK_AHEAD_S = 1.0  # of work, before it says how long all of it will take
FIRST = 1  # cases that count for nothing, as they load what the others find there


class Limited(Protocol):
    """The limits of a block and what is used of them; `whole` counts the blocks of which only all is of use."""

    allowed: Allowance
    reached: str
    whole: int

    @property
    def time_s(self) -> float:
        """Seconds since the beginning."""

    def energy(self) -> Energy:
        """Return the energy since the beginning."""


class Ahead:
    """Progress that refuses a limit which the rest of the work cannot keep, going by its first cases.

    Work of which each finished part is kept is never refused: it goes on until the limit.
    """

    def __init__(self, shown: Progress, watch: Limited) -> None:
        self.shown, self.watch = shown, watch
        self.note, self.finish = shown.note, shown.finish
        self._totals: dict[str, int | None] = {}
        self._done: dict[str, int] = {}
        self._since: dict[str, tuple[float, float]] = {}

    def start(self, name: str, total: int | None = None) -> None:
        """A piece of work begins."""
        self.shown.start(name, total)
        self._totals[name], self._done[name] = total, 0
        self._since.pop(name, None)

    def advance(self, name: str, done: int = 1, text: str = "") -> None:
        """Count, and look ahead. Raises BudgetError."""
        self.shown.advance(name, done, text)
        total = self._totals.get(name)
        if total is None or not self.watch.whole or self.watch.reached:
            return
        self._done[name] += done
        if name not in self._since:
            if self._done[name] >= FIRST:
                self._since[name] = (time.monotonic(), self.watch.energy().joules)
                self._totals[name], self._done[name] = total - self._done[name], 0
            return
        began, joules = self._since[name]
        took = time.monotonic() - began
        if took >= LOOK_AHEAD_S and 0 < self._done[name] < total:
            self._assert(name, took, self.watch.energy().joules - joules, rest=total / self._done[name] - 1)

    def _assert(self, name: str, took: float, joules: float, *, rest: float) -> None:
        """Raise BudgetError where `rest` times as much as was used is more than is left."""
        allowed, watch = self.watch.allowed, self.watch
        left = counted(self._totals[name] or 0, "case")
        ahead_s, ahead_j = watch.time_s + rest * took, watch.energy().joules + rest * joules
        if allowed.time_s is not None and ahead_s > allowed.time_s:
            raise BudgetError(
                f"the time limit of {allowed.time_s:g} s is too short, and nothing is of use before all is done",
                found=f"{name} of {left} will take until {ahead_s:.0f} s, going by its first ones",
                hint=f"--time-limit {written(1.3 * ahead_s)}, or fewer cases",
            )
        if allowed.energy_j is not None and ahead_j > allowed.energy_j:
            raise BudgetError(
                f"the energy limit of {energy_written(allowed.energy_j)} is too small, and nothing is of use before "
                "all is done",
                found=f"{name} of {left} will take {energy_written(ahead_j)}, going by its first ones",
                hint=f"--energy-limit {energy_written(1.3 * ahead_j)}, or fewer cases",
            )
