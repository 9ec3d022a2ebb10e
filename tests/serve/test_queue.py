"""The durable store and queue: what was acknowledged survives kill -9, and every series ends in a state one can see."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from vesalius.core import disk
from vesalius.core.errors import BudgetError, OutputError, UnknownName
from vesalius.serve.node.queue import Queue, Result, SeriesJob
from vesalius.serve.node.store import Store

WRITER = """
import sys
from pathlib import Path
from vesalius.serve.node.queue import Queue
from vesalius.serve.node.store import Store
root = Path(sys.argv[1])
store, queue = Store(root, reserve_bytes=0), Queue(root / "queue.db", stable_s=0)
print("begun", flush=True)
for k in range(10_000):
    uid = f"1.2.{sys.argv[2]}.{k}"
    store.put("1.2", uid, uid.encode() * 1000)
    queue.add("1", "1.2", uid)
    print(uid, flush=True)
"""


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def queue(tmp_path: Path, clock: Clock) -> Queue:
    return Queue(tmp_path / "queue.db", stable_s=10, attempts=3, backoff_s=5, clock=clock)


def claimed(queue: Queue) -> SeriesJob:
    job = queue.claim()
    assert job is not None
    return job


def state(queue: Queue) -> str:
    (job,) = queue.jobs()
    return job.state


def test_what_was_acknowledged_survives_kill_9(tmp_path: Path) -> None:
    acknowledged: set[str] = set()
    for run in range(3):
        words = [sys.executable, "-c", WRITER, str(tmp_path), str(run)]
        with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            for line in process.stdout:
                if line != "begun\n":
                    acknowledged.add(line.strip())
                if len(acknowledged) >= 17 * (run + 1):
                    break
            os.kill(process.pid, signal.SIGKILL)
            acknowledged |= {line.strip() for line in process.stdout if line.endswith("\n")}
        assert process.returncode == -signal.SIGKILL
    store, queue = Store(tmp_path, reserve_bytes=0), Queue(tmp_path / "queue.db", stable_s=0)
    recorded = queue.instances("1.2")
    assert (
        len(acknowledged) >= 51 and acknowledged <= set(recorded) and len(recorded) <= len(acknowledged) + 3
    )
    for uid in recorded:
        assert store.instance("1.2", uid).read_bytes() == uid.encode() * 1000
    assert claimed(queue).generation == len(recorded)
    store.sweep()
    assert all(p.suffix == ".dcm" and not p.name.startswith(".") for p in store.series("1.2").iterdir())


def test_a_job_that_ran_when_the_process_ended_is_ready_again(tmp_path: Path, clock: Clock) -> None:
    first = Queue(tmp_path / "q.db", stable_s=0, clock=clock)
    first.add("1", "1.2", "1.2.3")
    assert claimed(first).state == "running"
    second = Queue(tmp_path / "q.db", clock=clock)
    assert second.claim() is None
    assert second.recover() == 1
    assert claimed(second).series_uid == "1.2"


def test_an_instance_counts_once(queue: Queue) -> None:
    assert queue.add("1", "1.2", "1.2.3") and not queue.add("1", "1.2", "1.2.3")
    assert queue.series_of("1.2.3") == "1.2" and queue.series_of("1.2.4") is None
    assert [job.generation for job in queue.jobs()] == [1]


def test_a_series_is_a_job_once_it_is_quiet(queue: Queue, clock: Clock) -> None:
    queue.add("1", "1.2", "1.2.1")
    clock.now += 9
    queue.add("1", "1.2", "1.2.2")
    clock.now += 9
    assert queue.claim() is None and state(queue) == "receiving"
    clock.now += 1
    assert claimed(queue).generation == 2 and queue.claim() is None


def test_more_instances_reopen_a_job_whatever_its_state(queue: Queue, clock: Clock) -> None:
    queue.add("1", "1.2", "1.2.1")
    clock.now += 10
    job = claimed(queue)
    queue.add("1", "1.2", "1.2.2")  # while it runs: its end changes nothing
    assert not queue.move(job, "sending")
    queue.fail(job, "late")
    assert state(queue) == "receiving"
    clock.now += 10
    job = claimed(queue)
    assert queue.move(job, "sending") and queue.move(job, "confirmed") and state(queue) == "confirmed"
    queue.add("1", "1.2", "1.2.3")
    assert state(queue) == "receiving"


def test_failures_are_tried_again_ever_later_then_dead_then_replayed(queue: Queue, clock: Clock) -> None:
    queue.add("1", "1.2", "1.2.1")
    clock.now += 10
    for wait in (5, 10):
        queue.fail(claimed(queue), "no answer")
        clock.now += wait - 1
        assert queue.claim() is None and state(queue) == "failed"
        clock.now += 1
    queue.fail(claimed(queue), "no answer")
    (dead,) = queue.jobs("dead")
    assert (dead.attempts, dead.error) == (3, "no answer")
    clock.now += 1e6
    assert queue.claim() is None
    with pytest.raises(UnknownName, match=r"1\.2"):
        queue.replay("1.3")
    assert queue.replay("1.2") == 1 and claimed(queue).attempts == 0


def test_what_can_never_work_is_dead_at_once(queue: Queue, clock: Clock) -> None:
    queue.add("1", "1.2", "1.2.1")
    clock.now += 10
    queue.fail(claimed(queue), "not an image", forever=True)
    assert state(queue) == "dead" and queue.replay() == 1


def test_results_are_recorded_once_and_confirmed_one_by_one(queue: Queue, clock: Clock) -> None:
    queue.add("1", "1.2", "1.2.1")
    clock.now += 10
    job = claimed(queue)
    made = [Result(f"2.25.{k}", "1", "hash", f"{k}.dcm", "pacs") for k in (1, 2)]
    assert not queue.answered(job, "hash", "pacs")
    for _ in range(2):
        queue.record(job, "hash", "pacs", made)
    assert queue.answered(job, "hash", "pacs") and queue.unconfirmed(job) == tuple(made)
    queue.confirm(job, made[0])
    assert queue.unconfirmed(job) == (made[1],)


def test_a_full_disk_refuses_and_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(BudgetError, match="no space left"):
        Store(tmp_path, reserve_bytes=1 << 62).put("1.2", "1.2.3", b"x")
    store = Store(tmp_path, reserve_bytes=0)

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    store.put("1.2", "1.2.1", b"x")
    monkeypatch.setattr(disk.os, "fsync", full)  # type: ignore[attr-defined]
    with pytest.raises(OutputError, match="no space left"):
        store.put("1.2", "1.2.3", b"x")
    assert [p.read_bytes() for p in store.series("1.2").iterdir()] == [b"x"]


def test_a_queue_that_cannot_grow_says_so_and_goes_on(queue: Queue) -> None:
    (pages,) = queue._base.rows("PRAGMA page_count")[0]
    queue._base.connection.execute(f"PRAGMA max_page_count={pages}")
    with pytest.raises(BudgetError, match="queue"):
        for k in range(1000):
            queue.add("1", "1.2", f"1.2.{k}" + "0" * 50)
    known = len(queue.instances("1.2"))
    queue._base.connection.execute("PRAGMA max_page_count=100000")
    assert queue.add("1", "1.2", "1.2.9999") and len(queue.instances("1.2")) == known + 1


def test_one_node_holds_a_store(tmp_path: Path) -> None:
    store = Store(tmp_path)
    with store.lock(), pytest.raises(OutputError, match="in use"):
        store.lock()
    store.lock().close()


def test_a_uid_is_never_a_path(tmp_path: Path) -> None:
    path = Store(tmp_path, reserve_bytes=0).put("../../up", "/etc/passwd", b"x")
    assert path.parent.parent == tmp_path / "instances"


def test_a_queue_of_a_newer_version_is_refused(tmp_path: Path) -> None:
    queue = Queue(tmp_path / "q.db")
    queue._base.connection.execute("PRAGMA user_version=99")
    queue.close()
    with pytest.raises(OutputError, match="newer"):
        Queue(tmp_path / "q.db")
