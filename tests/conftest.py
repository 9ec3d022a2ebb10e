"""Fixtures that every test may use: where the real data lies, and quiet, bounded torch."""

from __future__ import annotations

import gc
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

from _quick import quick
from vesalius.core import registry

# `make test` runs a worker a core, and each computes with one thread; pytest alone may take two. Waiting threads sleep.
os.environ.setdefault("OMP_NUM_THREADS", "1" if "PYTEST_XDIST_WORKER" in os.environ else "2")
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
# Processes that tests start need not compile the package anew, each for itself.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

# A busy machine is no fault of what is tested.
settings.register_profile("house", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("house")

REPO = Path(__file__).resolve().parent.parent
SHARED = REPO.parent / "shared" / "data"


def pytest_collection_finish() -> None:
    """What was imported and collected stays to the end: the garbage collector need not look through it each time."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The real data beside the project; the test is skipped, and says so, where it is absent."""
    if not SHARED.is_dir():
        pytest.skip("the real data (../shared/data) is not beside the project")
    return SHARED


@pytest.fixture(scope="session", autouse=True)
def quick_fits() -> Iterator[None]:
    """Fits are short, see `_quick.py`."""
    with quick():
        yield


@pytest.fixture(autouse=True)
def registry_as_it_was() -> Iterator[None]:
    """What a test registers for its process leaves with it."""
    before = dict(registry._joined)
    yield
    for kind, stem in registry._joined.keys() - before.keys():
        registry.leave(kind, stem)


@pytest.fixture(scope="session")
def dictated(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Pictures with reports, and a model that compares them with words."""
    from tests._dictated import fitted

    return fitted(tmp_path_factory.mktemp("dictated"))
