"""Duplicates: copies are found however they were treated, different pictures are not called the same."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Picture

from vesalius import cohorts
from vesalius.core.cohort import Cohort
from vesalius.core.image import Array
from vesalius.reliability import duplicates
from vesalius.reliability._survey import survey

Draw = Callable[..., Array]
Build = Callable[..., Cohort]


def jpeg(picture: Array) -> Array:
    buffer = io.BytesIO()
    Picture.fromarray(picture).save(buffer, "JPEG", quality=30)
    return np.asarray(Picture.open(buffer))


def larger(picture: Array) -> Array:
    return np.asarray(Picture.fromarray(picture).resize((101, 101), Picture.Resampling.BICUBIC))


def darker(picture: Array) -> Array:
    return (picture * 0.6 + 12).astype(np.uint8)


@pytest.mark.parametrize("treat", [jpeg, larger, darker])
@pytest.mark.parametrize("count", [2, 30])
def test_a_treated_copy_is_near_and_nothing_else_is(
    draw: Draw, cohort_from: Build, treat: Callable[[Array], Array], count: int
) -> None:
    pictures = {f"p{k}": draw(k) for k in range(count)}
    pictures["copy"] = treat(pictures["p1"])
    found = duplicates.find(survey(cohort_from(pictures)).good)
    assert [(set(d.cases), d.exact) for d in found] == [({"p1", "copy"}, False)]
    assert found[0].similarity >= 0.9


def test_an_equal_picture_is_exact_and_its_labels_contradict(draw: Draw, cohort_from: Build) -> None:
    pictures = {f"p{k}": draw(k) for k in range(10)}
    pictures["again"] = pictures["p4"].copy()
    labels = dict.fromkeys(pictures, "benign") | {"again": "malignant", "p0": "malignant"}
    found = duplicates.find(survey(cohort_from(pictures, labels=labels)).good)
    assert len(found) == 1 and found[0].exact and set(found[0].cases) == {"p4", "again"}
    assert found[0].contradicts == {"class": ("benign", "malignant")}


def test_what_all_share_does_not_make_them_duplicates(draw: Draw, cohort_from: Build) -> None:
    rows, columns = np.mgrid[:64, :64]
    inside = (rows - 32) ** 2 + (columns - 32) ** 2 < 28**2
    pictures = {f"p{k}": np.where(inside, 90 + draw(k) // 4, 0).astype(np.uint8) for k in range(12)}
    assert duplicates.find(survey(cohort_from(pictures)).good) == ()


def test_flat_pictures_are_exact_duplicates_at_most(cohort_from: Build) -> None:
    pictures = {f"p{k}": np.full((16, 16), 10 * (k // 2), np.uint8) for k in range(4)}
    found = duplicates.find(survey(cohort_from(pictures)).good)
    assert {frozenset(d.cases) for d in found} == {frozenset({"p0", "p1"}), frozenset({"p2", "p3"})}
    assert all(d.exact for d in found)


def test_one_patients_sequences_are_not_called_duplicates(draw: Draw, cohort_from: Build) -> None:
    pictures = {"t1": draw(1), "t2": darker(draw(1)), "other": draw(2)}
    cohort = cohort_from(pictures, patients={"t1": "x", "t2": "x", "other": "y"})
    assert duplicates.find(survey(cohort).good) == ()


def test_groups_keep_copies_on_one_side_of_every_split(draw: Draw, cohort_from: Build) -> None:
    pictures = {f"p{k}": draw(k) for k in range(20)}
    pictures |= {"c1": jpeg(pictures["p3"]), "c2": darker(pictures["p3"]), "c3": pictures["p7"].copy()}
    cohort = cohort_from(pictures)
    groups = duplicates.groups(survey(cohort).good)
    twins = duplicates.Twins()
    cohorts.check(cohort, observe=twins)
    assert twins.groups() == groups and set(twins.groups(near=2.0)) == {"p7", "c3"}
    assert groups["p3"] == groups["c1"] == groups["c2"] != groups["p7"] == groups["c3"]
    assert set(groups) == {"p3", "c1", "c2", "p7", "c3"}
    for seed in range(4):
        assignment = cohorts.assign(cohort, target="class", seed=seed, groups=groups)
        for side in (assignment.test, *assignment.folds):
            assert ("p3" in side) == ("c1" in side) == ("c2" in side)
            assert ("p7" in side) == ("c3" in side)


@pytest.mark.realdata
def test_busi_has_one_identical_pair_under_two_labels(shared_data: Path) -> None:
    from dataclasses import replace

    cohort = cohorts.read(shared_data / "busi")
    kept = [
        c for k, c in enumerate(cohort.cases) if k % 12 == 0 or c.id in ("benign (433)", "malignant (145)")
    ]
    found = duplicates.find(survey(replace(cohort, cases=tuple(kept))).good)
    exact = [d for d in found if d.exact]
    assert [set(d.cases) for d in exact] == [{"benign (433)", "malignant (145)"}]
    assert set(exact[0].contradicts["class"]) == {"benign", "malignant"}


@pytest.mark.realdata
def test_photographs_of_different_eyes_are_not_duplicates(shared_data: Path) -> None:
    assert duplicates.find(survey(cohorts.read(shared_data / "drive")).good) == ()
