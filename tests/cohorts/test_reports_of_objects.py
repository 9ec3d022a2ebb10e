"""Reports in DICOM objects, read as a cohort: of a series, and alone; and what tables that are written anew keep."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from PIL import Image as Pil
from pydicom.dataset import Dataset

from vesalius import cohorts
from vesalius.core.finding import Finding
from vesalius.core.plan import HarmoniseStep
from vesalius.core.progress import Silent
from vesalius.run.harmonise.out import write_images
from vesalius.texts.sections import parted


def coded(meaning: str) -> Dataset:
    code = Dataset()
    code.CodeValue, code.CodingSchemeDesignator, code.CodeMeaning = "1", "99TEST", meaning
    return code


def item(kind: str, meaning: str, *, text: str = "", inside: tuple[Dataset, ...] = ()) -> Dataset:
    one = Dataset()
    one.RelationshipType, one.ValueType, one.ConceptNameCodeSequence = "CONTAINS", kind, [coded(meaning)]
    if text:
        one.TextValue = text
    if inside:
        one.ContentSequence = list(inside)
    return one


def report(path: Path, *items: Dataset, patient: str = "P1") -> Path:
    """A structured report of another maker: no template is named, sections are containers."""
    data = Dataset()
    data.file_meta = pydicom.dataset.FileMetaDataset()
    data.file_meta.TransferSyntaxUID = pydicom.uid.ExplicitVRLittleEndian
    sop: Any = "1.2.840.10008.5.1.4.1.1.88.11"
    data.SOPClassUID = data.file_meta.MediaStorageSOPClassUID = sop
    data.SOPInstanceUID = data.file_meta.MediaStorageSOPInstanceUID = f"1.2.3.{abs(hash(path.name)) % 10**9}"
    data.StudyInstanceUID, data.SeriesInstanceUID, data.Modality = "1.2.3.4", "1.2.3.5", "SR"
    data.PatientID, data.ValueType, data.ConceptNameCodeSequence = patient, "CONTAINER", [coded("Report")]
    data.ContentSequence = list(items)
    path.parent.mkdir(parents=True, exist_ok=True)
    data.save_as(path, enforce_file_format=True)
    return path


def test_structured_reports_alone_are_a_cohort_in_sections(tmp_path: Path) -> None:
    sections = (
        item("CONTAINER", "Findings", inside=(
            item("TEXT", "Finding", text="Small nodule."), item("TEXT", "Finding", text="No effusion"),
            item("TEXT", "Finding", text="Heart normal."),
        )),
        item("CONTAINER", "Conclusions", inside=(item("TEXT", "Conclusion", text="A nodule."),)),
        item("TEXT", "Remark", text="Read twice."),
    )  # fmt: skip
    report(tmp_path / "a.dcm", *sections)
    report(tmp_path / "b.dcm", item("TEXT", "Findings", text="Clear."), patient="P2")
    report(tmp_path / "c.dcm", item("CONTAINER", "Findings"), patient="P3")
    cohort = cohorts.read(tmp_path, max_set_aside=1.0)
    assert parted(cohort["a"].report or "") == {
        "": "Remark: Read twice.",
        "findings": "Small nodule. No effusion\nHeart normal.",
        "impression": "A nodule.",
    }
    assert [(c.id, c.patient, c.image) for c in cohort] == [("a", "P1", None), ("b", "P2", None)]
    assert [(s.case, s.reason) for s in cohort.set_aside] == [("c", "its report is empty")]
    assert "3 structured reports without images" in cohort.notes


@pytest.fixture
def told(tmp_path: Path) -> Path:
    """Four pictures with short reports, one of two lines, and what is truly in two of them."""
    rng = np.random.default_rng(0)
    root = tmp_path / "data"
    root.mkdir()
    texts = ['"FINDINGS: A ""nodule"".\nIMPRESSION: New."', "Lungs clear.", "No effusion.", "Heart normal."]
    for k in range(4):
        Pil.fromarray(rng.integers(0, 255, (8, 8)).astype(np.uint8)).save(root / f"p{k}.png")
    rows = [f"p{k}.png,{'ab'[k % 2]},{text}" for k, text in enumerate(texts)]
    (root / "cases.csv").write_text("\n".join(["image,label,report", *rows, ""]))
    (root / "findings.csv").write_text("case,finding,side,sentence\np0,nodule,left,0\np1,,,\n")
    return root


def test_a_table_that_harmonise_writes_keeps_reports_and_findings(told: Path, tmp_path: Path) -> None:
    before = cohorts.read(told)
    assert before["p0"].report == 'FINDINGS: A "nodule".\nIMPRESSION: New.'
    step = HarmoniseStep(method="zscore")
    folder, _ = write_images(
        before, ("image",), (step,), tmp_path / "out", by="label", threshold=None, progress=Silent()
    )
    after = cohorts.read(folder)
    assert [(c.report, c.findings) for c in after] == [(c.report, c.findings) for c in before]
    assert after["p0"].findings == (Finding("nodule", side="left", sentence=0),)


def test_a_cleaned_cohort_keeps_reports_findings_and_headings(told: Path, tmp_path: Path) -> None:
    (tmp_path / "own.yaml").write_text("sections: {findings: [Lungs], impression: [Impression]}")
    columns = {"headings": str(tmp_path / "own.yaml")}
    before = cohorts.read(told, columns=columns)
    source = cohorts.Source(
        told, layout="table", target="label", columns=columns, labels={}, held=(), splits={}
    )
    folder = tmp_path / "cleaned"
    folder.mkdir()
    cohorts.save_cleaned(folder, source, before, ())
    after = cohorts.read(folder)
    assert [(c.report, c.findings) for c in after] == [(c.report, c.findings) for c in before]
    assert sum("have a report" in note for note in after.notes) == 1
    assert "report" in (folder / cohorts.CLEANED_TABLE).read_text().splitlines()[0]
