"""Rejection notes: what they name is answered no more, whether it came before or after; what was made of it goes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pydicom
import pytest
from _notes import EXPIRED, QUALITY, encoded, note
from _peers import Pacs, bright, receive, state
from pydicom.sr.codedict import codes
from pynetdicom import AE
from pynetdicom.sop_class import KeyObjectSelectionDocumentStorage  # type: ignore[attr-defined]

from vesalius.core.errors import FormatError
from vesalius.serve.node import rejection_notes, sender
from vesalius.serve.node.answering import SeriesModel
from vesalius.serve.node.listener import Node
from vesalius.serve.node.queue import Queue
from vesalius.serve.node.store import Store
from vesalius.serve.node.worker import Worker


def test_a_note_says_what_it_takes_back_and_why(series: list[Path]) -> None:
    found = rejection_notes.read(encoded(note(series[:2], EXPIRED)))
    assert found is not None and found.reason == "Data Retention Policy Expired"
    assert found.sop_uids == tuple(pydicom.dcmread(p).SOPInstanceUID for p in series[:2])
    assert rejection_notes.read(encoded(note(series[:1], codes.DCM.OfInterest))) is None
    for code in rejection_notes.REASONS:
        data = note(series[:1])
        data.ConceptNameCodeSequence[0].CodeValue = code
        assert rejection_notes.read(encoded(data)) is not None
    data.ConceptNameCodeSequence[0].CodingSchemeDesignator = "99OTHER"
    assert rejection_notes.read(encoded(data)) is None
    del data.ConceptNameCodeSequence
    with pytest.raises(FormatError, match="key object selection"):
        rejection_notes.read(encoded(data))


def test_a_note_that_is_sent_opens_the_series_again_without_its_images(
    node: Node, series: list[Path]
) -> None:
    for path in series[:3]:
        data = pydicom.dcmread(path)
        node.store.put(data.SeriesInstanceUID, data.SOPInstanceUID, path.read_bytes())
        node.queue.add(data.StudyInstanceUID, data.SeriesInstanceUID, data.SOPInstanceUID)
    ae = AE("MODALITY")
    ae.add_requested_context(KeyObjectSelectionDocumentStorage)
    association = ae.associate("127.0.0.1", node.port, ae_title="VESALIUS")
    sent = note([series[0], series[5]])
    broken = note(series[1:2])
    del broken.CurrentRequestedProcedureEvidenceSequence
    assert association.send_c_store(broken).Status == 0xC000
    assert [association.send_c_store(sent).Status for _ in range(2)] == [0, 0]
    association.release()
    assert node.queue.rejected(data.SeriesInstanceUID) == {
        str(pydicom.dcmread(series[0]).SOPInstanceUID): "Rejected for Quality Reasons"
    }
    images, notes = sorted(node.queue.jobs(), key=lambda job: -job.generation)
    assert images.generation == 4 and notes.generation == 1  # three images and one note of them, once
    late = pydicom.dcmread(series[5])
    node.queue.add(late.StudyInstanceUID, late.SeriesInstanceUID, late.SOPInstanceUID)
    assert len(node.queue.rejected(data.SeriesInstanceUID)) == 2


def reject(worker: Worker, paths: list[Path], title: Any = QUALITY) -> None:
    found = rejection_notes.read(encoded(note(paths, title)))
    assert found is not None
    worker.queue.reject(found.sop_uids, found.reason)


def test_rejected_images_are_answered_no_more_and_their_results_go(
    worker: Worker,
    pacs: Pacs,
    series: list[Path],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sender, "delete", lambda uid, _: pacs.objects.pop(uid))
    there = worker.routes.destinations["pacs"].model_copy(update={"orthanc": "http://127.0.0.1:1"})
    worker.routes = worker.routes.model_copy(update={"destinations": {"pacs": there}})
    receive(worker, series)
    worker.step()
    first = set(pacs.objects)
    reject(worker, series[:4])
    assert state(worker)[0] == "receiving" and worker.step()
    assert state(worker)[0] == "confirmed" and pacs.modalities == ["SEG", "SR"]
    (seg,) = (d for d in pacs.objects.values() if d.Modality == "SEG")
    assert int(seg.NumberOfFrames) == len(series) - 4 and first.isdisjoint(pacs.objects)
    results = worker.store.root / "results"
    assert len(list(results.rglob("*.seg.dcm"))) == 2
    reject(worker, series[4:], EXPIRED)
    worker.step()
    assert not list(results.rglob("*.dcm"))  # for they show what is to be gone
    assert state(worker) == (
        "unrouted",
        "all its images were taken back: Data Retention Policy Expired; Rejected for Quality Reasons",
    )
    assert not pacs.objects
    kept = list((worker.store.root / "rejected").rglob("*.dcm"))
    assert len(kept) == 4  # those whose time was over are gone


def test_where_nothing_can_be_deleted_it_is_said_that_results_stay(
    worker: Worker,
    pacs: Pacs,
    series: list[Path],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    reject(worker, series[:2])  # the note comes first
    receive(worker, series)
    worker.step()
    frames = [int(d.NumberOfFrames) for d in pacs.objects.values() if d.Modality == "SEG"]
    assert frames == [len(series) - 2]
    monkeypatch.setitem(worker.models, "bone", SeriesModel("h" * 64, bright))  # type: ignore[arg-type]
    reject(worker, series[2:])
    worker.step()
    assert state(worker)[1].endswith("Rejected for Quality Reasons; earlier results stay at pacs")
    assert pacs.modalities == ["SEG", "SR"]


def test_a_queue_of_an_earlier_version_is_brought_up_to_date(store: Store) -> None:
    path = store.root / "queue.db"
    old = Queue(path)
    old.add("1", "1.2", "1.2.3")
    old.close()
    import sqlite3

    with sqlite3.connect(path) as base:
        base.execute("DROP TABLE rejected")
        base.execute("DROP TABLE contents")
        base.execute("PRAGMA user_version=1")
    base.close()
    new = Queue(path)
    assert new.instances("1.2") == ("1.2.3",) and new.reject(["1.2.3"], "why") == ("1.2",)
    assert new.rejected("1.2") == {"1.2.3": "why"}
