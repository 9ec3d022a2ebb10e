"""What is damaged among an upload: set aside at once with the reason, by the client's own names; the rest is used."""

from __future__ import annotations

import gzip
import io
import struct
import time
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from _uploads import left, upload, zipped
from pydicom.uid import JPEG2000Lossless

from _patience import patience
from vesalius import formats
from vesalius.core.errors import FormatError, GeometryError
from vesalius.core.image import Image
from vesalius.serve.http.job import WorkUnit
from vesalius.serve.http.keys import LOCAL
from vesalius.serve.http.study import UploadedStudy


def _torn(data: bytes) -> bytes:
    """A zip of which one file's bytes are damaged."""
    torn = bytearray(data)
    at = torn.find(b"b.png") + 40
    torn[at : at + 8] = b"\xff" * 8
    return bytes(torn)


@pytest.mark.parametrize(
    ("kind", "reason"),
    [("cut", "cut short or damaged"), ("torn", "b.png cannot be taken"), ("empty", "an empty")],
)
def test_a_damaged_zip_is_set_aside_and_the_rest_is_kept(
    kind: str, reason: str, clients: Any, picture: bytes
) -> None:
    client = clients()
    whole = zipped(("a.png", picture), ("b.png", picture))
    data = {"cut": whole[:-40], "torn": _torn(whole), "empty": b""}[kind]
    got = upload(client, ("disc.zip", data), ("good.png", picture))
    assert got.status_code == 201, got.text
    assert [c["name"] for c in got.json()["cases"]] == ["good"], "nothing of a damaged zip is used"
    (aside,) = got.json()["set_aside"]
    assert aside["name"] == "disc.zip" and reason in aside["reason"] and "/" not in aside["reason"]
    assert [p.name for p in left(client) if p.is_file()] == ["000001.png"]
    alone = upload(client, ("disc.zip", data))
    said = alone.json()
    assert alone.status_code == 422 and said["hint"], said
    assert said["found"].startswith("disc.zip: ") and reason in said["found"]
    assert [p.name for p in left(client) if p.is_file()] == ["000001.png"]


def test_localisers_are_named_beside_a_series_and_alone(clients: Any, series: list[Path]) -> None:
    """They are no images to be asked about, and nobody is to look for them in vain."""
    client, scouts = clients(), []
    for k, path in enumerate(series[:7]):
        data = pydicom.dcmread(path)
        data.ImageType = ["ORIGINAL", "PRIMARY", "LOCALIZER"]
        data.SeriesInstanceUID = "1.2.3.9"
        data.SOPInstanceUID = data.file_meta.MediaStorageSOPInstanceUID = f"1.2.3.9.{k}"
        buffer = io.BytesIO()
        data.save_as(buffer, enforce_file_format=True)
        scouts.append((f"scout{k}.dcm", buffer.getvalue()))
    got = upload(client, *((p.name, p.read_bytes()) for p in series), *scouts).json()
    assert len(got["cases"]) == 1
    said = {a["name"]: a["reason"] for a in got["set_aside"]}
    assert set(said) == {*(f"scout{k}.dcm" for k in range(5)), "the upload"}
    assert "localiser" in said["scout0.dcm"] and said["the upload"] == "7 localisers and copies in all"
    alone = upload(client, *scouts)
    assert alone.status_code == 422 and alone.json()["found"].startswith("scout0.dcm: a localiser")


def test_an_empty_file_is_called_one(clients: Any, picture: bytes) -> None:
    names = ("a.png", "b.nii", "c.txt", "d")
    got = upload(clients(), ("good.png", picture), *((name, b"") for name in names)).json()
    assert {a["name"]: "an empty file" in a["reason"] for a in got["set_aside"]} == dict.fromkeys(names, True)


def _far(path: Path) -> bytes:
    """A NIfTI whose pixels are said to begin beyond any file."""
    formats.write(Image(np.zeros((1, 4, 8, 8), np.int16), spacing_mm=(1.0, 1.0, 1.0)), path)
    data = bytearray(path.read_bytes())
    struct.pack_into("<f", data, 108, 1e30)
    return bytes(data)


def _other_size(first: Path) -> bytes:
    """A JPEG 2000 CT slice whose stream is of another size than its header."""
    data = pydicom.dcmread(first)
    data.compress(JPEG2000Lossless)
    data.Rows, data.Columns = data.Rows + 8, data.Columns + 8
    buffer = io.BytesIO()
    data.save_as(buffer)
    return buffer.getvalue()


def test_what_can_be_seen_to_be_damaged_is_set_aside_at_once(
    clients: Any, series: list[Path], picture: bytes, tmp_path: Path
) -> None:
    files = {
        "scan.nii": (_far(tmp_path / "a.nii"), "too long"),
        "scan.nii.gz": (gzip.compress(_far(tmp_path / "b.nii")), "too long"),
        "cut.nii": (_far(tmp_path / "c.nii")[:352], "too long"),
        "slice": (_other_size(series[0]), "another size than its header says"),
    }
    got = upload(clients(), ("good.png", picture), *((n, d) for n, (d, _) in files.items()))
    assert got.status_code == 201, got.text
    assert [c["name"] for c in got.json()["cases"]] == ["good"]
    aside = {a["name"]: a["reason"] for a in got.json()["set_aside"]}
    assert set(aside) == set(files)
    for name, (_, reason) in files.items():
        assert reason in aside[name] and "00000" not in aside[name] and len(aside[name]) < 160, aside[name]


def test_a_slice_of_another_size_spoils_its_series_alone(
    clients: Any, series: list[Path], picture: bytes
) -> None:
    client = clients()
    files = [(p.name, p.read_bytes()) for p in series]
    packed = []
    for name, _ in files:
        data = pydicom.dcmread(series[0].with_name(name))
        data.compress(JPEG2000Lossless)
        buffer = io.BytesIO()
        data.save_as(buffer)
        packed.append((name, buffer.getvalue()))
    got = upload(client, *packed, ("x.png", picture)).json()
    assert sorted(c["shape"][0] for c in got["cases"]) == [1, 12] and got["set_aside"] == []
    at = packed[3][1].rindex(b"\xff\x4f\xff\x51") + 8
    bad = bytearray(packed[3][1])
    bad[at : at + 4] = (64).to_bytes(4, "big")
    got = upload(client, *packed[:3], (packed[3][0], bytes(bad)), *packed[4:], ("x.png", picture)).json()
    assert [c["shape"][0] for c in got["cases"]] == [1]
    (aside,) = got["set_aside"]
    assert (
        f"{packed[3][0]}: its pixels are of another size" in aside["reason"] or aside["name"] == packed[3][0]
    )


def test_errors_name_files_as_clients_do(tmp_path: Path) -> None:
    labels = {str(tmp_path / "000000.nii"): "brain.nii", str(tmp_path / "000001"): "IM1"}
    study = UploadedStudy("s", "me", tmp_path, (), (), 0, labels)
    for said, plain in (
        (f"{tmp_path}/000000.nii: truncated", "brain.nii: truncated"),
        ("000000.nii: truncated. 000001: damaged", "brain.nii: truncated. IM1: damaged"),
        (f"{tmp_path} (2 files): 000002, 1,000,001 bytes", "the study (2 files): 000002, 1,000,001 bytes"),
    ):
        assert study.plainly(said) == plain
    assert study.file_in(f"in {tmp_path}/000001, which") == "IM1" and study.file_in("in 7") is None


def test_many_damaged_files_are_named_in_time(clients: Any, picture: bytes) -> None:
    many = zipped(*((f"{k}.png", picture[:60]) for k in range(1500)), ("ok.png", picture))
    began = time.monotonic()
    got = upload(clients(), ("many.zip", many)).json()
    assert len(got["set_aside"]) == 1500 and time.monotonic() - began < patience(20)


def test_a_job_that_fails_says_so_in_a_clients_words(clients: Any, tmp_path: Path) -> None:
    client = clients()
    path = formats.write(Image(np.ones((1, 8, 16, 16), np.float32)), tmp_path / "knee.nii.gz")
    made = upload(client, ("knee.nii.gz", path.read_bytes())).json()
    for error in (
        GeometryError("case c1: the plan works in millimetres", hint="--set data.spacing_mm=null"),
        FormatError(f"{client.app.state.service.root}/studies/{made['study']}/000000.nii.gz: cut"),
    ):
        service = client.app.state.service
        study = service.studies.get(made["study"], LOCAL)
        with service.jobs.lock:
            job = service.ask(LOCAL, service.models.get("organs"), study)
            service.jobs.add_failure(WorkUnit(job, study.cases[0]), error)
        said = client.get(f"/api/jobs/{job.id}").json()["error"]
        assert said["error"] in ("knee: the model works in millimetres", "knee.nii.gz: cut"), said
        assert said["hint"] is None and said["case"] == "c1"
