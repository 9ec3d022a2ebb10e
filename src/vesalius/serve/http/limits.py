"""Limits that hold before a request is looked at: bytes and time of a body, requests a minute, whence they come."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections import OrderedDict
from dataclasses import dataclass
from urllib.parse import urlsplit

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from vesalius.serve.http.problems import Problem
from vesalius.serve.transport import loopback


@dataclass(frozen=True, slots=True)
class Bounds:
    """What the service takes at most. Beyond: 413 for what is too large, 408 for too slow, 429 for too much."""

    body_bytes: int = 2 << 30  # of an upload
    text_bytes: int = 1 << 20  # of any other body, which is held in memory
    expanded_bytes: int = 4 << 30  # of what a zip within it becomes
    decoded_bytes: int = 2 << 30  # of one image in memory
    stored_bytes: int = 32 << 30  # of all uploads and results together
    files: int = 20_000  # of one upload
    studies: int = 1_000  # of one caller
    waiting: int = 1_000  # cases in the queue
    jobs: int = 10_000  # that are remembered, the oldest ended ones forgotten first
    per_minute: int = 3_000  # requests of one caller
    idle_s: float = 30.0  # between two pieces of a body
    keep_s: float = 24 * 3600.0  # how long uploads and results stay
    wait_s: float = 600.0  # how long `/api/predict` waits
    sessions: int = 8  # WebSockets at one time
    frame_bytes: int = 32 << 20  # of one message on a WebSocket


class Rate:
    """Token buckets by caller: `per_minute` in the long run, as many at once. Bounded in memory."""

    def __init__(self, per_minute: int, *, most: int = 4096) -> None:
        self.per_minute, self._most = per_minute, most
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()
        self._lock = threading.Lock()

    def take(self, who: str) -> None:
        """Count one request. Raises Problem 429 where there were too many."""
        now = time.monotonic()
        with self._lock:
            left, then = self._buckets.pop(who, (float(self.per_minute), now))
            left = min(float(self.per_minute), left + (now - then) * self.per_minute / 60)
            self._buckets[who] = (max(0.0, left - 1), now)
            while len(self._buckets) > self._most:
                self._buckets.popitem(last=False)
        if left < 1:
            wait = str(max(1, round(60 / self.per_minute)))
            raise Problem(429, "too many requests", hint=f"wait {wait} s", headers={"Retry-After": wait})


class Body:
    """Middleware: a body over the limit is 413, said at once where its length is declared; one that stalls is 408."""

    def __init__(self, app: ASGIApp, bounds: Bounds) -> None:
        self.app, self.bounds = app, bounds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, its body counted."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        headers = dict(scope["headers"])
        declared = headers.get(b"content-length", b"0")
        upload = headers.get(b"content-type", b"").startswith(b"multipart/")
        most = self.bounds.body_bytes if upload else min(self.bounds.text_bytes, self.bounds.body_bytes)
        if not declared.isdigit() or int(declared) > most:
            await _refuse(
                send, 413 if declared.isdigit() else 400, "a body that is too large", f"{most:,} bytes"
            )
            return
        taken = 0
        over = False  # the body is here or its answer is on its way: what may come now is the client leaving

        async def counted() -> Message:
            nonlocal taken, over
            try:
                message = await asyncio.wait_for(receive(), None if over else self.bounds.idle_s)
            except TimeoutError:
                raise Problem(408, "a body that does not come") from None
            over = over or not message.get("more_body", False)
            taken += len(message.get("body", b""))
            if taken > most:
                raise Problem(413, "a body that is too large", hint=f"at most {most:,} bytes")
            return message

        async def watched(message: Message) -> None:
            nonlocal over
            over = True
            await send(message)

        await self.app(scope, counted, watched)


class SameOrigin:
    """Middleware for a service without keys: only requests to loopback's own names, from its own pages.

    Otherwise any web page that a person on this machine looks at could upload, ask and read (cross-site requests, DNS
    rebinding).
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or answer 403."""
        if scope["type"] not in ("http", "websocket"):
            await self.app(scope, receive, send)
            return
        headers = {k: v.decode("latin-1") for k, v in scope["headers"]}
        host, origin = headers.get(b"host", ""), headers.get(b"origin")
        name = host.rpartition(":")[0] if host.rpartition(":")[2].isdigit() else host
        own = origin is None or urlsplit(origin).netloc == host
        if loopback(name) and own:
            await self.app(scope, receive, send)
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})
        else:
            await _refuse(
                send, 403, "a request from another site", "a keys file, to be called by other names"
            )


async def _refuse(send: Send, status: int, error: str, hint: str) -> None:
    body = json.dumps({"error": error, "found": None, "hint": hint}).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode()),
               (b"connection", b"close")]  # fmt: skip
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
