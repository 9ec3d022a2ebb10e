"""A DICOM node that takes studies in: C-ECHO and C-STORE, behind the guard, into the store and the queue.

An instance is acknowledged only once its file is fsynced and the queue has committed it. Source: PS3.4 annexes A, B
(status codes: B.2.3), PS3.8; AE titles: PS3.5 6.2.
"""

from __future__ import annotations

import io
import ipaddress
import ssl
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import pydicom
from pydicom.errors import BytesLengthException, InvalidDicomError
from pydicom.uid import UID

from vesalius.core.errors import BudgetError, DataError, FormatError, OutputError, UnsafeError
from vesalius.serve.guard import Address, Guard, Limits
from vesalius.serve.queue import Queue
from vesalius.serve.store import Store

SUCCESS, FULL, MISMATCH, NOT_UNDERSTOOD = 0x0000, 0xA700, 0xA900, 0xC000
_PDU_BYTES = 1 << 18  # what we ask peers to send at most, well below the guard's limit
_NAMED = ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID", "SOPClassUID")
DAMAGE = (InvalidDicomError, BytesLengthException, AttributeError, EOFError, LookupError, NotImplementedError,
           OSError, TypeError, ValueError)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Tls:
    """PEM files: our certificate and its key; `ca`, where peers must show a certificate that it signed."""

    cert: Path
    key: Path
    ca: Path | None = None

    def server(self) -> ssl.SSLContext:
        """A context for a server, TLS 1.2 or later. Raises DataError for files that are none."""
        return self._loaded(ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER))

    def client(self) -> ssl.SSLContext:
        """A context for a client that shows our certificate; peers are checked against `ca`, or the system's."""
        context = ssl.create_default_context()
        return self._loaded(context)

    def _loaded(self, context: ssl.SSLContext) -> ssl.SSLContext:
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        try:
            context.load_cert_chain(self.cert, self.key)
            if self.ca is not None:
                context.load_verify_locations(self.ca)
                context.verify_mode = ssl.CERT_REQUIRED
        except (OSError, ssl.SSLError) as error:
            raise DataError(
                "the TLS files cannot be used", found=str(error), hint="PEM files, the key without a password"
            ) from error
        return context


@dataclass(frozen=True, slots=True)
class Instance:
    """Which object a data set is."""

    study_uid: str
    series_uid: str
    sop_uid: str
    sop_class: str


def check_exposure(host: str, *, allow: Sequence[str], tls: Tls | None) -> None:
    """Raises UnsafeError for an address other than loopback without both an AE-title allow list and TLS."""
    try:
        inside = ipaddress.ip_address(host).is_loopback
    except ValueError:
        inside = host == "localhost"
    if not inside and not (allow and tls):
        lacking = [what for what, is_there in (("--allow", allow), ("--tls-cert", tls)) if not is_there]
        raise UnsafeError(
            f"the node does not listen at {host} without an AE-title allow list and TLS",
            found=f"no {' and no '.join(lacking)}",
            hint="give both, or listen at 127.0.0.1",
        )


class Node:
    """Takes instances from peers, as a context manager or by `start` and `stop`.

    `allow` are the calling AE titles that are accepted, all where it is empty, which only loopback may have. A peer
    must call us by our own title. Raises UnsafeError, OutputError, DataError.
    """

    def __init__(
        self,
        store: Store,
        queue: Queue,
        *,
        aet: str = "VESALIUS",
        host: str = "127.0.0.1",
        port: int = 11112,
        allow: Sequence[str] = (),
        tls: Tls | None = None,
        limits: Limits | None = None,
    ) -> None:
        check_exposure(host, allow=allow, tls=tls)
        self.store, self.queue, self.aet, self.host, self.port = store, queue, aet, host, port
        self._server = _server(aet, allow, limits or Limits(), self._echo, self._stored)
        self._guard = Guard(self._accept, limits=limits, tls=tls.server() if tls else None)

    def start(self) -> int:
        """Listen; returns the port, a free one where it was 0."""
        self.port = self._guard.start(self.host, self.port)
        return self.port

    def stop(self) -> None:
        """Listen no longer; what was acknowledged stays."""
        self._guard.stop()
        for association in self._server.active_associations:
            association.abort()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _accept(self, connection: Any, peer: Address) -> None:
        self._server.process_request(connection, peer)

    def _echo(self, event: Any) -> int:
        return SUCCESS

    def _stored(self, event: Any) -> int:
        """Keep one instance; the status says success only where it is kept."""
        try:
            data = event.encoded_dataset()
            found = identify(data)
        except (DataError, *DAMAGE):
            return NOT_UNDERSTOOD
        asked = event.request
        if (found.sop_uid, found.sop_class) != (asked.AffectedSOPInstanceUID, asked.AffectedSOPClassUID):
            return MISMATCH
        try:
            if not self.queue.has(found.sop_uid):
                self.store.put(found.series_uid, found.sop_uid, data)
                self.queue.add(found.study_uid, found.series_uid, found.sop_uid)
        except (BudgetError, OutputError):
            return FULL
        return SUCCESS


def identify(data: bytes) -> Instance:
    """The UIDs of a Part 10 file in memory. Raises FormatError where one is missing or no UID."""
    try:
        with warnings.catch_warnings(action="ignore"):
            read = pydicom.dcmread(io.BytesIO(data), stop_before_pixels=True, specific_tags=list(_NAMED))
            said = [str(read.get(name) or "") for name in _NAMED]
    except DAMAGE as error:
        raise FormatError("a data set that cannot be read", found=type(error).__name__) from error
    for name, uid in zip(_NAMED, said, strict=True):
        if not UID(uid).is_valid:
            raise FormatError("a data set without identity", found=f"no valid {name}")
    return Instance(*said)


def _server(aet: str, allow: Sequence[str], limits: Limits, echo: Any, stored: Any) -> Any:
    """pynetdicom's server without a port: the guard gives it its sockets."""
    from pynetdicom import AE, ALL_TRANSFER_SYNTAXES, AllStoragePresentationContexts, evt

    try:
        made = AE(aet)
        made.require_calling_aet = list(allow)
    except (TypeError, ValueError) as error:
        raise DataError(
            "an AE title is 1 to 16 characters of ASCII", found=str(error), hint="letters and digits"
        ) from error
    made.require_called_aet = True
    made.maximum_associations = (
        2 * limits.associations
    )  # the guard counts; a thread may outlive its connection
    made.maximum_pdu_size = _PDU_BYTES
    made.acse_timeout, made.dimse_timeout, made.network_timeout = limits.first_s, limits.idle_s, limits.idle_s
    made.add_supported_context("1.2.840.10008.1.1")
    for context in AllStoragePresentationContexts:
        made.add_supported_context(str(context.abstract_syntax), ALL_TRANSFER_SYNTAXES)
    server = made.make_server(
        ("127.0.0.1", 0), evt_handlers=[(evt.EVT_C_ECHO, echo), (evt.EVT_C_STORE, stored)]
    )
    server.server_close()  # it only ever processes what the guard passes on
    return server
