"""Instances as DICOM: a segment and a measurement group each, that track one another; too many become their labels."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from _studies import GRID, by_hand

from vesalius import formats
from vesalius.core.answers.instances import COUNTS, Instances
from vesalius.core.case import Instance, Ref
from vesalius.core.cohort import Label
from vesalius.core.errors import OutputError
from vesalius.core.image import Image
from vesalius.dicom.write import seg

Errors = Callable[[Path], list[str]]
LABELS = (Label(1, "Left Kidney"), Label(2, "lesion", colour="#ff0000"))


def answer_of(ct: Image, **thresholds: float) -> Instances:
    """Three things of random size in corners, the second of which is unsure."""
    ids = np.zeros((1, *GRID), np.uint16)
    ids[0, 1:3, :2, :2], ids[0, 2:, :2, 2:4], ids[0, 0, 3:, 3:] = 5, 7, 300
    things = (Instance(5, "lesion", 0.7), Instance(7, "Left Kidney", 0.2), Instance(300, "lesion", 0.9))
    made = Instances(
        image=replace(ct, array=ids, channels=(), unit=None), things=things, labels=LABELS,
        thresholds=thresholds or None, source=ct.source, bundle="ab" * 32,
    )  # fmt: skip
    return replace(made, parts={COUNTS: made.counts()})


def texts(item: Any) -> list[str]:
    """Every tracking identifier below a content item."""
    found = []
    for one in item.get("ContentSequence") or ():
        if one.get("ConceptNameCodeSequence") and one.ConceptNameCodeSequence[0].CodeValue == "112039":
            found.append(str(one.TextValue))
        found += texts(one)
    return found


def test_each_called_thing_has_a_segment_and_a_group(ct: Image, tmp_path: Path, dciodvfy: Errors) -> None:
    answer = answer_of(ct)
    path = formats.write(answer, tmp_path / "x.seg.dcm")
    assert dciodvfy(path) == []
    data, planes = pydicom.dcmread(path), by_hand(path)
    assert [s.SegmentLabel for s in data.SegmentSequence] == ["lesion 300", "lesion 5", "Left Kidney 7"]
    assert (
        data.SegmentationType == "BINARY"
        and data.SegmentSequence[2].SegmentDescription == "id 7 of the label map"
    )
    kidney = data.SegmentSequence[2].SegmentedPropertyTypeCodeSequence[0]
    assert kidney.CodeValue == "64033007", "the sort's code, not the thing's name"
    ids = answer.image.array[0]
    for k, thing in enumerate((300, 5, 7), start=1):
        assert sum(int(plane.sum()) for plane in planes[k].values()) == (ids == thing).sum()
        assert len(planes[k]) == (ids == thing).any(axis=(1, 2)).sum(), "no empty frames"
    back = formats.read_mask(Ref((path, *ct.source.files)))
    want = sum(k * (ids == thing) for k, thing in enumerate((300, 5, 7), start=1))
    assert np.array_equal(back.array[0], want), "in its place among the image's planes"


def test_the_report_tracks_the_segments(ct: Image, tmp_path: Path, dciodvfy: Errors) -> None:
    answer = answer_of(ct, **{"Left Kidney": 0.5})
    drawn = pydicom.dcmread(formats.write(answer, tmp_path / "x.seg.dcm"))
    path = formats.write(answer, tmp_path / "x.sr.dcm")
    assert dciodvfy(path) == []
    report = pydicom.dcmread(path)
    said = texts(report)
    assert said[:2] == ["lesion 300", "lesion 5"] and not any("Kidney 7" in s for s in said)
    assert {s.TrackingUID for s in drawn.SegmentSequence} <= {
        str(e.value) for e in report.iterall() if e.keyword == "UID"
    }
    numbers = [float(e.value) for e in report.iterall() if e.keyword == "NumericValue"]
    x, y, z = ct.spacing_mm or (1, 1, 1)
    assert numbers[1] == pytest.approx(0.9) and numbers[3] == pytest.approx(0.7)
    assert numbers[2] == pytest.approx(8 * x * y * z / 1000, rel=1e-6)


def test_too_many_have_a_segment_a_label(
    ct: Image, tmp_path: Path, dciodvfy: Errors, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(seg, "MOST", 2)
    answer = answer_of(ct)
    path = formats.write(answer, tmp_path / "x.seg.dcm")
    assert dciodvfy(path) == []
    data, planes = pydicom.dcmread(path), by_hand(path)
    assert [s.SegmentLabel for s in data.SegmentSequence] == ["Left Kidney", "lesion"]
    assert sum(int(p.sum()) for p in planes[2].values()) == np.isin(answer.image.array, (5, 300)).sum()
    report = formats.write(answer, tmp_path / "x.sr.dcm")
    assert dciodvfy(report) == [] and "lesion" in texts(pydicom.dcmread(report))
    monkeypatch.setattr(seg, "MOST", 256)
    monkeypatch.setattr(seg, "MOST_FRAMES", 3)
    assert not seg.has_segments(answer), "things on more frames than may be"


def test_nothing_called_is_no_segmentation(ct: Image, tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="nothing is called"):
        formats.write(answer_of(ct, **{"Left Kidney": 1.0, "lesion": 1.0}), tmp_path / "x.seg.dcm")
    path = formats.write(answer_of(ct, **{"Left Kidney": 1.0, "lesion": 1.0}), tmp_path / "y.sr.dcm")
    assert any("counts" in t for t in texts(pydicom.dcmread(path))), "but a report says that there are none"
