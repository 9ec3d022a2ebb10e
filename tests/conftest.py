"""Fixtures that every test may use: where the real data lies, and quiet, bounded torch."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from vesalius.core import registry

# `make test` runs a worker a core, and each computes with one thread; pytest alone may take two. Waiting threads sleep.
os.environ.setdefault("OMP_NUM_THREADS", "1" if "PYTEST_XDIST_WORKER" in os.environ else "2")
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

REPO = Path(__file__).resolve().parent.parent
SHARED = REPO.parent / "shared" / "data"


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The real data beside the project; the test is skipped, and says so, where it is absent."""
    if not SHARED.is_dir():
        pytest.skip("the real data (../shared/data) is not beside the project")
    return SHARED


@pytest.fixture(autouse=True)
def registry_as_it_was() -> Iterator[None]:
    """What a test registers for its process leaves with it."""
    before = dict(registry._joined)
    yield
    for kind, stem in registry._joined.keys() - before.keys():
        registry.leave(kind, stem)
