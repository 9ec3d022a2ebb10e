"""Hiding labels: a cohort in which only some patients keep their target, as where few images were ever labelled."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

import numpy as np

from vesalius.cohorts._dealing import Unit, units_of
from vesalius.cohorts.targets import contract as kinds
from vesalius.core.case import Case
from vesalius.core.cohort import Cohort, TargetInfo
from vesalius.core.errors import DataError, UnknownName
from vesalius.core.words import counted

LEAST = 2  # patients of each class that keep their label: one to learn from, and one to validate on


def with_share_of_labels(
    cohort: Cohort,
    target: str,
    *,
    share: float | None = None,
    count: int | None = None,
    seed: int = 0,
    keep: Collection[str] = (),
    groups: Mapping[str, str] | None = None,
) -> Cohort:
    """Return the cohort in which only some of the cases keep `target`; the images of the others stay.

    Cases whose declared split is `test` (or `val`, where there is no `test`) always keep it, and so do those whose ids
    are in `keep`: what is tested on is the same at every share. Of all others as many cases keep it as make `share`
    (0 to 1) of those that have it, or `count` of them, as near as whole patients allow. Cases of one patient, or of one
    of `groups` (case id → group), keep it or lose it together. Classes, and fifths of a number, keep their shares, and
    of each class two patients keep it in any case, however small the share. With the same seed a larger share holds all
    that a smaller one does, so that the points of a curve differ by what was added alone.

    The hash of the data is made anew by whoever decodes them. Raises UnknownName for a target that is not there;
    DataError where neither or both of `share` and `count` are given, or one that is out of bounds.
    """
    if target not in cohort.targets:
        raise UnknownName("target", target, cohort.targets)
    info, held, kept = cohort.targets[target], _held_out(cohort.cases), set(keep)
    free = [c for c in cohort.cases if (held is None or c.split != held) and c.id not in kept]
    pool = [c for c in free if target in c.targets]
    wanted = _wanted(len(pool), share, count)
    order, fewest = _order(units_of(pool, info, groups or {}), info, seed)
    chosen = _nearest(order, wanted, fewest)
    hidden = {c.id for c in pool if c.id not in chosen}
    if not hidden:
        return cohort
    cases = tuple(_without(c, target) if c.id in hidden else c for c in cohort.cases)
    said = f"{target}: {counted(len(hidden), 'label')} of {len(pool)} hidden, by patient (seed {seed})"
    return replace(cohort, cases=cases, hash="", digests={}, notes=(*cohort.notes, said))


def with_declared_test(cohort: Cohort, test: Collection[str]) -> Cohort:
    """Return the cohort whose declared split is `test` for the cases of these ids and `train` for all others.

    So a fit tests on the same cases, whatever labels the others have. Raises UnknownName for an id that is not there.
    """
    known = {c.id for c in cohort.cases}
    for case in test:
        if case not in known:
            raise UnknownName("case", case, known)
    cases = tuple(replace(c, split="test" if c.id in set(test) else "train") for c in cohort.cases)
    return replace(cohort, cases=cases)


def _held_out(cases: Sequence[Case]) -> str | None:
    """Return the declared split that a fit tests on."""
    declared = {c.split for c in cases}
    return "test" if "test" in declared else "val" if {"train", "val"} <= declared else None


def _wanted(there: int, share: float | None, count: int | None) -> float:
    """Return how many of the cases that are there are to keep their label. Raises DataError."""
    if (share is None) == (count is None):
        raise DataError(
            "how many labels are kept is told as a share or as a count",
            found="neither" if share is None else "both",
            hint="share=0.1, or count=100",
        )
    if share is not None and not 0 < share <= 1:
        raise DataError("a share of the labels lies above 0 and up to 1", found=f"{share:g}")
    if count is not None and not 0 < count <= there:
        raise DataError(f"a count of labels lies between 1 and the {there} that there are", found=str(count))
    return share * there if share is not None else float(count or 0)


def _order(units: Sequence[Unit], info: TargetInfo, seed: int) -> tuple[list[Unit], int]:
    """Return the units in the order in which they keep their label, and how many of them keep it in any case.

    Every beginning of the order is spread like the whole: the k-th of a stratum's n units, in a random order, stands at
    (k + 1/2) / n of the way. Those that keep it in any case, LEAST of each stratum that must be in every fold, come
    before all others.
    """
    rng = np.random.default_rng(seed)
    strata: dict[str, list[Unit]] = {}
    for unit in units:
        strata.setdefault(unit.stratum, []).append(unit)
    first = LEAST if kinds.of(info.kind).in_every_fold and len(strata) > 1 else 0
    placed: list[tuple[bool, float, float, Unit]] = []
    for _, listed in sorted(strata.items()):
        for k, place in enumerate(rng.permutation(len(listed))):
            placed.append((k >= first, (k + 0.5) / len(listed), float(rng.random()), listed[place]))
    in_order = sorted(placed, key=lambda p: p[:3])
    return [unit for *_, unit in in_order], sum(not later for later, *_ in in_order)


def _nearest(order: Sequence[Unit], wanted: float, fewest: int) -> set[str]:
    """Return the cases of the first units whose number is nearest to what is wanted, of at least `fewest` units."""
    chosen: list[str] = []
    for k, unit in enumerate(order):
        if k >= max(1, fewest) and len(chosen) + len(unit.cases) / 2 > wanted:
            break
        chosen += unit.cases
    return set(chosen)


def _without(case: Case, target: str) -> Case:
    """Return the case without one of its targets."""
    return replace(case, targets={name: value for name, value in case.targets.items() if name != target})
