"""Events that a task waits for: what training cases tell of each, as a state holds it, and as numbers of a case.

A state holds under `events`, in the order of the model's outputs:

    [{"name": "survival", "causes": ["death", "relapse"], "shares": [.7, .3], "n": 90, "happened": 40}]

`causes` are empty where there is only one. Its arrays are, by the event's place, `days-0` `(T,)` and `hazard-0`
`(C, T)`, the cumulative hazard of each cause of a case whose log hazard is 0; `error-0` `(T,)`, the standard error of
the logarithm of all causes' hazard; `ends-0` `(K,)`, where intervals end; and `known-days-0` and `known-0`, what is
known without looking.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from vesalius.core.bundle import State
from vesalius.core.case import Case, Event
from vesalius.core.cohort import TargetInfo
from vesalius.core.errors import DataError
from vesalius.core.histogram import Histogram
from vesalius.core.image import Array
from vesalius.core.statistics import Statistics
from vesalius.core.words import listed
from vesalius.survival.baseline import breslow
from vesalius.survival.curves import aalen_johansen, kaplan_meier, nelson_aalen
from vesalius.survival.observed import Observed, from_events, observed
from vesalius.survival.risksets import sums_at_risk

EVENTS = "events"  # in a state
ONLY = "event"  # the one cause of an event of which no other is known
ALL = "all"  # the one arm where nobody is treated differently
INTERVALS = 20  # of discrete times at most
POINTS = 100  # of a baseline at most
ENDED, ENTERED = "ended", "entered"  # parts of a summary, and `cause NAME` beside them


@dataclass(frozen=True, slots=True)
class Awaited:
    """One event: its name, the names of its causes and how often each is the one, and how many cases had it."""

    name: str
    causes: tuple[str, ...]
    shares: tuple[float, ...]
    n: int
    happened: int

    @property
    def each(self) -> tuple[str, ...]:
        """Return the causes, of which there is one at least."""
        return self.causes or (ONLY,)


def infos(target: TargetInfo) -> tuple[TargetInfo, ...]:
    """Return the single events that a target is: itself, or those that it is made of."""
    return target.parts or (target,)


def held(case: Case, target: str) -> Mapping[str, Event]:
    """Return the events of a case by name; empty where it has none."""
    value = case.targets.get(target)
    found = {target: value} if isinstance(value, Event) else value if isinstance(value, Mapping) else {}
    return {name: one for name, one in found.items() if isinstance(one, Event)}


def summary(cases: Sequence[Case], target: TargetInfo) -> Statistics:
    """Return when cases ended, entered and had each cause of each event, as histograms that can be merged."""
    found: dict[str, Statistics] = {}
    for info in infos(target):
        events = [one for c in cases if (one := held(c, target.name).get(info.name)) is not None]
        causes = [label.name for label in info.labels if label.value > 0]
        causes = causes if len(causes) > 1 else sorted({e.cause for e in events if e.cause is not None})
        of = {f"cause {name}": [e for e in events if e.happened and e.cause == name] for name in causes}
        of = of if len(causes) > 1 else {f"cause {ONLY}": [e for e in events if e.happened]}
        found[info.name] = Statistics(
            {
                ENDED: Histogram.of(e.time_days for e in events),
                ENTERED: Histogram.of(e.entry_days or 0.0 for e in events),
                **{name: Histogram.of(e.time_days for e in some) for name, some in of.items()},
            }
        )
    return Statistics(found)


def learned(found: Statistics, target: TargetInfo) -> tuple[list[dict[str, Any]], dict[str, Array]]:
    """Return what a state holds of the events, its values and its arrays. Raises DataError where nothing happened."""
    values: list[dict[str, Any]] = []
    arrays: dict[str, Array] = {}
    for place, info in enumerate(infos(target)):
        own = found.part(info.name, Statistics)
        causes = [name.removeprefix("cause ") for name in own.parts if name.startswith("cause ")]
        counts = [own.part(f"cause {name}", Histogram).n for name in causes]
        if not sum(counts):
            raise DataError(
                f"'{info.name}' happened to no training case", hint="more cases, or --column events=WORD"
            )
        total = sum(counts)
        values.append(
            {
                "name": info.name,
                "causes": causes if len(causes) > 1 else [],
                "shares": [count / total for count in counts],
                "n": own.part(ENDED, Histogram).n,
                "happened": total,
            }
        )
        seen = rebuilt(own, causes)
        arrays |= baseline(place, np.zeros((len(seen), len(causes))), seen)
        arrays[f"ends-{place}"] = _ends(seen)
        arrays |= _unlooked(place, seen)
    return values, arrays


def rebuilt(own: Statistics, causes: Sequence[str]) -> Observed:
    """Return cases with the same risk sets as those that were summed up: who entered when is lost, how many is not."""
    ended = _numbers(own.part(ENDED, Histogram))
    entry = np.sort(_numbers(own.part(ENTERED, Histogram)))
    cause = np.zeros(len(ended), np.int64)
    left = {t: np.flatnonzero(ended == t).tolist() for t in np.unique(ended)}
    for k, name in enumerate(causes, 1):
        for time in _numbers(own.part(f"cause {name}", Histogram)):
            cause[left[time].pop()] = k
    return observed(ended, cause, entry_days=entry, causes=tuple(causes))


def _numbers(histogram: Histogram) -> Array:
    return np.repeat(np.array(histogram.bins, np.float64), np.array(histogram.counts, np.int64))


def _ends(seen: Observed) -> Array:
    """Return where intervals end that hold as many events each, `(K,)`; the last is the end of all that was seen."""
    times = seen.time_days[seen.happened]
    many = int(min(INTERVALS, max(2, len(times) // 3)))
    inner = np.quantile(times, np.linspace(0, 1, many + 1)[1:-1], method="higher")
    ends = np.unique(np.concatenate([inner, [seen.time_days.max()]]))
    return np.asarray(ends)


def baseline(place: int, log_hazards: Array, seen: Observed) -> dict[str, Array]:
    """Return the arrays of an event's baseline, by Breslow's method, from log hazards `(N, C)`, a column a cause."""
    steps = []
    for k, cause in enumerate(seen.causes):
        own = observed(seen.time_days, seen.of(cause), entry_days=seen.entry_days)
        steps.append(breslow(log_hazards[:, k], own))
    days = _thinned(seen)
    variance = np.zeros(len(days))
    for k, cause in enumerate(seen.causes):
        times = np.unique(seen.time_days[seen.of(cause)])
        deaths = np.array([(seen.of(cause) & (seen.time_days == t)).sum() for t in times], np.float64)
        risk = sums_at_risk(seen, times, np.exp(np.clip(log_hazards[:, k], -50, 50)))
        each = np.concatenate([[0.0], np.cumsum(deaths / np.maximum(risk, 1e-300) ** 2)])
        variance += each[np.searchsorted(times, days, side="right")]
    hazard = np.stack([step.at(days) for step in steps])
    total = hazard.sum(axis=0)
    error = np.divide(np.sqrt(variance), total, out=np.zeros(len(days)), where=total > 0)
    return {f"days-{place}": days, f"hazard-{place}": hazard, f"error-{place}": error}


def _unlooked(place: int, seen: Observed) -> dict[str, Array]:
    """Return what is known of an event without looking: survival by Kaplan-Meier, and each cause's incidence."""
    days = _thinned(seen)
    try:
        rows = [kaplan_meier(seen).at(days)]
        if len(seen.causes) > 1:
            rows += [aalen_johansen(seen, cause).at(days) for cause in seen.causes]
    except DataError:  # late entry leaves nobody at risk for a while, and the product would be 0 from then on
        survival = np.exp(-nelson_aalen(seen).at(days))
        shares = [(seen.cause == k).sum() / seen.happened.sum() for k in range(1, len(seen.causes) + 1)]
        rows = [survival, *((1 - survival) * share for share in shares)][
            : 1 + len(shares) * (len(shares) > 1)
        ]
    return {f"known-days-{place}": days, f"known-{place}": np.stack(rows)}


def _thinned(seen: Observed) -> Array:
    """Return days at which something happened, of many some that are spread evenly over them, and the last day."""
    times = np.unique(seen.time_days[seen.happened])
    if len(times) > POINTS:
        times = times[np.unique(np.linspace(0, len(times) - 1, POINTS).round().astype(int))]
    return np.unique(np.concatenate([times, [seen.time_days.max()]]))


def awaited(state: State) -> tuple[Awaited, ...]:
    """Return the events that a state knows, in the order of the model's outputs."""
    return tuple(
        Awaited(one["name"], tuple(one["causes"]), tuple(one["shares"]), int(one["n"]), int(one["happened"]))
        for one in state.values[EVENTS]
    )


def arms_of(state: State) -> tuple[str, ...]:
    """Return the arms that a state knows, `all` where there is one."""
    return tuple(state.values.get("arms") or (ALL,))


def encoded(case: Case, state: State) -> Array | None:
    """Return what is known of a case's events, `(E, 3)` float32: time, number of the cause or 0, entry; NaN unknown.

    None where nothing is known. Raises DataError, naming the case, for a cause that was not learned.
    """
    there = held(case, state.values["target"])
    rows = np.full((len(state.values[EVENTS]), 3), np.nan, np.float32)
    for place, about in enumerate(awaited(state)):
        if (event := there.get(about.name)) is not None:
            rows[place] = event.time_days, number_of(event, about, case.id), event.entry_days or 0.0
    return rows if there else None


def number_of(event: Event, about: Awaited, case: str) -> int:
    """Return the number of an event's cause, 0 where it had not happened. Raises DataError, naming the case."""
    if not event.happened:
        return 0
    if not about.causes:
        return 1
    if event.cause not in about.causes:
        raise DataError(
            f"case {case}: the cause '{event.cause}' of '{about.name}' was not learned",
            found=listed(list(about.causes)),
        )
    return about.causes.index(event.cause) + 1


def observed_of(rows: Array, about: Awaited) -> Observed:
    """Return cases from what `encoded` says of one event of each, `(N, 3)`, all known."""
    whole = np.asarray(rows, np.float64)
    return observed(whole[:, 0], whole[:, 1], entry_days=whole[:, 2], causes=about.each)


def events_of(events: Sequence[Event], about: Awaited) -> Observed:
    """Return events as the room of survival takes them."""
    return from_events(events, about.each)
