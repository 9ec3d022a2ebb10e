"""Reports, read back with highdicom: what was measured, of what, by what; boxes in their place; texts word for word."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import highdicom as hd
import numpy as np
import pydicom
import pytest
from _studies import plane
from pydicom.uid import DigitalXRayImageStorageForPresentation

from vesalius import formats
from vesalius.core.answers.boxes import Boxes, counts_of
from vesalius.core.answers.curve import Curve
from vesalius.core.answers.mask import Mask
from vesalius.core.answers.numbers import Numbers
from vesalius.core.answers.ranking import Ranking
from vesalius.core.answers.scores import Scores
from vesalius.core.answers.text import Text
from vesalius.core.answers.value import Value
from vesalius.core.bounds import Bounds
from vesalius.core.case import Box
from vesalius.core.cohort import Label
from vesalius.core.errors import GeometryError, OutputError
from vesalius.core.image import Image
from vesalius.core.promise import Promise
from vesalius.core.treatment import Treatment

Errors = Callable[[Path], list[str]]
BUNDLE = "ab" * 32


def tree(items: pydicom.Sequence) -> list[tuple[str, str, object]]:
    """(type, concept, value) of every item of a content tree."""
    found: list[tuple[str, str, object]] = []
    for item in items:
        concept = item.ConceptNameCodeSequence[0].CodeMeaning if "ConceptNameCodeSequence" in item else ""
        value: object = item.get("TextValue") or item.get("UID")
        if item.ValueType == "NUM":
            value = float(item.MeasuredValueSequence[0].NumericValue)
        elif item.ValueType == "CODE":
            value = item.ConceptCodeSequence[0].CodeMeaning
        elif item.ValueType == "SCOORD":
            value = np.array(item.GraphicData).reshape(-1, 2).tolist()
        found += [(item.ValueType, concept, value), *tree(item.get("ContentSequence") or [])]
    return found


def decisions(group: Any) -> list[str]:
    said = group.get_qualitative_evaluations()
    return [e.value.meaning for e in said if e.name.meaning == "Decision at the operating point"]


def mask_of(image: Image) -> Mask:
    values = np.zeros((1, *image.shape), np.uint8)
    values[0, 2:6, 3:9, 4:20] = 4
    values[0, 3, 4, 5] = 9
    labels = (Label(4, "left kidney"), Label(9, "kidney cyst"))
    return Mask(image=replace(image, array=values), labels=labels, source=image.source, bundle=BUNDLE)


def test_volumes_refer_to_the_segments_of_the_same_mask(ct: Image, tmp_path: Path, dciodvfy: Errors) -> None:
    mask = mask_of(ct)
    drawn = pydicom.dcmread(formats.write(mask, tmp_path / "m.seg.dcm", source=ct))
    path = formats.write(mask, tmp_path / "m.sr.dcm", source=ct)
    assert dciodvfy(path) == []
    report = hd.sr.srread(path)
    groups = report.content.get_volumetric_roi_measurement_groups()
    assert len(groups) == 2
    for k, (group, count) in enumerate(zip(groups, (4 * 6 * 16 - 1, 1), strict=True), start=1):
        (volume,) = group.get_measurements()
        wanted = count * np.prod(ct.spacing_mm) / 1000
        assert volume.unit.value == "ml" and volume.value == pytest.approx(wanted, rel=1e-6)
        segment = group.referenced_segment
        assert segment.referenced_sop_instance_uid == drawn.SOPInstanceUID
        assert list(segment.referenced_segment_numbers) == [k]
        assert group.tracking_uid == drawn.SegmentSequence[k - 1].TrackingUID
    assert (
        groups[0].finding_type.value == "64033007" and groups[0].finding_sites[0].laterality.meaning == "Left"
    )
    assert groups[1].finding_type.meaning == "Cyst"
    assert groups[1].finding_sites[0].value.meaning == "Kidney"
    said = tree(report.ContentSequence)
    assert ("TEXT", "Algorithm Name", "Vesalius") in said
    assert any(c == "Algorithm Version" and "ab" * 8 in str(v) for _, c, v in said)
    evidence = report.CurrentRequestedProcedureEvidenceSequence
    named = {
        i.ReferencedSOPInstanceUID
        for s in evidence
        for r in s.ReferencedSeriesSequence
        for i in r.ReferencedSOPSequence
    }
    assert named == {*ct.source.sop_uids, drawn.SOPInstanceUID}
    assert "research use" in report.SeriesDescription
    assert (report.CompletionFlag, report.VerificationFlag) == ("PARTIAL", "UNVERIFIED")


def test_scores_and_the_parts_beside_them(ct: Image, tmp_path: Path, dciodvfy: Errors) -> None:
    labels = (Label(0, "benign"), Label(1, "liver tumour"))
    parts = {
        "age": Value(x=61.23456789012345, unit="years"),
        "where": mask_of(ct),
        "odd": Value(x=-2, unit="furlong"),
    }
    answer = Scores(labels=labels, p=np.array([0.25, 0.75]), parts=parts, source=ct.source, bundle=BUNDLE)
    path = formats.write(answer, tmp_path / "s.dcm", source=ct)
    assert dciodvfy(path) == []
    groups = hd.sr.srread(path).content.get_image_measurement_groups()
    names = [g.tracking_identifier for g in groups]
    assert names == ["benign", "liver tumour", "age", "where: left kidney", "where: kidney cyst", "odd"]
    assert [g.get_measurements()[0].value for g in groups[:3]] == [0.25, 0.75, 61.2345679]
    assert [decisions(g) for g in groups[:2]] == [["Absent"], ["Present"]]
    assert groups[2].get_measurements()[0].unit.value == "a"
    assert groups[5].get_measurements()[0].unit.scheme_designator == "99VESALIUS"
    assert len({g.tracking_uid for g in groups}) == 6
    assert len(groups[0].source_images) == len(ct.source.sop_uids)


def test_a_grade_is_a_coded_evaluation_with_its_probability_and_range(
    ct: Image, tmp_path: Path, dciodvfy: Errors
) -> None:
    labels = tuple(Label(k, n) for k, n in enumerate(("none", "mild", "KL 3", "severe")))
    p = np.array([0.4, 0.15, 0.05, 0.4])  # the median is mild, the likeliest none
    promise = Promise(0.9, "", labels=("none", "mild", "KL 3"))
    answer = Scores(labels=labels, p=p, kind="ordinal", decision="median", promise=promise, bundle=BUNDLE)
    path = formats.write(replace(answer, source=ct.source), tmp_path / "g.sr.dcm", source=ct)
    assert dciodvfy(path) == []
    groups = hd.sr.srread(path).content.get_image_measurement_groups()
    first = groups[0]
    said = {
        e.name.meaning: (e.value.value, e.value.scheme_designator)
        for e in first.get_qualitative_evaluations()
    }
    assert said["Grade"] == ("255604002", "SCT")  # Mild
    assert said["Lowest grade, 90 %"] == ("260413007", "SCT")
    assert said["Highest grade, 90 %"] == ("KL_3", "99VESALIUS")
    assert float(first.get_measurements()[0].value) == pytest.approx(0.15)
    assert [decisions(g) for g in groups[1:]] == [["Absent"], ["Present"], ["Absent"], ["Absent"]]
    old = replace(answer, decision=None, promise=None, source=ct.source)  # as grades were written before
    before = hd.sr.srread(formats.write(old, tmp_path / "o.sr.dcm", source=ct))
    called = [decisions(g) for g in before.content.get_image_measurement_groups()]
    assert called == [["Present"], ["Absent"], ["Absent"], ["Absent"]]


def test_findings_are_decided_at_their_operating_points(ct: Image, tmp_path: Path) -> None:
    answer = Scores(
        labels=(Label(0, "nodule"), Label(1, "mass"), Label(2, "cyst")),
        p=np.array([0.3, 0.6, 0.9]),
        kind="multilabel",
        thresholds={"nodule": 0.2, "mass": 0.7},
        source=ct.source,
        bundle=BUNDLE,
    )
    groups = hd.sr.srread(formats.write(answer, tmp_path / "x.dcm")).content.get_image_measurement_groups()
    assert [decisions(g) for g in groups] == [["Present"], ["Absent"], []]


def test_boxes_are_drawn_on_the_planes_they_reach(ct: Image, tmp_path: Path, dciodvfy: Errors) -> None:
    boxes = (Box((2, 3, 4), (5, 10, 20), "nodule"), Box((6, 1.5, 2.25), (7, 8, 9), "thing"))
    answer = Boxes(
        boxes=boxes, p=np.array([0.9, 0.3]), labels=(Label(1, "nodule"),), source=ct.source, bundle="b"
    )
    path = formats.write(answer, tmp_path / "b.sr.dcm", source=ct)
    assert dciodvfy(path) == []
    content = hd.sr.srread(path).content
    (deep,), (flat,) = (
        content.get_volumetric_roi_measurement_groups(),
        content.get_planar_roi_measurement_groups(),
    )
    regions = deep.roi
    assert [r.ContentSequence[0].ReferencedSOPSequence[0].ReferencedSOPInstanceUID for r in regions] == list(
        ct.source.sop_uids[2:5]
    )
    assert all(r.value.tolist() == [[4, 3], [20, 3], [20, 10], [4, 10], [4, 3]] for r in regions)
    assert flat.roi.value.tolist() == [[2.25, 1.5], [9, 1.5], [9, 8], [2.25, 8], [2.25, 1.5]]
    assert [m.value for m in flat.get_measurements()] == [0.3, pytest.approx(6.75 * ct.spacing_mm[0])]
    assert (
        flat.get_measurements()[1].name.meaning == "Diameter"
        and flat.get_measurements()[1].unit.value == "mm"
    )
    shadow = Image(ct.array, spacing_mm=ct.spacing_mm, spacing_at="detector", source=ct.source)
    formats.write(answer, path, source=shadow)  # a shadow is larger than what throws it
    assert "Diameter" not in str(pydicom.dcmread(path))
    outside = replace(answer, boxes=(Box((2, 50, 4), (5, 60, 20), "nodule"),), p=np.array([0.5]))
    with pytest.raises(GeometryError, match="outside"):
        formats.write(outside, tmp_path / "o.sr.dcm", source=ct)


def test_boxes_of_a_picture_lie_on_its_one_plane(tmp_path: Path, dciodvfy: Errors) -> None:
    """A film has no position in space: its boxes are drawn in its own pixels, and say no size."""
    film = plane(0, "1.2.9")
    film.SOPClassUID = film.file_meta.MediaStorageSOPClassUID = DigitalXRayImageStorageForPresentation
    film.Modality, film.PatientName, film.PatientSex, film.PatientBirthDate = "DX", "A^B", "F", "19500101"
    film.StudyDate = film.StudyTime = film.AccessionNumber = film.ReferringPhysicianName = film.StudyID = ""
    film.ImagerPixelSpacing, film.PatientOrientation, film.InstanceNumber = [0.2, 0.2], ["L", "F"], 1
    for name in (
        "PixelSpacing",
        "ImagePositionPatient",
        "ImageOrientationPatient",
        "FrameOfReferenceUID",
        "SliceThickness",
    ):
        delattr(film, name)
    film.save_as(tmp_path / "film.dcm", enforce_file_format=True)
    image = formats.read(tmp_path / "film.dcm")
    assert image.is_2d and image.affine is None and image.spacing_at == "detector"
    boxes = (Box((0, 1, 2), (1, 3, 5), "nodule"),)
    answer = Boxes(
        boxes=boxes, p=np.array([0.9]), labels=(Label(1, "nodule"),), source=image.source, bundle="b"
    )
    path = formats.write(answer, tmp_path / "b.sr.dcm", source=image)
    assert dciodvfy(path) == []
    (group,) = hd.sr.srread(path).content.get_planar_roi_measurement_groups()
    assert group.roi.value.tolist() == [[2, 1], [5, 1], [5, 3], [2, 3], [2, 1]]
    assert [m.name.meaning for m in group.get_measurements()] == ["Probability"], (
        "a shadow's size is not its thing's"
    )


def test_called_boxes_alone_are_written_and_counted(ct: Image, tmp_path: Path, dciodvfy: Errors) -> None:
    low, wide = Box((2, 3, 4), (3, 10, 20), "nodule"), Box((6, 1, 2), (7, 20, 9), "nodule")
    answer = Boxes(
        boxes=(low, wide, low), p=np.array([0.2, 0.6, 0.9]), labels=(Label(1, "nodule"), Label(2, "cyst")),
        thresholds={"nodule": 0.5, "cyst": 0.5}, source=ct.source, bundle="b",
    )  # fmt: skip
    counts = counts_of(answer)
    promised = Promise(0.9, "", interval=(1.0, 4.0))
    counts = replace(
        counts, parts={**counts.parts, "nodule": replace(counts.values["nodule"], promise=promised)}
    )
    path = formats.write(replace(answer, parts={"counts": counts}), tmp_path / "b.sr.dcm", source=ct)
    assert dciodvfy(path) == []
    found = hd.sr.srread(path).content
    rois = found.get_planar_roi_measurement_groups()
    assert [g.get_measurements()[0].value for g in rois] == [0.9, 0.6]  # the surest first
    groups = found.get_image_measurement_groups()
    assert [(g.finding_type.meaning, g.get_measurements()[0].value) for g in groups] == [
        ("Nodule", 2.0),
        ("Cyst", 0.0),
    ]
    count = groups[0].get_measurements()[0]
    assert (count.name.value, count.name.scheme_designator, count.unit.value) == ("410681005", "SCT", "1")
    again = formats.read_answer(path)
    numbers = {name: part.x for name, part in again.parts.items()}
    assert numbers["counts: nodule: Count of entities"] == 2.0
    assert numbers["counts: cyst: Count of entities"] == 0.0
    assert numbers["counts: nodule: lower bound of nodule count, 90 %"] == 1.0
    assert numbers["nodule 3: Probability"] == 0.9 and "nodule 1: Probability" not in numbers
    assert numbers["nodule 2: Diameter"] == pytest.approx(19 * ct.spacing_mm[1])


TEXT = {
    "findings": "Größe 5 μm\nzweite Zeile",
    "Impression": "nichts 肝臓",
    "A heading of no standard": "x",
    "empty": " ",
}


def test_a_text_is_a_report_word_for_word(ct: Image, tmp_path: Path, dciodvfy: Errors) -> None:
    answer = Text(sections=TEXT, source=ct.source, bundle=BUNDLE)
    path = formats.write(answer, tmp_path / "t.dcm", source=ct)
    assert dciodvfy(path) == []
    data = pydicom.dcmread(path)
    said = [(c, v) for kind, c, v in tree(data.ContentSequence) if kind == "TEXT"]
    assert ("Finding", "Größe 5 μm") in said and ("Finding", "\nzweite Zeile") in said
    assert ("Impression", "nichts 肝臓") in said
    assert ("A heading of no standard", "x") in said and "empty" not in str(said)
    assert data.PatientName == pydicom.dcmread(ct.source.files[0]).PatientName


def test_what_a_report_cannot_hold_is_one_line(ct: Image, tmp_path: Path) -> None:
    path = tmp_path / "x.sr.dcm"
    with pytest.raises(OutputError, match="empty text"):
        formats.write(Text(sections={"findings": ""}, source=ct.source), path)
    with pytest.raises(OutputError, match="cannot hold"):
        formats.write(Value(x=float("nan"), source=ct.source), path)
    with pytest.raises(OutputError, match=r"do not hold a Ranking; try: one of \.json"):
        formats.write(Ranking(case_ids=("b",), distances=np.ones(1), source=ct.source), path)
    with pytest.raises(OutputError, match="without times"):
        formats.write(Curve(times_days=np.zeros(0), survival={"all": np.zeros(0)}, source=ct.source), path)
    assert not path.exists()


def test_a_report_refers_to_no_segmentation_that_is_not_there(
    ct: Image, tmp_path: Path, dciodvfy: Errors
) -> None:
    mask = mask_of(ct)
    path = formats.write(mask, tmp_path / "m.sr.dcm", source=ct)
    formats.write(replace(mask, bundle="cd" * 32), tmp_path / "o.seg.dcm", source=ct)  # another bundle's
    other = formats.write(mask, tmp_path / "o.sr.dcm", source=ct)
    for file in (path, other):
        assert dciodvfy(file) == []
        report = hd.sr.srread(file)
        assert not report.content.get_volumetric_roi_measurement_groups()
        (first, _) = report.content.get_image_measurement_groups()
        assert first.get_measurements()[0].unit.value == "ml"
        evidence = report.CurrentRequestedProcedureEvidenceSequence
        named = {
            i.ReferencedSOPInstanceUID
            for s in evidence[0].ReferencedSeriesSequence
            for i in s.ReferencedSOPSequence
        }
        assert named == set(ct.source.sop_uids)


def test_a_survival_curve_is_its_median_and_its_years(ct: Image, tmp_path: Path, dciodvfy: Errors) -> None:
    times = np.array([0.0, 200, 400, 800, 1200])
    arms = {"surgery": np.array([1, 0.9, 0.8, 0.7, 0.6]), "none": np.array([1, 0.8, 0.5, 0.3, 0.1])}
    curve = Curve(times_days=times, survival=arms, source=ct.source, bundle=BUNDLE)
    path = formats.write(curve, tmp_path / "c.sr.dcm", source=ct)
    assert dciodvfy(path) == []
    answer = formats.read_answer(path)
    found = {name: (part.x, part.unit) for name, part in answer.parts.items() if isinstance(part, Value)}
    assert found == {
        "survival, surgery: mean survival up to 1200 days": (200 + 0.9 * 200 + 0.8 * 400 + 0.7 * 400, "d"),
        "survival, surgery: survival after 1 year": (0.9, "1"),
        "survival, surgery: survival after 2 years": (0.8, "1"),
        "survival, surgery: survival after 3 years": (0.7, "1"),
        "survival, surgery: survival after 1200 days": (0.6, "1"),
        "survival, none: median survival": (400, "d"),
        "survival, none: mean survival up to 1200 days": (200 + 0.8 * 200 + 0.5 * 400 + 0.3 * 400, "d"),
        "survival, none: survival after 1 year": (0.8, "1"),
        "survival, none: survival after 2 years": (0.5, "1"),
        "survival, none: survival after 3 years": (0.3, "1"),
        "survival, none: survival after 1200 days": (0.1, "1"),
    }


def test_what_an_arm_changes_stands_in_a_report(ct: Image, tmp_path: Path, dciodvfy: Errors) -> None:
    arms = {"none": np.array([0.8, 0.3]), "chemo": np.array([0.9, 0.5])}
    gain = {"survival_400_days_chemo_less_none": Value(x=0.2, unit="share", bounds=Bounds(-0.1, 0.5, 0.95))}
    curve = Curve(
        times_days=np.array([100.0, 400.0]),
        survival=arms,
        treatment=Treatment(column="arm", horizon_days=400.0),
        parts={"benefit": Numbers(parts=gain)},
        source=ct.source,
        bundle=BUNDLE,
    )
    path = formats.write(curve, tmp_path / "b.sr.dcm", source=ct)
    assert dciodvfy(path) == []
    parts = formats.read_answer(path).parts
    (found,) = [v for k, v in parts.items() if "less_none" in k and isinstance(v, Value) and v.x == 0.2]
    assert found.unit == "SHARE"  # of a scheme of our own: UCUM has no word for it


def test_a_curve_says_its_risk_its_band_its_causes_and_the_arm_that_the_patient_had(
    ct: Image, tmp_path: Path, dciodvfy: Errors
) -> None:
    times = np.array([100.0, 400.0])
    curve = Curve(
        times_days=times,
        survival={"surgery": np.array([0.9, 0.5]), "none": np.array([0.8, 0.3])},
        low={"surgery": np.array([0.8, 0.4])},
        high={"surgery": np.array([0.95, 0.6])},
        share=0.9,
        incidence={"surgery": {"death": np.array([0.1, 0.3]), "relapse": np.array([0.0, 0.2])}},
        risk=-0.25,
        rank=0.4,
        given="surgery",
        event="any event",
        promise=Promise(0.8, "", interval=(100.0, None), unit="days"),
        source=ct.source,
        bundle=BUNDLE,
    )
    path = formats.write(curve, tmp_path / "c.sr.dcm", source=ct)
    assert dciodvfy(path) == []
    groups = hd.sr.srread(path).content.get_image_measurement_groups()
    lead = "survival free of any event"
    assert [g.tracking_identifier for g in groups] == [
        "risk of any event",
        f"{lead}, surgery",
        f"{lead}, none",
    ]
    told = [{m.name.meaning: float(m.value) for m in g.get_measurements()} for g in groups]
    assert told[0] == {
        "log hazard over the average training case": -0.25,
        "share of training cases with a lower risk": 0.4,
    }
    assert told[1] == {
        "median survival": 400,
        "mean survival up to 400 days": 100 + 0.9 * 300,
        "survival after 1 year": 0.9,
        "lower bound of survival after 1 year, 90 %": 0.8,
        "upper bound of survival after 1 year, 90 %": 0.95,
        "death within 1 year": 0.1,
        "relapse within 1 year": 0.0,
        "survival after 400 days": 0.5,
        "lower bound of survival after 400 days, 90 %": 0.4,
        "upper bound of survival after 400 days, 90 %": 0.6,
        "death within 400 days": 0.3,
        "relapse within 400 days": 0.2,
        "lower bound of the time to the event, 80 %": 100.0,
    }
    assert set(told[2]) == {
        "median survival", "mean survival up to 400 days", "survival after 1 year", "survival after 400 days",
    }  # fmt: skip
    had = [[e.value.meaning for e in g.get_qualitative_evaluations()] for g in groups]
    assert had == [[], ["Present"], ["Absent"]]
