"""Work on a Ray cluster of one machine: a search is the one that local workers make, and dead workers end nothing."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from tests._patience import until

import vesalius as vs
from vesalius.cluster.library import library
from vesalius.core.errors import BudgetError, ClusterError
from vesalius.search.store import DONE, RESULT

ray = pytest.importorskip("ray")
SET = {"train.steps": 3, "net.scale": 0.125, "data.size": [1, 32, 32], "train.members": 1}
SPACE = {"train.lr": {"low": 1e-4, "high": 1e-2, "log": True}, "net.name": ["resnet-10", "cnn"]}
TOLD: dict[str, Any] = {"settings": SET, "space": SPACE, "init": "none", "folds": 4, "progress": False}
HERE = "ray://local"


class Notes:
    """Progress of which the notes are kept."""

    def __init__(self) -> None:
        self.notes: list[str] = []

    def start(self, name: str, total: int | None = None) -> None: ...

    def advance(self, name: str, done: int = 1, text: str = "") -> None: ...

    def finish(self, name: str) -> None: ...

    def note(self, text: str) -> None:
        self.notes.append(text)


@pytest.fixture(scope="module", autouse=True)
def cluster() -> Iterator[None]:
    """One Ray for all tests here: a connection that a process has already is used, and kept."""
    library()  # sets what Ray reads when it starts
    ray.init(
        address="local",
        num_cpus=2,
        object_store_memory=int(150e6),
        include_dashboard=False,
        log_to_driver=False,
        configure_logging=False,
    )
    yield
    ray.shutdown()


def hands() -> list[psutil.Process]:
    """The processes of Ray's workers that measure or answer just now."""
    return [p for p in psutil.Process().children(recursive=True) if p.name().startswith("ray::_Hand.")]


def test_a_search_is_the_one_of_local_workers_also_where_a_worker_is_killed(
    pictures: Path, tmp_path: Path
) -> None:
    local = vs.search(pictures, tmp_path / "local", trials=3, no_train=True, finalists=1, **TOLD)
    seen, killed = Notes(), []

    def kill() -> None:
        until(lambda: bool(list((tmp_path / "far" / "trials").glob(f"*/{RESULT}"))))
        until(lambda: bool(hands()))
        killed.extend(hands()[:1])
        killed[0].send_signal(signal.SIGKILL)

    thread = threading.Thread(target=kill)
    thread.start()
    far = vs.search(
        pictures,
        tmp_path / "far",
        trials=3,
        no_train=True,
        finalists=1,
        cluster=HERE,
        **{**TOLD, "progress": seen},
    )
    thread.join()
    assert killed and any("died" in note and "taken up again" in note for note in seen.notes)
    assert any(HERE in note for note in seen.notes)
    assert {t.state for t in far.trials} == {DONE}
    assert [t.settings for t in far.trials] == [t.settings for t in local.trials]
    assert [t.score for t in far.trials] == [t.score for t in local.trials]
    assert far.to_json()["verdict"] == local.to_json()["verdict"]
    more = vs.search(
        pictures, tmp_path / "far", trials=4, workers=2, no_train=True, finalists=1, cluster=HERE, **TOLD
    )
    assert [t.number for t in more.trials] == [0, 1, 2, 3] and {t.state for t in more.trials} == {DONE}
    assert [t.score for t in more.trials][:3] == [t.score for t in far.trials]


def test_a_cluster_that_has_too_little_or_is_another_is_said(pictures: Path, tmp_path: Path) -> None:
    with pytest.raises(
        BudgetError, match=r"--workers 3 needs 3 CPUs, one for each; found ray://local with 2 CPUs"
    ):
        vs.search(pictures, tmp_path / "a", trials=3, workers=3, cluster=HERE, **TOLD)
    with pytest.raises(ClusterError, match="connected to another cluster than ray://localhost:6379"):
        vs.search(pictures, tmp_path / "b", trials=3, cluster="ray://localhost", **TOLD)
    with pytest.raises(BudgetError, match="needs 1 GPU"):
        vs.search(pictures, tmp_path / "c", trials=3, cluster=HERE, device="cuda", **TOLD)
