"""Images that come again under the same UIDs: the same ones change nothing, others replace what was there."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import imagecodecs
import numpy as np
import pydicom
import pytest
from _notes import encoded
from _peers import Pacs, Told, state
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate
from pydicom.uid import JPEG2000Lossless, RLELossless
from pynetdicom import AE
from pynetdicom.sop_class import CTImageStorage  # type: ignore[attr-defined]

from vesalius.core.errors import OutputError
from vesalius.serve.node import content
from vesalius.serve.node.listener import Node
from vesalius.serve.node.store import Store
from vesalius.serve.node.worker import Worker


def test_the_digest_of_a_data_set_hangs_on_what_it_says_and_shows(series: list[Path]) -> None:
    plain = content.digest(series[0].read_bytes())
    packed = pydicom.dcmread(series[0])
    packed.compress(RLELossless, generate_instance_uid=False)
    packed.DataSetTrailingPadding = b"\0" * 8
    assert content.digest(encoded(packed)) == plain
    other = pydicom.dcmread(series[0])
    other.PatientID = "CORRECTED"
    assert content.digest(encoded(other)) != plain
    other = pydicom.dcmread(series[0])
    other.PixelData = bytes(len(other.PixelData))
    assert content.digest(encoded(other)) != plain
    assert content.digest(b"no DICOM") != content.digest(b"none either")


def send(node: Node, paths: list[Path], change: Callable[[Dataset], None] = lambda _: None) -> list[int]:
    ae = AE("MODALITY")
    ae.add_requested_context(CTImageStorage)
    made = ae.associate("127.0.0.1", node.port, ae_title="VESALIUS")
    found = []
    for path in paths:
        data = pydicom.dcmread(path)
        change(data)
        found.append(int(made.send_c_store(data).Status))
    made.release()
    return found


def correct(data: Dataset) -> None:
    data.PatientID = "CORRECTED"


def blank(data: Dataset) -> None:
    data.PixelData = bytes(len(data.PixelData))


def test_a_corrected_patient_is_answered_anew_under_other_uids(
    node: Node, worker: Worker, pacs: Pacs, series: list[Path]
) -> None:
    told = node.progress = Told()
    send(node, series)
    worker.step()
    first = dict(pacs.objects)
    (job,) = node.queue.jobs()
    assert send(node, series) == [0] * len(series) and node.queue.jobs() == (job,) and not told.lines
    assert send(node, series, correct) == [0] * len(series)
    assert told.lines == [f"series {job.series_uid}: images came again changed; it is answered anew"]
    assert state(worker)[0] == "receiving"
    kept = [pydicom.dcmread(p) for p in node.store.series(job.series_uid).glob("*.dcm")]
    assert {d.PatientID for d in kept} == {"CORRECTED"} and len(kept) == len(series)
    worker.step()
    assert state(worker) == ("confirmed", "") and len(pacs.objects) == 4
    new = {uid: d for uid, d in pacs.objects.items() if uid not in first}
    assert {d.PatientID for d in new.values()} == {"CORRECTED"}
    assert {d.SeriesInstanceUID for d in new.values()}.isdisjoint(d.SeriesInstanceUID for d in first.values())
    former = {d.Modality: d.SOPInstanceUID for d in first.values()}
    (seg,) = (d for d in new.values() if d.Modality == "SEG")
    (report,) = (d for d in new.values() if d.Modality == "SR")
    assert seg.ImageComments == f"Replaces {former['SEG']}" and seg.SOPInstanceUID in str(report)
    send(node, series, correct)
    assert not worker.step() and len(pacs.objects) == 4


def test_other_pixels_count_too_and_once_as_they_were_they_are_the_third(
    node: Node, worker: Worker, pacs: Pacs, series: list[Path]
) -> None:
    for change, objects in ((lambda _: None, 2), (blank, 4), (lambda _: None, 6), (blank, 6)):
        assert send(node, series[3:4] if objects > 2 else series, change)[0] == 0
        assert worker.step() and state(worker)[0] == "confirmed" and len(pacs.objects) == objects


def test_a_known_image_of_another_series_is_refused_and_said(node: Node, series: list[Path]) -> None:
    told = node.progress = Told()
    send(node, series[:1])
    (job,) = node.queue.jobs()

    def move(data: Dataset) -> None:
        data.SeriesInstanceUID = "1.2.3"

    uid = pydicom.dcmread(series[0]).SOPInstanceUID
    assert send(node, series[:1], move) == [0xC001] and node.queue.jobs() == (job,)
    assert told.lines == [
        f"series 1.2.3: image {uid} refused (status C001): it is known as one of series {job.series_uid}"
    ]


def test_a_node_that_ends_while_it_replaces_goes_on_or_has_acknowledged_nothing(
    node: Node, worker: Worker, pacs: Pacs, series: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object) -> None:
        raise OutputError("the disk is gone")

    send(node, series)
    worker.step()
    (job,) = node.queue.jobs()
    with monkeypatch.context() as patch:  # before the queue knows
        patch.setattr(node.queue, "change", fails)
        assert send(node, series[:1], correct) == [0xA700] and node.queue.jobs() == (job,)
    node.queue.replay(job.series_uid)
    worker.step()
    assert len(pacs.objects) == 2  # what was not acknowledged does not count
    with monkeypatch.context() as patch:  # after
        patch.setattr(Store, "renew", fails)
        assert set(send(node, series, correct)) == {0xA700}
    worker.step()
    new = list(pacs.objects.values())[2:]
    assert len(new) == 2 and {d.PatientID for d in new} == {"CORRECTED"}


def test_images_that_changed_after_their_files_were_deleted_are_told_apart(
    node: Node, worker: Worker, pacs: Pacs, series: list[Path]
) -> None:
    worker.keep_days = 0.0
    for change, objects in ((lambda _: None, 2), (lambda _: None, 2), (correct, 4), (correct, 4)):
        send(node, series, change)
        worker.step()
        assert state(worker)[0] == "confirmed" and len(pacs.objects) == objects and worker.tidy() == 1


def test_a_damaged_frame_neither_ends_nor_holds_up_who_receives_it(series: list[Path]) -> None:
    """In some of these the decoders that pydicom takes end in a panic, in one it looks for ever."""
    data = pydicom.dcmread(series[0])
    data.compress(RLELossless, generate_instance_uid=False)
    buffer = io.BytesIO()
    data.save_as(buffer)
    good = buffer.getvalue()
    start, generator = good.index(b"\xe0\x7f\x10\x00"), np.random.default_rng(0)
    for _ in range(100):
        bad = bytearray(good)
        for _ in range(3):
            bad[int(generator.integers(start + 20, len(bad) - 8))] = int(generator.integers(256))
        assert len(content.digest(bytes(bad))) == 64
    jp2 = imagecodecs.jpeg2k_encode(
        data.pixel_array.astype(np.uint16), level=0, codecformat="jp2", reversible=True
    )
    data.PixelData = encapsulate([jp2[:12] + bytes(4) + jp2[16:]])
    data.file_meta.TransferSyntaxUID = JPEG2000Lossless
    buffer = io.BytesIO()
    data.save_as(buffer)
    assert len(content.digest(buffer.getvalue())) == 64
