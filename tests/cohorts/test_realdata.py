"""The real data beside the project, read as it lies there."""

from __future__ import annotations

from pathlib import Path

import pytest

from vesalius import cohorts
from vesalius.core.case import Ref
from vesalius.core.errors import DataError

pytestmark = pytest.mark.realdata


def test_hippocampus_names_its_orphans_and_keeps_the_given_split(shared_data: Path) -> None:
    cohort = cohorts.read(shared_data / "hippocampus", split=shared_data / "hippocampus_split.csv")
    assert cohort.layout == "msd" and len(cohort.cases) == 209
    assert [s.case for s in cohort.set_aside] == ["hippocampus_010", "hippocampus_281"]
    assert not cohort.case("hippocampus_118").targets
    assignment = cohorts.assign(cohort, target="mask")
    assert len(assignment.test) == 42 and sum(map(len, assignment.folds)) == 166


def test_busi_is_read_unaided(shared_data: Path) -> None:
    cohort = cohorts.read(shared_data / "busi")
    counts = {
        x.name: sum(c.targets["class"] == x.name for c in cohort.cases)
        for x in cohort.targets["class"].labels
    }
    assert cohort.layout == "folder" and counts == {"benign": 349, "malignant": 168, "normal": 106}
    assert cohort.case("normal (55)").targets["class"] == "normal"


def test_drive_chooses_the_vessels_and_says_why(shared_data: Path) -> None:
    cohort = cohorts.read(shared_data / "drive")
    info = cohorts.select_target(cohort)
    assert info.name == "1st_manual" and "field of view" in info.reason
    assert len(cohort.cases) == 20
    for case in cohort.cases:
        assert isinstance(case.region, Ref) and case.region.paths[0].name == f"{case.id}_mask.gif"
        target = case.targets["1st_manual"]
        assert isinstance(target, Ref) and target.paths[0].name[:2] == case.id[:2]


def test_chasedb1_asks_which_expert_and_takes_patients_from_a_pattern(shared_data: Path) -> None:
    cohort = cohorts.read(shared_data / "chasedb1", columns={"patient": r"re:^(Image_\d+)"})
    assert len(cohort.cases) == 28 and len({c.patient for c in cohort.cases}) == 14
    with pytest.raises(DataError, match="--target 1stHO or --target 2ndHO"):
        cohorts.select_target(cohort)


def test_breastmnist_keeps_its_official_split(shared_data: Path) -> None:
    cohort = cohorts.check(cohorts.read(shared_data / "medmnist"))
    assert [sum(c.split == s for c in cohort.cases) for s in ("train", "val", "test")] == [546, 78, 156]
    assert [x.name for x in cohort.targets["label"].labels] == ["malignant", "normal, benign"]
    test = [c.targets["label"] for c in cohort.cases if c.split == "test"]
    assert test.count("malignant") == 42


def test_a_study_of_dicom_series_is_a_case_a_series(shared_data: Path) -> None:
    cohort = cohorts.read(shared_data / "mr_dicom")
    assert cohort.layout == "dicomtree" and cohort.patients_known
    assert sorted(len(c.images["image"].paths) for c in cohort.cases) == [22, 22, 32]  # type: ignore[union-attr]
