"""Limits that hold before a request is looked at: bytes and time of a body, requests a minute, whence they come."""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from collections import OrderedDict
from dataclasses import dataclass
from urllib.parse import urlsplit

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from vesalius.serve.http.problems import Problem, refuse
from vesalius.serve.transport import loopback

REQUEST_S = 10.0
_LINGER_S = 2.0  # in which a body that is not taken is read on, so that its client reads the answer


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
    per_minute: int = 3_000  # requests of one caller, as in `RateLimit`
    at_once: int = 100  # requests of one caller that are being answered; four times as many in all
    connections: int = 512  # that have not said a request yet; the longest wait gives way
    request_s: float = REQUEST_S  # until a connection has said its request
    idle_s: float = 30.0  # that a body may stall, or an answer that is not taken
    slow_bytes_s: int = 16 << 10  # of a body that comes slower, the difference counts as stalled
    keep_s: float = 24 * 3600.0  # how long uploads and results stay
    wait_s: float = 600.0  # how long `/api/predict` waits
    sessions: int = 8  # WebSockets at one time
    silent_s: float = 120.0  # that a WebSocket may send no frame
    frame_bytes: int = 32 << 20  # of one message on a WebSocket
    clicks: int = 16  # sessions of clicks at one time
    clicks_each: int = 4  # of one caller, the longest rested of which gives way
    click_strokes: int = 200  # of one session
    click_bytes: int = 4 << 30  # of all sessions' images and features in memory
    click_idle_s: float = 900.0  # that a session may rest


class RateLimit:
    """Token buckets by caller: `per_minute` in a burst, and evenly as many a minute from then on. Bounded in memory.

    In a first minute that is up to twice as many.
    """

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


class BodyLimit:
    """Middleware: a body over the limit is 413, said at once where its length is declared; one that stalls is 408.

    It may stall for `idle_s`, and wins that time back as it comes, a second for each `slow_bytes_s`.
    """

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
            if declared.isdigit():
                problem = Problem(413, "a body that is too large", hint=f"at most {most:,} bytes")
            else:
                problem = Problem(400, "a length that is no number")
            if b"expect" not in headers:  # who asks before sending is told at once
                await drain(receive)
            await refuse(send, problem)
            return
        taken, left_s = 0, self.bounds.idle_s
        over = False  # the body is here or its answer is on its way: what may come now is the client leaving

        async def counted() -> Message:
            nonlocal taken, over, left_s
            began = time.monotonic()
            try:
                message = await asyncio.wait_for(receive(), None if over else max(0.0, left_s))
            except TimeoutError:
                raise Problem(408, "a body that does not come, or too slowly") from None
            over = over or not message.get("more_body", False)
            size = len(message.get("body", b""))
            taken += size
            left_s += began - time.monotonic() + size / self.bounds.slow_bytes_s
            left_s = min(left_s, self.bounds.idle_s)
            if taken > most:
                raise Problem(413, "a body that is too large", hint=f"at most {most:,} bytes")
            return message

        async def watched(message: Message) -> None:
            nonlocal over
            over = True
            await send(message)

        await self.app(scope, counted, watched)


async def drain(receive: Receive) -> None:
    """Read for a moment what a client sends: one that is cut off while it sends never reads why."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(_LINGER_S):
            while (await receive()).get("more_body", False):
                pass


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
        name = host.rpartition(":")[0] if host.rpartition(":")[2].isdecimal() else host
        own = origin is None or urlsplit(origin).netloc == host
        if loopback(name) and own:
            await self.app(scope, receive, send)
        elif scope["type"] == "websocket":
            scope["refused"] = 403
            await send({"type": "websocket.close", "code": 1008})
        else:
            hint = "a keys file, to be called by other names"
            await refuse(send, Problem(403, "a request from another site", hint=hint))
