"""One worker of a search: it takes trials from the store and measures them until none is left or the time is over."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from vesalius.core.errors import Interrupted, VesaliusError
from vesalius.core.progress import Progress
from vesalius.search.store import DEFAULT, DONE, FAILED, RUNNING, Store, Taken, Trialled

POLL_S = 0.5  # between two looks at what others work on
Look = Callable[[int, float], None]


class Pruned(Exception):
    """Ends a trial that falls behind; `look` says after how many looks."""

    def __init__(self, look: int) -> None:
        super().__init__(f"ended after {look} looks")
        self.look = look


@dataclass(frozen=True, eq=False, kw_only=True)
class Worker:
    """What a worker works with. `measure` is given a trial's settings, its name and what to tell of scores on the way,
    and returns what the store keeps, its `score` among it; `forget` removes what a training of that name left.

    `until` is a `time.monotonic()` past which no trial is begun that would not be finished, `each_s` how long one is
    expected to take at first.
    """

    store: Store
    measure: Callable[[Mapping[str, Any], str, Look], Mapping[str, Any]]
    forget: Callable[[str], None]
    progress: Progress
    until: float | None = None
    each_s: float = 0.0
    number: int = 0

    def work(self) -> None:
        """Measure trials until none is left, or the time is over; then wait for those of others.

        Raises Interrupted on Ctrl-C, and what the default plan's trial raises.
        """
        self.progress.start("trials", self.store.trials)
        try:
            while True:
                if hopeless(self.store):
                    return
                left = time_left(self.store, self.until, self.each_s)
                taken = self.store.take(self.number) if left else None
                if taken is not None:
                    self._one(taken)
                elif self._others():
                    time.sleep(POLL_S)
                else:
                    return
        finally:
            self.progress.finish("trials")

    def _others(self) -> bool:
        """Return whether another process works on a trial, for which it is worth to wait."""
        late = self.until is not None and time.monotonic() > self.until + 2 * self.each_s
        return not late and any(t.state == RUNNING for t in self.store.all())

    def _one(self, taken: Taken) -> None:
        """Measure one trial; what it came to is in the store afterwards, whatever that was."""
        name = name_of(taken.number)
        began = time.monotonic()

        def look(k: int, score: float) -> None:
            if taken.report(k, score) and taken.number != DEFAULT:
                raise Pruned(k)

        try:
            found = dict(self.measure(taken.settings, name, look))
            self.store.finish(taken, {**found, "wall_s": round(time.monotonic() - began, 2)})
            self.progress.advance("trials", text=f"trial {taken.number}: {found['score']:.4f}")
        except Pruned as end:
            self.forget(name)
            self.store.prune(taken, end.look)
            self.progress.advance("trials", text=f"trial {taken.number} ended early")
        except (KeyboardInterrupt, Interrupted):
            self.store.let_go(taken)
            raise
        except (VesaliusError, MemoryError, RuntimeError) as error:
            self.forget(name)
            self.store.fail(taken, reason_of(error))
            self.progress.advance("trials", text=f"trial {taken.number} failed")
            if taken.number == DEFAULT:
                raise


def time_left(store: Store, until: float | None, each_s: float) -> bool:
    """Return whether a trial that is begun now would be finished by `until`, as far as those before tell."""
    if until is None:
        return True
    seconds = [float(t.result["wall_s"]) for t in store.all() if t.state == DONE and "wall_s" in t.result]
    # the first is begun at any rate
    each = max(each_s, sum(seconds) / len(seconds)) if seconds else 0.0
    return time.monotonic() + each <= until


def hopeless(store: Store) -> bool:
    """Return whether the default plan failed, here or in another process, so that nothing can be compared."""
    return any(t.number == DEFAULT and t.state == FAILED for t in store.all())


def reason_of(error: VesaliusError | MemoryError | RuntimeError) -> str:
    """Return why a trial failed, on one line; torch says with RuntimeError that memory is out."""
    reason = str(error) if isinstance(error, VesaliusError) else f"{type(error).__name__}: {error}"
    return " ".join(reason.split())[:300]


def name_of(number: int) -> str:
    """Return what a trial's training is called in checkpoints and logs."""
    return f"trial-{number:04d}"


def last_word(trials: list[Trialled]) -> str:
    """Return how many trials came to what, in words."""
    states = [t.state for t in trials]
    parts = [f"{states.count(state)} {state}" for state in dict.fromkeys(states)]
    return ", ".join(parts)
