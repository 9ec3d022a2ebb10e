"""Dealing patients: which cases may not be parted, which of them are tested on, and how the others make folds."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from vesalius.cohorts.targets import contract as kinds
from vesalius.core.case import Case
from vesalius.core.cohort import TargetInfo
from vesalius.core.errors import DataError
from vesalius.core.words import counted


@dataclass(frozen=True, slots=True)
class Unit:
    """Cases that may not be parted: one patient's, and those that show the same image."""

    cases: tuple[str, ...]
    stratum: str


def units_of(cases: Sequence[Case], target: TargetInfo | None, groups: Mapping[str, str]) -> list[Unit]:
    """Return the units of some cases, each with the rarest stratum of its cases, in the order of their ids."""
    keys = connected(cases, groups)
    members: dict[str, list[Case]] = {}
    for case in cases:
        members.setdefault(keys[case.id], []).append(case)
    strata = _strata(cases, target)
    frequency = Counter(strata.values())
    units = []
    for listed in members.values():
        rarest = min((strata[c.id] for c in listed), key=lambda s: (frequency[s], s))
        units.append(Unit(tuple(c.id for c in listed), rarest))
    return sorted(units, key=lambda u: u.cases)


def connected(cases: Sequence[Case], groups: Mapping[str, str]) -> dict[str, str]:
    """Return a common key for cases linked by patient or by group, over any number of links."""
    parent: dict[str, str] = {}

    def find(x: str) -> str:
        parent.setdefault(x, x)
        while parent[x] != x:
            parent[x] = parent[parent[x]]
            x = parent[x]
        return x

    for case in cases:
        links = [f"patient:{case.patient}"] if case.patient is not None else []
        links += [f"group:{groups[case.id]}"] if case.id in groups else []
        find(f"case:{case.id}")
        for link in links:
            a, b = find(f"case:{case.id}"), find(link)
            parent[max(a, b)] = min(a, b)
    return {c.id: find(f"case:{c.id}") for c in cases}


def _strata(cases: Sequence[Case], target: TargetInfo | None) -> dict[str, str]:
    """Return what is to be spread evenly, by case, as the target's kind says."""
    if target is None:
        return {c.id: "" for c in cases}
    found = kinds.of(target.kind).strata({c.id: c.targets[target.name] for c in cases})
    return {c.id: found.get(c.id, "") for c in cases}


def _by_stratum(units: Sequence[Unit]) -> dict[str, list[Unit]]:
    found: dict[str, list[Unit]] = {}
    for unit in units:
        found.setdefault(unit.stratum, []).append(unit)
    return dict(sorted(found.items(), key=lambda item: (len(item[1]), item[0])))


def draw_test(units: Sequence[Unit], fraction: float, rng: np.random.Generator) -> set[Unit]:
    """Return units for the test set: from each stratum its share of cases, rounding carried from one to the next."""
    chosen: set[Unit] = set()
    if fraction <= 0:
        return chosen
    carry = 0.0
    for listed in _by_stratum(units).values():
        wanted = fraction * sum(len(u.cases) for u in listed) + carry
        taken = 0
        kept = len(listed)
        for k in rng.permutation(len(listed)):
            size = len(listed[k].cases)
            if taken + size / 2 <= wanted and kept > 1:
                chosen.add(listed[k])
                taken += size
                kept -= 1
        carry = wanted - taken
    if not chosen:
        largest = list(_by_stratum(units).values())[-1]
        chosen.add(largest[int(rng.integers(len(largest)))])
    return chosen


def size(units: Iterable[Unit]) -> int:
    """Return how many cases some units have."""
    return sum(len(u.cases) for u in units)


def fold_count(units: Sequence[Unit], folds: int, *, every: bool) -> tuple[int, str]:
    """Return how many folds are made, and why fewer; `every` where each stratum must be in each of them."""
    if len(units) < 2:
        raise DataError(
            f"{counted(len(units), 'patient is', 'patients are')} too few to train and validate on",
            hint="more patients",
        )
    count, why = folds, ""
    if len(units) < count:
        count, why = (
            len(units),
            f"; {counted(len(units), 'fold')}, as there are {counted(len(units), 'patient')} to train on",
        )
    sizes = {s: len(listed) for s, listed in _by_stratum(units).items() if s and len(listed) > 1}
    if every and sizes and min(sizes.values()) < count:
        rarest = min(sizes, key=lambda s: sizes[s])
        count, why = sizes[rarest], f"; {sizes[rarest]} folds, as '{rarest}' has {sizes[rarest]} patients"
    return count, why


def deal(
    units: Sequence[Unit], count: int, rng: np.random.Generator, before: Mapping[Unit, int]
) -> list[list[str]]:
    """Deal units to folds: the largest first, each to the fold with the fewest of its stratum, then of all.

    Those that have a fold from `before` keep it.
    """
    dealt: list[list[str]] = [[] for _ in range(count)]
    held: Counter[tuple[int, str]] = Counter()
    for unit, k in before.items():
        dealt[k] += unit.cases
        held[k, unit.stratum] += len(unit.cases)
    for stratum, listed in _by_stratum([u for u in units if u not in before]).items():
        shuffled = [listed[k] for k in rng.permutation(len(listed))]
        for unit in sorted(shuffled, key=lambda u: -len(u.cases)):
            k = min(range(count), key=lambda f: (held[f, stratum], len(dealt[f]), f))
            dealt[k] += unit.cases
            held[k, stratum] += len(unit.cases)
    return dealt
