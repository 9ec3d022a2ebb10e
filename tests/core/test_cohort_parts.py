"""A cohort as a sequence of its cases: parts of it are cohorts, with the hash that reading them alone would give."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image as Pillow

import vesalius as vs
from vesalius import cohorts
from vesalius.core.cohort import Cohort
from vesalius.core.errors import DataError, LeakError, UnknownName


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve pictures of six patients in three classes; one picture is broken."""
    root = tmp_path_factory.mktemp("cohort")
    lines = ["image,class,patient,split"]
    for k in range(12):
        pixels = np.random.default_rng(k).integers(0, 255, (9, 9), dtype=np.uint8)
        Pillow.fromarray(pixels).save(root / f"{k:02d}.png")
        split = "test" if k // 2 in (1, 4) else "train"
        lines.append(f"{k:02d}.png,{('cyst', 'normal', 'tumour')[k % 3]},p{k // 2},{split}")
    (root / "11.png").write_bytes((root / "11.png").read_bytes()[:60])
    (root / "cohort.csv").write_text("\n".join(lines))
    return root / "cohort.csv"


@pytest.fixture(scope="module")
def checked(table: Path) -> Cohort:
    return cohorts.check(vs.read(table), target="class")


def ids(cohort: Cohort) -> list[str]:
    return [c.id for c in cohort]


def test_it_is_a_sequence(table: Path) -> None:
    cohort = vs.read(table)
    assert len(cohort) == 12 and cohort[0] is cohort.cases[0] and cohort[-1].id == "11"
    assert cohort["03"] is cohort.case("03") and "03" in cohort and "33" not in cohort and cohort[2] in cohort
    assert [c.id for c in cohort] == ids(cohort) and cohort[np.int64(3)].id == "03"
    with pytest.raises(IndexError):
        cohort[12]
    with pytest.raises(UnknownName, match="03"):
        cohort["003"]


def test_parts_are_cohorts(table: Path) -> None:
    cohort = vs.read(table)
    assert isinstance(cohort[:3], Cohort) and ids(cohort[:3]) == ["00", "01", "02"]
    assert ids(cohort[["05", "01"]]) == ["05", "01"] == ids(cohort[[5, 1]])
    chosen = np.array([c.split == "test" for c in cohort])
    assert ids(cohort[chosen]) == ids(cohort.where(split="test")) == ["02", "03", "08", "09"]
    assert ids(cohort.where(lambda c: c.patient == "p0")) == ids(cohort.where(patient="p0")) == ["00", "01"]
    assert ids(cohort.where(split="test", label=["cyst", "tumour"])) == ["02", "03", "08", "09"][:0] + [
        c.id for c in cohort if c.split == "test" and c.targets["class"] != "normal"
    ]
    assert len(cohort.where(lambda c: False)) == 0 and cohort.where(lambda c: False)
    assert any("3 of 12 cases were chosen" in note for note in cohort[:3].notes)
    assert cohort[:].notes == cohort.notes


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (lambda c: c.where(split="val"), "unknown split 'val'"),
        (lambda c: c.where(label="cist"), "closest: cyst"),
        (lambda c: c.where(), "asks for nothing"),
        (lambda c: c.where(target="class"), r"asks for no label; try: where\(label=…, target='class'\)"),
        (lambda c: c[1.5], "by their place or their id; found 1.5, float"),
        (lambda c: c.where(label="cyst", target="mask"), "unknown target"),
        (lambda c: c.where(patient="p77"), "unknown patient"),
        (lambda c: c[["01", "01"]], "more than once"),
        (lambda c: c[[True, False]], "one for each case; found 2 for 12 cases"),
        (lambda c: c[["01", "x"]], "unknown case 'x'"),
    ],
)
def test_what_is_not_there_is_said(table: Path, wrong: Any, words: str) -> None:
    with pytest.raises((UnknownName, DataError), match=words):
        wrong(vs.read(table))


def test_a_part_learns_the_labels_that_were_asked_for(table: Path) -> None:
    cohort = vs.read(table)
    part = cohort.where(label=["tumour", "cyst"])
    assert [x.name for x in part.targets["class"].labels] == ["cyst", "tumour"]
    assert [x.name for x in cohort.targets["class"].labels] == ["cyst", "normal", "tumour"], (
        "the whole is as it was"
    )
    assert [x.name for x in cohort[:1].targets["class"].labels] == ["cyst", "normal", "tumour"]


def test_the_hash_of_a_part_is_that_of_reading_it_alone(table: Path, checked: Cohort) -> None:
    part = checked[2:6]
    assert part.hash and part.hash != checked.hash and checked[:].hash == checked.hash
    assert part.hash == cohorts.check(vs.read(table)[2:6], target="class").hash
    assert part[1:].hash == checked[3:6].hash
    assert vs.read(table)[2:6].hash == "", "nothing is decoded yet"


def test_what_was_set_aside_stays_and_is_not_counted_against_a_part(checked: Cohort) -> None:
    part = checked[:4]
    assert len(checked) == 11 and part.set_aside == checked.set_aside and part.set_aside[0].case == "11"
    again = cohorts.check(part, target="class", max_set_aside=0.1)  # one of five would be a fifth
    assert len(again) == 4 and again.set_aside == checked.set_aside


def test_new_faults_in_a_part_are_counted_against_it(table: Path) -> None:
    with pytest.raises(DataError, match="1 of 4 cases are set aside"):
        cohorts.check(vs.read(table)[8:], target="class", max_set_aside=0.1)


def test_folds_are_made_anew_from_what_is_left(checked: Cohort) -> None:
    whole = cohorts.assign(checked, target="class", folds=2)
    part = cohorts.assign(checked.where(split="train"), target="class", folds=2)
    assert set(whole.test) == {"02", "03", "08", "09"} and not set(part.test) & set(whole.test)
    assert set(part.test) | {c for f in part.folds for c in f} == set(ids(checked.where(split="train")))
    patients = {c.id: c.patient for c in checked}
    held = [{patients[c] for c in fold} for fold in (part.test, *part.folds)]
    assert not any(a & b for k, a in enumerate(held) for b in held[k + 1 :]), "no patient is parted"


def test_a_leak_is_not_chosen_away(tmp_path: Path) -> None:
    for k in range(6):
        Pillow.fromarray(np.full((9, 9), 40 * k, np.uint8)).save(tmp_path / f"{k}.png")
    rows = [f"{k}.png,{'ab'[k % 2]},p{min(k, 4)},{'test' if k == 4 else 'train'}" for k in range(6)]
    (tmp_path / "t.csv").write_text("\n".join(["image,class,patient,split", *rows]))
    part = vs.read(tmp_path / "t.csv", max_set_aside=1.0)[:3]
    with pytest.raises(LeakError):
        cohorts.check(part, target="class")
