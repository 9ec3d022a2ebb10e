"""Few shots: some cases of each label, drawn to be learned from, one a patient; the others only validate."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import numpy as np

from vesalius.cohorts._dealing import connected
from vesalius.core.case import Case
from vesalius.core.cohort import Assignment, Cohort
from vesalius.core.errors import DataError
from vesalius.core.words import counted

VALIDATING = 300  # cases that are not learned from and validate: more would tell hardly more
Labels = Callable[[Case], tuple[str, ...]]


def draw_shots(
    assignment: Assignment,
    cohort: Cohort,
    *,
    shots: int,
    labels: Labels,
    seed: int,
    groups: Mapping[str, str] | None = None,
    said: str = "of each label",
) -> Assignment:
    """Return the assignment with two folds: cases that only validate, and `shots` cases of each label to learn from.

    Shots are drawn by the seed from the training cases alone, never from the test cases or from a declared `val`; no
    two are of one patient, or of one of `groups` (case id → group). `labels` says which labels a case has, none where
    it cannot be a shot. A case with several counts for each. Of the other training cases up to VALIDATING
    validate; those that share a patient or a group with a shot are not used. `said` follows the number in `by`.

    Raises DataError where a label has fewer patients than `shots`, naming it.
    """
    pool = [c for c in cohort.cases if any(c.id in fold for fold in map(set, assignment.folds))]
    keys = connected(cohort.cases, groups or {})
    free = [c for c in pool if c.split != "val"]
    held = {c.id: labels(c) for c in free}
    rng = np.random.default_rng(seed)
    drawn = _drawn([free[k] for k in rng.permutation(len(free))], held, keys, shots)
    used = {keys[c] for c in drawn}
    others = [c.id for c in pool if keys[c.id] not in used]
    chosen = set(others)
    if len(others) > VALIDATING:
        chosen = {others[k] for k in rng.choice(len(others), VALIDATING, replace=False)}
    validating, learned = (tuple(c.id for c in pool if c.id in ids) for ids in (chosen, drawn))
    words = f"{counted(len(learned), 'case')} drawn by seed {seed}, {shots} {said}, are learned from; " + (
        f"{counted(len(validating), 'other')} are labelled and only validate"
        if validating
        else "no case is left to validate on"
    )
    return replace(
        assignment,
        folds=(validating, learned),
        by=f"{assignment.by}; {words}",
        unlabelled=(),
        shots=shots,
    )


def _drawn(
    cases: Sequence[Case], held: Mapping[str, tuple[str, ...]], keys: Mapping[str, str], shots: int
) -> set[str]:
    """Return the ids of the cases that are drawn: label by label, the rarest first, in the order of `cases`."""
    names = sorted({name for found in held.values() for name in found})
    patients = {name: {keys[c.id] for c in cases if name in held[c.id]} for name in names}
    drawn: dict[str, str] = {}
    for name in sorted(names, key=lambda n: (len(patients[n]), n)):
        have = sum(name in held[c] for c in drawn)
        for case in cases:
            if have >= shots:
                break
            if name in held[case.id] and keys[case.id] not in drawn.values():
                drawn[case.id] = keys[case.id]
                have += 1
        if have < shots:
            many = counted(len(patients[name]), "training patient")
            raise DataError(
                f"{_called(name)} has too few cases for --shots {shots}",
                found=f"{many} with it, of which {have} could be drawn",
                hint=f"--shots {have}" if have else "more cases",
            )
    return set(drawn)


def _called(name: str) -> str:
    return f"label '{name}'" if name else "the group without any label"
