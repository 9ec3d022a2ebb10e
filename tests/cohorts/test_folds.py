"""Folds: by patient, stratified, deterministic, declared splits kept; held against counts made by hand."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vesalius import cohorts
from vesalius.cohorts import Overlap
from vesalius.core.case import Case, Event, Split
from vesalius.core.cohort import Cohort, Label, TargetInfo
from vesalius.core.errors import DataError, LeakError
from vesalius.core.image import Image

PIXELS = Image(np.zeros((1, 1, 2, 2), np.uint8))


def cohort_of(
    labels: list[str], *, patients: list[str] | None = None, splits: list[Split | None] | None = None
) -> Cohort:
    cases = tuple(
        Case(
            id=f"c{k}",
            images={"image": PIXELS},
            patient=patients[k] if patients else None,
            targets={"class": label} if label else {},
            split=splits[k] if splits else None,
        )
        for k, label in enumerate(labels)
    )
    names = sorted(set(filter(None, labels)))
    info = TargetInfo("class", "class", tuple(Label(k, n) for k, n in enumerate(names)))
    return Cohort(Path("x"), "folder", cases, {"class": info}, patients_known=bool(patients))


def test_every_case_is_in_one_place_and_classes_are_spread_evenly() -> None:
    cohort = cohort_of(["a"] * 100 + ["b"] * 50 + [""] * 5)
    assignment = cohorts.assign(cohort, target="class", seed=3)
    every = [*assignment.test, *(c for f in assignment.folds for c in f)]
    assert sorted(every) == sorted(f"c{k}" for k in range(150))  # the five without a target are in none
    label = {c.id: c.targets.get("class") for c in cohort.cases}
    assert Counter(label[c] for c in assignment.test) == {"a": 20, "b": 10}
    for fold in assignment.folds:
        assert Counter(label[c] for c in fold) == {"a": 16, "b": 8}
    assert set(assignment.training(0)) == set(every) - set(assignment.test) - set(assignment.folds[0])


def test_the_same_seed_gives_the_same_folds_and_another_others() -> None:
    cohort = cohort_of(["a", "b"] * 40)
    info = cohort.targets["class"]
    assert cohorts.assign(cohort, target=info, seed=1) == cohorts.assign(cohort, target="class", seed=1)
    assert cohorts.assign(cohort, target=info, seed=1) != cohorts.assign(cohort, target=info, seed=2)


@settings(max_examples=40, deadline=None)
@given(
    data=st.lists(st.tuples(st.integers(0, 14), st.sampled_from("abc")), min_size=12, max_size=80),
    groups=st.lists(st.tuples(st.integers(0, 79), st.integers(0, 5)), max_size=12),
    seed=st.integers(0, 5),
)
def test_patients_and_groups_are_never_parted(
    data: list[tuple[int, str]], groups: list[tuple[int, int]], seed: int
) -> None:
    cohort = cohort_of([x for _, x in data], patients=[f"p{p}" for p, _ in data])
    linked = {f"c{k}": f"g{g}" for k, g in groups if k < len(data)}
    try:
        assignment = cohorts.assign(cohort, target="class", seed=seed, groups=linked)
    except DataError as error:
        assert "too few" in str(error)
        return
    side = {c: k for k, ids in enumerate((assignment.test, *assignment.folds)) for c in ids}
    assert len(side) == len(data) and all(ids for ids in assignment.folds)
    for key in ([c.patient for c in cohort.cases], [linked.get(c.id) for c in cohort.cases]):
        sides: dict[str, set[int]] = {}
        for case, name in zip(cohort.cases, key, strict=True):
            if name is not None:
                sides.setdefault(name, set()).add(side[case.id])
        assert all(len(found) == 1 for found in sides.values())


def test_a_declared_split_is_kept_and_train_and_val_are_pooled() -> None:
    splits: list[Split | None] = ["train"] * 20 + ["val"] * 10 + ["test"] * 6
    assignment = cohorts.assign(cohort_of(["a", "b"] * 18, splits=splits), target="class", folds=3)
    assert assignment.test == tuple(f"c{k}" for k in range(30, 36))
    assert sorted(c for f in assignment.folds for c in f) == sorted(f"c{k}" for k in range(30))
    without = cohorts.assign(cohort_of(["a", "b"] * 15, splits=splits[:30]), target="class", folds=3)
    assert without.test == tuple(f"c{k}" for k in range(20, 30)) and "val" in without.by


def test_a_declared_split_that_parts_a_patient_is_refused() -> None:
    cohort = cohort_of(["a", "b"] * 3, patients=list("xxyyzx"), splits=["train"] * 4 + ["test"] * 2)
    with pytest.raises(LeakError, match="patient 'x'"):
        cohorts.assign(cohort, target="class")


def test_a_picture_that_is_in_the_declared_test_is_not_trained_on() -> None:
    splits: list[Split | None] = ["train"] * 10 + ["test"] * 4
    cohort = cohort_of(["a", "b"] * 7, splits=splits)
    assignment = cohorts.assign(
        cohort, target="class", folds=2, groups={"c3": "g", "c11": "g", "c5": "h", "c6": "h"}
    )
    assert "c3" not in {c for f in assignment.folds for c in f} and "c3" in assignment.by
    assert "c11" in assignment.test
    assert any({"c5", "c6"} <= set(f) for f in assignment.folds)


def test_what_is_only_nearly_in_the_declared_test_is_trained_on_in_one_fold() -> None:
    splits: list[Split | None] = ["train"] * 10 + ["test"] * 4
    near = {"c3": "g", "c11": "g", "c5": "h", "c6": "h", "c0": "i", "c7": "i", "c12": "i"}
    assignment = cohorts.assign(
        cohort_of(["a", "b"] * 7, splits=splits),
        target="class",
        folds=2,
        groups=near,
        copies={"c0": "i", "c12": "i"},
    )
    folds = [set(f) for f in assignment.folds]
    assert any("c3" in f for f in folds) and any({"c5", "c6"} <= f for f in folds)
    assert not any("c0" in f for f in folds) and any("c7" in f for f in folds)


def test_few_patients_of_a_class_mean_fewer_folds_and_it_is_said() -> None:
    assignment = cohorts.assign(cohort_of(["a"] * 40 + ["rare"] * 4), target="class", test_fraction=0.25)
    assert len(assignment.folds) == 3 and "3 folds, as 'rare' has 3 patients" in assignment.by
    assert all(any(int(c[1:]) >= 40 for c in f) for f in assignment.folds)
    small = cohorts.assign(cohort_of(["a", "b", "a", "b"]), target="class", test_fraction=0.0)
    assert len(small.folds) == 2
    with pytest.raises(DataError, match="too few"):
        cohorts.assign(cohort_of(["a", "b"]), target="class")
    with pytest.raises(DataError, match="no case has the target 'mask'"):
        cohorts.assign(cohort_of(["a", "b"]), target="mask")


def test_events_are_spread_over_folds() -> None:
    cases = tuple(
        Case(id=f"c{k}", images={"image": PIXELS}, targets={"survival": Event(float(k), k % 4 == 0)})
        for k in range(80)
    )
    cohort = Cohort(Path("x"), "table", cases, {"survival": TargetInfo("survival", "event")})
    assignment = cohorts.assign(cohort, target="survival", folds=4)
    happened = [sum(int(c[1:]) % 4 == 0 for c in f) for f in assignment.folds]
    assert max(happened) - min(happened) <= 2


def test_an_assignment_comes_back_as_it_was_stored(tmp_path: Path) -> None:
    assignment = cohorts.assign(cohort_of(["a", "b"] * 10), target="class", seed=4)
    cohorts.save_assignment(assignment, tmp_path / "folds.json")
    assert cohorts.load_assignment(tmp_path / "folds.json") == assignment
    (tmp_path / "folds.json").write_text('{"test": []}')
    with pytest.raises(DataError, match="not a stored assignment"):
        cohorts.load_assignment(tmp_path / "folds.json")


@settings(max_examples=20, deadline=None)
@given(st.data())
def test_what_weights_learned_is_never_tested_on_and_what_they_tested_on_stays_so(
    data: st.DataObject,
) -> None:
    n = data.draw(st.integers(12, 40))
    patients = [f"p{data.draw(st.integers(0, n // 2))}" for _ in range(n)]
    side = {p: data.draw(st.sampled_from(["new", "new", "train", "test"])) for p in sorted(set(patients))}
    cohort = cohort_of(["a", "b"] * (n // 2) + ["a"] * (n % 2), patients=patients)
    trained = {c.id: data.draw(st.integers(0, 4)) for c in cohort.cases if side[str(c.patient)] == "train"}
    tested = frozenset(c.id for c in cohort.cases if side[str(c.patient)] == "test")
    known = Overlap("bundle 0123", trained, tested, folds=5)
    try:
        made = cohorts.assign(cohort, target="class", overlap=known)
    except LeakError:
        assert not tested and sum(side[p] == "new" for p in side) < 2
        return
    except DataError as error:
        assert "too few" in str(error)
        return
    assert made.test and not set(made.test) & trained.keys() and tested <= set(made.test)
    assert all(made.folds) and sorted([*made.test, *(c for f in made.folds for c in f)]) == sorted(
        c.id for c in cohort.cases
    )
    if "its folds are kept" in made.by:
        first = {
            p: next(trained[c.id] for c in cohort.cases if c.patient == p)
            for p, s in side.items()
            if s == "train"
        }
        assert all(
            first[str(c.patient)] == k
            for k, f in enumerate(made.folds)
            for c in map(cohort.case, f)
            if c.id in trained
        )


def test_without_an_overlap_the_assignment_is_the_seeds() -> None:
    cohort = cohort_of(["a", "b"] * 20)
    plain = cohorts.assign(cohort, target="class", seed=3)
    assert cohorts.assign(cohort, target="class", seed=3, overlap=Overlap("bundle 0123")) == plain


def test_unlabelled_cases_are_learned_from_unless_their_patient_or_their_twin_is_tested(
    tmp_path: Path,
) -> None:
    labels = ["a", "b"] * 10 + [""] * 4
    patients = [f"p{k}" for k in range(20)] + ["p0", "new", "twin", "new"]
    cohort = cohort_of(labels, patients=patients)
    assignment = cohorts.assign(cohort, target="class", folds=2, seed=1)
    tested, own = assignment.test[0], next(k for k in (0, 1) if "c0" in assignment.folds[k])
    groups = {"c22": "g", tested: "g"}  # the same image as one that is tested
    found = cohorts.with_unlabelled(assignment, cohort, target="class", groups=groups)
    assert found.unlabelled[own] == ("c21", "c23"), "its member is validated on the patient of c20"
    assert found.unlabelled[1 - own] == ("c20", "c21", "c23") and set(found.beside) == {"c20", "c21", "c23"}
    assert (found.test, found.folds) == (assignment.test, assignment.folds)
    cohorts.save_assignment(found, tmp_path / "folds.json")
    assert cohorts.load_assignment(tmp_path / "folds.json") == found


def test_without_unlabelled_cases_nothing_is_changed() -> None:
    splits: list[Split | None] = ["train"] * 8 + ["test"] * 4
    labels = ["a", "b"] * 5 + ["", ""]
    cohort = cohort_of(labels, splits=splits)
    assignment = cohorts.assign(cohort, target="class", folds=2)
    assert cohorts.with_unlabelled(assignment, cohort, target="class") is assignment, (
        "both are to be tested on"
    )
