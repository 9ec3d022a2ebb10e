"""The queue in a real PostgreSQL: the states that SQLite has; what is committed stays; a lost server comes back."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from vesalius.core.errors import OutputError, UnknownName
from vesalius.serve.node.queue import Queue, Result, SeriesJob

psycopg = pytest.importorskip("psycopg", reason="psycopg is not installed")
FOUND = sorted(Path("/usr/lib/postgresql").glob("*/bin/pg_ctl")) or [Path(shutil.which("pg_ctl") or "absent")]
PROGRAM = FOUND[-1]
ROOT = os.geteuid() == 0
pytestmark = pytest.mark.skipif(
    not PROGRAM.is_file() or (ROOT and shutil.which("runuser") is None), reason="PostgreSQL is not installed"
)


class Server:
    """A server of its own that listens at a socket in its folder, and nowhere else."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="pg"))  # a short path, as sockets want it
        if ROOT:  # which PostgreSQL refuses to run as
            shutil.chown(self.folder, "postgres", "postgres")
        self._run("initdb", "-D", str(self.folder / "data"), "-U", "node", "-A", "trust", "--no-sync")
        self.url = f"postgresql://node@/postgres?host={self.folder}"
        self.start()

    def start(self) -> None:
        options = f"-c listen_addresses= -c unix_socket_directories={self.folder}"
        log = str(self.folder / "log")
        self._run("pg_ctl", "-D", str(self.folder / "data"), "-o", options, "-l", log, "-w", "start")

    def stop(self, how: str) -> None:
        self._run("pg_ctl", "-D", str(self.folder / "data"), "-m", how, "-w", "stop")

    def _run(self, name: str, *words: str) -> None:
        user = ["runuser", "-u", "postgres", "--"] if ROOT else []
        words = (*user, str(PROGRAM.with_name(name)), *words)
        subprocess.run(words, check=True, stdout=subprocess.DEVNULL, cwd=self.folder, timeout=300)


@pytest.fixture(scope="module")
def started() -> Iterator[Server]:
    made = Server()
    yield made
    made.stop("immediate")
    shutil.rmtree(made.folder)


@pytest.fixture
def server(started: Server) -> Server:
    """The server with nothing in it, whatever test came before."""
    with psycopg.connect(started.url, autocommit=True) as base:
        base.execute("DROP SCHEMA public CASCADE")
        base.execute("CREATE SCHEMA public")
    return started


def claimed(queue: Queue) -> SeriesJob:
    job = queue.claim()
    assert job is not None
    return job


def test_a_series_goes_through_all_its_states(server: Server) -> None:
    queue = Queue(server.url, stable_s=0, attempts=1, backoff_s=0)
    assert (
        queue.add("1", "1.2", "1.2.1")
        and not queue.add("1", "1.2", "1.2.1")
        and queue.add("1", "1.2", "1.2.2")
    )
    assert queue.series_of("1.2.1") == "1.2" and queue.instances("1.2") == ("1.2.1", "1.2.2")
    job = claimed(queue)
    assert (job.state, job.generation) == ("running", 2) and queue.claim() is None
    other = Queue(server.url, stable_s=0)  # as after a crash
    assert other.recover() == 1
    job = claimed(other)
    made = [Result(f"2.25.{k}", "1", "hash", f"{k}.dcm", "pacs", "2.25.9", "1.3") for k in (1, 2)]
    for _ in range(2):
        other.record(job, "hash", "pacs", made)
    assert queue.answered(job, "hash", "pacs") and queue.unconfirmed(job) == tuple(made)
    assert other.move(job, "sending") and not other.former(job, "hash", "pacs")
    for result in made:
        other.confirm(job, result)
    assert not other.unconfirmed(job) and other.move(job, "confirmed", "a note")
    other.add("1", "1.2", "1.2.3")
    assert not other.move(job, "confirmed") and other.counts() == {"receiving": 1}
    job = claimed(queue)
    assert queue.former(job, "hash", "pacs") == tuple(made)
    queue.withdraw(made[0])
    assert queue.former(job, "hash", "pacs") == (made[1],)
    queue.fail(job, "no answer")
    assert [(j.state, j.error) for j in other.jobs("dead")] == [("dead", "no answer")]
    with pytest.raises(UnknownName, match=r"1\.2"):
        other.replay("1.3")
    assert other.replay("1.2") == 1
    job = claimed(queue)
    assert queue.move(job, "confirmed") and not queue.remove(job, older_than_s=1000)
    assert queue.remove(job, older_than_s=0) and queue.instances("1.2") == ()
    assert [(j.state, j.removed) for j in queue.jobs()] == [("removed", 3)]
    queue.add("1", "1.2", "1.2.1")
    assert queue.change("2", "1.2", "1.2.1", "a") and not queue.change("2", "1.2", "1.2.1", "b")
    assert queue.changed("1.2") == {"1.2.1": "b"} and [j.study_uid for j in queue.jobs()] == ["2"]


def test_what_is_committed_survives_the_servers_crash_and_the_queue_goes_on(server: Server) -> None:
    queue = Queue(server.url, stable_s=0)
    for k in range(20):
        queue.add("9", "9.2", f"9.2.{k}")
    server.stop("immediate")  # as kill -9: it recovers from its log
    with pytest.raises(OutputError, match="queue cannot be used") as caught:
        queue.add("9", "9.2", "9.2.20")
    assert "\n" not in str(caught.value) and "node@" not in str(caught.value)
    server.start()
    assert len(queue.instances("9.2")) == 20 and queue.add("9", "9.2", "9.2.20")


def test_a_database_of_an_earlier_version_is_brought_up_to_date_and_takes_rejections(server: Server) -> None:
    import psycopg

    Queue(server.url).close()
    with psycopg.connect(server.url) as base:
        base.execute("DROP TABLE rejected")
        base.execute("DROP TABLE contents")
        base.execute("UPDATE version SET number = 1")
    queue = Queue(server.url, stable_s=0)
    queue.add("7", "7.2", "7.2.1")
    assert queue.reject(["7.2.1", "7.2.9"], "why") == ("7.2",) and queue.reject(["7.2.1"], "again") == ()
    assert queue.rejected("7.2") == {"7.2.1": "why"}
    assert {j.series_uid: j.generation for j in queue.jobs("receiving")}["7.2"] == 2
    queue.close()


def test_two_nodes_do_not_work_on_one_database(server: Server) -> None:
    first, second = Queue(server.url), Queue(server.url)
    with (
        first.exclusive(),
        pytest.raises(OutputError, match="in use by another node; try: stop that one"),
        second.exclusive(),
    ):
        pass
    with second.exclusive():
        assert second.counts() is not None
    first.close()
    second.close()
