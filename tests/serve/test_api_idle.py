"""Over real sockets: clients that say nothing, or slowly, or do not listen, keep nobody else out.

The tests put the service's clock forward: its limits are long enough for the slowest machine, and yet end at once.
"""

from __future__ import annotations

import contextlib
import http.client
import io
import json
import select
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import numpy as np
import pytest
import uvicorn
from _clock import Clock
from PIL import Image as Pil
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from _patience import patience, until
from vesalius.serve.http import limits
from vesalius.serve.http.catalogue import Catalogue
from vesalius.serve.http.connections import TimedLoop
from vesalius.serve.http.keys import make
from vesalius.serve.http.limits import Bounds
from vesalius.serve.http.server import _config
from vesalius.serve.http.service import Service

HARD = Bounds(
    connections=40, request_s=60.0, idle_s=40.0, slow_bytes_s=25, at_once=8, sessions=2, silent_s=60.0
)
Address = tuple[str, int]


class Held:
    """A service with keys on a free port of loopback, and sockets that are closed with it."""

    def __init__(self, service: Service, key: str, clock: Clock) -> None:
        self.service, self.key, self.clock = service, key, clock
        self.server = uvicorn.Server(_config(service, None))
        self.listening = socket.create_server(("127.0.0.1", 0), backlog=512)
        self.address: Address = self.listening.getsockname()
        self.url = f"http://127.0.0.1:{self.address[1]}"
        self.links: list[socket.socket] = []
        self.slowest_s = 0.0
        self._done, self._between = threading.Event(), threading.Lock()
        self._threads = [
            threading.Thread(target=self.server.run, kwargs={"sockets": [self.listening]}),
            threading.Thread(target=self._watch),
        ]

    def open(self, *, small: bool = False) -> socket.socket:
        link = socket.socket()
        if small:
            link.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        link.settimeout(60)
        link.connect(self.address)
        self.links.append(link)
        return link

    def head(self, method: str, path: str, *more: str, key: bool = True) -> bytes:
        known = [f"Authorization: Bearer {self.key}"] if key else []
        return "\r\n".join([f"{method} {path} HTTP/1.1", "Host: x", *known, *more, "", ""]).encode()

    def _watch(self) -> None:
        """Ask for /health again and again, over a new connection each time."""
        while not self._done.is_set():
            with self._between:
                began = time.monotonic()
                self._health()
                self.slowest_s = max(self.slowest_s, time.monotonic() - began)
            time.sleep(0.05)

    def _health(self) -> None:
        link = http.client.HTTPConnection(*self.address, timeout=60)
        link.request("GET", "/health")
        assert link.getresponse().status == 200
        link.close()

    def wait(self, seconds: float) -> None:
        """So many seconds pass for the service, once it has read what was sent to it, and it has noticed."""
        with self._between:
            self._health()
            self.clock.ahead_s += seconds
            self._health()

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
def held(models: Catalogue, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Held]:
    key = make(tmp_path / "k.yaml", "alice", "user")
    service = Service(
        models, audit=tmp_path / "a.jsonl", keys=tmp_path / "k.yaml", bounds=HARD, temporary=tmp_path
    )
    clock = Clock()
    monkeypatch.setattr(TimedLoop, "time", lambda _: clock())
    monkeypatch.setattr(limits, "time", SimpleNamespace(monotonic=clock))
    with Held(service, key, clock) as running:
        yield running
        assert httpx.get(f"{running.url}/api/models", headers={"authorization": f"Bearer {key}"}).json()
    assert running.slowest_s < patience(5), "it answers throughout"


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


def dribble(held: Held, links: list[socket.socket], for_s: float, piece: bytes = b"a") -> None:
    for _ in range(8):
        for link in links:
            with contextlib.suppress(OSError):
                link.send(piece)
        held.wait(for_s / 8)


def answered(links: list[socket.socket]) -> int:
    """How many have something to read, or are closed."""
    poll = select.poll()
    for link in links:
        poll.register(link, select.POLLIN)
    return len(poll.poll(0))


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
    held.wait(2)  # nobody has just come: as many stay as there may be
    until(lambda: answered(links) >= len(links) - HARD.connections)
    assert httpx.get(f"{held.url}/ready", timeout=60).status_code == 200
    dribble(held, links, HARD.request_s + 1, b"a" if kind != "nothing" else b"")
    assert all(ended(link) for link in links)


def test_uploads_that_never_end_are_408_and_leave_nothing(held: Held) -> None:
    form = ("Content-Type: multipart/form-data; boundary=b", "Transfer-Encoding: chunked")
    part = b'--b\r\nContent-Disposition: form-data; name="files"; filename="x.png"\r\n\r\nabc'
    links = [held.open() for _ in range(6)]
    for link in links:
        link.sendall(held.head("POST", "/api/studies", *form) + b"%x\r\n%s\r\n" % (len(part), part))

    def refused() -> bool:  # a byte at a time is as good as none, however late they are read
        dribble(held, [x for x in links[3:] if not answered([x])], HARD.idle_s / 2, b"1\r\nx\r\n")
        return answered(links) == len(links)

    until(refused)
    for link in links:
        assert b" 408 " in link.recv(64)
    until(lambda: list((held.service.root / "studies").iterdir()) == [])


def test_a_body_that_comes_slowly_but_fast_enough_is_taken(held: Held, picture: bytes) -> None:
    def pieces() -> Iterator[bytes]:
        yield b'--b\r\nContent-Disposition: form-data; name="files"; filename="x.png"\r\n\r\n'
        for k in range(0, len(picture), 50):
            yield picture[k : k + 50]
            held.wait(0.75 * 50 / HARD.slow_bytes_s)
        yield b"\r\n--b--\r\n"

    headers = {"authorization": f"Bearer {held.key}", "content-type": "multipart/form-data; boundary=b"}
    got = httpx.post(f"{held.url}/api/studies", content=pieces(), headers=headers, timeout=60)
    assert got.status_code == 201 and held.clock.ahead_s > HARD.idle_s


def test_a_strangers_body_is_not_waited_for(held: Held) -> None:
    link = held.open()
    link.sendall(held.head("POST", "/api/jobs", "Content-Length: 1000", key=False))
    assert b" 401 " in link.recv(64)
    links = [held.open() for _ in range(20)]
    form = ("Content-Type: application/x-www-form-urlencoded", "Content-Length: 100")
    for link in links:
        link.sendall(held.head("POST", "/auth/token", *form, key=False))
    until(lambda: answered(links) == 18)
    held.wait(HARD.idle_s + 1)
    said = [link.recv(64) for link in links]
    assert sum(b" 429 " in s for s in said) == 18 and sum(b" 408 " in s for s in said) == 2


def test_one_callers_requests_at_one_time_are_bounded_and_others_go_on(held: Held) -> None:
    links = [held.open() for _ in range(12)]
    for link in links:
        link.sendall(held.head("POST", "/api/jobs", "Content-Length: 100", "Content-Type: application/json"))
    until(lambda: answered(links) == 4)
    held.wait(HARD.idle_s + 1)
    said = [link.recv(64) for link in links]
    assert sum(b" 429 " in s for s in said) == 4 and sum(b" 408 " in s for s in said) == 8


def test_who_does_not_take_an_answer_loses_it(held: Held) -> None:
    noise = np.random.default_rng(1).integers(0, 255, (3000, 3000), dtype=np.uint8)
    buffer = io.BytesIO()
    Pil.fromarray(noise).save(buffer, "PNG")
    known = {"authorization": f"Bearer {held.key}"}
    form = {"files": ("x.png", buffer.getvalue())}
    study = httpx.post(f"{held.url}/api/studies", files=form, headers=known, timeout=60).json()["study"]
    path = f"/api/studies/{study}/cases/c1/image.nii.gz"
    whole = len(httpx.get(held.url + path, headers=known, timeout=60).content)
    links = [held.open(small=True) for _ in range(4)]
    for link in links:
        link.sendall(held.head("GET", path))
    for link in links:  # the answer has begun
        assert link.recv(1) == b"H"
    until(lambda: sum(c.flow.write_paused for c in held.server.server_state.connections) == len(links))
    held.wait(HARD.idle_s + 1)
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
    assert "too many" in json.loads(third.recv(timeout=60))["error"]
    strangers = [connect(url) for _ in range(20)]
    assert all("key is needed" in json.loads(s.recv(timeout=60))["error"] for s in strangers)
    silent[0].send('{"height": 4, "width": 4}')  # words alone are no frame
    held.wait(HARD.silent_s + 1)
    for each in silent:
        assert "no frame came" in json.loads(each.recv(timeout=60))["error"]
        with pytest.raises(ConnectionClosed):
            each.recv(timeout=60)
        assert each.close_code == 1001
    with connect(url, additional_headers=known) as cine:
        cine.send('{"height": 128, "width": 128}')
        cine.send(bytes(128 * 128))
        assert json.loads(cine.recv(timeout=60))["frame"] == 0
    for each in (third, *strangers):
        each.close()


def test_the_handshake_of_tls_is_waited_for_as_long_as_a_request() -> None:
    from vesalius.serve.http.connections import TimedLoop

    seen: dict[str, Any] = {}

    async def listen() -> None:
        import asyncio
        import ssl

        loop = asyncio.get_running_loop()
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        made = await loop.create_server(asyncio.Protocol, "127.0.0.1", 0, ssl=context)
        seen["s"] = made._ssl_handshake_timeout  # type: ignore[attr-defined]
        made.close()

    loop = TimedLoop()
    loop.run_until_complete(listen())
    loop.close()
    assert seen["s"] == Bounds().request_s
