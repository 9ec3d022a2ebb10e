"""Series in, SEG and SR out: found at a destination exactly once, whatever fails on the way."""

from __future__ import annotations

import re
import shutil
import socket
import subprocess
import threading
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from _notes import QUALITY, encoded, note
from _peers import Pacs, Told, bright, receive, state
from pydicom.sr.codedict import codes

from _patience import until
from vesalius.core.answers.mask import Mask
from vesalius.core.case import Case
from vesalius.core.cohort import Label
from vesalius.core.errors import BudgetError, DataError, VesaliusError
from vesalius.infer.choosing import Choice
from vesalius.infer.each import Answered
from vesalius.prepare.case import load_reference
from vesalius.serve.models import open_model
from vesalius.serve.node import sender
from vesalius.serve.node.answering import SeriesAnswers, SeriesModel, series_model
from vesalius.serve.node.faults import unique_reasons
from vesalius.serve.node.routing import Routes
from vesalius.serve.node.worker import Worker
from vesalius.serve.transport import Tls
from vesalius.verbs.predict import predict


def test_a_stable_series_ends_with_one_seg_and_one_sr_in_its_study(
    worker: Worker, pacs: Pacs, series: list[Path]
) -> None:
    receive(worker, series)
    assert worker.step() and not worker.step()
    assert state(worker) == ("confirmed", "") and pacs.modalities == ["SEG", "SR"]
    study = pydicom.dcmread(series[0]).StudyInstanceUID
    assert {d.StudyInstanceUID for d in pacs.objects.values()} == {study}
    assert {d.PatientID for d in pacs.objects.values()} == {pydicom.dcmread(series[0]).PatientID}


def test_results_and_the_log_name_the_bundle_the_source_and_the_rule(
    worker: Worker, pacs: Pacs, series: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    told = worker.progress = Told()
    rule = worker.routes.rules[0]
    worker.routes = worker.routes.model_copy(
        update={"rules": (rule, rule.model_copy(update={"bundle": "run/bundle"}))}
    )
    some = SeriesModel(
        "g" * 64, lambda f: SeriesAnswers([replace(a, bundle="g" * 64) for a in bright(f).answers])
    )
    monkeypatch.setitem(worker.models, "run/bundle", some)  # type: ignore[arg-type]
    receive(worker, series)
    worker.step()
    (uid,) = {job.series_uid for job in worker.queue.jobs()}
    first, second, last = (re.sub(r"in [0-9.]+ s", "in N s", x) for x in told.lines)
    assert first == f"series {uid}: rules.0, bone to pacs: SEG, SR of {len(series)} images in N s"
    assert second == f"series {uid}: rules.1, run to pacs: SEG, SR of {len(series)} images in N s"
    assert last == f"series {uid}: results confirmed at pacs"
    assert sorted(d.SeriesDescription for d in pacs.objects.values()) == [
        f"{by} {what} of 1 Axial (research use)"
        for by in ("bone", "run")
        for what in ("measurements", "segmentation")
    ]
    assert len({d.SeriesNumber for d in pacs.objects.values()}) == 4


def test_results_of_a_series_cut_in_two_say_of_which_part_they_are(
    worker: Worker, pacs: Pacs, series: list[Path], tmp_path: Path
) -> None:
    paths = []
    for path in series:
        for k in (1, 2):
            data = pydicom.dcmread(path)
            data.AcquisitionNumber = k
            data.SOPInstanceUID = data.file_meta.MediaStorageSOPInstanceUID = f"{data.SOPInstanceUID}.{k}"
            paths.append(tmp_path / f"{k}-{path.name}")
            data.save_as(paths[-1])
    receive(worker, paths)
    worker.step()
    assert sorted(d.SeriesDescription for d in pacs.objects.values()) == [
        f"bone {what} of 1 Axial, acquisition {k} (research use)"
        for what in ("measurements", "segmentation")
        for k in (1, 2)
    ]


def test_remarks_are_told_once_when_results_are_recorded(
    worker: Worker, pacs: Pacs, series: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[Any] = []
    worker.strange = lambda bundle, outside: told.append((bundle, outside, len(pacs.objects)))
    marked = SeriesModel(
        "h" * 64, lambda f: SeriesAnswers([replace(a, outside=("odd",)) for a in bright(f).answers])
    )
    monkeypatch.setitem(worker.models, "bone", marked)  # type: ignore[arg-type]
    receive(worker, series)
    while worker.step():
        pass
    assert state(worker)[0] == "confirmed" and told == [("bone", ("odd",), 0)] and pacs.objects


def test_predict_makes_the_objects_that_the_node_makes(
    bundles: dict[str, Path],
    worker: Worker,
    pacs: Pacs,
    series: list[Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    path = bundles["organs"]
    (rule,) = worker.routes.rules
    worker.routes = worker.routes.model_copy(
        update={"rules": (rule.model_copy(update={"bundle": str(path)}),)}
    )
    monkeypatch.setitem(worker.models, str(path), series_model(open_model("bone", path, devices=["cpu"])))  # type: ignore[arg-type]
    receive(worker, series)
    worker.step()
    predict(path, series[0].parent, tmp_path / "out", dicom=True, device="cpu")
    made = [pydicom.dcmread(p) for p in sorted((tmp_path / "out").glob("*.dcm"))]
    assert {(d.SOPInstanceUID, d.SeriesDescription) for d in made} == {
        (uid, d.SeriesDescription) for uid, d in pacs.objects.items()
    }
    assert {d.SeriesDescription for d in made} == {
        f"organs {what} of 1 Axial (research use)" for what in ("measurements", "segmentation")
    }


def test_what_an_earlier_version_made_of_these_images_has_the_same_uids(
    worker: Worker, pacs: Pacs, series: list[Path]
) -> None:
    receive(worker, series)
    worker.step()
    assert sorted(pacs.objects) == [  # what the version before made, under other descriptions and numbers
        "2.25.247299192746554672600341163376662783549",
        "2.25.39911964605032261533357378912290819636",
    ]


def test_what_the_destination_refuses_is_sent_again_and_not_made_again(
    worker: Worker, pacs: Pacs, series: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    receive(worker, series)
    pacs.refuse = 1
    worker.step()
    assert state(worker)[0] == "failed" and "0xA700" in state(worker)[1] and not pacs.objects
    monkeypatch.setitem(worker.models, "bone", SeriesModel("h" * 64, lambda _: pytest.fail("made again")))  # type: ignore[arg-type]
    assert worker.step()
    assert state(worker) == ("confirmed", "") and pacs.modalities == ["SEG", "SR"]


def test_what_is_not_found_is_not_confirmed_and_dies_until_it_is_replayed(
    worker: Worker, pacs: Pacs, series: list[Path]
) -> None:
    receive(worker, series)
    pacs.forget = True
    for _ in range(2):
        worker.step()
    assert state(worker)[0] == "dead" and "does not find it" in state(worker)[1]
    pacs.forget = False
    assert worker.queue.replay() == 1 and worker.step()
    assert state(worker)[0] == "confirmed" and pacs.modalities == ["SEG", "SR"]


def test_a_crash_at_any_step_leaves_one_of_each(
    worker: Worker, pacs: Pacs, series: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    receive(worker, series)
    for name in (
        "record",
        "move",
        "confirm",
    ):  # as if killed there: the call never returns, and nothing is undone

        def dies(*_: object) -> None:
            raise KeyboardInterrupt

        with monkeypatch.context() as patch:
            patch.setattr(worker.queue, name, dies)
            with pytest.raises(KeyboardInterrupt):
                worker.step()
        assert worker.queue.recover() == 1
    worker.step()
    assert state(worker)[0] == "confirmed" and pacs.modalities == ["SEG", "SR"]


def test_late_instances_are_answered_anew_and_say_what_they_replace(
    worker: Worker, pacs: Pacs, series: list[Path], tmp_path: Path
) -> None:
    receive(worker, series[:6])
    worker.step()
    first = dict(pacs.objects)
    receive(worker, series)
    assert state(worker)[0] == "receiving" and worker.step()
    assert state(worker)[0] == "confirmed" and pacs.modalities == ["SEG", "SEG", "SR", "SR"]
    seg, sr = sorted((d for uid, d in pacs.objects.items() if uid not in first), key=lambda d: d.Modality)
    assert int(seg.NumberOfFrames) == len(series)
    former = {d.Modality: d for d in first.values()}
    assert seg.ImageComments == f"Replaces {former['SEG'].SOPInstanceUID}"
    (said,) = sr.PredecessorDocumentsSequence[0].ReferencedSeriesSequence
    assert said.SeriesInstanceUID == former["SR"].SeriesInstanceUID != sr.SeriesInstanceUID
    assert said.ReferencedSOPSequence[0].ReferencedSOPInstanceUID == former["SR"].SOPInstanceUID
    if shutil.which("dciodvfy"):
        for data in (seg, sr):
            data.save_as(tmp_path / "x.dcm", enforce_file_format=True)
            said = subprocess.run(
                ["dciodvfy", "-new", str(tmp_path / "x.dcm")], capture_output=True, text=True
            )
            assert "Error" not in said.stderr, said.stderr


def test_what_was_made_but_never_sent_replaces_nothing(
    worker: Worker, pacs: Pacs, series: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    receive(worker, series[:6])
    with monkeypatch.context() as patch:
        patch.setattr(worker.queue, "move", lambda *_: False)  # as if more came while it ran
        worker.step()
    receive(worker, series)
    assert worker.step() and state(worker)[0] == "confirmed" and pacs.modalities == ["SEG", "SR"]
    assert all("ImageComments" not in d for d in pacs.objects.values())


def test_what_is_replaced_is_deleted_where_the_destination_is_an_orthanc(
    worker: Worker, pacs: Pacs, series: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    there = worker.routes.destinations["pacs"].model_copy(update={"orthanc": "http://127.0.0.1:1"})
    worker.routes = worker.routes.model_copy(update={"destinations": {"pacs": there}})
    receive(worker, series[:6])
    worker.step()
    receive(worker, series)
    worker.step()
    assert state(worker)[0] == "failed" and "not deleted" in state(worker)[1]
    monkeypatch.setattr(sender, "delete", lambda uid, _: pacs.objects.pop(uid))
    assert worker.step() and state(worker)[0] == "confirmed" and pacs.modalities == ["SEG", "SR"]
    assert [int(d.NumberOfFrames) for d in pacs.objects.values() if d.Modality == "SEG"] == [len(series)]


def test_files_are_deleted_after_their_time_and_a_series_that_then_grows_is_asked_for_whole(
    worker: Worker, pacs: Pacs, series: list[Path]
) -> None:
    receive(worker, series[:6])
    worker.step()
    (job,) = worker.queue.jobs()
    worker.keep_days = 1.0
    assert worker.tidy() == 0 and worker.store.series(job.series_uid).is_dir()
    worker.keep_days = 0.0
    assert worker.tidy() == 1 and not worker.store.series(job.series_uid).exists()
    assert not list((worker.store.root / "results").glob("*")) and state(worker)[0] == "removed"
    receive(worker, series[6:7])
    worker.step()
    assert state(worker)[0] == "dead" and "whole series" in state(worker)[1]
    receive(worker, series[:6])
    worker.step()
    assert state(worker)[0] == "confirmed" and len(pacs.objects) == 4


def test_images_without_an_answer_are_said_and_localisers_are_not_failures(
    worker: Worker, pacs: Pacs, series: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(worker.models, "bone", SeriesModel("h" * 64, lambda _: SeriesAnswers([])))  # type: ignore[arg-type]
    receive(worker, series[:6])
    worker.step()
    assert state(worker) == ("unrouted", "nothing to answer: localisers, copies or objects without images")
    some = SeriesModel("h" * 64, lambda folder: SeriesAnswers(bright(folder).answers, ["uneven slices"]))
    monkeypatch.setitem(worker.models, "bone", some)  # type: ignore[arg-type]
    receive(worker, series)
    worker.step()
    assert state(worker) == ("confirmed", "not answered: uneven slices") and pacs.modalities == ["SEG", "SR"]


@pytest.mark.parametrize("count", [1, 3])
def test_a_series_of_nothing_but_localisers_is_no_failure(
    worker: Worker, pacs: Pacs, series: list[Path], count: int
) -> None:
    told = worker.progress = Told()
    receive(worker, series[:count], ImageType="ORIGINAL\\PRIMARY\\LOCALIZER")
    worker.step()
    assert state(worker) == ("unrouted", "nothing to answer: localisers, which are there to plan others")
    assert not pacs.stores and told.lines[0].endswith(state(worker)[1])


def test_objects_without_images_are_no_failure_and_no_hint_of_another_command_is_given(
    bundles: dict[str, Path], worker: Worker, pacs: Pacs, series: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(
        worker.models, "bone", series_model(open_model("organs", bundles["organs"], devices=["cpu"]))
    )  # type: ignore[arg-type]
    for path in series[:2]:
        data = pydicom.dcmread(path)
        data.SOPClassUID = data.file_meta.MediaStorageSOPClassUID = "1.2.840.10008.5.1.4.1.1.66"  # raw data
        target = worker.store.put(data.SeriesInstanceUID, data.SOPInstanceUID, b"")
        data.save_as(target)
        worker.queue.add(data.StudyInstanceUID, data.SeriesInstanceUID, data.SOPInstanceUID)
    worker.step()
    assert state(worker) == ("unrouted", "nothing to answer: localisers, copies or objects without images")

    def wrong(_: Path) -> SeriesAnswers:
        raise DataError("no images", hint="another --layout")

    monkeypatch.setitem(worker.models, "bone", SeriesModel("h" * 64, wrong))  # type: ignore[arg-type]
    receive(worker, series[2:])
    worker.step()
    assert state(worker) == ("dead", "rules.0, bone to pacs: no images")


def test_what_holds_no_image_is_said_and_not_put_down_to_the_rules(
    worker: Worker, pacs: Pacs, series: list[Path]
) -> None:
    for title, why in ((QUALITY, "a rejection note"), (codes.DCM.OfInterest, "no image: KO")):
        made = note(series[:2], title)
        worker.store.put(made.SeriesInstanceUID, made.SOPInstanceUID, encoded(made))
        worker.queue.add(made.StudyInstanceUID, made.SeriesInstanceUID, made.SOPInstanceUID)
        worker.step()
        assert [j.error for j in worker.queue.jobs() if j.series_uid == made.SeriesInstanceUID] == [why]


def test_a_series_of_which_images_were_refused_is_not_answered_until_they_come(
    worker: Worker, pacs: Pacs, series: list[Path]
) -> None:
    receive(worker, series[:-1])
    lost = pydicom.dcmread(series[-1])
    worker.store.refuse(lost.SeriesInstanceUID, lost.SOPInstanceUID, "disk full")
    for _ in range(2):
        worker.step()
    assert state(worker)[0] == "dead" and pacs.stores == 0
    assert "were refused, and have not come since; found 1 of 12: disk full" in state(worker)[1]
    receive(worker, series[-1:])
    worker.step()
    assert state(worker) == ("confirmed", "") and pacs.modalities == ["SEG", "SR"]
    assert worker.store.refused(lost.SeriesInstanceUID) == {}


def test_an_unreachable_destination_is_tried_again(worker: Worker, pacs: Pacs, series: list[Path]) -> None:
    receive(worker, series)
    there = worker.routes.destinations["pacs"]
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        away = there.model_copy(update={"port": closed.getsockname()[1]})
    worker.routes.destinations["pacs"] = away
    worker.step()
    assert state(worker)[0] == "failed"
    assert state(worker)[1].startswith(
        f"PACS at 127.0.0.1:{away.port} cannot be reached; found connection refused; try: that it runs"
    )
    worker.routes.destinations["pacs"] = there
    assert worker.step() and state(worker)[0] == "confirmed"


def test_a_series_is_answered_by_a_bundle_that_was_added_later(
    worker: Worker, pacs: Pacs, series: list[Path]
) -> None:
    rules = worker.routes.rules
    worker.routes = worker.routes.model_copy(
        update={"rules": (rules[0].model_copy(update={"modality": "MR"}),)}
    )
    receive(worker, series)
    worker.step()
    assert state(worker)[0] == "unrouted" and worker.queue.replay() == 0
    worker.routes = worker.routes.model_copy(update={"rules": rules})
    assert worker.queue.replay(worker.queue.jobs()[0].series_uid) == 1 and worker.step()
    assert state(worker)[0] == "confirmed" and pacs.modalities == ["SEG", "SR"]


def test_a_queue_that_was_full_for_a_while_loses_no_job(
    worker: Worker, pacs: Pacs, series: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    receive(worker, series)
    stop, move, tries = threading.Event(), worker.queue.move, []
    told = worker.progress = Told()

    def full(*words: Any) -> bool:
        tries.append(words)
        if len(tries) == 1:
            raise BudgetError("the queue cannot be written")
        return move(*words)

    def failing(*_: object, forever: bool) -> None:
        raise BudgetError("the queue cannot be written")

    monkeypatch.setattr(worker.queue, "move", full)
    monkeypatch.setattr(worker.queue, "fail", failing)
    thread = threading.Thread(target=worker.run, args=(stop,), kwargs={"poll_s": 0.01})
    thread.start()
    until(lambda: state(worker)[0] == "confirmed")
    stop.set()
    thread.join()
    assert state(worker)[0] == "confirmed" and pacs.modalities == ["SEG", "SR"]
    of_queue = [line for line in told.lines if line.startswith("the queue")]
    assert of_queue == ["the queue: the queue cannot be written", "the queue: it can be used again"]


@pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is not installed")
def test_results_go_out_over_tls_and_to_nobody_else(
    worker: Worker, series: list[Path], certificate: Tls, tmp_path: Path
) -> None:
    pacs = Pacs(tls=certificate)
    there = worker.routes.destinations["pacs"].model_copy(
        update={"host": "localhost", "port": pacs.port, "tls": True}
    )
    worker.routes.destinations["pacs"] = there
    receive(worker, series)
    worker.step()  # who shows no certificate of ours is not spoken to
    assert state(worker)[0] == "failed" and not pacs.objects
    worker.tls = certificate
    assert worker.step() and state(worker)[0] == "confirmed" and pacs.modalities == ["SEG", "SR"]
    pacs.server.shutdown()


def test_a_bundle_or_a_destination_that_fails_does_not_hold_up_the_others(
    worker: Worker, pacs: Pacs, series: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(_: Path) -> SeriesAnswers:
        raise RuntimeError("out of memory")

    (rule,) = worker.routes.rules
    there = worker.routes.destinations["pacs"]
    worker.routes = Routes(
        destinations={"away": there.model_copy(update={"host": "127.0.0.1", "port": 1}), "pacs": there},
        rules=(
            rule.model_copy(update={"bundle": "broken"}),
            rule.model_copy(update={"destination": "away"}),
            rule,
        ),
    )
    worker.models = {**worker.models, "broken": SeriesModel("b" * 64, broken)}
    receive(worker, series)
    worker.step()
    assert state(worker) == (
        "failed",
        "rules.0, broken to pacs: RuntimeError: out of memory",
    ) and pacs.modalities == ["SEG", "SR"]
    assert {r.destination for r in worker.queue.unconfirmed(worker.queue.jobs()[0])} == {"away"}
    worker.models = {**worker.models, "broken": SeriesModel("b" * 64, lambda _: SeriesAnswers([]))}
    worker.routes.destinations["away"] = there
    assert worker.step() and state(worker)[0] == "confirmed" and pacs.modalities == ["SEG", "SR"]


def test_what_no_rule_takes_and_what_cannot_be_answered_is_said(
    worker: Worker, pacs: Pacs, series: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    receive(worker, series[:2], Modality="MR")
    worker.step()
    assert state(worker) == ("unrouted", "no rule takes it")

    def uneven(_: Path) -> SeriesAnswers:
        raise DataError("slices are missing")

    monkeypatch.setitem(worker.models, "bone", SeriesModel("h" * 64, uneven))  # type: ignore[arg-type]
    receive(worker, series[2:4])
    for path in worker.store.series(worker.queue.jobs()[0].series_uid).glob("*.dcm"):
        head = pydicom.dcmread(path)
        head.Modality = "CT"
        head.save_as(path)
    worker.step()
    assert state(worker) == ("dead", "rules.0, bone to pacs: slices are missing") and pacs.stores == 0


@pytest.fixture
def painter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SeriesModel:
    """What `series_model` makes of a bundle that gives every image an empty mask."""

    def every(predictor: object, cases: Sequence[Any], *, progress: object) -> Iterator[Answered]:
        for case in cases:
            try:
                image = load_reference(case)
            except VesaliusError as error:
                yield Answered(case, error, None)
                continue
            drawn = replace(image, array=np.zeros(image.array.shape, np.uint8), unit=None)
            mask = Mask(image=drawn, labels=(Label(1, "bone"),), case_id=case.id, source=image.source)
            yield Answered(case, mask, image)

    monkeypatch.setattr(
        "vesalius.serve.models.open_bundle",
        lambda path: type("B", (), {"hash": "h" * 64, "name": "bone", "stages": ()})(),
    )
    predictor = type("P", (), {"listening": lambda self, added: self, "stages": ()})()
    monkeypatch.setattr("vesalius.serve.models.choose", lambda *a, **k: Choice("torch", "a stand-in"))
    monkeypatch.setattr("vesalius.serve.models.Predictor", lambda *a, **k: predictor)
    monkeypatch.setattr("vesalius.serve.node.answering.answers", every)
    return series_model(open_model("bone", tmp_path, selftest=False))


def test_images_of_two_patients_in_one_series_are_answered_by_nobody(
    worker: Worker, pacs: Pacs, series: list[Path], painter: SeriesModel
) -> None:
    """By the same check as everywhere; blanks that pad an id do not count, and no id is repeated."""
    worker.models = {"bone": painter}
    same = str(pydicom.dcmread(series[0]).PatientID)
    receive(worker, series[:2])
    receive(worker, series[2:4], PatientID=f"{same}  ")
    assert worker.step() and state(worker)[0] == "confirmed"
    receive(worker, series[4:6], PatientID="OTHER")
    worker.step()
    at, said = state(worker)
    assert at == "dead" and "of several patients; found 2 patient ids (6 files)" in said
    assert "OTHER" not in said and same not in said and len(pacs.objects) == 2


def test_one_reason_for_several_images_is_said_once() -> None:
    flat = "the plan reads volumes; found a single picture"
    said = unique_reasons([f"case 3b56cc: {flat}", "truncated; found 9 bytes", f"case 03b304: {flat}"])
    assert said == [f"{flat} (2 images)", "truncated; found 9 bytes"]


def test_pictures_that_no_bundle_answers_are_one_reason(
    series: list[Path], tmp_path: Path, painter: SeriesModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    for k, path in enumerate(series[:3]):
        head = pydicom.dcmread(path)
        del head.ImagePositionPatient, head.ImageOrientationPatient, head.PixelSpacing
        head.Modality = "CR"  # slices of CT would be no pictures
        head.SOPClassUID = head.file_meta.MediaStorageSOPClassUID = "1.2.840.10008.5.1.4.1.1.1"
        head.save_as(tmp_path / f"{k}.dcm")

    def refuse(predictor: object, cases: Sequence[Case], *, progress: object) -> Iterator[Answered]:
        yield from (
            Answered(case, DataError(f"case {case.id}: the plan reads volumes"), None) for case in cases
        )

    monkeypatch.setattr("vesalius.serve.node.answering.answers", refuse)
    assert painter.answer(tmp_path) == SeriesAnswers([], ["the plan reads volumes (3 images)"])


def test_an_answer_to_a_part_of_a_series_is_none(
    series: list[Path], tmp_path: Path, painter: SeriesModel
) -> None:
    """Of a slice that is damaged or has no place; and of a file of which nothing is known at all."""
    for k, path in enumerate(series[:4]):
        shutil.copy(path, tmp_path / f"{k}.dcm")
    assert len(painter.answer(tmp_path).answers) == 1
    head = pydicom.dcmread(tmp_path / "3.dcm")
    whole = (tmp_path / "3.dcm").read_bytes()
    (tmp_path / "3.dcm").write_bytes(whole[:-100])
    made = painter.answer(tmp_path)
    assert not made.answers and "truncated" in made.reasons[0] and len(made.reasons) == 1
    (tmp_path / "3.dcm").write_bytes(b"nothing")
    with pytest.raises(
        DataError, match=r"a part of this series cannot be answered; found .*not a DICOM file"
    ):
        painter.answer(tmp_path)
    del head.ImagePositionPatient
    head.save_as(tmp_path / "3.dcm")
    made = painter.answer(tmp_path)
    assert not made.answers and "no ImagePositionPatient in 3.dcm" in made.reasons[0]
