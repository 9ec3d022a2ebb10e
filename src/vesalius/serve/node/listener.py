"""The listener: it receives instances by C-STORE and answers C-ECHO, behind the guard, into the store and the queue.

An instance is acknowledged only after its file is fsynced and the queue has committed it. Source: PS3.4 annexes A, B
(status codes: B.2.3), PS3.8; AE titles: PS3.5 6.2.
"""

from __future__ import annotations

import contextlib
import io
import ipaddress
import time
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

import pydicom
from pydicom.uid import UID

from vesalius.core import disk
from vesalius.core.errors import BudgetError, DataError, FormatError, OutputError, UnsafeError
from vesalius.core.progress import Progress, Silent
from vesalius.dicom.damage import DAMAGE
from vesalius.serve.node import content, rejection_notes
from vesalius.serve.node.guard import Address, Guard, Limits
from vesalius.serve.node.intake_pause import IntakePause
from vesalius.serve.node.queue import Queue
from vesalius.serve.node.store import Store
from vesalius.serve.transport import Tls, loopback

SUCCESS, FULL, MISMATCH, NOT_UNDERSTOOD, ELSEWHERE = 0x0000, 0xA700, 0xA900, 0xC000, 0xC001
_PDU_BYTES = 1 << 18  # the largest PDU that we announce, well below the guard's limit
_NAMED = ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID", "SOPClassUID")
_SAY_S, _SAY_TLS_S, _MOST_SAID = 600.0, 60.0, 1000
_UNREADABLE: tuple[type[Exception], ...] = (DataError, *DAMAGE)


@dataclass(frozen=True, slots=True)
class Instance:
    """The UIDs that identify a data set."""

    study_uid: str
    series_uid: str
    sop_uid: str
    sop_class: str


@dataclass(frozen=True, slots=True)
class Peer:
    """A peer that may call: its AE title, and the address or network (`10.1.2.0/24`) that it must call from, if any.

    Anyone can call by any AE title. Only an address, or a certificate, proves who calls.
    """

    aet: str
    address: str | None = None

    def at(self, ip: str) -> bool:
        """Return whether the peer may call from the address `ip`."""
        if self.address is None:
            return True
        told = ipaddress.ip_address(ip.partition("%")[0])
        told = getattr(told, "ipv4_mapped", None) or told
        return told in ipaddress.ip_network(self.address, strict=False)


def check_exposure(host: str, *, allow: Sequence[Peer], tls: Tls | None) -> None:
    """Raise UnsafeError for an address other than loopback where a stranger could pass for a peer.

    Peers prove themselves by certificates (TLS with `ca`), or by an address with each AE title that is allowed.
    """
    if (
        loopback(host)
        or (tls is not None and tls.ca is not None)
        or (allow and all(p.address for p in allow))
    ):
        return
    found = "AE titles alone, which anyone can say" if allow else "nothing that tells peers from strangers"
    raise UnsafeError(
        f"the node does not listen at {host} for everyone",
        found=found,
        hint="tls with a ca that signed the peers' certificates, or an address with each AE title in allow",
    )


class Node:
    """Receives instances from peers between `start` and `stop`, or as a context manager.

    `allow`: the peers that may call; empty for all. A peer must call the node by `aet`, its own AE title. Raises
    UnsafeError, OutputError, DataError.
    """

    def __init__(
        self,
        store: Store,
        queue: Queue,
        *,
        aet: str = "VESALIUS",
        host: str = "127.0.0.1",
        port: int = 11112,
        allow: Sequence[Peer] = (),
        tls: Tls | None = None,
        limits: Limits | None = None,
        progress: Progress | None = None,
    ) -> None:
        check_exposure(host, allow=allow, tls=tls)
        self.store, self.queue, self.aet, self.host, self.port = store, queue, aet, host, port
        self.progress = progress or Silent()
        self.intake_pause = IntakePause(store, self.progress)
        self._turned_away: dict[tuple[str, str], float] = {}
        self._allow = tuple(allow)
        titles = [p.aet for p in allow]
        self._server = _server(aet, titles, limits or Limits(), self._echo, self._stored, self._rejected)
        self._guard = Guard(
            self._accept,
            admits=self._admits,
            without_tls=lambda ip, why: self._say_once("", ip, why, every_s=_SAY_TLS_S),
            limits=limits,
            tls=tls.server() if tls else None,
        )

    def start(self) -> int:
        """Begin to listen, at a free port where `port` is 0. Returns the port."""
        self.port = self._guard.start(self.host, self.port)
        return self.port

    def stop(self) -> None:
        """Stop listening and abort open associations; what was acknowledged stays."""
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

    def _admits(self, ip: str, aet: str | None) -> bool:
        """Return whether an allowed peer may call from `ip`; once the AE title is known, whether that peer may."""
        named = [p for p in self._allow if aet is None or p.aet == aet]
        if not named or any(
            p.at(ip) for p in named
        ):  # the server rejects an unknown title, and names the reason
            return True
        self._say_once(aet or "", ip, "its address is not in allow")
        return False

    def _accept(self, connection: Any, peer: Address) -> None:
        self._server.process_request(connection, peer)

    def _echo(self, event: Any) -> int:
        return SUCCESS

    def _stored(self, event: Any) -> int:
        """Keep one instance. Returns the DIMSE status, which is success only where the instance is kept."""
        try:
            data = event.encoded_dataset()
            found = identify(data)
            note = rejection_notes.read(data) if found.sop_class == rejection_notes.KEY_OBJECTS else None
        except _UNREADABLE:
            return NOT_UNDERSTOOD
        asked = event.request
        if (found.sop_uid, found.sop_class) != (asked.AffectedSOPInstanceUID, asked.AffectedSOPClassUID):
            return MISMATCH
        try:
            if note is not None:  # before the note is recorded: the peer sends it again if we end in between
                self._reject(note)
            with self.store.series_lock(found.series_uid):
                status = self._keep(found, data)
        except (BudgetError, OutputError) as error:
            self.intake_pause.begins(error, size=len(data))
            why = error.what if self.store.has_room(len(data)) else "disk full"
            with contextlib.suppress(OSError):
                self.store.refuse(found.series_uid, found.sop_uid, why)
            return FULL
        self.intake_pause.kept()
        return status

    def _keep(self, found: Instance, data: bytes) -> int:
        """Keep a new instance, or a resent one with changed content in place of the old. Returns the DIMSE status."""
        series_uid = self.queue.series_of(found.sop_uid)
        if series_uid is None:
            digest = content.digest(data) if self.queue.former_content(found.sop_uid) else ""
            self.store.put(found.series_uid, found.sop_uid, data)
            self.queue.add(found.study_uid, found.series_uid, found.sop_uid, digest)
            return SUCCESS
        if series_uid != found.series_uid:
            self.progress.note(
                f"series {found.series_uid}: image {found.sop_uid} refused (status C001): it is known as one of"
                f" series {series_uid}"
            )
            return ELSEWHERE
        path = self.store.instance(series_uid, found.sop_uid)
        with disk.output_errors(path):
            if not path.exists() or content.same(
                path, data
            ):  # the instance was rejected, or its content is the same
                return SUCCESS
        self.store.stage(series_uid, found.sop_uid, data)
        if self.queue.change(found.study_uid, series_uid, found.sop_uid, content.digest(data)):
            self.progress.note(f"series {series_uid}: images came again changed; it is answered anew")
        self.store.renew(series_uid, self.queue.changed(series_uid))
        return SUCCESS

    def _reject(self, note: rejection_notes.RejectionNote) -> None:
        for series_uid in self.queue.reject(note.sop_uids, note.reason):
            self.progress.note(f"series {series_uid}: images were taken back ({note.reason})")

    def _rejected(self, event: Any) -> None:
        """Log a rejected association: its caller and the reason, for each caller at most once in ten minutes."""
        asked = event.assoc.requestor
        aet, called = str(asked.ae_title), str(asked.primitive.called_ae_title)
        ip = str(asked.address)
        if called != self.aet:
            why = f"it calls {called!r}, and we are {self.aet!r}"
        elif self._allow and all(p.aet != aet for p in self._allow):
            why = "its AE title is not in allow"
        else:
            why = "it asks for nothing that we have, or too many are here"
        self._say_once(aet, ip, why)

    def _say_once(self, aet: str, ip: str, why: str, *, every_s: float = _SAY_S) -> None:
        now, key = time.monotonic(), (aet, ip)
        if len(self._turned_away) >= _MOST_SAID:
            self._turned_away = {k: at for k, at in self._turned_away.items() if now - at < _SAY_S}
        if now - self._turned_away.get(key, -every_s) >= every_s and len(self._turned_away) < _MOST_SAID:
            self._turned_away[key] = now
            self.progress.note(f"turned away {f'{aet!r} at {ip}' if aet else ip}: {why}")


def identify(data: bytes) -> Instance:
    """Return the UIDs of a Part 10 file in memory. Raises FormatError where one is missing or is not a UID."""
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


def _server(aet: str, allow: Sequence[str], limits: Limits, echo: Any, stored: Any, rejected: Any) -> Any:
    """Return pynetdicom's server without a port: the guard gives it its sockets."""
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
        ("127.0.0.1", 0),
        evt_handlers=[(evt.EVT_C_ECHO, echo), (evt.EVT_C_STORE, stored), (evt.EVT_REJECTED, rejected)],
    )
    server.server_close()  # it only ever processes what the guard passes on
    return server
