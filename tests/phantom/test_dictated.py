"""Tests of films and CT with dictated reports: what is said is drawn, where it is said, as the earlier study has it."""

from __future__ import annotations

import csv
import json
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import vesalius as vs
from vesalius.core.errors import DataError
from vesalius.core.finding import Finding
from vesalius.core.image import Array
from vesalius.core.sentences import all_sentences
from vesalius.phantom import make, patient
from vesalius.phantom.reports.patient import DictatedPatient, Exam
from vesalius.phantom.reports.published import CHEST, CT, quick
from vesalius.phantom.thorax.body import FIELD_MM
from vesalius.phantom.thorax.course import OFTEN
from vesalius.texts.sections import parted

SMALL = (20, 40, 40)


def drawn(kind: str, index: int, **options: Any) -> DictatedPatient:
    size = 64 if kind == "chest" else SMALL
    one = patient(index, 5, kind=kind, options={"reports": True, "size": size, **options})
    assert isinstance(one, DictatedPatient)
    return one


@pytest.fixture(scope="module")
def films() -> list[DictatedPatient]:
    """Patients of whom half have an earlier film."""
    return [drawn("chest", k, earlier=0.5, healthy=0.1) for k in range(24)]


@pytest.fixture(scope="module")
def scans() -> list[DictatedPatient]:
    """Patients of whom half have an earlier CT."""
    return [drawn("ct", k, earlier=0.5) for k in range(20)]


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cohort of films with reports, with writers of the test."""
    given = {"size": 64, "reports": True, "earlier": 0.4, "test_styles": "7,8", "wrong_sides": 0.2}
    return vs.phantom(tmp_path_factory.mktemp("films") / "out", kind="chest", cases=12, seed=2, options=given)


def exams(patients: list[DictatedPatient]) -> list[Exam]:
    return [exam for one in patients for exam in one.exams]


def table(path: Path) -> list[dict[str, str]]:
    with path.open() as file:
        return list(csv.DictReader(file))


def test_every_name_is_true_or_absent_and_what_is_there_is_seen(films: list[DictatedPatient]) -> None:
    names = Counter[str]()
    for exam in exams(films):
        truth = exam.findings
        there = [f for f in truth if f.status == "present"]
        assert {f.name for f in truth if f.status == "absent"} == set(OFTEN) - {f.name for f in there}
        assert {k for k, _ in exam.places} == set(range(len(there)))
        for k, box in exam.places:
            assert box.label == there[k].name
        names.update(f.name for f in there)
    assert min(names.values()) >= 2 and len(names) == 8


def test_a_side_that_is_true_is_where_the_mark_is(films: list[DictatedPatient]) -> None:
    """The patient's right side is on the left of a film."""
    for exam in exams(films):
        for row, (k, box) in enumerate(exam.places):
            finding = exam.content.findings[k]
            columns = np.flatnonzero((exam.marks[0] == row + 1).any(axis=0))
            if finding.side in ("left", "right") and columns.size:
                assert (columns.mean() < 32) == (finding.side == "right"), (exam.id, finding)
            if finding.size_mm is not None and finding.change is None:
                assert box.high[1] - box.low[1] == pytest.approx(finding.size_mm * 64 / FIELD_MM, abs=1.6)
        both = [f for f in exam.content.findings if f.side == "both"]
        assert all(sum(k == exam.content.findings.index(f) for k, _ in exam.places) == 2 for f in both)


def test_what_is_found_changes_the_film_there_and_nowhere_else() -> None:
    """The same patient without the finding, by another drawing: the change is inside the box, beyond the display's."""
    seen, index = 0, -1
    while seen < 5:
        index += 1
        one = drawn("chest", index, healthy=0.0, contrast=1.5, noise=0.1).last
        for name in ("nodule", "consolidation", "effusion"):
            if name not in one.present or "pneumothorax" in one.present:
                continue
            other = patient_without(index, name)
            changed = np.abs(one.image.array[0, 0].astype(float) - other.image.array[0, 0])  # type: ignore[union-attr]
            inside = np.zeros((64, 64), bool)
            for k, box in one.places:
                if one.content.findings[k].name == name:
                    inside[int(box.low[1]) : int(box.high[1]), int(box.low[2]) : int(box.high[2])] = True
            assert changed[inside].mean() > 3 * changed[~inside].mean(), (index, name)
            seen += 1


def patient_without(index: int, name: str) -> Exam:
    from vesalius.phantom import twin

    given = {"reports": True, "size": 64, "healthy": 0.0, "contrast": 1.5, "noise": 0.1}
    one = twin(index, 5, without=name, kind="chest", options=given)
    assert isinstance(one, DictatedPatient) and name not in one.last.present
    return one.last


def area(exam: Exam, name: str) -> float:
    """Return how many pixels the boxes of a finding have together."""
    return sum(
        float(np.prod(np.subtract(box.high, box.low)))
        for k, box in exam.places
        if exam.content.findings[k].name == name
    )


@pytest.mark.parametrize("kind", ["films", "scans"])
def test_two_visits_agree_with_what_the_later_report_says(kind: str, request: pytest.FixtureRequest) -> None:
    patients: list[DictatedPatient] = request.getfixturevalue(kind)
    went = Counter[str]()
    for one in patients:
        if len(one.exams) == 1:
            assert all(f.change is None for f in one.last.findings)
            continue
        before, now = one.exams
        assert (
            before.days < now.days and before.id != now.id and all(f.change is None for f in before.findings)
        )
        sized = {(f.name, f.place, f.side): f.size_mm for f in before.content.findings}
        for f in now.findings:
            went[str(f.change)] += 1
            was = sized.get((f.name, f.place, f.side))
            if f.change == "new":
                assert was is None
            if f.change == "gone":
                assert f.name in before.present and f.name not in now.present
            if f.change == "unchanged":
                assert f.name in before.present and was == f.size_mm
                same = area(before, f.name) == area(now, f.name)
                assert (
                    same
                    or f.name in ("cyst", "effusion")
                    or "pneumothorax" in (*before.present, *now.present)
                )
            if f.change in ("larger", "smaller") and f.size_mm is not None:
                assert was is not None and (was < f.size_mm) == (f.change == "larger")
        earlier = one.as_case().earlier
        assert len(earlier) == 1 and earlier[0].days_before == now.days - before.days
        assert not np.array_equal(before.image.array, now.image.array)  # type: ignore[union-attr]
    assert {"new", "unchanged", "larger", "smaller", "gone"} <= set(went)


DENSE = {"stone": (300, 1300), "calcification": (150, 1000), "effusion": (-250, 60), "lymph node": (-60, 130)}


def test_what_a_ct_says_is_as_dense_as_it_is(scans: list[DictatedPatient]) -> None:
    seen = Counter[str]()
    for exam in exams(scans):
        hu: Array = exam.image.array[0]  # type: ignore[union-attr]
        liver = float(np.median(hu[exam.structures == 1]))
        assert ("steatosis" in exam.present) == (liver < 95), (exam.id, liver)
        for row, (k, _) in enumerate(exam.places):
            finding, inside = exam.content.findings[k], exam.marks == row + 1
            if finding.name in DENSE and inside.any():
                low, high = DENSE[finding.name]
                value = float(
                    np.max(hu[inside])
                    if finding.name in ("stone", "calcification")
                    else np.median(hu[inside])
                )
                seen[finding.name] += low < value < high
                seen[f"{finding.name}, all"] += 1
            if finding.name in ("stone", "cyst") and finding.place == "kidney" and finding.side != "both":
                kidney = np.argwhere(exam.structures == (3 if finding.side == "right" else 4)).mean(axis=0)
                assert abs(np.argwhere(inside).mean(axis=0) - kidney)[2] < 8
    assert all(seen[name] >= 0.9 * seen[f"{name}, all"] >= 2 for name in DENSE), seen


def test_what_a_ct_says_is_there_has_a_place_in_it(scans: list[DictatedPatient]) -> None:
    for exam in exams(scans):
        assert {k for k, _ in exam.places} == set(range(len(exam.content.findings)))
        seen = set(np.unique(exam.marks)) - {0}
        assert seen == set(range(1, len(exam.places) + 1)), exam.id


def test_structures_are_where_they_look_so(
    films: list[DictatedPatient], scans: list[DictatedPatient]
) -> None:
    """Air is dark and a heart bright on a film; in a CT the organs have the densities of the portal venous phase."""
    for one in films:
        film: Array = one.last.image.array[0, 0]  # type: ignore[union-attr]
        inside = {name: film[one.last.structures[0] == value] for name, value in one.structure_labels.items()}
        lungs = np.concatenate([inside["right lung"], inside["left lung"]])
        assert (
            np.median(lungs) < np.median(inside["heart"])
            and inside["spine"].mean() > inside["trachea"].mean() - 60
        )
        columns = [
            np.nonzero(one.last.structures[0] == k)[1].mean() for k in (1, 3, 2)
        ]  # right lung, heart, left lung
        assert columns == sorted(columns)
    for one in scans:
        hu: Array = one.last.image.array[0]  # type: ignore[union-attr]
        middle = {name: np.median(hu[one.last.structures == k]) for name, k in one.structure_labels.items()}
        assert (
            min(middle[name] for name in ("spleen", "left kidney", "right kidney", "aorta", "spine")) > 25
        )  # fat has −100
        across = [np.nonzero(one.last.structures == k)[2].mean() for k in (1, 6, 2)]  # liver, spine, spleen
        assert across == sorted(across)


def test_lesions_of_a_lobe_are_counted_and_the_largest_is_measured(scans: list[DictatedPatient]) -> None:
    several = 0
    for exam in exams(scans):
        for k, f in enumerate(exam.content.findings):
            own = [box for place, box in exam.places if place == k]
            if f.name in ("mass", "cyst") and f.side != "both":
                assert len(own) == (f.count or 1)
                several += len(own) > 1
                spans = [np.subtract(b.high, b.low).max() for b in own]
                widest = max(spans) * 9.0  # mm a voxel of this grid, roughly
                assert f.size_mm is not None and 0.4 < widest / f.size_mm < 2.5
    assert several >= 2


def test_the_same_arguments_give_the_same_report_and_writers_change_nothing_of_the_image() -> None:
    one, again = drawn("chest", 3), drawn("chest", 3)
    assert one.truth() == again.truth()
    other = drawn("chest", 3, styles="8", wrong_sides=0.5)
    assert np.array_equal(one.last.image.array, other.last.image.array)  # type: ignore[union-attr]
    assert one.last.content == other.last.content and one.last.written.text != other.last.written.text


def test_a_cohort_is_read_with_what_is_true_and_knows_its_earlier_visits(written: Path) -> None:
    truth = {
        exam["id"]: exam
        for t in json.loads((written / "truth.json").read_text())["cases"]
        for exam in (*t["earlier"], t)
    }
    cohort = vs.read(written)
    assert {c.id for c in cohort.cases} == set(truth) and any(c.earlier for c in cohort.cases)
    for case in cohort.cases:
        known = truth[case.id]
        assert case.findings == tuple(Finding(**f) for f in known["findings"])
        assert set(case.targets["labels"]) == set(known["labels"])  # type: ignore[arg-type]
        assert case.report is not None and parted(case.report) == known["report"]
    said = table(written / "said.csv")
    assert len(said) == sum(len(t["said"]) for t in truth.values())
    for row in said:
        sentences = all_sentences(truth[row["case"]]["report"])
        assert int(row["sentence"]) < len(sentences)


def test_the_same_seed_writes_the_same_bytes(written: Path, tmp_path: Path) -> None:
    given = {"size": 64, "reports": True, "earlier": 0.4, "test_styles": "7,8", "wrong_sides": 0.2}
    again = make(tmp_path / "again", kind="chest", cases=2, seed=2, options=given)
    for path in sorted(p for p in again.rglob("*") if p.is_file() and p.suffix == ".png"):
        assert path.read_bytes() == (written / path.relative_to(again)).read_bytes()
    for name in ("findings.csv", "said.csv", "boxes.csv", "styles.csv", "cohort.csv"):
        assert (written / name).read_text().startswith((again / name).read_text())


def test_writers_of_the_test_write_for_the_test_alone(written: Path) -> None:
    split = {row["case"]: row["split"] for row in table(written / "cohort.csv")}
    for row in table(written / "styles.csv"):
        assert (int(row["style"]) in (7, 8)) == (split[row["case"]] == "test")
    patients = {row["patient"]: row["split"] for row in table(written / "cohort.csv")}
    assert Counter(patients.values()) == {"train": 9, "test": 3}
    plain, apart = drawn("chest", 3), drawn("chest", 3, test_styles="7")
    assert plain.truth()["covariates"] != apart.truth()["covariates"]  # drawn from other random numbers
    assert drawn("chest", 2).last.content == drawn("chest", 2, test_styles="7").last.content


def test_a_wrong_side_is_said_and_not_true(written: Path) -> None:
    planted = 0
    for case in json.loads((written / "truth.json").read_text())["cases"]:
        for exam in (*case["earlier"], case):
            for k in exam["wrong_sides"]:
                true = exam["findings"][k]
                said = [
                    s for s in exam["said"] if s["sentence"] == true["sentence"] and s["name"] == true["name"]
                ]
                assert {s["side"] for s in said} == {"left", "right"} - {true["side"]}
                planted += 1
    assert planted >= 2


def test_published_cohorts_hold_writers_of_the_test_apart() -> None:
    for one in (CHEST, CT):
        options: Mapping[str, Any] = one["options"]
        assert (
            one["cases"] == 600
            and not set(options["styles"]) & {"7", "8"}
            and options["test_styles"] == "7,8"
        )
    smaller = quick(CT, cases=3, size=SMALL)
    assert (
        smaller["seed"] != CT["seed"]
        and smaller["options"]["size"] == SMALL
        and CT["options"]["size"] == "medium"
    )


@pytest.mark.parametrize(
    ("kind", "options", "words"),
    [
        ("chest", {"styles": "9"}, "names writers by number"),
        ("chest", {"test_styles": "prose"}, "names writers by number"),
        ("ct", {"wrong_sides": 1.5}, "from 0 to 1"),
        ("ct", {"arms": 3}, "neither treatments"),
        ("ct", {"lesions": "many"}, "neither treatments"),
    ],
)
def test_what_cannot_be_is_refused(kind: str, options: dict[str, Any], words: str) -> None:
    with pytest.raises(DataError, match=words):
        patient(0, kind=kind, options={"reports": True, **options})


@pytest.mark.parametrize("kind", ["chest", "ct"])
def test_options_of_reports_without_reports_are_refused(kind: str) -> None:
    for given in ({"styles": "1"}, {"wrong_sides": 0.1}, {"earlier": 0.5}, {"test_styles": "7"}):
        with pytest.raises(DataError, match="reports=true"):
            patient(0, kind=kind, options=given)
    patient(0, kind="chest", options={"size": 64, "styles": (1, 2, 3, 4, 5, 6)})


def test_what_would_make_the_tables_untrue_is_refused(tmp_path: Path) -> None:
    given = {"reports": True, "size": SMALL}
    with pytest.raises(DataError, match="written as nifti"):
        make(tmp_path / "a", kind="ct", cases=1, format="png", options=given)
    with pytest.raises(DataError, match="faults are not planted"):
        make(tmp_path / "b", kind="ct", cases=1, faults={"mirrored": 1.0}, options=given)
    assert not list(tmp_path.iterdir())
