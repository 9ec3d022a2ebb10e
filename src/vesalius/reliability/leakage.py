"""What stands on both sides of a split: patients, and pictures that are the same."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from vesalius.core.cohort import Assignment
from vesalius.reliability._records import CaseRecord
from vesalius.reliability.duplicates import Duplicate


@dataclass(frozen=True, slots=True)
class Leak:
    """Cases of one patient, or of one picture, and the sides they stand on.

    `what` is shared, where it is no patient: a picture, a time course or a report.
    """

    kind: str  # "patient" or "image"
    name: str
    cases: tuple[str, ...]
    sides: tuple[str, ...]
    similarity: float = 1.0  # of pictures that are not quite the same
    what: str = "picture"


def find(
    facts: Sequence[CaseRecord], duplicates: Sequence[Duplicate], *, assignment: Assignment | None = None
) -> tuple[Leak, ...]:
    """Leaks between the declared splits, or between test and folds of an assignment where one is given."""
    sides = _sides(facts, assignment)
    by_patient: dict[str, list[str]] = {}
    for fact in facts:
        if fact.patient is not None and fact.case in sides:
            by_patient.setdefault(fact.patient, []).append(fact.case)
    leaks = []
    for patient, cases in by_patient.items():
        found = tuple(dict.fromkeys(sides[c] for c in cases))
        if len(found) > 1:
            leaks.append(Leak("patient", patient, tuple(cases), found))
    for duplicate in duplicates:
        cases = [c for c in duplicate.cases if c in sides]
        found = tuple(dict.fromkeys(sides[c] for c in cases))
        if len(found) > 1:
            leaks.append(Leak("image", cases[0], tuple(cases), found, duplicate.similarity, duplicate.what))
    return tuple(leaks)


def _sides(facts: Sequence[CaseRecord], assignment: Assignment | None) -> Mapping[str, str]:
    if assignment is None:
        return {f.case: f.split for f in facts if f.split is not None}
    sides = dict.fromkeys(assignment.test, "test")
    for k, fold in enumerate(assignment.folds):
        sides |= dict.fromkeys(fold, f"fold {k}")
    return sides
