"""What a peer's refusal is said to mean: who it is, what it said, the likely cause, and what to try."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from pydicom.dataset import Dataset
from pynetdicom import AE, evt

from vesalius.core.errors import OutputError
from vesalius.serve.node import puller, scu
from vesalius.serve.node.routing import Destination

FIND, MOVE = [(scu.STUDY_FIND, None)], [(scu.STUDY_FIND, None), (scu.STUDY_MOVE, None)]


@contextmanager
def peer(
    *, knows: bool = True, found: int = 0, called: bool = False, calling: list[str] | None = None
) -> Iterator[Destination]:
    """One that answers with these status codes, and may look at AE titles."""

    def find(event: Any) -> Iterator[tuple[int, Dataset | None]]:
        if found == 0:
            yield 0xFF00, event.identifier
        yield found, None

    def move(event: Any) -> Iterator[Any]:
        if not knows:
            yield None, None
        raise RuntimeError("as a PACS fails")  # which pynetdicom says as a status 0xC5..

    ae = AE("PACS")
    ae.require_called_aet, ae.require_calling_aet = called, calling or []
    for context, _ in MOVE:
        ae.add_supported_context(context)
    server = ae.start_server(
        ("127.0.0.1", 0), block=False, evt_handlers=[(evt.EVT_C_FIND, find), (evt.EVT_C_MOVE, move)]
    )
    try:
        yield Destination(host="127.0.0.1", port=server.server_address[1], aet="PACS")
    finally:
        server.shutdown()


def asked(there: Destination, contexts: Any = MOVE) -> str:
    """What is said when a series is asked for."""
    with (
        pytest.raises(OutputError) as caught,
        scu.association(there, contexts, aet="US", tls=None, timeout_s=60) as made,
    ):
        scu.find(made, there, "SERIES", aet="US", keys={"StudyInstanceUID": "1.2"})
        puller._move(made, there, "US", "1.2", "1.2.3")
    text = str(caught.value)
    assert text.startswith(f"{there.aet} at {there.host}:{there.port} ") and "\n" not in text
    return text


def test_a_move_that_fails_says_what_the_pacs_lacks() -> None:
    with peer(knows=False) as there:
        assert asked(there).endswith(
            "does not send (C-MOVE); found status 0xA801: it knows no such move destination; "
            "try: enter 'US' as a modality there, with the node's address"
        )
    with peer() as there:
        assert "it knows no 'US', or does not reach it; try: enter 'US' as a modality there" in asked(there)


@pytest.mark.parametrize(
    ("status", "says"),
    [
        (0xA702, "found status 0xA702: it cannot send to the node; try: that the node runs"),
        (0xA901, "found status 0xA901: it does not accept what was sent"),
        (0xB0FF, "found status 0xB0FF; try: its log"),
        (None, "found no answer: it ended the association"),
    ],
)
def test_a_status_is_said_with_its_cause(status: int | None, says: str) -> None:
    assert says in str(scu.refusal("it does not", status, aet="US"))


def test_a_query_that_is_refused_says_so() -> None:
    with peer(found=0xA700) as there:
        assert "does not answer a query (C-FIND); found status 0xA700: it is out of resources" in asked(there)
    with peer(found=0x0124) as there:
        assert "it does not allow us that; try: give 'US' the right" in asked(there)


def test_why_there_is_no_association_is_said() -> None:
    with peer(calling=["OTHER"]) as there:
        assert "rejects us; found it does not know our AE title; try: enter 'US'" in asked(there)
    with peer(called=True) as there:
        assert "its AE title is another" in asked(there.model_copy(update={"aet": "WRONG"}))
    with peer() as there:
        storage = [("1.2.840.10008.5.1.4.1.1.66.4", None)]
        assert "does not take what is asked of it; found Segmentation Storage" in asked(
            there, [*MOVE, *storage]
        )
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        there = Destination(host="127.0.0.1", port=closed.getsockname()[1], aet="PACS")
    assert "cannot be reached; found connection refused; try: that it runs" in asked(there)
    there = Destination(host="nowhere.invalid", port=104, aet="PACS")
    assert "found no host 'nowhere.invalid'; try: host: in the settings" in asked(there)
