"""Over real sockets: clients that say nothing, or slowly, or do not listen, keep nobody else out."""

from __future__ import annotations

import contextlib
import http.client
import io
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
import uvicorn
from PIL import Image as Pil
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from vesalius.serve.http.keys import make
from vesalius.serve.http.limits import Bounds
from vesalius.serve.http.models import Models
from vesalius.serve.http.service import _config
from vesalius.serve.http.state import Service

HARD = Bounds(
    connections=40, request_s=1.0, idle_s=0.6, slow_bytes_s=10_000, at_once=8, sessions=2, silent_s=1.0
)
Address = tuple[str, int]


class Held:
    """A service with keys on a free port of loopback, and sockets that are closed with it."""

    def __init__(self, service: Service, key: str) -> None:
        self.service, self.key = service, key
        self.server = uvicorn.Server(_config(service, None))
        self.listening = socket.create_server(("127.0.0.1", 0), backlog=512)
        self.address: Address = self.listening.getsockname()
        self.url = f"http://127.0.0.1:{self.address[1]}"
        self.links: list[socket.socket] = []
        self.slowest_s = 0.0
        self._done = threading.Event()
        self._threads = [
            threading.Thread(target=self.server.run, kwargs={"sockets": [self.listening]}),
            threading.Thread(target=self._watch),
        ]

    def open(self, *, small: bool = False) -> socket.socket:
        link = socket.socket()
        if small:
            link.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        link.settimeout(10)
        link.connect(self.address)
        self.links.append(link)
        return link

    def head(self, method: str, path: str, *more: str, key: bool = True) -> bytes:
        known = [f"Authorization: Bearer {self.key}"] if key else []
        return "\r\n".join([f"{method} {path} HTTP/1.1", "Host: x", *known, *more, "", ""]).encode()

    def _watch(self) -> None:
        """Ask for /health again and again, over a new connection each time."""
        while not self._done.is_set():
            began = time.monotonic()
            link = http.client.HTTPConnection(*self.address, timeout=20)
            link.request("GET", "/health")
            assert link.getresponse().status == 200
            link.close()
            self.slowest_s = max(self.slowest_s, time.monotonic() - began)
            time.sleep(0.05)

    def __enter__(self) -> Held:
        self._threads[0].start()
        while not self.server.started:
            time.sleep(0.01)
        self._threads[1].start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._threads[1].join(30)
        for link in self.links:
            link.close()
        self.server.should_exit = True
        self._threads[0].join(30)
        self.listening.close()


@pytest.fixture
def held(models: Models, tmp_path: Path) -> Iterator[Held]:
    key = make(tmp_path / "k.yaml", "alice", "user")
    service = Service(
        models, audit=tmp_path / "a.jsonl", keys=tmp_path / "k.yaml", bounds=HARD, temporary=tmp_path
    )
    with Held(service, key) as running:
        yield running
        assert httpx.get(f"{running.url}/api/models", headers={"authorization": f"Bearer {key}"}).json()
    assert running.slowest_s < 5, "it answers throughout"


def ended(link: socket.socket) -> bool:
    """Whether the other side has closed it."""
    try:
        while link.recv(65536):
            pass
    except TimeoutError:
        return False
    except OSError:
        return True
    return True


def dribble(links: list[socket.socket], for_s: float, piece: bytes = b"a") -> None:
    until = time.monotonic() + for_s
    while time.monotonic() < until:
        for link in links:
            with contextlib.suppress(OSError):
                link.send(piece)
        time.sleep(0.2)


SILENT: dict[str, Callable[[Held], bytes]] = {
    "nothing": lambda held: b"",
    "half a head": lambda held: b"GET /api/models HTTP/1.1\r\nHost: x\r\nX-",
    "a second request's half head": lambda held: held.head("GET", "/health") + b"GET /",
    "an answered upload's rest": lambda held: held.head("POST", "/api/jobs", "Content-Length: 99", key=False),
}


@pytest.mark.parametrize("kind", SILENT)
def test_hundreds_of_connections_without_a_request_end_and_keep_nobody_out(kind: str, held: Held) -> None:
    links = [held.open() for _ in range(150)]
    for link in links:
        with contextlib.suppress(OSError):  # the oldest have given way already
            link.sendall(SILENT[kind](held))
    assert httpx.get(f"{held.url}/ready", timeout=5).status_code == 200
    dribble(links, HARD.request_s + 0.5, b"a" if kind != "nothing" else b"")
    assert all(ended(link) for link in links)


def test_uploads_that_never_end_are_408_and_leave_nothing(held: Held) -> None:
    form = ("Content-Type: multipart/form-data; boundary=b", "Transfer-Encoding: chunked")
    part = b'--b\r\nContent-Disposition: form-data; name="files"; filename="x.png"\r\n\r\nabc'
    links = [held.open() for _ in range(6)]
    for link in links:
        link.sendall(held.head("POST", "/api/studies", *form) + b"%x\r\n%s\r\n" % (len(part), part))
    dribble(links[3:], 2 * HARD.idle_s, b"1\r\nx\r\n")  # a byte at a time is as good as none
    for link in links:
        link.settimeout(5)
        assert b" 408 " in link.recv(64)
    until = time.monotonic() + 5
    while list((held.service.root / "studies").iterdir()) and time.monotonic() < until:
        time.sleep(0.02)
    assert list((held.service.root / "studies").iterdir()) == []


def test_a_body_that_comes_slowly_but_fast_enough_is_taken(held: Held, picture: bytes) -> None:
    def pieces() -> Iterator[bytes]:
        yield b'--b\r\nContent-Disposition: form-data; name="files"; filename="x.png"\r\n\r\n'
        for k in range(0, len(picture), 200):
            yield picture[k : k + 200]
            time.sleep(0.015)
        yield b"\r\n--b--\r\n"

    headers = {"authorization": f"Bearer {held.key}", "content-type": "multipart/form-data; boundary=b"}
    began = time.monotonic()
    got = httpx.post(f"{held.url}/api/studies", content=pieces(), headers=headers, timeout=30)
    assert got.status_code == 201 and len(picture) > 1500 and time.monotonic() - began > 0.1


def test_a_strangers_body_is_not_waited_for(held: Held) -> None:
    link = held.open()
    link.sendall(held.head("POST", "/api/jobs", "Content-Length: 1000", key=False))
    assert b" 401 " in link.recv(64)
    links = [held.open() for _ in range(20)]
    form = ("Content-Type: application/x-www-form-urlencoded", "Content-Length: 100")
    for link in links:
        link.sendall(held.head("POST", "/auth/token", *form, key=False))
    said = [link.recv(64) for link in links]
    assert sum(b" 429 " in s for s in said) == 18 and sum(b" 408 " in s for s in said) == 2


def test_one_callers_requests_at_one_time_are_bounded_and_others_go_on(held: Held) -> None:
    links = [held.open() for _ in range(12)]
    for link in links:
        link.sendall(held.head("POST", "/api/jobs", "Content-Length: 100", "Content-Type: application/json"))
    said = [link.recv(64) for link in links]
    assert sum(b" 429 " in s for s in said) == 4 and sum(b" 408 " in s for s in said) == 8


def test_who_does_not_take_an_answer_loses_it(held: Held) -> None:
    noise = np.random.default_rng(1).integers(0, 255, (3000, 3000), dtype=np.uint8)
    buffer = io.BytesIO()
    Pil.fromarray(noise).save(buffer, "PNG")
    known = {"authorization": f"Bearer {held.key}"}
    form = {"files": ("x.png", buffer.getvalue())}
    study = httpx.post(f"{held.url}/api/studies", files=form, headers=known, timeout=30).json()["study"]
    path = f"/api/studies/{study}/cases/c1/image.nii.gz"
    whole = len(httpx.get(held.url + path, headers=known, timeout=30).content)
    links = [held.open(small=True) for _ in range(4)]
    for link in links:
        link.sendall(held.head("GET", path))
    for link in links:  # the answer has begun
        assert link.recv(1) == b"H"
    time.sleep(HARD.idle_s + 1)
    taken = 1
    with contextlib.suppress(OSError):
        while data := links[0].recv(1 << 20):
            taken += len(data)
    assert 0 < taken < whole, "it was ended in the middle"


def test_websockets_that_say_nothing_make_room(held: Held) -> None:
    url = held.url.replace("http", "ws") + "/api/cine?model=plaque"
    known = {"Authorization": f"Bearer {held.key}"}
    silent = [connect(url, additional_headers=known) for _ in range(2)]
    third = connect(url, additional_headers=known)
    assert "too many" in json.loads(third.recv(timeout=5))["error"]
    strangers = [connect(url) for _ in range(20)]
    assert all("key is needed" in json.loads(s.recv(timeout=5))["error"] for s in strangers)
    silent[0].send('{"height": 4, "width": 4}')  # words alone are no frame
    for each in silent:
        assert "no frame came" in json.loads(each.recv(timeout=5))["error"]
        with pytest.raises(ConnectionClosed):
            each.recv(timeout=5)
        assert each.close_code == 1001
    with connect(url, additional_headers=known) as cine:
        cine.send('{"height": 128, "width": 128}')
        cine.send(bytes(128 * 128))
        assert json.loads(cine.recv(timeout=20))["frame"] == 0
    for each in (third, *strangers):
        each.close()


def test_the_handshake_of_tls_is_waited_for_as_long_as_a_request() -> None:
    from vesalius.serve.http.connections import Loop

    seen: dict[str, Any] = {}

    async def listen() -> None:
        import asyncio
        import ssl

        loop = asyncio.get_running_loop()
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        made = await loop.create_server(asyncio.Protocol, "127.0.0.1", 0, ssl=context)
        seen["s"] = made._ssl_handshake_timeout  # type: ignore[attr-defined]
        made.close()

    loop = Loop()
    loop.run_until_complete(listen())
    loop.close()
    assert seen["s"] == Bounds().request_s
