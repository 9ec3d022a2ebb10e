"""A guard in front of a DICOM server: it accepts connections and passes on only well-formed PDUs of bounded length.

The server behind it gets one end of a socket pair, and has no port of its own. The guard closes a connection that
begins with anything but an A-ASSOCIATE-RQ, that is silent too long, or that sends a PDU of unknown type or too great a
length; other connections are not delayed by it. TLS ends here. Source: PS3.8 9.3 (PDUs), annex E (presentation
data values).
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import socket
import ssl
import struct
import threading
from collections.abc import Callable
from dataclasses import dataclass

from vesalius.core.errors import OutputError
from vesalius.dicom.damage import DAMAGE

ASSOCIATE_RQ, DATA = 1, 4
_FROM_REQUESTOR = (ASSOCIATE_RQ, DATA, 5, 6, 7)  # P-DATA-TF, A-RELEASE-RQ and -RP, A-ABORT
_LISTEN = {  # errno → what to try where listening fails
    errno.EADDRINUSE: "stop what listens there, or another port in the settings",
    errno.EADDRNOTAVAIL: "an address of this machine as host in the settings",
    errno.EACCES: "a port from 1024 on in the settings",
}
_ABORT = bytes((7, 0, 0, 0, 0, 4, 0, 0, 2, 0))  # A-ABORT by the service provider, no reason given
Address = tuple[str, int]


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds on the number of connections, and on the time and size of what each sends.

    `waiting`: connections at most that have not yet asked for an association; each must do so within `first_s`.
    `associations`: associations at most. `pdu_bytes` bounds each PDU, `object_bytes` one whole message. A PDU must
    arrive whole within `pdu_s`; `idle_s` of silence are allowed between two PDUs.
    """

    waiting: int = 256
    associations: int = 32
    first_s: float = 3.0
    pdu_s: float = 20.0
    idle_s: float = 60.0
    request_bytes: int = 1 << 16
    pdu_bytes: int = 1 << 20
    object_bytes: int = 1 << 29


_TLS_FAULTS = {  # OpenSSL's reason → what it means of the peer
    "PEER_DID_NOT_RETURN_A_CERTIFICATE": "it shows no certificate",
    "CERTIFICATE_VERIFY_FAILED": "its certificate is not one that our ca signed, or not valid now",
    "TLSV1_ALERT_UNKNOWN_CA": "it does not trust our certificate",
    "SSLV3_ALERT_BAD_CERTIFICATE": "it does not trust our certificate",
    "SSLV3_ALERT_CERTIFICATE_UNKNOWN": "it does not trust our certificate",
    "UNSUPPORTED_PROTOCOL": "it speaks no TLS 1.2 or later",
    "WRONG_VERSION_NUMBER": "it does not speak TLS",
    "HTTP_REQUEST": "it does not speak TLS",
    "RECORD_LAYER_FAILURE": "it does not speak TLS",
}


class Malformed(Exception):
    """Raised for a connection that breaks the protocol or a limit, and is therefore closed."""


class Guard:
    """Listens at an address and gives each association's socket to `accept(socket, peer)`; runs in a thread of its own.

    `admits(ip, None)` is called before a byte is read, `admits(ip, AE title)` before an association is passed on; a
    False closes the connection. `without_tls(ip, why)` is called where the TLS handshake fails.
    """

    def __init__(
        self,
        accept: Callable[[socket.socket, Address], None],
        *,
        admits: Callable[[str, str | None], bool] = lambda ip, aet: True,
        without_tls: Callable[[str, str], None] = lambda ip, why: None,
        limits: Limits | None = None,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self.limits = limits or Limits()
        self._accept, self._admits, self._tls, self._without_tls = accept, admits, tls, without_tls
        self._waiting = self._open = 0
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="dicom-guard", daemon=True)

    def start(self, host: str, port: int) -> int:
        """Begin to listen, at a free port where `port` is 0. Returns the port. Raises OutputError."""
        self._thread.start()
        try:
            return asyncio.run_coroutine_threadsafe(self._listen(host, port), self._loop).result()
        except OSError as error:
            self.stop()
            code = error.errno or 0
            hint = _LISTEN.get(code, "host and port in the settings")
            if isinstance(error, socket.gaierror):
                found, hint = f"no host '{host}'", _LISTEN[errno.EADDRNOTAVAIL]
            else:
                found = os.strerror(code) if code else str(error)
            raise OutputError(f"cannot listen at {host}:{port}", found=found, hint=hint) from error

    def stop(self) -> None:
        """Stop listening, and close every connection."""

        async def end() -> None:
            tasks = [t for t in asyncio.all_tasks() if t is not asyncio.current_task()]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

        asyncio.run_coroutine_threadsafe(end(), self._loop).result(timeout=10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(timeout=10)
        self._loop.close()

    async def _listen(self, host: str, port: int) -> int:
        server = await asyncio.start_server(self._serve, host, port, backlog=512, limit=1 << 18)
        self._server = asyncio.ensure_future(server.serve_forever())
        return int(server.sockets[0].getsockname()[1])

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection from its first byte to its last."""
        ip = writer.get_extra_info("peername")[0]
        try:
            if not self._admits(ip, None) or (
                self._tls and not await self._shakes_hands(ip, writer, self._tls)
            ):
                return
            first = await self._first(reader)
            if first is None:
                return
            if not self._admits(ip, first[26:42].decode("ascii", "replace").strip()):
                raise Malformed("an AE title from elsewhere than it may call from")
            if self._open >= self.limits.associations:
                raise Malformed("too many associations")
            self._open += 1
            try:
                await self._associate(first, reader, writer)
            finally:
                self._open -= 1
        except (Malformed, TimeoutError):
            with contextlib.suppress(OSError):
                writer.write(_ABORT)
        except (OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass  # the peer closed the connection, or the guard stops
        finally:
            with contextlib.suppress(OSError):
                writer.close()

    async def _shakes_hands(self, ip: str, writer: asyncio.StreamWriter, tls: ssl.SSLContext) -> bool:
        """Make the TLS handshake. Returns whether it succeeded.

        Nothing may be awaited before it: bytes that the peer sends meanwhile would be read as if they came within TLS.
        """
        try:
            await writer.start_tls(tls, ssl_handshake_timeout=self.limits.first_s)
        except ssl.SSLError as error:
            reason = str(error.reason or "")
            self._without_tls(ip, _TLS_FAULTS.get(reason, f"TLS: {reason.lower().replace('_', ' ')}"))
            return False
        except ConnectionAbortedError:
            self._without_tls(ip, f"no TLS handshake within {self.limits.first_s:g} s")
            return False
        return True

    async def _first(self, reader: asyncio.StreamReader) -> bytes | None:
        """Read the A-ASSOCIATE-RQ; returns None where too many connections wait already."""
        if self._waiting >= self.limits.waiting:
            return None
        self._waiting += 1
        try:
            async with asyncio.timeout(self.limits.first_s):
                head = await reader.readexactly(6)
                kind, length = head[0], int.from_bytes(head[2:])
                if kind != ASSOCIATE_RQ or not 68 <= length <= self.limits.request_bytes:
                    raise Malformed("no association is asked for")
                first = head + await reader.readexactly(length)
            await self._loop.run_in_executor(None, check_request, first)
            return first
        finally:
            self._waiting -= 1

    async def _associate(
        self, first: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        ours, theirs = socket.socketpair()
        inward, inner = await asyncio.open_connection(sock=ours)
        peer = writer.get_extra_info("peername")
        await self._loop.run_in_executor(None, self._accept, theirs, (peer[0], peer[1]))
        inner.write(first)
        back = asyncio.ensure_future(self._back(inward, writer))
        ahead = asyncio.ensure_future(self._ahead(reader, inner))
        try:
            done, _ = await asyncio.wait((back, ahead), return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            back.cancel()
            ahead.cancel()
            inner.close()

    async def _ahead(self, reader: asyncio.StreamReader, inner: asyncio.StreamWriter) -> None:
        """Pass PDUs from the requestor to the server, one by one, until the requestor closes."""
        seen = 0
        while True:
            async with asyncio.timeout(self.limits.idle_s):
                head = await reader.readexactly(6)
            kind, length = head[0], int.from_bytes(head[2:])
            if kind not in _FROM_REQUESTOR[1:] or length > self.limits.pdu_bytes:
                raise Malformed("a PDU of unknown type or of too great a length")
            async with asyncio.timeout(self.limits.pdu_s):
                body = await reader.readexactly(length)
            if kind == DATA:
                seen = message_bytes(body, seen)
                if seen > self.limits.object_bytes:
                    raise Malformed("an object of too great a length")
            inner.write(head + body)
            async with asyncio.timeout(self.limits.pdu_s):
                await inner.drain()

    async def _back(self, inward: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Pass bytes from the server to the requestor, until the server closes."""
        while data := await inward.read(1 << 16):
            writer.write(data)
            async with asyncio.timeout(self.limits.idle_s):
                await writer.drain()


def check_request(first: bytes) -> None:
    """Raise Malformed for an A-ASSOCIATE-RQ that pynetdicom cannot decode: it would leave a thread that hangs."""
    from pynetdicom.pdu import A_ASSOCIATE_RQ

    try:
        made = A_ASSOCIATE_RQ()
        made.decode(first)
        made.to_primitive()
    except DAMAGE as error:
        raise Malformed("an association request that cannot be read") from error


def message_bytes(body: bytes, before: int) -> int:
    """Return the bytes of the current message so far: `before`, and those in this P-DATA-TF; 0 after its last fragment.

    Raises Malformed where the lengths of the presentation data values do not add up (PS3.8 9.3.5, E.2).
    """
    at = 0
    while at < len(body):
        if len(body) - at < 6:
            raise Malformed("half a presentation data value")
        (length,) = struct.unpack_from(">I", body, at)
        if length < 2 or at + 4 + length > len(body):
            raise Malformed("a presentation data value that ends beyond its PDU")
        before = 0 if body[at + 5] & 2 else before + length
        at += 4 + length
    return before
