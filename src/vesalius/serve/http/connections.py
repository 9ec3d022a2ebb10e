"""Connections under a clock: each says its request in time and takes its answer in time; the oldest idle give way.

Without it, whoever opens connections and says nothing, a byte now and then, or never reads, keeps others out: uvicorn
waits for a request, and for an answer to be taken, for as long as the other side likes.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from typing import Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from vesalius.serve.http.limits import REQUEST_S, Bounds

_FILES = 65_536  # that may be open at one time, where the system lets us
_GRACE_S = 1.0  # in which nobody has to give way …
_OVERLOAD = 8  # … unless so many times too many wait


class PendingConnections:
    """The connections that have not said a request yet, in the order in which they began to wait."""

    def __init__(self, bounds: Bounds) -> None:
        self.bounds = bounds
        self._waiting: dict[TimedConnection, asyncio.TimerHandle] = {}
        self._young_s = bounds.request_s - min(_GRACE_S, bounds.request_s / 10)  # to its end

    def enter(self, connection: TimedConnection) -> None:
        """Begin to wait for a request; where too many wait, those that have waited longest are closed."""
        if connection in self._waiting:
            return
        now = connection.loop.time()
        self._waiting[connection] = connection.loop.call_later(self.bounds.request_s, connection.close)
        while len(self._waiting) > self.bounds.connections:
            oldest, end = next(iter(self._waiting.items()))
            if end.when() - now > self._young_s and len(self._waiting) <= _OVERLOAD * self.bounds.connections:
                break  # it may have been accepted in this same moment, its request unread
            oldest.close()

    def leave(self, connection: TimedConnection) -> None:
        """A request has come, or the connection has gone."""
        timer = self._waiting.pop(connection, None)
        if timer is not None:
            timer.cancel()

    def __len__(self) -> int:
        return len(self._waiting)


class TimedConnection(H11Protocol):
    """uvicorn's HTTP/1.1 with an end to its patience."""

    def __init__(self, *, waiting: PendingConnections, **given: Any) -> None:
        super().__init__(**given)
        self.logger = logging.getLogger(__name__)  # what clients say wrongly, they are told
        self.logger.setLevel(logging.ERROR)
        self._waiting = waiting
        self._stalled: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """A connection that is to say a request."""
        super().connection_made(transport)
        self._waiting.enter(self)

    def data_received(self, data: bytes) -> None:
        """A piece of a request; only its whole head ends the wait."""
        super().data_received(data)
        self._settle()

    def on_response_complete(self) -> None:
        """An answer is out; the next request is waited for."""
        super().on_response_complete()
        self._settle()

    def handle_websocket_upgrade(self, event: h11.Request) -> None:
        """From here on WebSocket's own clock counts."""
        self._waiting.leave(self)
        super().handle_websocket_upgrade(event)

    def pause_writing(self) -> None:
        """The client does not take its answer as fast as it is made."""
        super().pause_writing()
        self._stalled = self.loop.call_later(self._waiting.bounds.idle_s, self.close)

    def resume_writing(self) -> None:
        """It has taken some."""
        self._awake()
        super().resume_writing()

    def connection_lost(self, exc: Exception | None) -> None:
        """Gone."""
        self._waiting.leave(self)
        self._awake()
        super().connection_lost(exc)

    def close(self) -> None:
        """Wait no more."""
        self._waiting.leave(self)
        self.transport.abort()

    def _awake(self) -> None:
        if self._stalled is not None:
            self._stalled.cancel()
            self._stalled = None

    def _settle(self) -> None:
        if self.transport.is_closing() or self.transport.get_protocol() is not self:
            return  # gone, or a WebSocket now
        if self.cycle is None or self.cycle.response_complete:
            self._waiting.enter(self)
        else:
            self._waiting.leave(self)


class TimedLoop(asyncio.SelectorEventLoop):
    """An event loop whose servers wait for the handshake of TLS as long as for a request, not for a minute."""

    async def create_server(self, *given: Any, **options: Any) -> asyncio.Server:
        """As asyncio does."""
        if options.get("ssl") is not None:
            options.setdefault("ssl_handshake_timeout", REQUEST_S)
        return await super().create_server(*given, **options)


def raise_open_files() -> None:
    """Let the process have as many files and connections open as the system allows it."""
    with contextlib.suppress(ImportError, OSError, ValueError):  # Windows has no such limit
        import resource

        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        most = _FILES if hard == resource.RLIM_INFINITY else min(hard, _FILES)
        if soft != resource.RLIM_INFINITY and soft < most:
            resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
