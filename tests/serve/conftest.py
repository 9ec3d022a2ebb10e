"""A DICOM node on a free port of loopback, a series to send to it; and HTTP services over tiny bundles."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from _bundles import classifier, segmenter
from _clients import Clients, Served, start
from PIL import Image as Pil
from starlette.testclient import TestClient

from vesalius.phantom.dicom import dicom_files
from vesalius.phantom.study import patient
from vesalius.serve.dicom_node import Node
from vesalius.serve.guard import Limits
from vesalius.serve.models import Models
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


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store", reserve_bytes=0)


@pytest.fixture
def queue(store: Store) -> Queue:
    return Queue(store.root / "queue.db", stable_s=0, attempts=2, backoff_s=0)


@pytest.fixture
def node(store: Store, queue: Queue) -> Iterator[Node]:
    with Node(store, queue, port=0, allow=["MODALITY", "ECHOSCU", "STORESCU"], limits=QUICK) as running:
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
def models(bundles: dict[str, Path]) -> Models:
    threads = torch.get_num_threads()
    made = Models(list(bundles.values()), ["cpu"])
    torch.set_num_threads(threads)
    return made


@pytest.fixture
def clients(models: Models, tmp_path: Path) -> Iterator[Clients]:
    made = Clients(models, tmp_path)
    yield made
    made.close()


@pytest.fixture(scope="module")
def client(models: Models, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
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
    running.process.terminate()
    running.process.wait(30)
