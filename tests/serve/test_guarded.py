"""The guard in what listens: jobs, one call, cines and the node refuse another modality, and say what lies outside."""

from __future__ import annotations

import io
import json
import shutil
import subprocess
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pydicom
import pytest
import torch
from _bundles import classifier, segmenter
from _clients import Clients
from _peers import Pacs, receive, state
from _uploads import upload
from starlette.testclient import TestClient

from vesalius.core.learned import Seen, statistics, summary
from vesalius.serve.http.catalogue import Catalogue
from vesalius.serve.models import open_model
from vesalius.serve.node.answering import series_model
from vesalius.serve.node.worker import Worker

_MR = Seen((12, 32, 32), (1.0, 1.0, 2.0), 0.0, 900.0, "MR", None, "HEAD")
_DX = Seen((1, 40, 48), None, 0.0, 255.0, "DX", None)


@pytest.fixture(scope="module")
def places(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A segmenter that learned from MR, and a classifier that learned from radiographs."""
    root = tmp_path_factory.mktemp("guarded")
    segmenter(root / "brain", learned=summary(statistics([_MR, _MR]), absolute=False))
    classifier(root / "chest", learned=summary(statistics([_DX, _DX]), absolute=True))
    return {name: root / name for name in ("brain", "chest")}


@pytest.fixture(scope="module")
def asked(places: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    threads = torch.get_num_threads()
    models = Catalogue(list(places.values()), ["cpu"])
    torch.set_num_threads(threads)
    made = Clients(models, tmp_path_factory.mktemp("service"))
    yield made()
    made.close()


@pytest.fixture(scope="module")
def scan(asked: TestClient, series: list[Path]) -> dict[str, Any]:
    """A CT series."""
    found: dict[str, Any] = upload(asked, *((p.name, p.read_bytes()) for p in series)).json()
    return found


def ended(client: TestClient, job: dict[str, Any]) -> dict[str, Any]:
    until = time.monotonic() + 60
    while job["status"] not in ("done", "failed", "cancelled") and time.monotonic() < until:
        time.sleep(0.02)
        job = client.get(f"/api/jobs/{job['job']}").json()
    return job


def nifti(channels: int) -> bytes:
    shape = (16, 16, 8) if channels == 1 else (16, 16, 8, channels)
    return bytes(nib.Nifti1Image(np.ones(shape, np.float32), np.eye(4)).to_bytes())


def test_a_job_about_another_modality_fails_unless_it_is_accepted(
    asked: TestClient, scan: dict[str, Any]
) -> None:
    words = {"model": "brain", "study": scan["study"]}
    failed = ended(asked, asked.post("/api/jobs", json=words).json())
    assert failed["status"] == "failed" and not failed["answers"]
    assert "modality CT, learned from MR" in failed["error"]["found"]
    assert "accept_mismatch" in failed["error"]["hint"]
    done = ended(asked, asked.post("/api/jobs", json={**words, "accept_mismatch": True}).json())
    assert done["status"] == "done", done
    (row,) = done["answers"]
    assert row["outside"][0] == "accepted: modality CT, learned from MR" == row["answer"]["outside"][0]


def test_one_call_too_and_a_field_that_says_neither_is_refused(asked: TestClient, series: list[Path]) -> None:
    files = [("files", (p.name, p.read_bytes())) for p in series]
    said = asked.post("/api/predict", files=files, data={"model": "brain"}).json()
    assert said["status"] == "failed" and "learned from MR" in said["error"]["found"]
    said = asked.post("/api/predict", files=files, data={"model": "brain", "accept_mismatch": "true"}).json()
    assert said["status"] == "done"
    said = asked.post("/api/predict", files=files, data={"model": "brain", "accept_mismatch": "perhaps"})
    assert said.status_code == 422 and "accept_mismatch" in said.text


def test_what_a_form_says_in_a_field_that_is_not_known_is_not_passed_over(
    asked: TestClient, picture: bytes
) -> None:
    files = [("files", ("x.png", picture))]
    for name in ("accept_missmatch", "covariate", "modell"):
        said = asked.post("/api/predict", files=files, data={"model": "chest", name: "true"})
        assert said.status_code == 422 and said.json()["error"] == f"{name}: no such field"
    two = [*files, ("file", ("y.png", picture))]
    for where in ("/api/predict", "/api/studies"):
        said = asked.post(where, files=two, data={"model": "chest"} if where == "/api/predict" else {})
        assert said.status_code == 422 and said.json()["found"] == "'file' (1 of 2 files)"


@pytest.mark.parametrize("channels", [3, 4])
def test_channels_that_are_no_colours_are_refused(asked: TestClient, channels: int) -> None:
    files = [("files", ("x.nii", nifti(channels)))]
    said = asked.post("/api/predict", files=files, data={"model": "brain", "accept_mismatch": "1"}).json()
    assert said["status"] == "failed"
    assert said["error"]["found"] == f"{channels} channels, learned from 1 channel"


def test_headers_alone_tell_what_would_be_said(
    asked: TestClient, scan: dict[str, Any], picture: bytes
) -> None:
    at = f"/api/studies/{scan['study']}/cases/{scan['cases'][0]['case']}/verdict"
    said = asked.get(at, params={"model": "brain"}).json()
    assert said["known"] and "modality CT, learned from MR" in said["mismatch"]
    other = upload(asked, ("x.png", picture)).json()
    at = f"/api/studies/{other['study']}/cases/{other['cases'][0]['case']}/verdict"
    assert asked.get(at, params={"model": "chest"}).json() == {"known": True, "mismatch": [], "outside": []}
    (part,) = (text for text in said["outside"] if text.startswith("body part"))
    assert part == "body part ABDOMEN, learned from HEAD"
    models = {m["name"]: m for m in asked.get("/api/models").json()}
    assert models["brain"]["modality"] == "MR" and not models["brain"]["accepts_mismatch"]


def test_a_cine_says_what_lies_outside(asked: TestClient) -> None:
    with asked.websocket_connect("ws://127.0.0.1/api/cine?model=chest") as cine:
        cine.send_text(json.dumps({"height": 200, "width": 200, "channels": 1}))
        cine.send_bytes(np.random.default_rng(0).integers(0, 255, (200, 200), dtype=np.uint8).tobytes())
        said = json.loads(cine.receive_text())
    assert said["outside"] == ["size 200×200, learned from 48×40"] == said["answer"]["outside"]


def test_a_cine_that_says_its_modality_is_refused_and_answered_where_that_is_accepted(
    asked: TestClient,
) -> None:
    at = "ws://127.0.0.1/api/cine?model=chest&modality="
    for more, found in (
        ("US", "modality US, learned from DX"),
        ("US&accept_mismatch=true", ["accepted: modality US, learned from DX"]),
        ("CR", []),
        ("", []),
    ):
        with asked.websocket_connect(at + more) as cine:
            cine.send_text(json.dumps({"height": 40, "width": 48}))
            cine.send_bytes(np.random.default_rng(0).integers(0, 255, (40, 48), dtype=np.uint8).tobytes())
            said = json.loads(cine.receive_text())
        assert (said["error"]["found"] if "error" in said else said["outside"]) == found, more
        assert ("answer" in said) == ("error" not in said)
    app: Any = asked.app
    log = [x for x in app.state.service.audit.last(100) if x["what"] == "cine"][-4:]
    assert [x.get("accept_mismatch") for x in log] == [None, 1, None, None]


def test_monai_labels_clients_are_refused_and_told(asked: TestClient, series: list[Path]) -> None:
    buffer = io.BytesIO()
    with __import__("zipfile").ZipFile(buffer, "w") as packed:
        for path in series:
            packed.write(path, path.name)
    files = {"file": ("x.zip", buffer.getvalue())}
    said = asked.post("/infer/brain?output=json", files=files)
    assert said.status_code == 422 and "learned from MR" in said.text
    said = asked.post("/infer/brain?output=json&accept_mismatch=true", files=files)
    assert said.status_code == 200 and said.json()["outside"][0].startswith("accepted: modality CT")


def test_the_node_gives_a_series_of_another_modality_up_unless_its_rule_accepts(
    worker: Worker, pacs: Pacs, series: list[Path], places: dict[str, Path], tmp_path: Path
) -> None:
    path = str(places["brain"])
    (rule,) = worker.routes.rules
    rule = rule.model_copy(update={"bundle": path})
    worker.routes = worker.routes.model_copy(update={"rules": (rule,)})
    worker.models = {path: series_model(open_model("brain", places["brain"], devices=["cpu"]))}
    receive(worker, series)
    worker.step()
    now, why = state(worker)
    assert now == "dead" and not pacs.objects
    said = (
        "no image in this series can be answered; found the bundle 'brain' learned from another kind of image"
    )
    assert f"{said}; found modality CT, learned from MR; try: accept_mismatch: true in the rule" in why
    accepting = rule.model_copy(update={"accept_mismatch": True})
    worker.routes = worker.routes.model_copy(update={"rules": (accepting,)})
    worker.queue.replay()
    worker.step()
    assert state(worker)[0] == "confirmed" and pacs.modalities == ["SEG", "SR"]
    (report,) = (d for d in pacs.objects.values() if d.Modality == "SR")
    held = report.ContentSequence[-1]
    assert held.ConceptNameCodeSequence[0].CodeMeaning == "Qualitative Evaluations"
    assert held.ContentSequence[0].TextValue == "accepted: modality CT, learned from MR"
    report.save_as(tmp_path / "x.dcm", enforce_file_format=True)
    assert_standard(tmp_path / "x.dcm")


def assert_standard(path: Path) -> None:
    """Raise where dciodvfy, if it is installed, finds an error."""
    if shutil.which("dciodvfy"):
        told = subprocess.run(["dciodvfy", "-new", str(path)], capture_output=True, text=True, timeout=60)
        assert "Error" not in told.stderr, told.stderr


def test_alike_modalities_and_a_service_that_accepts_refuse_nothing(
    places: dict[str, Path], series: list[Path], tmp_path: Path
) -> None:
    made = Clients(Catalogue([places["brain"]], ["cpu"], accept_mismatch=True), tmp_path)
    client = made()
    files = [("files", (p.name, p.read_bytes())) for p in series]
    assert client.post("/api/predict", files=files).json()["status"] == "done"
    made.close()
    film = replace(_DX, modality="DX")
    assert summary(statistics([film]), absolute=True).modality == "DX"


def test_a_text_says_it_in_a_section_of_its_own(series: list[Path], tmp_path: Path) -> None:
    from vesalius import formats
    from vesalius.core.answers.text import Text
    from vesalius.core.image import Source

    head = pydicom.dcmread(series[0])
    uids = tuple(str(pydicom.dcmread(p).SOPInstanceUID) for p in series)
    source = Source(head.StudyInstanceUID, head.SeriesInstanceUID, sop_uids=uids, files=tuple(series))
    text = Text(sections={"findings": "None."}, source=source, bundle="b" * 64, outside=("a single plane",))
    for outside, said in ((text.outside, "a single plane"), (None, "unknown: the model does not say")):
        formats.write(replace(text, outside=outside), tmp_path / "x.sr.dcm")
        found = formats.read_answer(tmp_path / "x.sr.dcm")
        assert found.outside == outside and list(found.sections) == ["findings"]  # type: ignore[attr-defined]
        assert said.encode() in (tmp_path / "x.sr.dcm").read_bytes()
        assert_standard(tmp_path / "x.sr.dcm")
    back = formats.read_answer(formats.write(text, tmp_path / "x.json"))
    assert back.outside == ("a single plane",)
