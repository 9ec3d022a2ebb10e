"""Fetching from a DICOMweb server: what matches, whole or not at all, once; and what is said of one that misbehaves."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pydicom
import pytest
from pydicom.dataset import Dataset
from typer.testing import CliRunner

import vesalius as vs
from vesalius.cli import app
from vesalius.core.errors import DataError, OutputError
from vesalius.dicom.web import Series, Web
from vesalius.phantom.abdomen.dicom import dicom_files
from vesalius.phantom.ct import patient
from vesalius.verbs import fetch as verb


class Pacs:
    """Stands for a server: series of a phantom, of which `lost` come without their last object."""

    url = "http://pacs/dicom-web"

    def __init__(self, folder: Path) -> None:
        self.objects: dict[Series, list[Path]] = {}
        self.lost: set[str] = set()
        self.asked: list[dict[str, str]] = []
        self.sent = 0
        for index in (1, 2):
            here = folder / str(index)
            here.mkdir(parents=True)
            for name, data in dicom_files(patient(index, size=(8, 16, 16))):
                (here / name).write_bytes(data)
            paths = sorted(here.iterdir())
            head = pydicom.dcmread(paths[0])
            key = Series(str(head.StudyInstanceUID), str(head.SeriesInstanceUID), "CT", "Axial", len(paths))
            self.objects[key] = paths

    def series(self, query: dict[str, str]) -> list[Series]:
        self.asked.append(dict(query))
        return [s for s in self.objects if query.get("StudyInstanceUID", s.study_uid) == s.study_uid]

    def instances(self, series: Series) -> Iterator[Dataset]:
        paths = self.objects[series]
        for path in paths[:-1] if series.series_uid in self.lost else paths:
            self.sent += 1
            yield pydicom.dcmread(path)


@pytest.fixture
def pacs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Pacs:
    made = Pacs(tmp_path / "pacs")
    monkeypatch.setattr(verb, "Web", lambda url, **_: made)
    return made


def test_what_is_fetched_is_a_cohort_object_for_object(pacs: Pacs, tmp_path: Path) -> None:
    done = vs.fetch(pacs.url, tmp_path / "out", modalities=["CT"], date="20200101-")
    assert done.instances == 16 and not done.set_aside and len(vs.read(done.out).cases) == 2
    assert pacs.asked == [{"StudyDate": "20200101-", "ModalitiesInStudy": "CT"}]
    for series, paths in pacs.objects.items():
        for path in paths:
            data = pydicom.dcmread(path)
            kept = done.out / series.study_uid / series.series_uid / f"{data.SOPInstanceUID}.dcm"
            assert pydicom.dcmread(kept) == data


def test_a_series_that_comes_incomplete_is_left_out_and_resumed(pacs: Pacs, tmp_path: Path) -> None:
    first, second = pacs.objects
    pacs.lost = {first.series_uid}
    words = ["fetch", pacs.url, "--modality", "CT", "-o", str(tmp_path / "out")]
    done = CliRunner().invoke(app, words)
    assert done.exit_code == 1 and f"{first.series_uid}: the series came incomplete" in done.output
    left = [p.name for p in (tmp_path / "out").rglob("*") if p.is_dir() and p.name != first.study_uid]
    assert left == [second.study_uid, second.series_uid]
    refused = CliRunner().invoke(app, words)
    assert isinstance(refused.exception, OutputError) and "not empty" in str(refused.exception)
    pacs.lost, pacs.sent = set(), 0
    done = CliRunner().invoke(app, [*words, "--resume"])
    assert done.exit_code == 0 and "16 objects of 2 series" in done.output and pacs.sent == 8


def test_only_what_matches_and_nothing_without_a_question(pacs: Pacs, tmp_path: Path) -> None:
    first, _ = pacs.objects
    done = CliRunner().invoke(app, ["fetch", pacs.url, "--study", first.study_uid, "--list"])
    assert done.output.split() == [first.study_uid, first.series_uid, "CT", "8", "Axial"]
    for words, says in (
        ({}, "which studies"),
        ({"date": "yesterday"}, "20260131"),
        ({"modalities": ["MR"]}, "nothing that matches"),
    ):
        with pytest.raises(DataError, match=says):
            vs.fetch(pacs.url, tmp_path / "out", **words)  # type: ignore[arg-type]
    assert not (tmp_path / "out").exists()


class Answers(BaseHTTPRequestHandler):
    """A server of one study that knows no offset, and says what it is told to say."""

    said: Any = None

    def do_GET(self) -> None:
        study = self.path.split("?")[0].endswith("/studies")
        body = json.dumps([{"0020000D" if study else "0020000E": {"vr": "UI", "Value": ["1.2.3"]}}])
        code, text = self.said or (200, body)
        self.send_response(code)
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, *_: object) -> None:
        """Nothing."""


@pytest.fixture
def url() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Answers)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}/dicom-web"
    server.shutdown()
    server.server_close()


def test_a_server_that_knows_no_offset_is_asked_until_it_repeats_itself(url: str) -> None:
    assert Web(url).series({"PatientID": "x"}) == [Series("1.2.3", "1.2.3", "", "", None)]


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        ((401, ""), "HTTP 401: it wants a login, or another; try: a file"),
        ((200, "<html>"), "as DICOMweb has it.*try: the DICOMweb root"),
        ((200, '[{"0020000D": {"vr": "UI", "Value": ["../../etc"]}}]'), "no valid StudyInstanceUID"),
    ],
)
def test_a_server_that_misbehaves_is_one_line(
    url: str, answer: tuple[int, str], says: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Answers, "said", answer)
    with pytest.raises(OutputError, match=says) as caught:
        Web(url).series({"PatientID": "x"})
    assert "\n" not in str(caught.value)


def test_an_address_or_a_login_that_is_none_is_said(tmp_path: Path) -> None:
    (tmp_path / "login").write_text("nobody")
    with pytest.raises(DataError, match="user:password"):
        Web("http://127.0.0.1:1/x", login=tmp_path / "login")
    with pytest.raises(DataError, match="no address"):
        Web("pacs")
    with pytest.raises(DataError, match="login .* cannot be read; found No such file"):
        Web("http://127.0.0.1:1/x", login=tmp_path / "nofile")
    with pytest.raises(DataError, match="no file of certificates"):
        Web("http://127.0.0.1:1/x", ca=tmp_path / "nofile")
    with pytest.raises(OutputError, match="cannot be reached; found connection refused; try: that it runs"):
        Web("http://127.0.0.1:1/x", timeout_s=2).series({"PatientID": "x"})
