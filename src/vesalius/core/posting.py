"""Posting: one request over HTTP or HTTPS with bounded patience; no redirect, no proxy, nothing of the environment."""

from __future__ import annotations

import contextlib
import http.client
import socket
import threading
from collections.abc import Callable, Mapping
from typing import TypeVar
from urllib.parse import SplitResult

CONNECT_S = 5.0
T = TypeVar("T")


def post(
    to: SplitResult,
    body: bytes,
    head: Mapping[str, str],
    *,
    take: Callable[[http.client.HTTPResponse], T],
    patience_s: float,
    path: str | None = None,
) -> T:
    """Return what `take` makes of the answer to a POST; the whole of it is over after `patience_s` seconds.

    `path` is asked instead of that of the address. A redirect is an answer like any other: it is not followed.
    Raises TimeoutError where the answer is late, also of a server that sends a byte now and then; OSError and
    HTTPException where the server cannot be asked; and what `take` raises.
    """
    kind = http.client.HTTPSConnection if to.scheme == "https" else http.client.HTTPConnection
    line = kind(to.hostname or "", to.port, timeout=min(CONNECT_S, patience_s))
    late, held = threading.Event(), list[socket.socket]()

    def hang_up() -> None:
        late.set()
        for each in held:
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)

    alarm = threading.Timer(patience_s, hang_up)
    alarm.daemon = True
    alarm.start()
    try:
        line.connect()
        held.append(line.sock)  # the line itself forgets it once a server says that it closes
        line.sock.settimeout(patience_s)
        line.request("POST", path or _asked(to), body, dict(head))
        found = take(line.getresponse())
    except (OSError, http.client.HTTPException) as error:
        if late.is_set():
            raise TimeoutError("no answer in time") from error
        raise
    finally:
        alarm.cancel()
        line.close()
    if late.is_set():
        raise TimeoutError("no answer in time")
    return found


def _asked(to: SplitResult) -> str:
    return (to.path or "/") + (f"?{to.query}" if to.query else "")
