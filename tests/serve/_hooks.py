"""An administrator's end of a webhook: a real server on a port of this machine that can be killed and started again."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class Ear:
    """What came: each body with the raw bytes and the headers that it came with. `answers` are the next statuses."""

    answers: list[int] = field(default_factory=list)
    bodies: list[dict[str, Any]] = field(default_factory=list)
    raw: list[bytes] = field(default_factory=list)
    heads: list[dict[str, str]] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)
    port: int = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/hook?token=t0k3n"

    def events(self) -> list[str]:
        return [body["event"] for body in self.bodies]


@contextmanager
def hearing(ear: Ear, *, answers: Sequence[int] = (), hang: threading.Event | None = None) -> Iterator[Ear]:
    """Listen at the ear's port, a free one at first; outside of the block nobody does."""
    ear.answers += answers

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            data = self.rfile.read(int(self.headers["Content-Length"]))
            if hang is not None:
                hang.wait(20)
                return
            status = ear.answers.pop(0) if ear.answers else 204
            ear.paths.append(self.path)
            if status < 300:
                ear.bodies.append(json.loads(data))
                ear.raw.append(data)
                ear.heads.append(dict(self.headers))
            self.send_response(status)
            self.send_header("Location", f"http://127.0.0.1:{ear.port}/elsewhere")
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    class Server(ThreadingHTTPServer):
        allow_reuse_address = True
        daemon_threads = True

    server = Server(("127.0.0.1", ear.port), Handler)
    ear.port = server.server_port
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    try:
        yield ear
    finally:
        server.shutdown()
        server.server_close()
