"""A node on a free port of loopback, and a phantom's series to send to it."""

from __future__ import annotations

import io
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
import torch
from _browser import CHROMIUM, FLAGS
from _bundles import classifier, segmenter
from _clients import Clients, Served, start
from _clock import CALM
from _peers import Pacs, bright
from PIL import Image as Pil
from pynetdicom.association import Association
from starlette.testclient import TestClient

from vesalius.phantom.abdomen.dicom import dicom_files
from vesalius.phantom.ct import patient
from vesalius.serve.http.catalogue import Catalogue
from vesalius.serve.node.answering import SeriesModel
from vesalius.serve.node.listener import Node, Peer
from vesalius.serve.node.queue import Queue
from vesalius.serve.node.routing import Destination, Routes, Rule
from vesalius.serve.node.store import Store
from vesalius.serve.node.worker import Worker
from vesalius.serve.transport import Tls

# A request waits as long as a busy machine needs, also those of the documentation's examples, not httpx's 5 s.
vars(httpx._config.DEFAULT_TIMEOUT_CONFIG).update(vars(httpx.Timeout(60)))

# On a busy machine pynetdicom's own thread takes, now and then, the response that send_c_store waits for, and drops it.
_serve_request = Association._serve_request


def _give_back_responses(association: Association, message: Any, context_id: int) -> None:
    if association.is_requestor and getattr(message, "MessageIDBeingRespondedTo", None) is not None:
        association.dimse.msg_queue.put((context_id, message))
    else:
        _serve_request(association, message, context_id)


Association._serve_request = _give_back_responses  # type: ignore[method-assign]


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
    return self_signed(tmp_path_factory.mktemp("tls"))


@pytest.fixture(scope="session")
def stranger(tmp_path_factory: pytest.TempPathFactory) -> Tls:
    """Another that signs itself."""
    return self_signed(tmp_path_factory.mktemp("other-tls"))


def self_signed(folder: Path) -> Tls:
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
    subprocess.run(words, check=True, capture_output=True, timeout=120)
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
    with Node(store, queue, port=0, allow=allow, limits=CALM) as running:
        yield running


@pytest.fixture(scope="session")
def bundles(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A classifier of pictures, and segmenters of volumes and of pictures."""
    root = tmp_path_factory.mktemp("bundles")
    classifier(root / "chest")
    segmenter(root / "organs")
    segmenter(root / "plaque", dims=2)
    return {name: root / name for name in ("chest", "organs", "plaque")}


@pytest.fixture(scope="session")
def models(bundles: dict[str, Path]) -> Catalogue:
    threads = torch.get_num_threads()
    made = Catalogue(list(bundles.values()), ["cpu"])
    torch.set_num_threads(threads)
    return made


@pytest.fixture
def clients(models: Catalogue, tmp_path: Path) -> Iterator[Clients]:
    made = Clients(models, tmp_path)
    yield made
    made.close()


@pytest.fixture(scope="module")
def client(models: Catalogue, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    """One service without keys for the tests that leave no trace that others would see."""
    made = Clients(models, tmp_path_factory.mktemp("service"))
    yield made()
    made.close()


@pytest.fixture(scope="session")
def picture() -> bytes:
    """A PNG of 40 × 48 grey pixels."""
    rng = np.random.default_rng(2)
    buffer = io.BytesIO()
    Pil.fromarray(rng.integers(0, 255, (40, 48), dtype=np.uint8)).save(buffer, "PNG")
    return buffer.getvalue()


@pytest.fixture(scope="session")
def served(bundles: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """`vesalius serve` in a process of its own."""
    running = start(tmp_path_factory.mktemp("served"), *map(str, bundles.values()))
    yield running
    running.process.kill()  # how it ends when it is told to, is tested in test_api_process.py
    running.process.wait(120)


@pytest.fixture
def pacs() -> Iterator[Pacs]:
    made = Pacs()
    yield made
    made.server.shutdown()


@pytest.fixture
def worker(store: Store, queue: Queue, pacs: Pacs) -> Worker:
    routes = Routes(
        destinations={"pacs": Destination(host="127.0.0.1", port=pacs.port, aet="PACS")},
        rules=(Rule(bundle="bone", destination="pacs", modality="CT"),),
    )
    return Worker(store, queue, routes, {"bone": SeriesModel("h" * 64, bright)})


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """Chromium without a window, drawing without a graphics card; one a file, as tests after it may open another."""
    playwright = pytest.importorskip("playwright.sync_api")
    with playwright.sync_playwright() as running:
        opened = running.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield opened
        opened.close()
