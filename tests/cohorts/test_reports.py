"""Reports of cohorts: columns, sections, files beside images, other languages, and cohorts of words alone."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Pil

from vesalius import cohorts
from vesalius.core.cohort import Cohort
from vesalius.core.errors import DataError
from vesalius.texts.sections import parted

CLEAR = "The lungs are clear and expanded."
SMALL = "There is a small nodule in the right lung."


def pictures(folder: Path, *names: str) -> Path:
    rng = np.random.default_rng(len(names))
    for name in names:
        path = folder / f"{name}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Pil.fromarray(rng.integers(0, 255, (8, 8)).astype(np.uint8)).save(path)
    return folder


def notes(cohort: Cohort) -> str:
    return "\n".join(cohort.notes)


def test_columns_of_sections_are_sections(tmp_path: Path) -> None:
    pictures(tmp_path, "a", "b")
    rows = [
        "image,label,findings,impression,comparison,finding_labels",
        f'a.png,x,"{SMALL} It is 5 mm large.","A nodule is there, as before.",None of the chest.,nodule|mass',
        f'b.png,y,"{CLEAR}",No acute disease is seen.,None of the chest.,none',
    ]
    (tmp_path / "cases.csv").write_text("\n".join(rows))
    cohort = cohorts.read(tmp_path)
    assert cohort["a"].report == (
        f"FINDINGS: {SMALL} It is 5 mm large.\nIMPRESSION: A nodule is there, as before.\n"
        "COMPARISON: None of the chest."
    )
    assert "cases.csv: findings is report: by its name and values, the section 'findings'" in cohort.notes
    assert cohort.targets["label"].kind == "class"
    assert "2 of 2 cases have a report" in cohort.notes


def test_a_column_of_findings_that_are_labels_stays_one(tmp_path: Path) -> None:
    pictures(tmp_path, *"abcd")
    rows = [
        "image,findings",
        "a.png,nodule",
        "b.png,nodule|effusion",
        "c.png,effusion|nodule",
        "d.png,nodule",
    ]
    (tmp_path / "cases.csv").write_text("\n".join(rows))
    cohort = cohorts.read(tmp_path)
    assert cohort.targets["findings"].kind == "multilabel"
    assert all(c.report is None for c in cohort)


def test_a_section_that_the_report_has_already_is_not_added(tmp_path: Path) -> None:
    pictures(tmp_path, "a", "b")
    rows = [
        "image,report,impression",
        f'a.png,"FINDINGS: {CLEAR} IMPRESSION: It is a normal chest.",It is a normal chest.',
        f'b.png,"FINDINGS: {SMALL}",A nodule of the lung.',
    ]
    (tmp_path / "cases.csv").write_text("\n".join(rows))
    cohort = cohorts.read(tmp_path)
    assert parted(cohort["a"].report or "") == {"findings": CLEAR, "impression": "It is a normal chest."}
    assert parted(cohort["b"].report or "") == {"findings": SMALL, "impression": "A nodule of the lung."}


def test_a_column_that_names_text_files(tmp_path: Path) -> None:
    pictures(tmp_path / "images", "a", "b", "c")
    (tmp_path / "texts").mkdir()
    (tmp_path / "texts" / "ra.txt").write_text(CLEAR)
    (tmp_path / "texts" / "rb.txt").write_bytes(f"\ufeff{SMALL}\r\n".encode())
    rows = ["image,words,label", *(f"images/{n}.png,texts/r{n}.txt,x" for n in "abc")]
    (tmp_path / "cases.csv").write_text("\n".join(rows))
    cohort = cohorts.read(tmp_path, max_set_aside=1.0)
    assert {c.id: c.report for c in cohort} == {"a": CLEAR, "b": SMALL}
    assert "words is report: 67% of its first values name text files" in notes(cohort)
    assert [(s.case, s.reason) for s in cohort.set_aside] == [
        ("c", f"no text for 'texts/rc.txt'; found nothing of that name below {tmp_path}")
    ]


def test_text_files_beside_images(tmp_path: Path) -> None:
    pictures(tmp_path, "one/a", "one/b", "two/c", "two/d")
    (tmp_path / "two" / "d.txt").write_text("0 1")
    (tmp_path / "one" / "a.txt").write_text(CLEAR)
    (tmp_path / "one" / "b.txt").write_text("")
    (tmp_path / "two" / "reports").mkdir()
    (tmp_path / "two" / "reports" / "c.txt").write_text(SMALL)
    (tmp_path / "one" / "stray.txt").write_text("A text of no image.")
    (tmp_path / "two" / "README.txt").write_text("About these data.")
    cohort = cohorts.read(tmp_path)
    assert {c.id: c.report for c in cohort} == {"a": CLEAR, "b": None, "c": SMALL, "d": None}
    said = notes(cohort)
    assert (
        "reports: 1 text file beside the images, of the same name, 1 text file in 'reports', of the same name"
        in said
    )
    assert "1 text file beside images with nothing in it: b" in said
    assert "1 text file is of no image: one/stray.txt" in said
    assert "1 text file beside images holds no sentence: d" in said
    assert "README" not in said


def test_the_only_text_in_the_folder_of_a_study(tmp_path: Path) -> None:
    pictures(tmp_path, "p1/scan", "p2/scan", "both/x", "both/y")
    for name in ("p1", "p2", "both"):
        (tmp_path / name / "befund.txt").write_text(f"{CLEAR} {name}")
    cohort = cohorts.read(tmp_path, layout="plain")
    found = {c.id: c.report for c in cohort}
    assert found == {
        "p1_scan": f"{CLEAR} p1",
        "p2_scan": f"{CLEAR} p2",
        "x": None,
        "y": None,
    }  # of which is it?
    assert "1 text file is of no image: both/befund.txt" in notes(cohort)


def test_a_text_for_several_cases_is_given_to_none(tmp_path: Path) -> None:
    pictures(tmp_path, "normal/1", "normal/2", "sick/1", "sick/3", "sick/deep/4", "deep/4")
    (tmp_path / "reports").mkdir()
    for name, text in {"1": SMALL, "2": CLEAR, "3": SMALL, "4": CLEAR, "7": CLEAR}.items():
        (tmp_path / "reports" / f"{name}.txt").write_text(text)
    cohort = cohorts.read(tmp_path, layout="plain")
    assert {c.id: c.report for c in cohort if c.report} == {"2": CLEAR, "3": SMALL}
    assert "1 text file is of no image: reports/7.txt" in notes(cohort)
    (doubt,) = cohort.doubts
    assert doubt.target == "report" and "put each beside its image" in doubt.hint
    assert doubt.what == "2 text files have the name of several images, and are given to none"
    assert doubt.found == "reports/1.txt, reports/4.txt; the first is called as normal_1, sick_1"
    (tmp_path / "sick" / "1.txt").write_text(CLEAR)
    found = {c.id: c.report for c in cohorts.read(tmp_path, layout="plain")}
    assert (found["normal_1"], found["sick_1"]) == (None, CLEAR), "its own is nearer"


def test_where_all_texts_are_for_several_cases_nothing_is_read_and_the_doubt_stays(tmp_path: Path) -> None:
    pictures(tmp_path, "normal/1", "sick/1", "sick/2", "normal/2")
    (tmp_path / "reports").mkdir()
    (tmp_path / "reports" / "1.txt").write_text(SMALL)
    (tmp_path / "reports" / "2.txt").write_text("0 0.5 0.5 0.2 0.2")
    cohort = cohorts.read(tmp_path)
    assert all(c.report is None for c in cohort)
    assert [d.what for d in cohort.doubts] == [
        "1 text file has the name of several images, and is given to none"
    ], "numbers are no report of anybody"


def test_a_text_for_the_first_slices_of_several_patients_is_given_to_none(
    tmp_path: Path, write_series: Callable[..., list[Path]]
) -> None:
    write_series(tmp_path / "p1", patient="p1", series="1.2.1", slices=3, suffix="", seed=1)
    first, _, last = write_series(tmp_path / "p2", patient="p2", series="1.2.2", slices=3, suffix="", seed=2)
    first.rename(first.with_name("aside"))
    last.rename(first)  # the lowest slice is called otherwise, and the topmost as that of the first patient
    first.with_name("aside").rename(last)
    write_series(tmp_path / "p3" / "ct", patient="p3", series="1.2.3", slices=3, seed=3)
    for folder, text in ((tmp_path, SMALL), (tmp_path / "p3", CLEAR)):
        (folder / "reports").mkdir()
        (folder / "reports" / "IM001.txt").write_text(text)
    cohort = cohorts.read(tmp_path)
    assert {c.patient: c.report for c in cohort} == {"p1": None, "p2": None, "p3": CLEAR}
    (doubt,) = cohort.doubts
    assert doubt.found == "reports/IM001.txt; the first is called as p1, p2, p3_ct"


def test_boxes_beside_images_are_no_reports(tmp_path: Path) -> None:
    pictures(tmp_path, "a", "b")
    for name in "ab":
        (tmp_path / f"{name}.txt").write_text("0 0.5 0.5 0.2 0.2\n")
    (tmp_path / "classes.txt").write_text("nodule\n")
    assert all(c.report is None for c in cohorts.read(tmp_path))


GERMAN = "sections:\n  findings: [Befund]\n  impression: [Beurteilung]\n"


def test_headings_of_another_language(tmp_path: Path) -> None:
    data = pictures(tmp_path / "data", "a", "b")
    text = "Thorax.\nBefund: Keine Stauung.\nBeurteilung: Unauffällig."
    (data / "a.txt").write_text(text, encoding="cp1252")
    (data / "b.txt").write_text("Befund\nErguss rechts.", encoding="utf-8")
    (tmp_path / "german.yaml").write_text(GERMAN)
    plain = cohorts.read(data)
    assert plain["a"].report == text
    cohort = cohorts.read(data, columns={"headings": str(tmp_path / "german.yaml")})
    assert cohort["a"].report == "Thorax.\nFINDINGS: Keine Stauung.\nIMPRESSION: Unauffällig."
    assert parted(cohort["b"].report or "") == {"findings": "Erguss rechts."}
    assert "headings: as german.yaml has them" in cohort.notes
    (tmp_path / "own.yaml").write_text("sections: {befund: [Befund]}")
    with pytest.raises(DataError, match="no section of that name; found 'befund'"):
        cohorts.read(data, columns={"headings": str(tmp_path / "own.yaml")})
    (tmp_path / "dutch.yaml").write_text("sections: {impression: [Conclusie]}")
    with pytest.raises(DataError, match=r"no report has a heading of .*dutch.yaml"):
        cohorts.read(data, columns={"headings": str(tmp_path / "dutch.yaml")})


def test_a_table_of_reports_without_images(tmp_path: Path) -> None:
    rows = ["id,report,label", f'r1,"{CLEAR}",x', f'r2,"{SMALL}",y', 'r3,"",y', f'r4,"{CLEAR}",x']
    (tmp_path / "reports.csv").write_text("\n".join(rows))
    for root in (tmp_path, tmp_path / "reports.csv"):
        cohort = cohorts.read(root, max_set_aside=1.0)
        assert [(c.id, c.report, c.image) for c in cohort] == [
            ("r1", CLEAR, None),
            ("r2", SMALL, None),
            ("r4", CLEAR, None),
        ]
        assert [(s.case, s.reason) for s in cohort.set_aside] == [("r3", "its report is empty")]
        assert "no column names images: what the cases have are their reports" in cohort.notes
        assert list(cohort.targets) == ["label"]
    checked = cohorts.check(cohorts.read(tmp_path, max_set_aside=1.0), max_set_aside=1.0)
    assert checked.digests["r1"] == checked.digests["r4"] != checked.digests["r2"]


def test_images_that_are_not_here_are_no_cohort_of_reports(tmp_path: Path) -> None:
    rows = ["image,report", f'a.png,"{CLEAR}"', f'b.png,"{SMALL}"']
    (tmp_path / "reports.csv").write_text("\n".join(rows))
    with pytest.raises(DataError, match="none of the files that its 'image' names is here"):
        cohorts.read(tmp_path / "reports.csv")
    cohort = cohorts.read(tmp_path / "reports.csv", columns={"image": ""})
    assert [c.report for c in cohort] == [CLEAR, SMALL]


def test_json_and_json_lines(tmp_path: Path) -> None:
    pictures(tmp_path / "images", "a1", "a2", "b1", "b2")
    records = {
        "train": [{"id": "a", "report": CLEAR, "image_path": ["images/a1.png", "images/a2.png"]}],
        "test": [{"id": "b", "report": SMALL, "image_path": ["images/b1.png", "images/b2.png"]}],
    }
    (tmp_path / "annotation.json").write_text(json.dumps(records))
    cohort = cohorts.read(tmp_path)
    assert [(c.id, c.report, c.split, len(c.images)) for c in cohort] == [
        ("a", CLEAR, "train", 2),
        ("b", SMALL, "test", 2),
    ]
    lines = [
        {"uid": "r1", "report": {"findings": f"{SMALL} It is new.", "impression": "A nodule, which is new."}},
        {
            "uid": "r2",
            "report": {"findings": CLEAR, "impression": "It is a normal chest."},
            "tags": ["a", "b"],
        },
    ]
    path = tmp_path / "reports.jsonl"
    path.write_text("\n".join(map(json.dumps, lines)))
    cohort = cohorts.read(path)
    assert parted(cohort[1].report or "") == {"findings": CLEAR, "impression": "It is a normal chest."}
    path.write_text(json.dumps(lines[0]) + "\n{broken")
    with pytest.raises(DataError, match="no JSON in line 2"):
        cohorts.read(path)


def test_json_of_other_things_is_no_table(tmp_path: Path) -> None:
    pictures(tmp_path, "a")
    (tmp_path / "dataset.json").write_text(json.dumps({"report": "x", "labels": {"0": "background"}}))
    (tmp_path / "a.json").write_text(json.dumps([{"x": 1}]))
    assert cohorts.read(tmp_path).layout == "plain"


def test_side_cars_are_no_tables(tmp_path: Path) -> None:
    """A file beside each picture that says what was done is not looked into, however many there are."""
    pictures(tmp_path, *(f"p{k}" for k in range(21)))
    for k in range(21):
        (tmp_path / f"p{k}.json").write_text(json.dumps([{"report": f"{CLEAR} Again, {k}."}]))
    assert cohorts.read(tmp_path).layout == "plain"


def test_a_folder_of_texts(tmp_path: Path) -> None:
    for place, text in {
        "train/normal/1": CLEAR,
        "train/nodule/2": SMALL,
        "test/normal/3": "Clear lungs again.",
        "test/nodule/4": "One more nodule.",
        "test/nodule/5": "",
    }.items():
        path = tmp_path / f"{place}.txt"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    (tmp_path / "README.txt").write_text("What these are.")
    cohort = cohorts.read(tmp_path, max_set_aside=1.0)
    assert cohort.layout == "reports"
    assert [(c.id, c.split, c.targets["class"]) for c in cohort] == [
        ("4", "test", "nodule"),
        ("3", "test", "normal"),
        ("2", "train", "nodule"),
        ("1", "train", "normal"),
    ]
    assert [(s.case, s.reason) for s in cohort.set_aside] == [("5", "its report is empty")]
