"""Reading rows of survival curves: the columns of an event, what happened to whom, and what counts as the event."""

from __future__ import annotations

import numpy as np

from vesalius.core.image import Array
from vesalius.metrics._curve_rows import UNKNOWN, Judged
from vesalius.metrics._rows import Rows
from vesalius.survival.observed import Observed


def events(rows: Rows) -> tuple[str, ...]:
    """Return the events that a table judges; '' of a single one."""
    return tuple(rows.info["events"])


def judged(rows: Rows, event: str) -> Judged:
    """Return how an event is judged."""
    found: Judged = rows.info["events"][event]
    return found


def column(rows: Rows, name: str, event: str) -> Array:
    """Return a column of an event: `risk`, `rank`, `own`, `beyond` `(N,)`, `survival`, `incidence:CAUSE` `(N, T)`."""
    return rows[named_column(name, event)]


def observed_of(rows: Rows, event: str, index: Array | None = None) -> tuple[Observed, Array]:
    """Return what happened to the cases whose time is known, of those at `index`, and their places `(K,)`."""
    place = 3 * events(rows).index(event)
    at = np.arange(len(rows)) if index is None else np.asarray(index, np.int64)
    at = at[rows["y"][at, place] != UNKNOWN]
    time, cause, entry = rows["y"][at, place : place + 3].T
    return Observed(time, cause.astype(np.int64), entry, judged(rows, event).causes), at


def asked_of(seen: Observed, about: Judged) -> Observed:
    """Return the event that is asked about: of one cause where the others are censored by it, else of any."""
    wanted = seen.of(about.of) if about.of else seen.happened
    return Observed(seen.time_days, wanted.astype(np.int64), seen.entry_days)


def told_causes(rows: Rows, event: str) -> tuple[str, ...]:
    """Return the causes of the truths whose incidence the answers tell of, where there are several."""
    causes = judged(rows, event).causes
    known = tuple(c for c in causes if named_column(f"incidence:{c}", event) in rows.columns)
    return known if len(causes) > 1 else ()


def all_told(rows: Rows, event: str) -> tuple[str, ...]:
    """Return the causes whose incidence the answers tell of, also those that no truth names."""
    tail = f"/{event}" if event else ""
    ours = [n.removesuffix(tail) for n in rows.columns if n.startswith("incidence:") and n.endswith(tail)]
    return tuple(name.partition(":")[2] for name in ours)


def named_column(name: str, event: str) -> str:
    """Return what a column of an event is called in the table."""
    return f"{name}/{event}" if event else name
