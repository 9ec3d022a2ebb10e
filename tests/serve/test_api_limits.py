"""What a client may not do: too much, too large, too slow, from elsewhere, or with names that are paths."""

from __future__ import annotations

import errno
import json
import os
import struct
import threading
import time
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
import uvicorn
from _clients import Clients
from _clock import Clock
from _uploads import left, upload, zipped
from starlette.testclient import TestClient

from _patience import patience, until
from vesalius import formats
from vesalius.core import archive
from vesalius.core.errors import VesaliusError
from vesalius.core.image import Image
from vesalius.serve.http import limits, uploads
from vesalius.serve.http.api import create_app
from vesalius.serve.http.catalogue import Catalogue
from vesalius.serve.http.connections import TimedLoop
from vesalius.serve.http.limits import Bounds, RateLimit
from vesalius.serve.http.problems import Problem, error_body, for_clients
from vesalius.serve.http.service import Service

SECRET = b"PLANTED-SECRET"


def test_an_oversized_body_is_413_whether_it_says_so_or_not(clients: Any, picture: bytes) -> None:
    client = clients(body_bytes=50_000)
    assert upload(client, ("x.png", bytes(60_000))).status_code == 413

    def stream() -> Iterator[bytes]:
        yield b'--b\r\nContent-Disposition: form-data; name="files"; filename="x.png"\r\n\r\n'
        for _ in range(80):
            yield bytes(1000)
        yield b"\r\n--b--\r\n"

    form = {"content-type": "multipart/form-data; boundary=b"}
    got = client.post("/api/studies", content=stream(), headers=form)
    assert got.status_code == 413 and "50,000" in got.json()["hint"]
    got = client.post(
        "/api/jobs", content=(b" " * 1000 for _ in range(80)), headers={"content-type": "application/json"}
    )
    assert got.status_code == 413
    assert left(client) == []
    assert upload(client, ("x.png", picture)).status_code == 201
    assert clients().post("/api/jobs", content=b" " * (2 << 20)).status_code == 413, (
        "it would be held in memory"
    )


def test_lengths_that_are_no_numbers_and_bodies_that_end_early(clients: Any) -> None:
    client = clients()
    form = {"content-type": "multipart/form-data; boundary=b"}
    part = b'--b\r\nContent-Disposition: form-data; name="files"; filename="x.png"\r\n\r\nabc'
    assert client.post("/api/studies", content=part, headers=form).status_code == 400
    assert client.post("/api/studies", content=b"nonsense", headers=form).status_code == 400
    assert client.post("/api/studies", content=b"", headers=form).status_code == 400
    assert client.post("/api/studies", json={}).status_code == 415
    got = client.post("/api/studies", content=b"x", headers=form | {"content-length": "-5"})
    assert got.status_code == 400
    long = b'--b\r\nContent-Disposition: form-data; name="' + b"x" * 20_000
    assert client.post("/api/studies", content=long, headers=form).status_code == 400
    assert left(client) == []


def test_too_many_files_cases_and_requests(clients: Any, picture: bytes) -> None:
    client = clients(files=3, waiting=2)
    assert upload(client, *((f"{k}.png", picture) for k in range(4))).status_code == 413
    made = upload(client, *((f"{k}.png", picture) for k in range(3))).json()
    got = client.post("/api/jobs", json={"model": "chest", "study": made["study"]})
    assert got.status_code == 429 and got.headers["retry-after"]
    rate = RateLimit(60)
    for _ in range(60):
        rate.take("someone")
    with pytest.raises(Problem) as refused:
        rate.take("someone")
    assert refused.value.status_code == 429
    rate.take("another")
    slow = clients(per_minute=2)
    assert [slow.get("/api/models").status_code for _ in range(3)] == [200, 200, 429]
    assert slow.get("/health").status_code == 200


def test_a_burst_is_filled_up_again_evenly(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 1000.0
    monkeypatch.setattr(limits.time, "monotonic", lambda: now)
    rate = RateLimit(Bounds().per_minute)

    def taken() -> int:
        for count in range(10_000):
            try:
                rate.take("someone")
            except Problem:
                return count
        return 10_000

    assert taken() == 3000
    now += 1
    assert taken() == 50, "as docs/service.md says"
    now += 3600
    assert taken() == 3000, "and no more than that ever"


def test_a_full_store_takes_nothing_more(clients: Any, picture: bytes) -> None:
    client = clients(stored_bytes=2 * len(picture) + 600, studies=2)
    first = upload(client, ("a.png", picture)).json()
    assert upload(client, ("b.png", picture)).status_code == 201
    assert upload(client, ("c.png", picture)).status_code == 429
    client.delete(f"/api/studies/{first['study']}")
    assert upload(client, ("c.png", picture)).status_code == 201


def test_a_full_disk_is_507_and_leaves_nothing(
    clients: Any, picture: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = clients()

    def full(*_: Any, **__: Any) -> Any:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(uploads._Reader, "_data", full)
        assert upload(client, ("x.png", picture)).status_code == 507
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        assert upload(client, ("x.png", picture)).status_code == 507, (
            "what cannot be written down is not kept"
        )
    assert left(client) == [] and client.app.state.service.studies.stored() == 0
    assert client.get("/api/studies").json() == []
    assert upload(client, ("x.png", picture)).status_code == 201


def test_an_image_that_would_fill_the_memory_is_set_aside(clients: Any, tmp_path: Path) -> None:
    client = clients(decoded_bytes=1000)
    path = formats.write(Image(np.zeros((1, 4, 40, 40), np.int16)), tmp_path / "i.nii.gz")
    got = upload(client, ("i.nii.gz", path.read_bytes()))
    assert got.status_code == 422 and "too large" in got.json()["found"]
    assert left(client) == []


def test_names_in_a_zip_lead_nowhere(clients: Any, picture: bytes, tmp_path: Path) -> None:
    client = clients()
    link = zipfile.ZipInfo("link.png")
    link.external_attr = 0o120777 << 16
    hostile = zipped(
        ("../../../../tmp/outside.png", picture),
        ("/etc/outside.png", picture),
        ("..\\..\\outside.png", picture),
        ("C:\\outside.png", picture),
        (link, b"/etc/passwd"),
        ("inner.zip", zipped(("deep.png", picture))),
        ("ok.png", picture),
    )
    got = upload(client, ("../../x.zip", hostile))
    assert got.status_code == 201, got.text
    service = client.app.state.service
    outside = [p for p in tmp_path.rglob("*") if "outside" in p.name]
    assert outside == [] and not Path("/tmp/outside.png").exists() and not Path("/etc/outside.png").exists()
    assert all(p.resolve().is_relative_to(service.root) and not p.is_symlink() for p in left(client))
    aside = {a["name"] for a in got.json()["set_aside"]}
    assert {"link.png", "inner.zip"} <= aside, "what a link holds is its text, which is no picture"
    reasons = [a["reason"] for a in got.json()["set_aside"] if a["name"] == "x.zip"]
    assert len(reasons) == 4 and all("leads out of its zip" in r for r in reasons)
    alone = upload(client, ("x.zip", zipped(("../../outside.png", picture))))
    assert alone.status_code == 422 and "../../outside.png" in alone.json()["found"]
    assert "without a file" in upload(client, ("x.zip", zipped())).json()["found"]


def test_a_bomb_beyond_any_bound_is_413_before_anything_is_unpacked(clients: Any, tmp_path: Path) -> None:
    client = clients()
    at = tmp_path / "bomb.zip"
    with zipfile.ZipFile(at, "w", zipfile.ZIP_DEFLATED) as made:
        made.writestr("bomb.nii", bytes(8 << 20))
    data = bytearray(at.read_bytes())
    struct.pack_into("<I", data, data.rfind(b"PK\x01\x02") + 24, 0xFFFF_FFF0)
    two = zipped(("a", b"x")) + bytes(data)  # an offset as self-extracting archives have it
    for kind in (bytes(data), two):
        got = upload(clients(expanded_bytes=1 << 30), ("bomb.zip", kind))
        assert got.status_code == 413 and "4,294,967,280" in got.json()["found"], got.text
    assert left(client) == []


@pytest.mark.parametrize("kind", ["many", "large", "lying", "broken", "directory", "encrypted"])
def test_a_hostile_zip_is_refused_and_leaves_nothing(kind: str, clients: Any, picture: bytes) -> None:
    client = clients(files=50, expanded_bytes=1 << 20)
    if kind == "many":
        data, status = zipped(*((f"{k}.png", b"") for k in range(60))), 413
    elif kind == "large":
        data, status = zipped(("bomb.nii", bytes(8 << 20))), 413
    elif kind == "lying":
        data, status = bytearray(zipped(("x.png", picture))), 422
        at = data.rfind(b"PK\x01\x02")
        struct.pack_into("<I", data, at + 24, 0xFFFFF)
    elif kind == "broken":
        data, status = zipped(("x.png", picture))[:-30], 422
    elif kind == "directory":
        data, status = bytearray(zipped(("x.png", picture))), 413
        struct.pack_into("<I", data, data.rfind(b"PK\x05\x06") + 12, 1 << 30)
    else:
        data, status = bytearray(zipped(("x.png", picture))), 422
        for mark, place in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
            data[data.find(mark) + place] |= 1
    got = upload(client, ("x.zip", bytes(data)))
    assert got.status_code == status, got.text
    assert set(got.json()) == {"error", "found", "hint"} and "/" not in got.json()["error"]
    assert left(client) == []


def test_a_zips_directory_is_measured_before_it_is_read(tmp_path: Path) -> None:
    path = tmp_path / "x.zip"
    with zipfile.ZipFile(path, "w") as made:
        for k in range(10):
            made.writestr(f"{k:04d}", b"")
    assert archive.directory_bytes(path) == 10 * (46 + 4)
    with zipfile.ZipFile(path, "w") as made, made.open("x", "w", force_zip64=True) as file:
        file.write(b"x")
    assert archive.directory_bytes(path) >= 47
    path.write_bytes(b"PK\x05\x06")
    assert archive.directory_bytes(path) == 0


def test_what_could_not_be_read_is_named_and_what_could_is_counted(
    clients: Any, series: list[Path], picture: bytes
) -> None:
    client = clients()
    files = [(p.name, p.read_bytes()) for p in series]
    cut = [(n, d[: len(d) // 2] if k == 5 else d) for k, (n, d) in enumerate(files)]
    got = upload(client, *cut)
    said = got.json()
    assert got.status_code == 422 and said["error"] == "no whole image could be made of these files"
    assert said["found"].startswith(
        "a file of this series is damaged, and the others would be read without it"
    )
    assert f"found {files[5][0]}: truncated" in said["found"] and "(12 files)" in said["found"]
    assert "damaged or missing" in said["hint"]
    said = upload(client, *files[:5], *files[6:]).json()
    assert "gap" in said["found"] and said["hint"]
    said = upload(client, ("a.png", b""), ("b.png", picture[:60]), ("c.txt", b"c"), ("d.txt", b"d")).json()
    assert said["error"] == "no image could be read" and said["found"].endswith("and 1 more")
    root = client.app.state.service.root
    for name in ("a.png", "b.png"):
        got = upload(client, (name, b"" if name == "a.png" else picture[:60]))
        assert got.json()["found"].startswith(f"{name}: ") and got.json()["found"].count(name) == 1
        assert str(root) not in got.text
    aside = upload(client, ("a.png", picture[:60]), ("a.png", picture)).json()
    assert aside["set_aside"][0]["name"] == "a.png" and aside["cases"][0]["name"] == "a (2)"
    assert left(client) != [] and len(client.get("/api/studies").json()) == 1


@pytest.mark.parametrize(
    ("hint", "kept"),
    [
        ("images with spacing, or --set data.spacing_mm=null to work in pixels", "images with spacing"),
        ("another --layout", None),
        ("class folders, or a table; see `vesalius layouts`", "class folders"),
        ("the folder that `vesalius fit` wrote", None),
        ("DICOM, NIfTI or PNG", "DICOM, NIfTI or PNG"),
    ],
)
def test_hints_are_such_as_a_client_can_follow(hint: str, kept: str | None) -> None:
    assert for_clients(hint) == kept
    assert error_body(VesaliusError("it is so", hint=hint))["hint"] == kept


def test_the_model_may_be_left_out_where_there_is_one(
    clients: Any, bundles: dict[str, Path], tmp_path: Path, picture: bytes
) -> None:
    client, form = clients(), {"files": ("x.png", picture)}
    study = upload(client, ("x.png", picture)).json()["study"]
    for got in (client.post("/api/predict", files=form), client.post("/api/jobs", json={"study": study})):
        assert got.status_code == 422 and "no model is named" in got.json()["error"]
        assert got.json()["hint"] == "model is one of chest, organs, plaque"
    assert client.get("/api/studies").json()[0]["study"] == study, "and the upload is not kept"
    assert len(client.get("/api/studies").json()) == 1
    alone = Clients(Catalogue([bundles["chest"]], ["cpu"]), tmp_path)
    one = alone()
    assert one.post("/api/predict", files=form).json()["model"] == "chest"
    study = upload(one, ("x.png", picture)).json()["study"]
    assert one.post("/api/jobs", json={"study": study}).json()["model"] == "chest"
    alone.close()


def test_files_that_point_at_others_read_nothing(clients: Any, tmp_path: Path) -> None:
    secret = tmp_path / "secret.raw"
    secret.write_bytes(SECRET + bytes(1000))
    client = clients()
    nrrd = "\n".join(
        [
            "NRRD0004",
            "type: uchar",
            "dimension: 3",
            "sizes: 10 10 10",
            "encoding: raw",
            f"data file: {secret}",
            "",
            "",
        ]
    )
    mhd = f"ObjectType = Image\nNDims = 3\nDimSize = 10 10 10\nElementType = MET_UCHAR\nElementDataFile = {secret}\n"
    hostile = [
        ("a.nhdr", nrrd.encode()), ("b.nrrd", nrrd.encode()), ("c.mhd", mhd.encode()), ("d.mha", mhd.encode()),
        ("table.csv", f"image,label\n{secret},1\n".encode()),
        ("dataset.json", json.dumps({"training": [str(secret)]}).encode()),
        ("picture.svg", b'<svg xmlns="http://www.w3.org/2000/svg"><image href="file:///etc/passwd"/></svg>'),
    ]  # fmt: skip
    root = str(client.app.state.service.root)
    assert upload(client, *hostile).status_code == 422
    for name, data in hostile:
        got = upload(client, (name, data))
        absent = upload(client, (name, data.replace(b"secret.raw", b"absent.raw")))
        assert got.status_code == absent.status_code == 422, got.text
        assert SECRET.decode() not in got.text and root not in got.text
        assert got.text == absent.text.replace("absent.raw", "secret.raw"), "nor whether such a file is there"
    assert left(client) == []


@pytest.mark.parametrize(
    "name",
    [
        "../../../etc/passwd",
        "/etc/passwd",
        "..\\x.png",
        "a\x00b.png",
        "\u202egnp.x",
        "x" * 5000 + ".png",
        ".",
        "",
    ],
)
def test_a_clients_file_name_is_only_shown(name: str, clients: Any, picture: bytes) -> None:
    client = clients()
    shown = uploads.label(name)
    assert shown and len(shown) <= 120 and "/" not in shown and "\\" not in shown and shown.isprintable()
    got = upload(client, (name or "x", picture))
    assert got.status_code in (201, 400), got.text
    assert all(p.name[:6].isdigit() or p.is_dir() for p in left(client))


@pytest.mark.parametrize(
    "path",
    [
        "/api/studies/..%2f..%2fetc",
        "/api/studies/%2e%2e/cases/c1/image.nii.gz",
        "/api/jobs/../../etc/passwd",
        "/api/jobs/x/cases/c1/..%2f..%2f..%2fetc%2fpasswd",
        "/api/jobs/x/cases/..%2f..%2f/answer.json",
        "/..%2f..%2fetc%2fpasswd",
        "/api/studies/http:%2f%2fexample.org%2fx",
    ],
)
def test_a_path_or_address_in_a_request_gets_nowhere(path: str, client: TestClient) -> None:
    got = client.get(path)
    assert got.status_code in (400, 404) and b"root:" not in got.content


def test_addresses_in_json_are_ids_that_do_not_exist(client: TestClient) -> None:
    for study in ("http://example.org/x", "file:///etc/passwd", "../../etc", "x" * 65):
        got = client.post("/api/jobs", json={"model": "chest", "study": study})
        assert got.status_code == 422
    got = client.post("/api/jobs", json={"model": "/etc/passwd", "study": "abc"})
    assert got.status_code == 404
    got = client.post("/api/jobs", json={"model": "chest", "study": "abc", "url": "http://example.org"})
    assert got.status_code == 422


def test_files_of_an_answer_are_those_that_are_listed(client: TestClient, picture: bytes) -> None:
    got = client.post("/api/predict", files={"files": ("x.png", picture)}, data={"model": "chest"}).json()
    base = f"/api/jobs/{got['job']}/cases/c1"
    assert client.get(f"{base}/answer.json").status_code == 200
    for name in ("answer.overlay.png", "..", "%2e%2e%2fc1%2fanswer.json", "seg.dcm", "answer.json%00"):
        assert client.get(f"{base}/{name}").status_code == 404, name


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),
        ({"origin": "http://127.0.0.1"}, 200),
        ({"host": "localhost:8080", "origin": "http://localhost:8080"}, 200),
        ({"host": "[::1]:8080"}, 200),
        ({"host": "127.8.8.8"}, 200),
        ({"origin": "https://evil.example"}, 403),
        ({"origin": "null"}, 403),
        ({"host": "evil.example"}, 403),
        ({"host": "127.0.0.1.evil.example"}, 403),
        ({"host": "localhost:8080", "origin": "http://localhost:9999"}, 403),
    ],
)
def test_other_pages_cannot_call_a_service_without_keys(
    headers: dict[str, str], status: int, client: TestClient
) -> None:
    assert client.get("/api/models", headers=headers).status_code == status


def test_a_body_that_stalls_is_408(clients: Any) -> None:
    client = clients(idle_s=0.2)
    app = client.app
    import asyncio

    sent: list[Any] = []

    async def receive() -> Any:
        await asyncio.sleep(3600)

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {
        "type": "http", "method": "POST", "path": "/api/studies", "raw_path": b"/api/studies", "query_string": b"",
        "headers": [(b"host", b"127.0.0.1"), (b"content-type", b"multipart/form-data; boundary=b")],
        "client": ("127.0.0.1", 1), "server": ("127.0.0.1", 80), "scheme": "http", "http_version": "1.1",
        "asgi": {"version": "3.0"},
    }  # fmt: skip
    began = time.monotonic()
    asyncio.run(app(scope, receive, send))
    assert sent[0]["status"] == 408 and time.monotonic() - began < patience(10)


def test_what_lasts_longer_than_a_body_may_stall_is_not_cut_off(
    models: Catalogue, tmp_path: Path, picture: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Over a real socket: there a stream's answer goes on while the server listens for the client's leaving."""
    clock, listening = Clock(), threading.Event()
    monkeypatch.setattr(TimedLoop, "time", lambda _: clock())
    predictor = models.get("plaque").predictors[0]

    class Slow:
        joins = False
        listen = None

        def __call__(self, case: Any, *, watch: Any = None) -> Any:
            assert listening.wait(60)
            clock.ahead_s += 2 * Bounds().idle_s
            for _ in range(3):  # the server looks at its clock
                assert httpx.get(f"http://127.0.0.1:{port}/health").status_code == 200
            return predictor(case)

    monkeypatch.setitem(models.by_name, "plaque", replace(models.get("plaque"), predictors=(Slow(),)))
    service = Service(models, audit=tmp_path / "a.jsonl", bounds=Bounds(), temporary=tmp_path)
    config = uvicorn.Config(create_app(service), port=0, log_level="critical", loop=TimedLoop)  # type: ignore[arg-type]
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        until(lambda: server.started)
        port = server.servers[0].sockets[0].getsockname()[1]
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=30) as client:
            study = client.post("/api/studies", files={"files": ("x.png", picture)}).json()
            job = client.post("/api/jobs", json={"model": "plaque", "study": study["study"]}).json()
            with client.stream("GET", f"/api/jobs/{job['job']}/events") as stream:
                listening.set()
                *_, last = (json.loads(x[6:]) for x in stream.iter_lines() if x.startswith("data: "))
            assert last["status"] == "done"
            form = {"files": ("x.png", picture)}
            assert (
                client.post("/api/predict", files=form, data={"model": "plaque"}).json()["status"] == "done"
            )
    finally:
        server.should_exit = True
        thread.join(30)


def test_a_picture_that_claims_too_much_is_refused(clients: Any) -> None:
    client = clients()
    head = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 0, 0, 0, 0)
    chunk = b"IHDR" + head
    png = b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + chunk + struct.pack(">I", zlib.crc32(chunk))
    got = upload(client, ("bomb.png", png + bytes(40)))
    assert got.status_code == 422 and left(client) == []
