"""A node on a free port of loopback, and a phantom's series to send to it."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from vesalius.phantom.dicom import dicom_files
from vesalius.phantom.study import patient
from vesalius.serve.dicom_node import Node, Peer, Tls
from vesalius.serve.guard import Limits
from vesalius.serve.queue import Queue
from vesalius.serve.store import Store

QUICK = Limits(first_s=1, pdu_s=1, idle_s=5, associations=8)


@pytest.fixture(scope="session")
def series(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """The files of one small CT series."""
    folder = tmp_path_factory.mktemp("series")
    for name, data in dicom_files(patient(1, size=(12, 32, 32))):
        (folder / name).write_bytes(data)
    return sorted(folder.iterdir())


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Tls:
    """A certificate of localhost that signs itself, and so is its own authority."""
    folder = tmp_path_factory.mktemp("tls")
    cert, key = folder / "cert.pem", folder / "key.pem"
    words = [
        "openssl",
        "req",
        "-x509",
        "-newkey",
        "rsa:2048",
        "-nodes",
        "-days",
        "2",
        "-subj",
        "/CN=localhost",
    ]
    words += ["-addext", "subjectAltName=DNS:localhost", "-keyout", str(key), "-out", str(cert)]
    subprocess.run(words, check=True, capture_output=True, timeout=30)
    return Tls(cert, key, ca=cert)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store", reserve_bytes=0)


@pytest.fixture
def queue(store: Store) -> Queue:
    return Queue(store.root / "queue.db", stable_s=0, attempts=2, backoff_s=0)


@pytest.fixture
def node(store: Store, queue: Queue) -> Iterator[Node]:
    allow = [Peer("MODALITY"), Peer("ECHOSCU", "127.0.0.0/8"), Peer("STORESCU"), Peer("AWAY", "192.0.2.7")]
    with Node(store, queue, port=0, allow=allow, limits=QUICK) as running:
        yield running
