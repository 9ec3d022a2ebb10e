"""Service processes on a real PostgreSQL: kill -9 loses nothing and tells nothing twice; a lost database comes back."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from benchmarks import _postgres
from benchmarks._service_workers import Workers, picture, storm
from benchmarks._untrained import bundle_of
from benchmarks.service_workers import SIDE, agrees, told, unfinished

pytestmark = pytest.mark.skipif(_postgres.missing() is not None, reason="PostgreSQL is not installed")
pytest.importorskip("psycopg", reason="psycopg is not installed")


@pytest.fixture(scope="module")
def server() -> Iterator[_postgres.Postgres]:
    made = _postgres.Postgres()
    yield made
    made.remove()


@pytest.fixture(scope="module")
def workers(server: _postgres.Postgres, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workers]:
    folder = tmp_path_factory.mktemp("workers")
    made = Workers(bundle_of("resnet-18", 2, folder / "bundle").path, server.url, folder)
    yield made
    assert made.stop() == [0, 0]


def test_each_job_is_answered_once_while_a_process_is_killed(
    workers: Workers, server: _postgres.Postgres, tmp_path: Path
) -> None:
    outcomes = storm(workers, 40, 1, seed=3, side=SIDE)
    assert len({one.job["job"] for one in outcomes}) == 40 and workers.kills == 1
    for one in outcomes:
        assert agrees(one, workers.bundle, tmp_path) or one.job["error"]["error"], one
    assert unfinished(server.url) == 0
    assert max(told(workers.audits()).values()) == 1


def test_a_database_that_is_away_loses_nothing(workers: Workers, server: _postgres.Postgres) -> None:
    one, other = workers.urls
    files = [("files", (f"{k}.png", picture(k, SIDE))) for k in range(900, 912)]
    study = httpx.post(f"{one}/api/studies", files=files, timeout=60).json()["study"]
    job = httpx.post(f"{one}/api/jobs", json={"study": study}, timeout=60).json()["job"]
    server.stop("immediate")  # as kill -9
    try:
        got = httpx.post(f"{other}/api/studies", files=files[:1], timeout=60)
        assert got.status_code == 503 and got.headers["Retry-After"] == "5", got.text
        assert httpx.get(f"{other}/ready", timeout=60).status_code == 503
        assert httpx.get(f"{other}/health", timeout=60).status_code == 200
    finally:
        server.start()
    for k in range(2):
        workers.wait(k)
    end = time.monotonic() + 120
    found = httpx.get(f"{other}/api/jobs/{job}", timeout=60).json()
    while found["status"] != "done" and time.monotonic() < end:
        time.sleep(0.1)
        found = httpx.get(f"{one}/api/jobs/{job}", timeout=60).json()
    assert found["status"] == "done" and len(found["answers"]) == 12, found
