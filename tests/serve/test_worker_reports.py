"""A model that writes reports, in the node: capture, SR and PDF in the study, found once, and again when it grows."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pydicom
import pytest
from _peers import Pacs, receive, state
from pynetdicom.sop_class import (  # type: ignore[attr-defined]
    EncapsulatedPDFStorage,
    EnhancedSRStorage,
    MultiFrameTrueColorSecondaryCaptureImageStorage,
)

from vesalius import cohorts, formats
from vesalius.core.answers.map import Map
from vesalius.core.answers.text import Evidence, Text
from vesalius.prepare.case import load_reference
from vesalius.serve.node.answering import SeriesAnswers, SeriesModel
from vesalius.serve.node.worker import Worker

WHY = "the findings' head says effusion, p = 0.93"


def dictated(folder: Path) -> SeriesAnswers:
    """A report of each image of a folder, with a sentence that is not borne out and a map."""
    made = []
    for case in cohorts.read(folder, layout="dicomtree").cases:
        image = load_reference(case)
        field = np.zeros(image.array.shape, np.float32)
        field[0, 2, 4:9, 4:9] = 1
        where = Map(image=replace(image, array=field, unit=None), quantity="attention", source=image.source)
        evidence = (Evidence("findings", 0, supported=False, why=WHY, part="where"),)
        made.append(
            Text(
                sections={"findings": "No effusion."},
                evidence=evidence,
                parts={"where": where},
                source=image.source,
                bundle="t" * 64,
            )
        )
    return SeriesAnswers(made)


def test_a_report_is_sent_as_any_result_and_replaced_when_its_series_grows(
    worker: Worker, pacs: Pacs, series: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(worker.models, "bone", SeriesModel("t" * 64, dictated))  # type: ignore[arg-type]
    receive(worker, series[:-1])
    assert worker.step() and not worker.step()
    assert state(worker) == ("confirmed", "")
    wanted = [EncapsulatedPDFStorage, EnhancedSRStorage, MultiFrameTrueColorSecondaryCaptureImageStorage]
    assert sorted(d.SOPClassUID for d in pacs.objects.values()) == sorted(wanted)
    by_class = {d.SOPClassUID: d for d in pacs.objects.values()}
    report, drawn = by_class[EnhancedSRStorage], by_class[MultiFrameTrueColorSecondaryCaptureImageStorage]
    assert drawn.SOPInstanceUID in report.to_json()  # where it looked is referred to
    report.save_as(tmp_path / "sent.sr.dcm", enforce_file_format=True)
    back = formats.read_answer(tmp_path / "sent.sr.dcm")
    assert isinstance(back, Text) and back.sections == {"findings": "No effusion."}
    assert back.evidence == (Evidence("findings", 0, supported=False, why=WHY),)

    receive(worker, series[-1:])  # one more slice
    while worker.step():
        pass
    assert state(worker) == ("confirmed", "") and len(pacs.objects) == 6
    later = next(
        d
        for d in pacs.objects.values()
        if d.SOPClassUID == EnhancedSRStorage and d.SOPInstanceUID != report.SOPInstanceUID
    )
    replaced = later.PredecessorDocumentsSequence[0].ReferencedSeriesSequence[0].ReferencedSOPSequence[0]
    assert replaced.ReferencedSOPInstanceUID == report.SOPInstanceUID
    study = pydicom.dcmread(series[0]).StudyInstanceUID
    assert {d.StudyInstanceUID for d in pacs.objects.values()} == {study}
