"""Calling a peer: associations, queries, and status codes in words. Source: PS3.4 annex C, PS3.8."""

from __future__ import annotations

import socket
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from pydicom.dataset import Dataset
from pydicom.uid import UID

from vesalius.core.errors import OutputError
from vesalius.serve.node.routing import Destination
from vesalius.serve.transport import Tls

STUDY_FIND, STUDY_MOVE = "1.2.840.10008.5.1.4.1.2.2.1", "1.2.840.10008.5.1.4.1.2.2.2"
PENDING = (0xFF00, 0xFF01)
_REJECTED = {  # PS3.8 table 9-21, service user
    3: ("it does not know our AE title", "enter '{aet}' as a modality there"),
    7: ("its AE title is another", "the aet of this destination in the settings"),
}
_STATUS = {  # PS3.4 tables B.2-1, C.4-1 and C.4-2, PS3.7 annex C
    0x0110: ("it failed inside", "its log"),
    0x0122: ("it does not take this kind of object", "allow SEG and SR storage there"),
    0x0124: ("it does not allow us that", "give '{aet}' the right to store, find and move there"),
    0xA700: ("it is out of resources", "free some disk there"),
    0xA701: ("it cannot count the matches", "its log"),
    0xA702: (
        "it cannot send to the node",
        "that the node runs, at the address that is entered there for '{aet}'",
    ),
    0xA801: (
        "it knows no such move destination",
        "enter '{aet}' as a modality there, with the node's address",
    ),
    0xA900: ("it does not accept what was sent", "its log"),
}
_LOOK_S = 5.0


@contextmanager
def association(
    peer: Destination,
    contexts: Sequence[tuple[str, str | None]],
    *,
    aet: str,
    tls: Tls | None,
    timeout_s: float,
) -> Iterator[Any]:
    """Open an association for SOP classes, each with its transfer syntax, or with the default ones for None.

    Raises OutputError where it is not established, or where the peer rejects one of the classes.
    """
    from pynetdicom import AE

    ae = AE(aet)
    ae.acse_timeout = ae.dimse_timeout = ae.network_timeout = ae.connection_timeout = timeout_s
    for sop_class, syntax in contexts:
        ae.add_requested_context(sop_class, syntax) if syntax else ae.add_requested_context(sop_class)
    secured = (tls.client(), peer.host) if peer.tls and tls else None
    try:
        made = ae.associate(peer.host, peer.port, ae_title=peer.aet, tls_args=secured)
    except OSError as error:  # a host that is not known
        raise _unreachable(peer) from error
    if not made.is_established:
        raise _not_established(made, peer, aet)
    try:
        refused = [UID(str(c.abstract_syntax)).name for c in made.rejected_contexts]
        if refused:
            raise OutputError(
                f"{peer.where} does not take what is asked of it", found=", ".join(refused),
                hint=f"allow '{aet}' to store, find and move there",
            )  # fmt: skip
        yield made
    finally:
        made.release()


def find(made: Any, peer: Destination, level: str, *, aet: str, keys: Mapping[str, str]) -> list[Dataset]:
    """Query a peer by C-FIND, study root; an empty key asks for its value. Raises OutputError."""
    asked = Dataset()
    asked.QueryRetrieveLevel = level
    for name, value in keys.items():
        setattr(asked, name, value)
    found: list[Dataset] = []
    for status, answer in made.send_c_find(asked, STUDY_FIND):
        code = status.get("Status")
        if code in PENDING and answer is not None:
            found.append(answer)
        elif code != 0:
            raise refusal(f"{peer.where} does not answer a query (C-FIND)", code, aet=aet)
    return found


def refusal(what: str, code: int | None, *, aet: str) -> OutputError:
    """Return an error for a status other than success; `code` None means that no answer came."""
    if code is None:
        return OutputError(
            what,
            found="no answer: it ended the association, or took too long",
            hint=f"its log, and that it knows '{aet}'",
        )
    family = code if code in _STATUS else code & 0xFF00 if code & 0xF000 == 0xA000 else code
    cause, hint = _STATUS.get(family, ("", "its log"))
    said = f"status 0x{code:04X}" + (f": {cause}" if cause else "")
    return OutputError(what, found=said, hint=hint.format(aet=aet))


def _not_established(made: Any, peer: Destination, aet: str) -> OutputError:
    """Return an error that says why there is no association."""
    if made.is_rejected:
        said = made.acceptor.primitive
        cause, hint = _REJECTED.get(
            int(said.diagnostic or 0) if said.result_source == 1 else 0, ("", "its log; it may be busy")
        )
        return OutputError(
            f"{peer.where} rejects us", found=cause or f"{said.reason_str}", hint=hint.format(aet=aet)
        )
    return _unreachable(peer)


def _unreachable(peer: Destination) -> OutputError:
    """Try the peer's port, and return an error that says what was found there."""
    what = f"{peer.where} cannot be reached"
    try:
        socket.create_connection((peer.host, peer.port), timeout=_LOOK_S).close()
    except ConnectionRefusedError:
        return OutputError(
            what, found="connection refused", hint="that it runs, and its port in the settings"
        )
    except socket.gaierror:
        return OutputError(
            what, found=f"no host '{peer.host}'", hint="host: in the settings, or the name server"
        )
    except TimeoutError:
        return OutputError(what, found="no connection in time", hint="the address, and the firewall between")
    except OSError as error:
        return OutputError(
            what, found=error.strerror or type(error).__name__, hint="the address in the settings"
        )
    tls = "whether it wants TLS" if not peer.tls else "whether it has TLS, and takes our certificate"
    return OutputError(what, found="it takes the connection, and no association", hint=f"{tls}; its log")
