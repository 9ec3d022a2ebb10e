"""A block of work whose limits are watched beside it, and which is ended in an orderly way where one is reached."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from contextvars import ContextVar
from typing import Any

from vesalius.core.errors import BudgetError, Interrupted, LimitReached, VesaliusError, out_of_memory
from vesalius.core.progress import listening
from vesalius.plan.energy import Energy, Meter
from vesalius.plan.energy_tracker import EVERY_S
from vesalius.plan.tariff import NONE, Tariff, record
from vesalius.run.limits.ahead import Ahead
from vesalius.run.limits.allowance import Allowance, energy_written, memory_written
from vesalius.run.limits.ending import Ending
from vesalius.run.limits.memory import Cap, Children, assert_possible, capped, held, slack

OFTEN_S, SELDOM_S = 0.02, 0.2  # how often memory is looked at, and the rest
CHILDREN_S = 0.5
GRACE = 1.1  # how much later work is ended that has itself planned to be done by then

_OPEN: ContextVar[Watch | None] = ContextVar("limits", default=None)


class Watch:
    """The limits of a block, what is used of them so far, and which was reached: `time`, `memory` or `energy`.

    `peak_bytes` is the most that was seen resident, of this process and its children.
    """

    def __init__(self, allowed: Allowance, rates: Tariff, began: float) -> None:
        self.allowed, self.rates, self.began = allowed, rates, began
        self.reached = ""
        self.whole, self.planned, self.trying = 0, False, 0
        self.peak_bytes = held()
        self.meter = Meter(long=True)
        self.cap: Cap | None = None
        self._energy, self._stopped = Energy(0.0, "", ""), False
        self._ending, self._over = Ending(), threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True, name="limits")

    # --- what is used

    @property
    def time_s(self) -> float:
        """Seconds since the beginning."""
        return time.monotonic() - self.began

    def energy(self) -> Energy:
        """Return the energy since the beginning."""
        return self._energy if self._stopped else self.meter.read()

    def used(self) -> Mapping[str, Any]:
        """Return what was used as JSON takes it: seconds, the most bytes, and the energy as a scorecard has it."""
        return {
            "time_s": round(self.time_s, 3),
            "peak_bytes": self.peak_bytes,
            "energy": record(self.energy(), self.rates, seconds=self.time_s),
            "limits": {
                "time_s": self.allowed.time_s,
                "memory_bytes": self.allowed.memory_bytes,
                "energy_j": self.allowed.energy_j,
            },
        }

    def left_s(self, power_w: float) -> float | None:
        """Return the seconds that are left of the time, and of the energy at so many watts; None without either."""
        left = []
        if self.allowed.time_s is not None:
            left.append(self.allowed.time_s - self.time_s)
        if self.allowed.energy_j is not None:
            left.append((self.allowed.energy_j - self.energy().joules) / power_w)
        return min(left) if left else None

    # --- watching

    def start(self, cap: Cap | None) -> None:
        """Begin to watch; `cap` is what the system keeps of the memory."""
        self.cap = cap
        self._ending.install()
        self._thread.start()

    def end(self) -> None:
        """Watch no more. Nothing is ended after this has returned."""
        while not self._stopped:
            try:
                self._over.set()
                self._thread.join()
                self._ending.remove()
                if not self._stopped:
                    self._energy = self.meter.stop()
                    self._stopped = True
            except KeyboardInterrupt:  # sent by this very watch while its block was ending by itself
                continue

    def _look(self) -> None:
        try:
            self._until_one_is_reached()
        except (MemoryError, RuntimeError, OSError) as error:  # nothing is left for this thread either
            if not out_of_memory(error) or self.allowed.memory_bytes is None:
                raise
            self._stop("memory")

    def _until_one_is_reached(self) -> None:
        every = SELDOM_S if self.allowed.memory_bytes is None else OFTEN_S
        seldom = children_at = energy_at = 0.0
        beside, children = 0, Children()
        while not self._over.wait(every):
            now = time.monotonic()
            if now >= children_at:
                children_at = now + CHILDREN_S
                beside = children.held()
            bytes_now = held() + beside
            self.peak_bytes = max(self.peak_bytes, bytes_now)
            if self.cap is not None and not self.trying:
                self.cap.follow(children=beside)
            limit = self.allowed.memory_bytes
            if limit is not None and not self.trying and bytes_now > limit - slack(limit):
                return self._stop("memory")
            if now < seldom:
                continue
            seldom = now + SELDOM_S
            grace = GRACE if self.planned else 1.0
            if self.allowed.time_s is not None and self.time_s > grace * self.allowed.time_s:
                return self._stop("time")
            if self.allowed.energy_j is not None and now >= energy_at:
                used = self.meter.read()
                energy_at = now + (0.0 if "processor time" in used.text else EVERY_S)
                if used.joules > grace * self.allowed.energy_j:
                    return self._stop("energy")
        return None

    def _stop(self, which: str) -> None:
        """End the work as Ctrl-C does: every verb knows how to keep then what is finished, and how to go on."""
        if not self._over.is_set():
            self.reached = which
            self._ending.end(self._over)

    # --- what is said

    def ended(self, error: BaseException) -> BaseException:
        """Return what to raise for an error that ended the block: a limit that was reached, in one line, or itself."""
        limit = self.allowed.memory_bytes
        if limit is not None and not self.reached and out_of_memory(error):
            self.reached = "memory"
        if not self.reached or isinstance(error, LimitReached):
            return error
        if isinstance(error, VesaliusError) and not isinstance(error, Interrupted | BudgetError):
            return error  # something else was wrong, too, and that is what is to be mended
        kept = error.what.removeprefix("interrupted").strip(" ;") if isinstance(error, Interrupted) else ""
        what = f"the {self.reached} limit of {self._written()} was reached" + (
            f"; {_joined(kept)}" if kept else ""
        )
        hint = (
            error.hint
            if isinstance(error, Interrupted) and error.hint
            else f"a larger --{self.reached}-limit"
        )
        return LimitReached(what, limit=self.reached, found=self._spent(), hint=hint)

    def _written(self) -> str:
        if self.reached == "time":
            return f"{self.allowed.time_s:g} s"
        if self.reached == "memory":
            return memory_written(self.allowed.memory_bytes or 0)
        return energy_written(self.allowed.energy_j or 0.0)

    def _spent(self) -> str:
        if self.reached == "time":
            return f"{self.time_s:.1f} s used"
        if self.reached == "memory":
            return f"{memory_written(self.peak_bytes)} in use, and more was asked for"
        found = self.energy()
        return f"{energy_written(found.joules)} used ({found.how})"


def _joined(kept: str) -> str:
    return kept.removeprefix("at ") if kept.startswith("at step") else kept


def current() -> Watch | None:
    """Return the limits that are open around this piece of work, if there are any."""
    return _OPEN.get()


@contextmanager
def within(allowed: Allowance, *, rates: Tariff = NONE, began: float | None = None) -> Iterator[Watch]:
    """Do what is inside this block within its limits, counted from `began`, a `time.monotonic()`, by default now.

    Raises LimitReached where one is reached, after what is inside has kept what was finished; BudgetError where nothing
    can work in so little memory, or in another thread than the main one, which alone can be ended.
    """
    if threading.current_thread() is not threading.main_thread():
        raise BudgetError(
            "limits are kept in the main thread alone", hint="a process of its own for this piece of work"
        )
    limit = allowed.memory_bytes
    if limit is not None:
        allowed = Allowance(allowed.time_s, assert_possible(limit), allowed.energy_j)
    watch = Watch(allowed, rates, time.monotonic() if began is None else began)
    token = _OPEN.set(watch)
    ahead = listening(lambda shown: Ahead(shown, watch)) if allowed else nullcontext()
    try:
        with capped(allowed.memory_bytes) as cap, ahead:
            watch.start(cap)
            try:
                yield watch
            finally:
                watch.end()
    except BaseException as error:
        watch.end()
        said = watch.ended(error)
        if said is error:
            raise
        raise said from error
    finally:
        _OPEN.reset(token)
