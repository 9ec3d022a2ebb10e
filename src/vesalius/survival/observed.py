"""Observed: what is known of the times to an event of several patients."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from vesalius.core.case import Event
from vesalius.core.errors import DataError
from vesalius.core.image import Array
from vesalius.core.words import listed

CENSORED = 0  # in `Observed.cause`


@dataclass(frozen=True, eq=False)
class Observed:
    """Times to an event of N patients.

    `time_days` `(N,)`: until the event, or until the last look. `cause` `(N,)`, whole numbers: 0 where the event had
    not happened (censored), and k where it was of the k-th cause of `causes`, counted from 1. `entry_days` `(N,)`:
    since when each patient was under observation (late entry); all 0 without it.
    """

    time_days: Array
    cause: Array
    entry_days: Array
    causes: tuple[str, ...] = ("event",)

    def __len__(self) -> int:
        return len(self.time_days)

    @property
    def happened(self) -> Array:
        """Return where an event of any cause happened, `(N,)` of bits."""
        return np.asarray(self.cause != CENSORED)

    def of(self, cause: str) -> Array:
        """Return where an event of this cause happened, `(N,)` of bits."""
        return np.asarray(self.cause == self.causes.index(cause) + 1)

    def where(self, index: Array) -> Observed:
        """Return the patients at these places, or where these bits are set; places may come twice."""
        return Observed(self.time_days[index], self.cause[index], self.entry_days[index], self.causes)


def observed(
    time_days: Array, happened: Array, *, entry_days: Array | None = None, causes: Sequence[str] = ("event",)
) -> Observed:
    """Return times and what happened, `(N,)` each, checked. `happened` holds bits, or 0 and the numbers of causes.

    Raises DataError where shapes differ, a time is negative or not finite, a patient entered at or after its own end,
    or a cause has no name.
    """
    time = np.asarray(time_days, np.float64)
    cause = np.asarray(happened).astype(np.int64)
    entry = np.zeros_like(time) if entry_days is None else np.asarray(entry_days, np.float64)
    if time.ndim != 1 or cause.shape != time.shape or entry.shape != time.shape:
        raise DataError(
            "need a time, an event and an entry for each patient",
            found=f"shapes {time.shape}, {cause.shape} and {entry.shape}",
        )
    if not (np.isfinite(time).all() and np.isfinite(entry).all()) or (time < 0).any():
        raise DataError("times to an event must be finite and not negative")
    late = np.flatnonzero((entry >= time) & (entry > 0))
    if len(late):
        raise DataError(
            "a patient must enter before its own end",
            found=f"entry at day {entry[late[0]]:g}, end at day {time[late[0]]:g}",
        )
    if len(cause) and not (cause.min() >= 0 and cause.max() <= len(causes)):
        raise DataError("a cause has no name", found=f"number {cause.max()} of {listed(list(causes))}")
    return Observed(time, cause, entry, tuple(causes))


def from_events(events: Sequence[Event], causes: Sequence[str] = ()) -> Observed:
    """Return the events of cases, in their order.

    `causes` are the names of causes in their order, by default those that occur, sorted; an event without one has the
    first. Raises DataError.
    """
    named = tuple(causes) or tuple(sorted({e.cause for e in events if e.cause is not None})) or ("event",)
    odd = sorted({e.cause for e in events if e.cause is not None} - set(named))
    if odd:
        raise DataError(f"the cause '{odd[0]}' is not among those that are known", found=listed(list(named)))
    numbers = [(named.index(e.cause) + 1 if e.cause else 1) if e.happened else CENSORED for e in events]
    return observed(
        np.array([e.time_days for e in events], np.float64),
        np.array(numbers, np.int64),
        entry_days=np.array([e.entry_days or 0.0 for e in events], np.float64),
        causes=named,
    )
