"""Folds: which patients are tested on and which fold each of the others validates, assigned once and stored."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from vesalius.cohorts._build import SPLIT_NOTE, some
from vesalius.cohorts._dealing import Unit, connected, deal, draw_test, fold_count, size, units_of
from vesalius.cohorts._layout import FEATURES
from vesalius.cohorts._overlap import TEST, Overlap
from vesalius.cohorts._splits import apply_split_file, leaking_patients
from vesalius.cohorts.targets import contract as kinds
from vesalius.core.case import Case
from vesalius.core.cohort import Assignment, Cohort, TargetInfo
from vesalius.core.errors import DataError, LeakError, UnknownName
from vesalius.core.words import counted


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
    overlap = _with_learned(overlap, cohort)
    cases, info = _learnable(cohort, target)
    rng = np.random.default_rng(seed)
    groups = groups or {}
    held = _held_out(cases)
    if held is not None:
        test, pool, by = _declared(cohort, cases, held, copies=groups if copies is None else copies)
        if overlap is not None:
            by += overlap.kept_apart(test, [c.id for c in pool], by)
        units = units_of(pool, info, groups)
    else:
        pool = [c for c in cases if c.split is not None] or cases
        units = units_of(pool, info, groups)
        by = f"seed {seed}, by {'patient' if cohort.patients_known else 'case (no patient ids)'}"
        test, units, by = _drawn(units, test_fraction, rng, overlap or Overlap(), by)
    dealt, why = _folds(units, info, folds, rng, overlap)
    order = {c.id: k for k, c in enumerate(cases)}
    return Assignment(
        test=tuple(sorted(test, key=order.__getitem__)),
        folds=tuple(tuple(sorted(ids, key=order.__getitem__)) for ids in dealt),
        by=by + why,
        seed=seed,
    )


def _with_learned(overlap: Overlap | None, cohort: Cohort) -> Overlap | None:
    """Return the overlap together with the cases whose features are of a bundle that learned from them."""
    if not cohort.learned:
        return overlap
    seen: dict[str, int | None] = dict.fromkeys(sorted(cohort.learned))
    if overlap is None:
        return Overlap("the bundle of these features", seen, named=f"--column {FEATURES}")
    both = f"{overlap.of} and the bundle of these features"
    tested = overlap.tested - cohort.learned
    named = f"{overlap.named} or --column {FEATURES}"
    return replace(overlap, of=both, trained={**seen, **overlap.trained}, tested=tested, named=named)


def _learnable(cohort: Cohort, target: TargetInfo | str | None) -> tuple[list[Case], TargetInfo | None]:
    """Return the cases that have the target, and what is known of it; every case and None without a target.

    Raises DataError where none has it, UnknownName where there is no such target, LeakError where a declared split
    parts a patient.
    """
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
    return cases, info


def _held_out(cases: Sequence[Case]) -> str | None:
    """Return which declared split is tested on: test, or val where there is no test; None where none is declared."""
    declared = {c.split for c in cases}
    return "test" if "test" in declared else "val" if {"train", "val"} <= declared else None


def _declared(
    cohort: Cohort, cases: Sequence[Case], held: str, *, copies: Mapping[str, str]
) -> tuple[list[str], list[Case], str]:
    """Return the declared test cases, those to train on without copies of a test case, and why, in words."""
    said = next((n for n in reversed(cohort.notes) if n.startswith(SPLIT_NOTE)), None)
    said = said or "the split that the data declares"
    pool = [c for c in cases if c.split not in (held, None)]
    if not pool:
        pool = [c for c in cases if c.split is None]
    test = [c.id for c in cases if c.split == held]
    by = said if held == "test" else f"{said}, where val is the held-out part"
    left = len(cases) - len(test) - len(pool)
    if left:
        by += f"; {left} without a split, not used"
    twins = _twins_of_test(copies, test, pool)
    if twins:
        by += f"; not trained on, as the same image is in {held}: {some(sorted(twins))}"
        pool = [c for c in pool if c.id not in twins]
    return test, pool, by


def _drawn(
    units: Sequence[Unit], test_fraction: float, rng: np.random.Generator, overlap: Overlap, by: str
) -> tuple[list[str], list[Unit], str]:
    """Return the test cases that are drawn, the units that are left to train on, and why, in words."""
    if test_fraction > 0 and len(units) < 3:
        raise DataError(
            f"{counted(len(units), 'patient is', 'patients are')} too few for a test set and two folds",
            hint="more patients, or a declared split",
        )
    chosen, by = _inherited(units, test_fraction, rng, overlap, by)
    test = [c for unit in units if unit in chosen for c in unit.cases]
    return test, [u for u in units if u not in chosen], by


def _folds(
    units: Sequence[Unit],
    info: TargetInfo | None,
    folds: int,
    rng: np.random.Generator,
    overlap: Overlap | None,
) -> tuple[list[list[str]], str]:
    """Return the case ids of each fold, and why there are fewer or why they are as they were, in words."""
    count, why = fold_count(units, folds, every=info is not None and kinds.of(info.kind).in_every_fold)
    if overlap is None or not overlap.trained:
        return deal(units, count, rng, {}), why
    same = count == overlap.folds
    before = {u: k for u in units if same and (k := overlap.fold(u.cases)) is not None}
    dealt = deal(units, count, rng, before)
    if not all(dealt):
        before, dealt = {}, deal(units, count, rng, {})
    return dealt, why + ("; its folds are kept" if before else "; it was trained on cases that now validate")


def with_unlabelled(
    assignment: Assignment, cohort: Cohort, *, target: str, groups: Mapping[str, str] | None = None
) -> Assignment:
    """Return the assignment with the cases that lack `target` added, for recipes that learn from unlabelled cases.

    A case that the data declares for testing is left out, and so is one that shares its patient, or one of `groups`,
    with a test case, over any number of links; of each member also one that shares it with the fold that validates it.
    """
    keys = connected(cohort.cases, groups or {})
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


def _inherited(
    units: Sequence[Unit], fraction: float, rng: np.random.Generator, overlap: Overlap, by: str
) -> tuple[set[Unit], str]:
    """Return units for the test set, none of which was trained on, and why; new ones join what was tested on before."""
    sides = {u: overlap.side(u.cases) for u in units}
    new = [u for u in units if sides[u] is None]
    if len(new) == len(units):
        return draw_test(units, fraction, rng), by
    kept = {u for u in units if sides[u] == TEST}
    if not kept and len(new) < 2 and fraction > 0:
        seen = [c for u in units if u not in new for c in u.cases]
        many = f"{len(seen)} of {counted(size(units), 'case')} that it was trained on{overlap.alone(seen)}"
        raise LeakError(
            f"{overlap.of}, which {overlap.named} names, was trained on these data, and leaves nothing to test on",
            found=f"{many}, none of which it was tested on",
            hint=f"more cases that it was not trained on, or no {overlap.named}{overlap.others(seen)}",
        )
    share, fresh = fraction, set[Unit]()
    if new:
        lacking = (fraction * size(units) - size(kept)) / size(new)
        share = min(0.5, max(fraction, lacking))  # at most half of what is new: the rest is to be learned
    if len(new) > 2 or not kept:
        fresh = draw_test(new, share, rng)
    trained = size(units) - size(new) - size(kept)
    stays = f"{counted(trained, 'case')} of its training stay that, {size(kept)} of its test too"
    said = f"the split of {overlap.of}: {stays}"
    return kept | fresh, said + (f"; {counted(size(new), 'new case')} by {by}" if new else "")


def _twins_of_test(groups: Mapping[str, str], test: Sequence[str], pool: Sequence[Case]) -> set[str]:
    """Return cases to train on that show the same image as one to be tested on."""
    tested = {groups[c] for c in test if c in groups}
    return {c.id for c in pool if groups.get(c.id) in tested}
