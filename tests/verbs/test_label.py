"""label: labels out of reports, held against what the reports say, and what is refused."""

import csv
import json
from pathlib import Path
from typing import Any

import pytest

import vesalius as vs
from vesalius.core.errors import DataError, OutputError, UnknownName

REPORTS = {
    "a": "FINDINGS: Small left pleural effusion. No nodule. IMPRESSION: Effusion.",
    "b": "No effusion. Large right pneumothorax.",
    "c": "Possible nodule in the left lung. History of pneumothorax.",
    "d": "INDICATION: Pneumothorax. FINDINGS: The heart is enlarged.",
}
ROLES = {"image": "", "report": "report"}


@pytest.fixture
def reports(tmp_path: Path) -> Path:
    path = tmp_path / "reports.csv"
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([("case", "report"), *REPORTS.items(), ("e", "")])
    return path


def rows(path: Path) -> dict[str, dict[str, str]]:
    with path.open(newline="") as file:
        return {row["case"]: row for row in csv.DictReader(file)}


def test_a_label_is_what_a_report_says(reports: Path, tmp_path: Path) -> None:
    found = vs.label(reports, tmp_path / "out", columns=ROLES, max_set_aside=0.3)
    table = rows(found.path)
    assert set(found.findings) == {"effusion", "pneumothorax", "nodule", "cardiomegaly"}
    assert [table[c]["effusion"] for c in "abcd"] == ["1", "0", "0", "0"]
    assert [table[c]["pneumothorax"] for c in "abcd"] == ["0", "1", "0", "0"]  # past, and only asked for
    assert [table[c]["nodule"] for c in "abcd"] == ["0", "0", "", "0"]
    assert found.actionable == ("b",)
    assert [table[c]["actionable"] for c in "abcd"] == ["0", "1", "0", "0"]
    assert found.unread == {"e": "its report is empty"} and found.reports == 4


def test_a_report_that_cannot_be_read_to_its_end_has_no_labels_and_the_reason(tmp_path: Path) -> None:
    path = tmp_path / "reports.csv"
    with path.open("w", newline="") as file:
        csv.writer(file).writerows(
            [("case", "report"), *REPORTS.items(), ("e", "No effusion, " + "and " * 600 + "a nodule.")]
        )
    found = vs.label(path, tmp_path / "out", columns=ROLES, max_set_aside=0.3)
    assert found.unread == {"e": "a sentence of its report is longer than 2000 letters"}


@pytest.mark.parametrize(("way", "cell"), [("present", "1"), ("absent", "0"), ("unknown", "")])
def test_what_is_suspected_counts_as_asked(reports: Path, tmp_path: Path, way: str, cell: str) -> None:
    found = vs.label(reports, tmp_path / "out", columns=ROLES, max_set_aside=0.3, uncertain=way)  # type: ignore[arg-type]
    assert rows(found.path)["c"]["nodule"] == cell
    assert any("1 finding is only suspected" in note for note in found.notes)


def test_what_is_not_spoken_of_is_unknown_where_asked(reports: Path, tmp_path: Path) -> None:
    table = rows(
        vs.label(reports, tmp_path / "out", columns=ROLES, max_set_aside=0.3, unmentioned="unknown").path
    )
    assert [table[c]["effusion"] for c in "abcd"] == ["1", "0", "", ""]


def test_provenance_says_who_read_and_in_which_words(reports: Path, tmp_path: Path) -> None:
    found = vs.label(reports, tmp_path / "out", columns=ROLES, max_set_aside=0.3)
    record = json.loads((tmp_path / "out" / "labels.json").read_text())
    assert record["reader"]["terms"] == "chest" and len(record["reader"]["terms_sha256"]) == 64
    with found.said.open(newline="") as file:
        said = list(csv.DictReader(file))
    [doubted] = [row for row in said if row["status"] == "uncertain"]
    assert (doubted["case"], doubted["finding"], doubted["rule"], doubted["side"]) == (
        "c",
        "nodule",
        "possible",
        "left",
    )
    assert doubted["text"] == "Possible nodule in the left lung."
    assert not any(row["section"] == "indication" for row in said)


def test_what_cannot_be_labelled_is_refused_and_nothing_is_written(reports: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    with pytest.raises(UnknownName, match="terms"):
        vs.label(reports, out, columns=ROLES, max_set_aside=0.3, terms="knee")
    with pytest.raises(UnknownName, match="uncertain"):
        vs.label(reports, out, columns=ROLES, max_set_aside=0.3, uncertain="maybe")  # type: ignore[arg-type]
    other = tmp_path / "other.yaml"
    other.write_text("terms: [{name: gout, says: [gout]}]")
    with pytest.raises(DataError, match="no report says"):
        vs.label(reports, out, columns=ROLES, max_set_aside=0.3, terms=other)
    silent = tmp_path / "silent.csv"
    silent.write_text("case,age\na,3\nb,4\n")
    with pytest.raises(DataError, match="no case has a report"):
        vs.label(silent, out, columns={"image": ""})
    assert not out.exists()
    out.mkdir()
    (out / "mine.txt").write_text("mine")
    with pytest.raises(OutputError, match="nothing is overwritten"):
        vs.label(reports, out, columns=ROLES, max_set_aside=0.3)


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> tuple[vs.Run, Path]:
    """A model that reads reports, and the table that it learned from."""
    folder = tmp_path_factory.mktemp("reader")
    said = {"effusion": "There is a left effusion.", "nodule": "A nodule lies in the right lung."}
    rows = [
        (f"c{k}", f"{said[name]} Study {k}.", name)
        for k in range(12)
        for name in [("effusion", "nodule")[k % 2]]
    ]
    with (folder / "t.csv").open("w", newline="") as file:
        csv.writer(file).writerows([("case", "report", "kind"), *rows])
    cohort = vs.read(folder / "t.csv", columns={"image": "", "report": "report", "label": "kind"})
    settings = {
        "sources.texts": ["report"],
        "sources.fusion": "concat",
        "train.steps": 30,
        "train.members": 1,
    }
    more = {"train.validations": 1, "infer.novelty": "none", "train.lr": 0.01}
    return vs.fit(cohort, folder / "run", task="classify", settings=settings | more), folder / "t.csv"


def test_a_bundle_that_reads_reports_labels_them(reader: tuple[vs.Run, Path], tmp_path: Path) -> None:
    run, table = reader
    found = vs.label(
        table, tmp_path / "out", by=run, actionable=["nodule"], columns=ROLES | {"label": "kind"}
    )
    labels = rows(found.path)
    assert {c: row["nodule"] for c, row in labels.items()} == {f"c{k}": str(k % 2) for k in range(12)}
    assert len(found.actionable) == 6 and found.document["reader"]["bundle"] == run.bundle.hash
    with found.said.open(newline="") as file:
        said = [row for row in csv.DictReader(file) if row["case"] == "c0"]
    assert sum(float(row["p"]) for row in said) == pytest.approx(1.0, abs=1e-5)
    with pytest.raises(UnknownName, match="mass"):
        vs.label(table, tmp_path / "other", by=run, actionable=["mass"], columns=ROLES | {"label": "kind"})


def test_a_bundle_of_images_is_no_reader(pictures: Any, reports: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="reads no reports"):
        vs.label(reports, tmp_path / "out", by=pictures.path, columns=ROLES, max_set_aside=0.3)
