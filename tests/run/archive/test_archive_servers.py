"""A server as an archive's source and sink: what is asked for, fetched whole into the spool, stored and looked for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pydicom
import pytest
from pydicom.dataset import Dataset

from vesalius.core.errors import DataError, OutputError, UnknownName
from vesalius.dicom.web import Series
from vesalius.phantom.abdomen.dicom import dicom_files
from vesalius.phantom.ct import patient
from vesalius.run.archive import servers
from vesalius.run.archive.order import Job, Order
from vesalius.run.predict_settings import PredictSettings

URL = "dicomweb+https://pacs/dicom-web"


class Pacs:
    """A server of one study with a CT series and another whose objects get lost."""

    url = "https://pacs/dicom-web"

    def __init__(self, paths: Sequence[Path]) -> None:
        self.paths, self.stored = list(paths), list[str]()
        head = pydicom.dcmread(paths[0])
        self.study = str(head.StudyInstanceUID)
        self.ct = Series(self.study, str(head.SeriesInstanceUID), "CT", "Axial", len(paths))
        self.lost = Series(self.study, "1.2.3", "MR", "Lost", 3)
        self.asked: list[Mapping[str, str]] = []

    def studies(self, query: Mapping[str, str]) -> Iterator[str]:
        self.asked.append(dict(query))
        yield self.study

    def series(self, query: Mapping[str, str]) -> list[Series]:
        return [self.ct, self.lost] if query == {"StudyInstanceUID": self.study} else []

    def instances(self, series: Series) -> Iterator[Dataset]:
        yield from (pydicom.dcmread(p) for p in (self.paths if series == self.ct else self.paths[:1]))

    def store(self, objects: Sequence[Dataset]) -> None:
        self.stored += [str(d.SOPInstanceUID) for d in objects]

    def has(self, data: Dataset) -> bool:
        return str(data.SOPInstanceUID) in self.stored and len(self.stored) < 10


@pytest.fixture
def pacs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Pacs:
    for name, data in dicom_files(patient(1, size=(8, 16, 16))):
        (tmp_path / name).write_bytes(data)
    made = Pacs(sorted(tmp_path.iterdir()))
    monkeypatch.setattr(servers, "Web", lambda url, **_: made)
    return made


def order(out: Path, **series: str) -> Order:
    web = servers.address(URL, login=None, ca=None)
    return Order(bundle="b", hash="h", settings=PredictSettings(), out=str(out), web=web, series=series)


def test_only_the_series_that_match_are_fetched_each_whole(pacs: Pacs, tmp_path: Path) -> None:
    out = tmp_path / "out"
    job = Job(1, pacs.study, pacs.study)
    place = servers.Spool(order(out, Modality="CT")).fetch(job)
    assert sorted(p.name for p in place.rglob("*.dcm")) == sorted(
        f"{pydicom.dcmread(p).SOPInstanceUID}.dcm" for p in pacs.paths
    )
    with pytest.raises(OutputError, match="incomplete.*1 of 3"):
        servers.Spool(order(out)).fetch(job)
    assert not place.exists(), "half a study is not left for anybody"
    with pytest.raises(DataError, match="none of its series matches"):
        servers.Spool(order(out, Modality="PT")).fetch(job)


def test_conditions_are_those_of_studies_and_of_series(pacs: Pacs) -> None:
    where = {"Modality": "CT", "StudyDate": "20260101-20260131"}
    assert servers.parted(where) == (
        {"StudyDate": "20260101-20260131", "ModalitiesInStudy": "CT"},
        {"Modality": "CT"},
    )
    found = list(servers.studies_at(servers.address(URL, login=None, ca=None), where))
    assert found == [(pacs.study,) * 3] and pacs.asked[0]["ModalitiesInStudy"] == "CT"
    with pytest.raises(UnknownName, match="StudyDate"):
        servers.parted({"StudyDat": "2026"})


def test_what_is_stored_is_looked_for(pacs: Pacs) -> None:
    to: Any = servers.address(URL, login="pass.txt", ca=None)
    assert to.login == str(Path("pass.txt").absolute()) and to.url == pacs.url
    servers.store(to, pacs.paths[:2])
    assert len(pacs.stored) == 2
    with pytest.raises(OutputError, match="took a CT, and does not find it"):
        servers.store(to, pacs.paths)
    for wrong in ("https://pacs", "dicomweb+ftp://pacs"):
        with pytest.raises(DataError, match="no address"):
            servers.address(wrong, login=None, ca=None)
