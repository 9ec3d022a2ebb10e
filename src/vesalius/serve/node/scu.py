"""Calling a peer: an association for what is asked, and queries at any level. Source: PS3.4 annex C, PS3.8."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from pydicom.dataset import Dataset

from vesalius.core.errors import OutputError
from vesalius.serve.node.routing import Destination
from vesalius.serve.transport import Tls

STUDY_FIND, STUDY_MOVE = "1.2.840.10008.5.1.4.1.2.2.1", "1.2.840.10008.5.1.4.1.2.2.2"
PENDING = (0xFF00, 0xFF01)


@contextmanager
def association(
    peer: Destination,
    contexts: Sequence[tuple[str, str | None]],
    *,
    aet: str,
    tls: Tls | None,
    timeout_s: float,
) -> Iterator[Any]:
    """An association for SOP classes, each with its transfer syntax or the usual ones.

    Raises OutputError where it is not established, or where the peer does not take one of them.
    """
    from pynetdicom import AE

    ae = AE(aet)
    ae.acse_timeout = ae.dimse_timeout = ae.network_timeout = ae.connection_timeout = timeout_s
    for sop_class, syntax in contexts:
        ae.add_requested_context(sop_class, syntax) if syntax else ae.add_requested_context(sop_class)
    secured = (tls.client(), peer.host) if peer.tls and tls else None
    made = ae.associate(peer.host, peer.port, ae_title=peer.aet, tls_args=secured)
    where = f"{peer.aet} at {peer.host}:{peer.port}"
    if not made.is_established:
        found = "it rejects us" if made.is_rejected else "no association"
        raise OutputError(f"{where} cannot be reached", found=found)
    try:
        refused = [str(c.abstract_syntax) for c in made.rejected_contexts]
        if refused:
            raise OutputError(f"{where} does not take what is asked of it", found=", ".join(refused))
        yield made
    finally:
        made.release()


def find(made: Any, level: str, **keys: str) -> list[Dataset]:
    """C-FIND, study root; a key that is empty is one that is to be returned. Raises OutputError."""
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
            said = "no answer" if code is None else f"status 0x{code:04X}"
            raise OutputError("the peer does not answer a query", found=said)
    return found
