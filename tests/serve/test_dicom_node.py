"""The node as peers see it: pynetdicom's and dcmtk's clients, hostile connections, full disks, TLS and strangers."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import ssl
import struct
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import pydicom
import pytest
from _clock import CALM, put_forward
from _peers import Told
from pynetdicom import AE
from pynetdicom.sop_class import CTImageStorage, Verification  # type: ignore[attr-defined]

from _patience import patience, until
from vesalius.core.errors import DataError, FormatError, OutputError, UnsafeError
from vesalius.serve.node.guard import Guard, Malformed, message_bytes
from vesalius.serve.node.intake_pause import IntakePause, read_pause
from vesalius.serve.node.listener import Node, Peer, check_exposure, identify
from vesalius.serve.node.queue import Queue
from vesalius.serve.node.store import Store
from vesalius.serve.transport import Tls


@contextmanager
def association(
    port: int, *, calling: str = "MODALITY", called: str = "VESALIUS", tls: Any = None
) -> Iterator[Any]:
    ae = AE(calling)
    ae.acse_timeout = ae.dimse_timeout = 60
    ae.add_requested_context(Verification)
    ae.add_requested_context(CTImageStorage)
    made = ae.associate("127.0.0.1", port, ae_title=called, tls_args=(tls, "localhost") if tls else None)
    try:
        yield made
    finally:
        if made.is_established:
            made.release()


def send(port: int, paths: list[Path]) -> list[int]:
    with association(port) as made:
        assert made.is_established
        return [int(made.send_c_store(pydicom.dcmread(p)).Status) for p in paths]


def echo(port: int) -> float:
    """Seconds until C-ECHO succeeded."""
    begun = time.monotonic()
    with association(port) as made:
        assert made.is_established and made.send_c_echo().Status == 0
    return time.monotonic() - begun


def test_what_is_acknowledged_is_there_pixel_for_pixel(node: Node, series: list[Path]) -> None:
    series = series[:5]
    assert echo(node.port) < patience(5)
    assert send(node.port, [*series, series[0]]) == [0] * (len(series) + 1)
    (job,) = node.queue.jobs()
    assert job.generation == len(series)
    sent = [pydicom.dcmread(p) for p in series]
    kept = [pydicom.dcmread(node.store.instance(d.SeriesInstanceUID, d.SOPInstanceUID)) for d in sent]
    assert kept == sent and all(a.PixelData == b.PixelData for a, b in zip(kept, sent, strict=True))


@pytest.mark.skipif(shutil.which("storescu") is None, reason="dcmtk is not installed")
def test_dcmtk_can_echo_and_store(node: Node, series: list[Path]) -> None:
    where = ["-aec", "VESALIUS", "127.0.0.1", str(node.port)]
    subprocess.run(["echoscu", *where], check=True, timeout=patience(20))
    subprocess.run(["storescu", *where, *map(str, series[:3])], check=True, timeout=patience(20))
    assert [job.generation for job in node.queue.jobs()] == [3]


def test_strangers_and_wrong_titles_are_rejected(node: Node) -> None:
    for words in ({"calling": "STRANGER"}, {"called": "ANOTHER"}):
        with association(node.port, **words) as made:
            assert made.is_rejected
    with association(node.port, calling="AWAY") as made:  # a title that may call, from elsewhere
        assert not made.is_established
    with association(node.port, calling="ECHOSCU") as made:
        assert made.is_established
    assert echo(node.port) < patience(5)


def silent(node: Node, link: socket.socket) -> bytes:
    """What somebody who says nothing gets from a node when their time is over."""
    link.settimeout(0.1)
    while True:
        put_forward(node._guard._loop, CALM.first_s + 1)
        with contextlib.suppress(TimeoutError):  # it may be accepted only now
            return link.recv(10)


def malformed() -> list[bytes]:
    """Beginnings of connections that are no associations."""
    huge = struct.pack(">BBI", 1, 0, 0x7FFFFFFF) + b"x" * 4096
    rest = [
        b"",
        b"\x01",
        b"GET / HTTP/1.1\r\n\r\n",
        os.urandom(500),
        huge,
        struct.pack(">BBI", 4, 0, 100) + b"x" * 100,
    ]
    rest += [struct.pack(">BBI", 1, 0, 200) + b"x" * 200, struct.pack(">BBI", 1, 0, 200) + b"half"]
    return rest


def test_a_hundred_malformed_connections_hold_nobody_up(node: Node) -> None:
    kinds = malformed()
    before = psutil.Process().memory_info().rss
    open_ones = []
    for k in range(100):
        made = socket.create_connection(("127.0.0.1", node.port))
        made.sendall(kinds[k % len(kinds)])
        open_ones.append(made)
        if k % 20 == 19:
            assert echo(node.port) < patience(5)
    assert echo(node.port) < patience(5)
    put_forward(node._guard._loop, CALM.pdu_s + 1)
    for made in open_ones:  # each is closed by the node, within its limits
        made.settimeout(30)
        try:
            while made.recv(100):
                pass
        except ConnectionResetError:
            pass
        made.close()
    assert psutil.Process().memory_info().rss - before < 100 << 20


def test_an_association_that_misbehaves_is_ended(node: Node) -> None:
    for bad in (
        struct.pack(">BBI", 4, 0, 0x7FFFFFFF),
        struct.pack(">BBI", 9, 0, 4),
        struct.pack(">BBI", 4, 0, 8) + b"1234",
    ):
        with association(node.port) as made:
            made.dul.socket.socket.sendall(bad)
            if bad.endswith(b"1234"):  # half of a PDU, whose rest is waited for
                until(lambda: put_forward(node._guard._loop, CALM.pdu_s + 1) or not made.is_established)
            until(lambda: not made.is_established)
    assert echo(node.port) < patience(5)


def test_the_bytes_of_a_message_are_counted_across_pdus() -> None:
    def value(last: bool, length: int) -> bytes:
        return struct.pack(">IBB", length + 2, 1, 2 if last else 0) + b"x" * length

    assert message_bytes(value(False, 10), 0) == 12
    assert message_bytes(value(False, 10) + value(False, 5), 100) == 119
    assert message_bytes(value(False, 10) + value(True, 5), 100) == 0
    for bad in (b"123", struct.pack(">IBB", 1, 1, 0), struct.pack(">IBB", 100, 1, 0)):
        with pytest.raises(Malformed):
            message_bytes(bad, 0)


def test_a_full_disk_is_out_of_resources_and_nothing_is_recorded(
    node: Node, series: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(node.store, "reserve_bytes", 1 << 62)
    assert send(node.port, series[:2]) == [0xA700, 0xA700] and node.queue.jobs() == ()
    heads = [pydicom.dcmread(p) for p in series[:2]]
    assert node.store.refused(heads[0].SeriesInstanceUID) == {d.SOPInstanceUID: "disk full" for d in heads}
    monkeypatch.setattr(node.store, "reserve_bytes", 0)
    assert send(node.port, series[:1]) == [0]


def test_a_full_disk_is_said_once_when_it_begins_and_when_it_ends(
    store: Store, queue: Queue, series: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    told = Told()
    with Node(store, queue, port=0, limits=CALM, progress=told) as node:
        for reserve, status in ((1 << 62, 0xA700), (1 << 62, 0xA700), (0, 0)):
            monkeypatch.setattr(store, "reserve_bytes", reserve)
            assert send(node.port, series[:1]) == [status]
            assert (read_pause(store.root) is not None) == bool(status)
        begun, ended = told.lines
        assert begun.startswith("refusing images (status A700): disk full: no space left in")
        assert ended.startswith("images are taken again, after ")
        monkeypatch.setattr(store, "reserve_bytes", 1 << 62)
        node.intake_pause.check_disk()  # nobody sends, and it is said all the same
        node.intake_pause.check_disk()
        since = read_pause(store.root)
        assert len(told.lines) == 3 and since is not None and since.why.startswith("disk full")
        again = IntakePause(store, told)  # of a node that was killed meanwhile
        monkeypatch.setattr(store, "reserve_bytes", 0)
        again.check_disk()
        (last,) = told.lines[3:]
        assert last.startswith("images are taken again, after ") and read_pause(store.root) is None


def test_who_is_turned_away_is_said_once(store: Store, queue: Queue) -> None:
    told = Told()
    allow = [Peer("MODALITY"), Peer("AWAY", "192.0.2.7")]
    with Node(store, queue, port=0, allow=allow, limits=CALM, progress=told) as node:
        for words in ({"calling": "STRANGER"}, {"called": "ANOTHER"}, {"calling": "AWAY"}) * 2:
            with association(node.port, **words) as made:
                assert not made.is_established
    assert told.lines == [
        "turned away 'STRANGER' at 127.0.0.1: its AE title is not in allow",
        "turned away 'MODALITY' at 127.0.0.1: it calls 'ANOTHER', and we are 'VESALIUS'",
        "turned away 'AWAY' at 127.0.0.1: its address is not in allow",
    ]


def test_a_data_set_without_identity_is_not_understood(node: Node, series: list[Path]) -> None:
    data = pydicom.dcmread(series[0])
    del data.SeriesInstanceUID
    with association(node.port) as made:
        assert made.send_c_store(data).Status == 0xC000
    with pytest.raises(FormatError):
        identify(b"no DICOM")


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "node.example"])
def test_elsewhere_than_loopback_peers_show_certificates_or_call_from_known_addresses(
    host: str, tmp_path: Path
) -> None:
    titles, places = [Peer("A"), Peer("B", "10.0.0.1")], [Peer("A", "10.0.0.0/8"), Peer("B", "10.0.0.1")]
    own = Tls(tmp_path / "c", tmp_path / "k")
    for allow, tls in (([], None), (titles, None), (titles, own), ([], own)):
        with pytest.raises(UnsafeError) as caught:
            check_exposure(host, allow=allow, tls=tls)
        assert "\n" not in str(caught.value) and "allow" in str(caught.value)
    check_exposure(host, allow=places, tls=None)
    check_exposure(host, allow=titles, tls=Tls(own.cert, own.key, ca=tmp_path / "ca"))


def test_a_peer_calls_from_its_own_address_or_network() -> None:
    assert Peer("A").at("192.0.2.1") and Peer("A", "10.1.0.0/16").at("10.1.2.3")
    assert Peer("A", "10.1.2.3").at("::ffff:10.1.2.3") and Peer("A", "::1").at("::1")
    assert not Peer("A", "10.1.2.3").at("10.1.2.4") and not Peer("A", "10.1.0.0/16").at("::1")


def test_tls_files_that_are_none_are_said(store: Store, queue: Queue, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="TLS file cert, .*, cannot be read"):
        Node(store, queue, port=0, tls=Tls(tmp_path / "c", tmp_path / "k"))


@pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is not installed")
def test_tls_with_client_certificates(
    store: Store, queue: Queue, certificate: Tls, series: list[Path]
) -> None:
    tls = certificate
    with Node(store, queue, port=0, tls=tls, limits=CALM) as node:
        with association(node.port, tls=tls.client()) as made:
            assert made.send_c_store(pydicom.dcmread(series[0])).Status == 0
        with association(node.port) as made:
            assert not made.is_established  # in the clear
        idle = socket.create_connection(("127.0.0.1", node.port))
        assert silent(node, idle) == b""  # who never shakes hands
        idle.close()


@pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is not installed")
def test_who_does_not_get_through_the_handshake_is_said_once(
    store: Store, queue: Queue, certificate: Tls, stranger: Tls
) -> None:
    unknown, bare, doubtful = certificate.client(), ssl.create_default_context(), ssl.create_default_context()
    unknown.load_cert_chain(stranger.cert, stranger.key)
    bare.load_verify_locations(certificate.cert)
    signed = "its certificate is not one that our ca signed, or not valid now"
    for context, why in (
        (None, "it does not speak TLS"),
        (bare, "it shows no certificate"),
        (unknown, signed),
        (doubtful, "it does not trust our certificate"),
    ):
        told = Told()
        with Node(store, queue, port=0, tls=certificate, limits=CALM, progress=told) as node:
            for _ in range(2):
                with association(node.port, tls=context) as made:
                    assert not made.is_established
            for _ in range(3):
                with association(node.port, tls=certificate.client()) as made:
                    assert made.is_established
        assert told.lines == [f"turned away 127.0.0.1: {why}"]
    told = Told()
    with (
        Node(store, queue, port=0, tls=certificate, limits=CALM, progress=told) as node,
        socket.create_connection(("127.0.0.1", node.port)) as idle,
    ):
        assert silent(node, idle) == b""
    assert told.lines == ["turned away 127.0.0.1: no TLS handshake within 60 s"]


def test_a_port_in_use_and_a_bad_title_are_said(node: Node, store: Store, queue: Queue) -> None:
    with pytest.raises(OutputError, match="found Address already in use; try: stop what .* in the settings"):
        Node(store, queue, port=node.port).start()
    with pytest.raises(OutputError, match="an address of this machine as host in the settings"):
        Node(store, queue, host="192.0.2.9", port=0, allow=[Peer("A", "10.0.0.1")]).start()
    with pytest.raises(DataError, match="AE title"):
        Node(store, queue, aet="A TITLE OF MORE THAN SIXTEEN", port=0)


def test_more_associations_than_allowed_are_refused_and_come_free(node: Node) -> None:
    held = []
    for _ in range(CALM.associations):
        ae = AE("MODALITY")
        ae.add_requested_context(Verification)
        held.append(ae.associate("127.0.0.1", node.port, ae_title="VESALIUS"))
    assert all(h.is_established for h in held)
    with association(node.port) as made:
        assert not made.is_established
    for h in held:
        h.release()
    until(lambda: node._guard._open == 0)
    assert echo(node.port) < patience(5)


SERVER = """
import sys, time
from pathlib import Path
from vesalius.serve.node.guard import Limits
from vesalius.serve.node.listener import Node
from vesalius.serve.node.queue import Queue
from vesalius.serve.node.store import Store
store = Store(Path(sys.argv[1]), reserve_bytes=0)
node = Node(store, Queue(store.root / "queue.db", stable_s=0), port=0, limits=Limits(first_s=60))
print(node.start(), flush=True)
time.sleep(600)
"""


def test_what_a_killed_node_acknowledged_is_there(tmp_path: Path, series: list[Path]) -> None:
    acknowledged = []
    for count in (3, 8):
        with subprocess.Popen(
            [sys.executable, "-c", SERVER, str(tmp_path)], stdout=subprocess.PIPE, text=True
        ) as process:
            assert process.stdout is not None
            port = int(process.stdout.readline())
            with association(port) as made:
                for path in series:
                    data = pydicom.dcmread(path)
                    if made.send_c_store(data).Status == 0:
                        acknowledged.append(data.SOPInstanceUID)
                    if len(acknowledged) >= count:
                        break
                os.kill(process.pid, signal.SIGKILL)
    store, queue = Store(tmp_path, reserve_bytes=0), Queue(tmp_path / "queue.db")
    (job,) = queue.jobs()
    assert len(acknowledged) == 8 and set(acknowledged) <= set(queue.instances(job.series_uid))
    for uid in acknowledged:
        assert pydicom.dcmread(store.instance(job.series_uid, uid)).SOPInstanceUID == uid


def test_a_guard_that_stops_closes_what_is_open() -> None:
    guard = Guard(lambda connection, peer: None, limits=CALM)
    made = socket.create_connection(("127.0.0.1", guard.start("127.0.0.1", 0)))
    guard.stop()
    made.settimeout(60)
    assert made.recv(10) in (b"",)
    made.close()
