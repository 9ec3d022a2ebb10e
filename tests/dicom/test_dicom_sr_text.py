"""Reports after TID 2000: sentences, findings, marks and pictures, read back as they were; and edited reports."""

from __future__ import annotations

import re
import zlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from _studies import make_study

from vesalius import cohorts, formats
from vesalius.core.answers.map import Map
from vesalius.core.answers.text import Evidence, Text
from vesalius.core.edit import Edit
from vesalius.core.errors import OutputError
from vesalius.core.finding import Finding
from vesalius.core.image import Image
from vesalius.dicom.read import sr as reading

Errors = Callable[[Path], list[str]]
BUNDLE = "ab" * 32
SECTIONS = {
    "": "Made for a test.",
    "findings": "There is a 7.5 mm nodule in the left lung.  Two cysts\nof the liver are unchanged. No effusion.",
    "impression": "A nodule, perhaps new.",
    "A heading of no standard": "Größe 5 μm. Ünruhig",
}
FINDINGS = (
    Finding("nodule", side="left", place="lung", size_mm=7.5, code="RADLEX:RID3875"),
    Finding("cyst of a sort", place="liver", count=2, change="unchanged"),
    Finding("effusion", "absent", side="both", code="SCT:60046008"),
    Finding("nodule", "uncertain", change="new", code="RADLEX:RID3875"),
    Finding("fracture", "past", code="SCT:125605004"),
)
EVIDENCE = (
    Evidence("findings", 0, FINDINGS[:1], True, part="where 1"),
    Evidence("findings", 2, FINDINGS[1:2], None, part="where 2"),
    Evidence("findings", 3, FINDINGS[2:3], False, "the findings' head says effusion, p = 0.93"),
    Evidence("impression", 0, FINDINGS[3:], None, part="where 1"),
)


FIRST = Edit("e1", "Ada Mary Lovelace", "2026-11-30T12:00:00+00:00")
SECOND = Edit("e2", "Hopper^Grace", "2026-11-30T13:00:00+00:00", 2, "e1", True, "Harbour Hospital")


def report_of(image: Image, **more: Any) -> Text:
    """A report with maps that are strongest on the planes 3 and 5."""
    parts = {}
    for name, z in (("where 1", 3), ("where 2", 5)):
        field = np.full((1, *image.shape), 0.1, np.float32)
        field[0, z, 4:8, 6:12] = 0.9
        parts[name] = Map(image=replace(image, array=field), quantity="attention", source=image.source)
    return Text(sections=SECTIONS, evidence=EVIDENCE, parts=parts, source=image.source, bundle=BUNDLE, **more)


@pytest.fixture(scope="module")
def written(ct: Image, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The report's capture, SR and PDF."""
    folder = tmp_path_factory.mktemp("report")
    answer = report_of(ct, language="en")
    return {kind: formats.write(answer, folder / f"r.{kind}.dcm", source=ct) for kind in ("sc", "sr", "pdf")}


def images_of(item: pydicom.Dataset) -> list[tuple[str, str, int | None]]:
    """(purpose, instance, frame) of the images that a content item is inferred from."""
    found = []
    for below in item.get("ContentSequence", []):
        if below.ValueType == "IMAGE":
            one = below.ReferencedSOPSequence[0]
            purpose = below.ConceptNameCodeSequence[0].CodeMeaning
            found.append((purpose, str(one.ReferencedSOPInstanceUID), one.get("ReferencedFrameNumber")))
    return found


def test_objects_of_a_report_are_sound(written: dict[str, Path], dciodvfy: Errors) -> None:
    assert {kind: dciodvfy(path) for kind, path in written.items()} == {"sc": [], "sr": [], "pdf": []}


def test_sentences_findings_and_marks_are_read_back_as_they_were(written: dict[str, Path]) -> None:
    back = formats.read_answer(written["sr"])
    assert isinstance(back, Text)
    assert dict(back.sections) == SECTIONS and list(back.sections) == list(SECTIONS)
    assert back.language == "en" and back.edit is None
    assert back.evidence == tuple(replace(e, part="") for e in EVIDENCE)
    said = reading.content(written["sr"])
    assert said.texts == SECTIONS
    assert said.findings == tuple(
        replace(f, sentence=k) for f, k in zip(FINDINGS, (1, 3, 4, 5, 5), strict=True)
    )


def test_a_finding_that_is_not_there_is_no_finding_to_who_overlooks_modifiers(
    written: dict[str, Path],
) -> None:
    data = pydicom.dcmread(written["sr"])
    codes = [
        (i.ConceptNameCodeSequence[0].CodeValue, i.ConceptCodeSequence[0].CodeMeaning)
        for section in data.ContentSequence
        if section.ValueType == "CONTAINER"
        for i in section.ContentSequence
        if i.ValueType == "CODE"
    ]
    assert [meaning for value, meaning in codes if value == "121071"] == ["nodule", "cyst of a sort"]
    assert ("121069", "fracture") in codes and ("FINDING_ABSENT", "effusion") in codes


def test_a_sentence_refers_to_the_plane_where_the_model_looked_and_to_its_picture(
    written: dict[str, Path], ct: Image
) -> None:
    data, capture = pydicom.dcmread(written["sr"]), pydicom.dcmread(written["sc"])
    sections = [i for i in data.ContentSequence if i.ValueType == "CONTAINER"]
    texts = [i for i in sections[1].ContentSequence if i.ValueType == "TEXT"]
    uids, drawn = ct.source.sop_uids, str(capture.SOPInstanceUID)
    best, where = "Best illustration of finding", "Where the model looked"
    assert images_of(texts[0]) == [(best, uids[3], None), (where, drawn, 1)]
    assert images_of(texts[2]) == [(best, uids[5], None), (where, drawn, 2)]
    assert images_of(texts[1]) == [] and images_of(texts[3]) == []
    named = {
        str(i.ReferencedSOPInstanceUID)
        for s in data.CurrentRequestedProcedureEvidenceSequence
        for r in s.ReferencedSeriesSequence
        for i in r.ReferencedSOPSequence
    }
    assert named == {*uids, drawn}
    frames = capture.pixel_array
    assert frames.shape == (2, *ct.shape[1:], 3)
    warm = frames[..., 0].astype(int) - frames[..., 2]
    assert warm[0, 4:8, 6:12].mean() > warm[0].mean() + 30  # the lesion is lit


def pages_of(data: bytes) -> list[str]:
    """The text of each page of a PDF that matplotlib made, whose letters stand in parentheses, two bytes each."""
    found = []
    for stream in re.findall(rb"stream\r?\n(.*?)\r?\nendstream", data, re.DOTALL):
        try:
            said = zlib.decompress(stream)
        except zlib.error:
            continue
        if b"BT\n/F" in said:
            letters = b"".join(re.findall(rb"\(((?:\\.|[^\\)])*)\)", said, re.DOTALL))
            found.append(re.sub(rb"\\(.)", rb"\1", letters, flags=re.DOTALL).decode("utf-16-be"))
    return found


def test_a_pdf_says_what_is_not_borne_out_and_shows_where_the_model_looked(written: dict[str, Path]) -> None:
    data = bytes(pydicom.dcmread(written["pdf"]).EncapsulatedDocument)
    assert data.count(b"/Subtype /Image") == 2 and data.count(b"/Type /Page ") == 2
    first, second = pages_of(data)
    assert "1 sentence is not borne out" in first and "read by nobody yet" in first
    doubted = first[first.index("Not borne out: ") :]  # its ff and fi are one letter
    assert "ndings' head says" in doubted and "usion, p = 0.93" in doubted
    assert "Where the model looked" in second and "There is a 7.5 mm nodule" in second
    assert "A nodule, perhaps new" not in second  # whose map is the first sentence's


def test_a_report_refers_to_no_picture_that_is_not_beside_it(
    ct: Image, tmp_path: Path, dciodvfy: Errors
) -> None:
    path = formats.write(report_of(ct), tmp_path / "alone.sr.dcm", source=ct)
    assert dciodvfy(path) == [] and "Where the model looked" not in str(pydicom.dcmread(path))
    none = replace(report_of(ct), evidence=())
    with pytest.raises(OutputError, match="nothing says where"):
        formats.write(none, tmp_path / "none.sc.dcm", source=ct)


def test_an_edited_report_names_its_author_and_what_it_replaces(
    ct: Image, written: dict[str, Path], tmp_path: Path, dciodvfy: Errors
) -> None:
    first, second = FIRST, SECOND
    paths = []
    for k, edit in enumerate((first, second)):
        answer = replace(report_of(ct), sections={"findings": "No nodule."}, evidence=(), edit=edit)
        paths.append(formats.write(answer, tmp_path / f"{k}.sr.dcm", source=ct))
        assert dciodvfy(paths[-1]) == []
    draft, one, two = (pydicom.dcmread(p) for p in (written["sr"], *paths))
    before = [
        d.PredecessorDocumentsSequence[0].ReferencedSeriesSequence[0].ReferencedSOPSequence[0]
        for d in (one, two)
    ]
    assert [b.ReferencedSOPInstanceUID for b in before] == [draft.SOPInstanceUID, one.SOPInstanceUID]
    assert (one.VerificationFlag, two.VerificationFlag) == ("UNVERIFIED", "VERIFIED")
    assert (one.CompletionFlag, two.CompletionFlag) == ("PARTIAL", "COMPLETE")
    assert two.VerifyingObserverSequence[0].VerifyingObserverName == "Hopper^Grace"
    persons = [str(i.PersonName) for d in (one, two) for i in d.ContentSequence if i.ValueType == "PNAME"]
    assert persons == ["Lovelace^Ada Mary", "Hopper^Grace"]
    assert one.SeriesInstanceUID == two.SeriesInstanceUID != draft.SeriesInstanceUID
    nobody = replace(report_of(ct), edit=replace(second, organisation=""))
    with pytest.raises(OutputError, match="names the organisation"):
        formats.write(nobody, tmp_path / "nobody.sr.dcm", source=ct)
    with pytest.raises(OutputError, match="not a person's name"):
        formats.write(replace(nobody, edit=replace(first, author="a\\b")), tmp_path / "odd.sr.dcm", source=ct)
    assert not (tmp_path / "odd.sr.dcm").exists()


def test_of_reports_in_a_folder_the_last_that_a_person_saved_is_learned_from(tmp_path: Path) -> None:
    image = make_study(tmp_path)
    said = report_of(image, language="en")
    formats.write(said, tmp_path / "draft.sr.dcm", source=image)
    cohort = cohorts.read(tmp_path)
    assert cohort.cases[0].report is None
    assert any("1 report of a model that nobody has read" in note for note in cohort.notes)
    for edit in (FIRST, SECOND):
        text = {"findings": f"Saved by {edit.author}."}
        answer = replace(said, sections=text, evidence=(), edit=edit)
        formats.write(answer, tmp_path / f"{edit.id}.sr.dcm", source=image)
    (case,) = cohorts.read(tmp_path)
    assert case.report == "FINDINGS: Saved by Hopper^Grace."


def test_a_report_survives_json(ct: Image, tmp_path: Path) -> None:
    answer = report_of(ct, language="en", edit=Edit("e1", "A B", "2026-11-30T12:00:00+00:00"))
    back = formats.read_answer(formats.write(answer, tmp_path / "a.json"))
    assert isinstance(back, Text) and (back.edit, back.evidence, back.language) == (
        answer.edit,
        EVIDENCE,
        "en",
    )
