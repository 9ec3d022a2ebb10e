"""Cases without the target: none that a student learns from is of a patient, or shows an image, that judges it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from vesalius.compress.opened import seen_by_all, with_unlabelled
from vesalius.core.case import Case
from vesalius.core.cohort import Assignment, Cohort, Label, TargetInfo
from vesalius.reliability.marks import Marks
from vesalius.run.workspace import Workspace
from vesalius.tasks import contract as tasks


class Known(Marks):
    """Marks of images that are told, not looked at."""

    def pixels(self) -> dict[str, frozenset[str]]:
        return {
            c: frozenset({"same" if c in ("a", "copy") else c}) for c in ("a", "b", "t", "copy", *"uvwxyz")
        }


def space(**assignment: Any) -> Workspace:
    labelled = [("a", "p1"), ("b", "p2"), ("t", "p3")]
    others = [("u", "p1"), ("v", "p2"), ("w", "p3"), ("copy", "p4"), ("x", "p5"), ("y", "p6"), ("z", "p7")]
    cases = [Case(i, {}, patient=p, targets={"class": "no"}) for i, p in labelled]
    cases += [Case(i, {}, patient=p) for i, p in others]
    info = TargetInfo("class", "class", (Label(0, "no"), Label(1, "yes")))
    cohort = Cohort(Path(), "table", tuple(cases), {"class": info}, patients_known=True)
    folds = Assignment(("t",), (("a",), ("b",)), "seed", **assignment)
    return Workspace(cohort, info, tasks.get("classify"), folds, {}, Known())


def test_none_is_of_a_patient_or_an_image_that_judges() -> None:
    found = with_unlabelled(space()).assignment
    first, second = map(set, found.unlabelled)
    assert "w" not in first | second, "of a patient who is tested on"
    assert "u" not in first and "v" not in second, "of a patient of the member's own fold"
    assert "copy" not in first | second, "the very image of a labelled case"
    assert len(set(found.beside)) == 4, "at most twice as many as labelled ones"
    both = seen_by_all(found, (0, 1))
    assert set(both) == first & second and not {"u", "v"} & set(both)
    assert set(seen_by_all(found, (0,))) == first


def test_a_run_keeps_those_that_it_learned_from() -> None:
    given = space(unlabelled=(("x",), ("x", "y")))
    assert with_unlabelled(given) is given
    assert seen_by_all(given.assignment, (0, 1)) == ("x",)
    with pytest.raises(IndexError):
        given.assignment.unlabelled[2]
    assert seen_by_all(given.assignment, (5,)) == ()
