"""Folds: which patients are tested on and which fold each of the others validates, assigned once and stored."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from vesalius.cohorts._build import SPLIT_NOTE, some
from vesalius.cohorts._overlap import TEST, Overlap
from vesalius.cohorts._splits import apply_split_file, leaking_patients
from vesalius.cohorts.targets import contract as kinds
from vesalius.core.case import Case
from vesalius.core.cohort import Assignment, Cohort, TargetInfo
from vesalius.core.disk import write_text
from vesalius.core.errors import DataError, LeakError, UnknownName
from vesalius.core.words import counted


@dataclass(frozen=True, slots=True)
class _Unit:
    """Cases that may not be parted: one patient's, and those that show the same image."""

    cases: tuple[str, ...]
    stratum: str


def assign(
    cohort: Cohort,
    *,
    target: TargetInfo | str | None,
    seed: int = 0,
    folds: int = 5,
    test_fraction: float = 0.2,
    split: Path | None = None,
    groups: Mapping[str, str] | None = None,
    copies: Mapping[str, str] | None = None,
    overlap: Overlap | None = None,
) -> Assignment:
    """Assign every case that has `target` (all of them when None) to the test set or to one fold, by patient.

    A split file wins, then what the data declares (train and val are pooled into the folds; with a val and no
    test, val is the test), then the seed. Cases of one patient, or of one of `groups` (case id → group, such
    as near duplicates), stay together. Classes are spread evenly; fewer folds are made where a class has too few
    patients to be in each, and `by` says so. The same cohort, target and seed give the same assignment.

    A case to train on that is one of the `copies` (case id → group, by default `groups`) of a declared test case is
    left out, and `by` names it.

    `overlap` says which cases the weights that training begins from learned from: none of them is tested on, those
    that were tested on stay so, and folds are kept where there are as many; `by` says how many cases that is.

    Raises LeakError if a declared split parts a patient, or tests on what the weights learned from; DataError if too
    few cases are left.
    """
    if split is not None:
        cohort = apply_split_file(cohort, split)
    name = target.name if isinstance(target, TargetInfo) else target
    cases = [c for c in cohort.cases if name is None or name in c.targets]
    if not cases:
        raise DataError(f"no case has the target '{name}'", hint="a cohort with targets, or another --target")
    info = cohort.targets.get(target) if isinstance(target, str) else target
    if name is not None and info is None:
        raise UnknownName("target", name, cohort.targets)
    leaks = leaking_patients(cases)
    if leaks:
        patient, listed = next(iter(leaks.items()))
        raise LeakError(
            f"patient '{patient}' stands in more than one split", found=some([c.id for c in listed])
        )
    groups = groups or {}
    rng = np.random.default_rng(seed)
    declared = {c.split for c in cases}
    held = "test" if "test" in declared else "val" if {"train", "val"} <= declared else None
    said = next((n for n in reversed(cohort.notes) if n.startswith(SPLIT_NOTE)), None)
    said = said or "the split that the data declares"
    test: list[str] = []
    if held is not None:
        pool = [c for c in cases if c.split not in (held, None)]
        if not pool:
            pool = [c for c in cases if c.split is None]
        test = [c.id for c in cases if c.split == held]
        by = said if held == "test" else f"{said}, where val is the held-out part"
        left = len(cases) - len(test) - len(pool)
        if left:
            by += f"; {left} without a split, not used"
        twins = _twins_of_test(groups if copies is None else copies, test, pool)
        if twins:
            by += f"; not trained on, as the same image is in {held}: {some(sorted(twins))}"
            pool = [c for c in pool if c.id not in twins]
        if overlap is not None:
            by += overlap.kept_apart(test, [c.id for c in pool], by)
        units = _units(pool, info, groups)
    else:
        named = [c for c in cases if c.split is not None]
        units = _units(named or cases, info, groups)
        if test_fraction > 0 and len(units) < 3:
            raise DataError(
                f"{counted(len(units), 'patient is', 'patients are')} too few for a test set and two folds",
                hint="more patients, or a declared split",
            )
        by = f"seed {seed}, by {'patient' if cohort.patients_known else 'case (no patient ids)'}"
        chosen, by = _inherited(units, test_fraction, rng, overlap or Overlap(), by)
        test = [c for unit in units if unit in chosen for c in unit.cases]
        units = [u for u in units if u not in chosen]
    count, why = _fold_count(units, folds, every=info is not None and kinds.of(info.kind).in_every_fold)
    before: dict[_Unit, int] = {}
    if overlap is not None and overlap.trained:
        same = count == overlap.folds
        before = {u: k for u in units if same and (k := overlap.fold(u.cases)) is not None}
    dealt = _deal(units, count, rng, before)
    if not all(dealt):
        before, dealt = {}, _deal(units, count, rng, {})
    if overlap is not None and overlap.trained:
        why += "; its folds are kept" if before else "; it was trained on cases that now validate"
    order = {c.id: k for k, c in enumerate(cases)}
    return Assignment(
        test=tuple(sorted(test, key=order.__getitem__)),
        folds=tuple(tuple(sorted(ids, key=order.__getitem__)) for ids in dealt),
        by=by + why,
        seed=seed,
    )


def with_unlabelled(
    assignment: Assignment, cohort: Cohort, *, target: str, groups: Mapping[str, str] | None = None
) -> Assignment:
    """Return the assignment with the cases that lack `target` added, for recipes that learn from unlabelled cases.

    A case that the data declares for testing is left out, and so is one that shares its patient, or one of `groups`,
    with a test case, over any number of links; of each member also one that shares it with the fold that validates it.
    """
    keys = _connected(cohort.cases, groups or {})
    tested = {keys[c] for c in assignment.test}
    free = [
        c.id
        for c in cohort.cases
        if target not in c.targets and c.split in (None, "train") and keys[c.id] not in tested
    ]
    if not free:
        return assignment
    seen = [{keys[c] for c in fold} for fold in assignment.folds]
    return replace(assignment, unlabelled=tuple(tuple(c for c in free if keys[c] not in k) for k in seen))


def save_assignment(assignment: Assignment, path: Path) -> None:
    """Write an assignment as JSON, whole or not at all. Raises OutputError."""
    data: dict[str, object] = {
        "by": assignment.by,
        "seed": assignment.seed,
        "test": list(assignment.test),
        "folds": [list(ids) for ids in assignment.folds],
    }
    if assignment.unlabelled:
        data["unlabelled"] = [list(ids) for ids in assignment.unlabelled]
    write_text(path, json.dumps(data, indent=1, ensure_ascii=False) + "\n")


def load_assignment(path: Path) -> Assignment:
    """Read what `save_assignment` wrote. Raises DataError where it is not that."""
    try:
        data: Any = json.loads(path.read_text(encoding="utf-8"))
        return Assignment(
            test=tuple(map(str, data["test"])),
            folds=tuple(tuple(map(str, ids)) for ids in data["folds"]),
            by=str(data["by"]),
            seed=None if data["seed"] is None else int(data["seed"]),
            unlabelled=tuple(tuple(map(str, ids)) for ids in data.get("unlabelled", ())),
        )
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(f"{path} is not a stored assignment of folds", found=repr(error)) from error


def _units(cases: Sequence[Case], target: TargetInfo | None, groups: Mapping[str, str]) -> list[_Unit]:
    keys = _connected(cases, groups)
    members: dict[str, list[Case]] = {}
    for case in cases:
        members.setdefault(keys[case.id], []).append(case)
    strata = _strata(cases, target)
    frequency = Counter(strata.values())
    units = []
    for listed in members.values():
        rarest = min((strata[c.id] for c in listed), key=lambda s: (frequency[s], s))
        units.append(_Unit(tuple(c.id for c in listed), rarest))
    return sorted(units, key=lambda u: u.cases)


def _connected(cases: Sequence[Case], groups: Mapping[str, str]) -> dict[str, str]:
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


def _by_stratum(units: Sequence[_Unit]) -> dict[str, list[_Unit]]:
    found: dict[str, list[_Unit]] = {}
    for unit in units:
        found.setdefault(unit.stratum, []).append(unit)
    return dict(sorted(found.items(), key=lambda item: (len(item[1]), item[0])))


def _test_units(units: Sequence[_Unit], fraction: float, rng: np.random.Generator) -> set[_Unit]:
    """Return units for the test set: from each stratum its share of cases, rounding carried from one to the next."""
    chosen: set[_Unit] = set()
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


def _inherited(
    units: Sequence[_Unit], fraction: float, rng: np.random.Generator, overlap: Overlap, by: str
) -> tuple[set[_Unit], str]:
    """Return units for the test set, none of which was trained on, and why; new ones join what was tested on before."""
    sides = {u: overlap.side(u.cases) for u in units}
    new = [u for u in units if sides[u] is None]
    if len(new) == len(units):
        return _test_units(units, fraction, rng), by
    kept = {u for u in units if sides[u] == TEST}
    if not kept and len(new) < 2 and fraction > 0:
        seen = [c for u in units if u not in new for c in u.cases]
        many = f"{len(seen)} of {counted(_size(units), 'case')} that it was trained on{overlap.alone(seen)}"
        raise LeakError(
            f"{overlap.of}, which --init names, was trained on these data, and leaves nothing to test on",
            found=f"{many}, none of which it was tested on",
            hint=f"more cases that it was not trained on, or no --init{overlap.others(seen)}",
        )
    share, fresh = fraction, set[_Unit]()
    if new:
        lacking = (fraction * _size(units) - _size(kept)) / _size(new)
        share = min(0.5, max(fraction, lacking))  # at most half of what is new: the rest is to be learned
    if len(new) > 2 or not kept:
        fresh = _test_units(new, share, rng)
    trained = _size(units) - _size(new) - _size(kept)
    stays = f"{counted(trained, 'case')} of its training stay that, {_size(kept)} of its test too"
    said = f"the split of {overlap.of}: {stays}"
    return kept | fresh, said + (f"; {counted(_size(new), 'new case')} by {by}" if new else "")


def _size(units: Iterable[_Unit]) -> int:
    return sum(len(u.cases) for u in units)


def _fold_count(units: Sequence[_Unit], folds: int, *, every: bool) -> tuple[int, str]:
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


def _deal(
    units: Sequence[_Unit], count: int, rng: np.random.Generator, before: Mapping[_Unit, int]
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


def _twins_of_test(groups: Mapping[str, str], test: Sequence[str], pool: Sequence[Case]) -> set[str]:
    """Return cases to train on that show the same image as one to be tested on."""
    tested = {groups[c] for c in test if c in groups}
    return {c.id for c in pool if groups.get(c.id) in tested}
