"""`vesalius serve` as a process: it says where it is, ends in time when told to, and leaves only its audit log."""

from __future__ import annotations

import contextlib
import http.client
import json
import re
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pydicom
import pytest
from _clients import start
from typer.testing import CliRunner

from _patience import patience
from vesalius.cli import app
from vesalius.core.errors import VesaliusError
from vesalius.serve.http.audit import Audit, check, verify
from vesalius.serve.http.keys import make
from vesalius.serve.http.workdir import WorkDir


def test_it_answers_over_a_real_socket(served: Any, series: list[Path], picture: bytes) -> None:
    with httpx.Client(base_url=served.url, timeout=60) as client:
        made = client.post("/api/studies", files=[("files", (p.name, p.read_bytes())) for p in series]).json()
        job = client.post("/api/jobs", json={"model": "organs", "study": made["study"]}).json()
        with client.stream("GET", f"/api/jobs/{job['job']}/events") as stream:
            *_, last = (json.loads(line[6:]) for line in stream.iter_lines() if line.startswith("data: "))
        assert last["status"] == "done"
        assert client.get(last["answers"][0]["files"]["seg.dcm"]).content[128:132] == b"DICM"


def test_a_refused_body_is_refused_at_once_over_a_real_socket(served: Any) -> None:
    place = urlsplit(served.url)
    connection = http.client.HTTPConnection(str(place.hostname), place.port, timeout=60)
    connection.putrequest("POST", "/api/studies")
    connection.putheader("content-type", "multipart/form-data; boundary=b")
    connection.putheader("content-length", str(1 << 40))
    connection.endheaders()
    assert connection.getresponse().status == 413


def test_who_sends_too_much_reads_why(served: Any) -> None:
    """One that is cut off while it sends finds a broken connection instead of the answer."""
    for _ in range(4):
        got = httpx.post(f"{served.url}/api/jobs", content=bytes(24 << 20), timeout=60)
        assert got.status_code == 413 and got.json()["error"] == "a body that is too large"


def test_damaged_requests_do_not_stop_it(served: Any) -> None:
    send_damaged(served.url)
    assert httpx.get(f"{served.url}/ready", timeout=60).status_code == 200


def send_damaged(url: str) -> None:
    """What is no HTTP, and a form whose boundary is another than said."""
    place = urlsplit(url)
    form = {"content-type": "multipart/form-data; boundary=yxyx"}
    got = httpx.post(f"{url}/api/studies", content=b"--yxyy\r\nPLANTED\r\n", headers=form, timeout=60)
    assert got.status_code == 400 and "damaged" in got.json()["error"]
    for raw in (b"\x00" * 100, b"GET / HTTP/9.9\r\n\r\n", b"POST /api/studies HTTP/1.1\r\nHost: 127.0.0.1\r\n"
                b"Transfer-Encoding: chunked\r\n\r\nzz\r\n", b"GET /" + b"a" * 100_000):  # fmt: skip
        with socket.create_connection((str(place.hostname), place.port or 80), timeout=60) as link:
            link.sendall(raw)
            link.shutdown(socket.SHUT_WR)
            with contextlib.suppress(OSError):
                link.recv(1000)


@pytest.mark.parametrize("sign", [signal.SIGTERM, signal.SIGINT])
def test_it_ends_in_time_and_leaves_no_uploads(
    sign: signal.Signals, bundles: dict[str, Path], tmp_path: Path, picture: bytes
) -> None:
    running = start(tmp_path, f"chest={bundles['chest']}", f"organs={bundles['organs']}")
    with httpx.Client(base_url=running.url, timeout=60) as client:
        made = client.post("/api/studies", files={"files": ("x.png", picture)}).json()
        assert client.get(f"/api/studies/{made['study']}").status_code == 200
        job = client.post("/api/jobs", json={"model": "organs", "study": made["study"]}).json()
        lines: list[str] = []
        told = threading.Event()

        def follow() -> None:
            with httpx.stream("GET", f"{running.url}/api/jobs/{job['job']}/events", timeout=60) as stream:
                for line in stream.iter_lines():
                    lines.append(line)
                    told.set()

        thread = threading.Thread(target=follow)
        thread.start()
        assert told.wait(120)
        send_damaged(running.url)
        began = time.monotonic()
        running.process.send_signal(sign)
        assert running.process.wait(120) == 0
        assert time.monotonic() - began < patience(25)
        thread.join(60)
    assert running.process.stderr is not None
    said = running.process.stderr.read()
    assert "boundary" not in said and "Invalid HTTP" not in said, "a client's faults are told to the client"
    assert list(tmp_path.glob("vesalius-serve-*")) == []
    assert verify(tmp_path / "audit.jsonl").count >= 4
    last = json.loads((tmp_path / "audit.jsonl").read_text().splitlines()[-1])
    assert last["what"] == "stop"


def planted(slice_: Path, picture: bytes) -> Iterator[tuple[str, bytes]]:
    """Damaged files, of which libraries complain, with a patient's name where the damage is."""
    data, head = slice_.read_bytes(), pydicom.dcmread(slice_)
    for keyword in ("StudyInstanceUID", "SpecificCharacterSet", "Modality", "PixelSpacing", "RescaleSlope"):
        raw = head.get_item(keyword).value if keyword in head else b""
        old = raw if isinstance(raw, bytes) else str(raw).encode()
        assert old and old in data, keyword
        yield f"PLANTED-{keyword}", data.replace(old, (b"PLANTED" * 10)[: len(old)])
    yield "PLANTED.png", picture.replace(b"IDAT", b"PLAN", 1)
    yield "PLANTED.nii", b"\x5c\x01\0\0" + b"PLANTED" * 60
    yield "PLANTED.tif", b"II*\0\x08\0\0\0" + b"PLANTED" * 40


def test_after_kill_9_the_next_service_cleans_up_and_says_so(
    bundles: dict[str, Path], tmp_path: Path, picture: bytes, series: list[Path]
) -> None:
    keys, chest = tmp_path / "keys.yaml", str(bundles["chest"])
    key = make(keys, "alice", "user")
    known = {"authorization": f"Bearer {key}"}
    first = start(tmp_path, chest, "--keys", str(keys))
    (live,) = tmp_path.glob("vesalius-serve-*")
    study = httpx.post(f"{first.url}/api/studies", files={"files": ("x.png", picture)}, headers=known).json()
    job = httpx.post(f"{first.url}/api/jobs", json={"study": study["study"]}, headers=known).json()
    assert any(p.is_file() for p in live.rglob("*"))
    WorkDir(tmp_path).remove()
    assert live.is_dir(), "what a live service holds stays"
    first.process.kill()
    first.process.wait(120)
    with (tmp_path / "audit.jsonl").open("ab") as file:
        file.write(b'{"n": 9, "at"')
    keys.chmod(0o644)
    (tmp_path / "vesalius-serve-link").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "elsewhere").mkdir()
    second = start(tmp_path, chest, "--keys", str(keys))
    assert not live.exists() and (tmp_path / "elsewhere").is_dir()
    for path in (f"/api/studies/{study['study']}", f"/api/jobs/{job['job']}"):
        assert httpx.get(second.url + path, headers=known).status_code == 404
    for name, data in planted(series[0], picture):
        httpx.post(f"{second.url}/api/studies", files={"files": (name, data)}, headers=known, timeout=60)
    second.process.terminate()
    second.process.wait(120)
    assert second.process.stderr is not None
    said = second.process.stderr.read()
    assert "was never finished: its 13 bytes are in audit.jsonl.torn-" in said
    assert "services that were killed: 1" in said and "chmod 600" in said
    lines = [json.loads(line) for line in (tmp_path / "audit.jsonl").read_text().splitlines()]
    what = [x["what"] for x in lines if x["what"] != "done"]
    assert what[:6] == ["start", "upload", "predict", "repaired", "start", "cleared"] and what[-1] == "stop"
    assert "PLANTED" not in said and "PLANTED" not in (tmp_path / "audit.jsonl").read_text()
    assert check(tmp_path / "audit.jsonl").hash == lines[-1]["hash"]


def test_what_cannot_be_served_is_one_line(
    bundles: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    chest, audit = str(bundles["chest"]), tmp_path / "a.jsonl"
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        audit.write_text("{}\n")
        for words, said in (
            ([chest, "--host", "0.0.0.0"], "without keys"),
            ([chest, "--port", port], "cannot be listened at"),
            ([str(tmp_path / "none"), "--port", "0"], "no bundle"),
            ([chest, chest, "--port", "0"], "two bundles"),
            ([chest, "--port", "0", "--audit", str(audit)], "was changed"),
            (
                [
                    chest,
                    "--port",
                    "0",
                    "--audit",
                    str(tmp_path / "b.jsonl"),
                    "--keys",
                    str(tmp_path / "none.yaml"),
                ],
                "cannot be read",
            ),
            ([chest, "--port", "0", "--tls-cert", str(audit)], "belong together"),
            ([chest, "--port", "0", "--tls-cert", str(audit), "--tls-key", str(audit)], "TLS files"),
            ([], "nothing to serve"),
        ):
            done = CliRunner().invoke(app, ["serve", *words])
            assert isinstance(done.exception, VesaliusError) and said in str(done.exception), (
                words,
                done.exception,
            )
    words = [sys.executable, "-m", "vesalius", "serve", "--host", "0.0.0.0", chest]
    end = subprocess.run(words, capture_output=True, text=True, timeout=120, check=False, cwd=tmp_path)
    assert end.returncode == 2 and len(end.stderr.strip().splitlines()) == 1


@pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is not installed")
def test_https_with_keys(bundles: dict[str, Path], tmp_path: Path) -> None:
    words = "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost -addext subjectAltName=IP:127.0.0.1"
    files = ["-keyout", str(tmp_path / "key.pem"), "-out", str(tmp_path / "cert.pem")]
    subprocess.run([*words.split(), *files], check=True, capture_output=True)
    key = make(tmp_path / "keys.yaml", "alice", "user")
    tls = ["--tls-cert", str(tmp_path / "cert.pem"), "--tls-key", str(tmp_path / "key.pem")]
    trusted = ssl.create_default_context(cafile=str(tmp_path / "cert.pem"))
    running = start(
        tmp_path, str(bundles["chest"]), "--keys", str(tmp_path / "keys.yaml"), *tls, trusted=trusted
    )
    try:
        assert running.url.startswith("https://")
        with httpx.Client(base_url=running.url, verify=trusted) as client:
            assert client.get("/api/models").status_code == 401
            got = client.get("/api/models", headers={"authorization": f"Bearer {key}"})
            assert [m["name"] for m in got.json()] == ["chest"]
    finally:
        running.process.terminate()
        running.process.wait(120)


def test_the_audit_log_is_checked_by_the_command(tmp_path: Path) -> None:
    log = Audit(tmp_path / "a.jsonl")
    log.add("ward-3", "upload", {"study": "s"})
    log.close()
    words = ["serve", "--check-audit", "--audit", str(tmp_path / "a.jsonl")]
    done = CliRunner().invoke(app, words)
    assert done.exit_code == 0 and "1 line," in done.output and log.tail.hash in done.output.replace("\n", "")
    text = (tmp_path / "a.jsonl").read_text()
    (tmp_path / "a.jsonl").write_text(text.replace("ward-3", "ward-4"))
    assert isinstance(CliRunner().invoke(app, words).exception, VesaliusError)


def test_what_the_page_shows_works_word_for_word(
    served: Any, series: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = (Path(__file__).parents[2] / "docs" / "service.md").read_text(encoding="utf-8")
    upload, _, cine = re.findall(r"^```python\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    shown = {
        "http://127.0.0.1:8080": served.url,
        "ws://127.0.0.1:8080": served.url.replace("http", "ws"),
        "studies/dicom/P0001": str(series[0].parent),
    }
    for there, here in shown.items():
        assert there in upload + cine
        upload, cine = upload.replace(there, here), cine.replace(there, here)
    monkeypatch.chdir(tmp_path)
    space: dict[str, Any] = {}
    exec(compile(upload, "docs/service.md", "exec"), space)
    assert (tmp_path / "c1.seg.dcm").read_bytes()[128:132] == b"DICM" and space["job"]["status"] == "done"
    space = {}
    exec(compile(cine, "docs/service.md", "exec"), space)
    assert space["said"]["frame"] == 4 and space["said"]["answer"]["kind"] == "Mask"
