"""Work on a Ray cluster of one machine: a search is the one that local workers make, and dead workers end nothing."""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import psutil
import pytest
from tests._patience import until

import vesalius as vs
from vesalius.cluster.connect import Share
from vesalius.cluster.library import library
from vesalius.cluster.pool import RayPool
from vesalius.cluster.training import Seat, begun_of, trained
from vesalius.core.errors import BudgetError, ClusterError
from vesalius.search.store import DONE, RESULT

ray = pytest.importorskip("ray")
SET = {"train.steps": 3, "net.scale": 0.125, "data.size": [1, 32, 32], "train.members": 1}
SPACE = {"train.lr": [1e-3, 1e-2]}
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
    ray.cloudpickle.register_pickle_by_value(sys.modules[__name__])  # workers cannot import a file of tests
    yield
    ray.shutdown()


def hands() -> list[psutil.Process]:
    """The processes of Ray's workers that measure or answer just now."""
    return [p for p in psutil.Process().children(recursive=True) if p.name().startswith("ray::_Hand.")]


def test_two_workers_search_as_local_ones_do_also_where_one_is_killed(pictures: Path, tmp_path: Path) -> None:
    told = {**TOLD, "sampler": "random", "no_train": True, "finalists": 1}
    local = vs.search(pictures, tmp_path / "local", trials=4, **told)
    seen, killed = Notes(), []

    def kill() -> None:
        until(lambda: bool(list((tmp_path / "far" / "trials").glob(f"*/{RESULT}"))))
        until(lambda: bool(hands()))
        killed.extend(hands()[:1])
        killed[0].send_signal(signal.SIGKILL)

    thread = threading.Thread(target=kill)
    thread.start()
    far = vs.search(
        pictures, tmp_path / "far", trials=4, workers=2, cluster=HERE, **{**told, "progress": seen}
    )
    thread.join()
    assert killed and any("died" in note and "taken up again" in note for note in seen.notes)
    assert any(HERE in note for note in seen.notes)
    assert [t.number for t in far.trials] == [0, 1, 2, 3] and {t.state for t in far.trials} == {DONE}
    known = {str(t.settings): t.score for t in local.trials}
    same = [t for t in far.trials if str(t.settings) in known]
    assert len(same) > 1 and all(t.score == known[str(t.settings)] for t in same)


def test_a_cluster_that_has_too_little_or_is_another_is_said(pictures: Path, tmp_path: Path) -> None:
    with pytest.raises(
        BudgetError, match=r"--workers 3 needs 3 CPUs, one for each; found ray://local with 2 CPUs"
    ):
        vs.search(pictures, tmp_path / "a", trials=3, workers=3, cluster=HERE, **TOLD)
    with pytest.raises(ClusterError, match="connected to another cluster than ray://localhost:6379"):
        vs.search(pictures, tmp_path / "b", trials=3, cluster="ray://localhost", **TOLD)


def test_an_archive_is_answered_as_local_workers_answer_it(pictures: Path, tmp_path: Path) -> None:
    run = vs.fit(pictures, tmp_path / "run", settings=SET, init="none", progress=False)
    source = pictures / "odd"
    here = vs.predict(run, source, tmp_path / "here", archive=vs.Archive(workers=1), progress=False)
    seen = Notes()
    far = vs.predict(
        run, source, tmp_path / "far", archive=vs.Archive(workers=2, cluster=HERE), progress=seen
    )
    assert sorted(far.answered) == sorted(here.answered) and len(far.answered) == 8
    rows = [sorted((tmp_path / name / "answers.csv").read_text().splitlines()) for name in ("here", "far")]
    assert rows[0] == rows[1]
    assert any("studies are answered on ray://local" in note for note in seen.notes)
    with pytest.raises(BudgetError, match="--workers 3 needs 3 CPUs"):
        vs.predict(
            run, source, tmp_path / "much", archive=vs.Archive(workers=3, cluster=HERE), progress=False
        )
    assert not (tmp_path / "much").exists(), (
        "what is refused leaves no folder that a second try stumbles over"
    )


class Odd:
    """Work that ends its process at 3, raises at 4, and otherwise doubles."""

    def __call__(self) -> Any:
        def work(job: int) -> int:
            if job == 3:
                os.kill(os.getpid(), signal.SIGKILL)
            if job == 4:
                raise ValueError("four")
            if job == 99:
                raise ClusterError("enough", found="99")
            return 2 * job

        return work


def test_a_job_that_ends_its_worker_ends_no_other() -> None:
    pool: RayPool[int, int, tuple[int, int], tuple[int, str]] = RayPool(
        Odd(), Share(2, 1, 0), ended=lambda j, r, _: (j, r), lost=lambda j, why, _: (j, why)
    )
    jobs, found = list(range(8)), []
    while jobs or pool.busy:
        while jobs and pool.room:
            pool.give(jobs.pop(0))
        found += pool.wait(1.0)
    assert len(found) == 8
    assert sorted(f for f in found if f[0] not in (3, 4)) == [(k, 2 * k) for k in (0, 1, 2, 5, 6, 7)]
    why = dict(f for f in found if f[0] in (3, 4))
    assert "ended without a word" in why[3] and why[4] == "ValueError: four"
    pool.give(99)
    with pytest.raises(ClusterError, match="enough; found 99"):
        while pool.busy:
            pool.wait(1.0)
    assert pool.stop(0.0) == []


def part(seat: Seat, place: Path) -> None:
    """A process's part: it notes where it sits; the second ends itself when it is begun for the first time."""
    (place / f"{seat.begun}-{seat.rank}.txt").write_text(f"{seat.size} {seat.address} {seat.port}")
    if seat.begun == 0:
        if seat.rank == 1:
            os.kill(os.getpid(), signal.SIGKILL)
        time.sleep(600)  # as one that waits for the other


def test_processes_that_train_together_are_begun_again_where_one_dies(tmp_path: Path) -> None:
    notes, place = tmp_path / "notes", tmp_path / "place"
    notes.mkdir()
    place.mkdir()
    trained(partial(part, place=place), Share(2, 1, 0), notes=notes)
    assert sorted(p.name for p in place.iterdir()) == ["0-0.txt", "0-1.txt", "1-0.txt", "1-1.txt"]
    said = [(place / f"1-{rank}.txt").read_text() for rank in (0, 1)]
    assert said[0] == said[1] and said[0].startswith("2 ") and begun_of(notes) == 2


def test_two_processes_of_a_cluster_leave_an_ordinary_run(
    pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    seen = Notes()
    settings = {**SET, "train.devices": 2}
    run = vs.fit(pictures, tmp_path / "run", settings=settings, init="none", cluster=HERE, progress=seen)
    assert run.path == tmp_path / "run" and run.scorecard is not None and run.plan.train.devices == 2
    told = json.loads((tmp_path / "run" / "run.json").read_text())
    assert told["processes"]["size"] == 2 and told["processes"]["launcher"] == "Ray Train"
    assert any("2 processes train on ray://local" in note for note in seen.notes)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["run"]  # nothing is left beside it
