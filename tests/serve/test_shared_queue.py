"""Several services on one queue: any receives, any answers, any tells; nothing is lost, and nothing is told twice."""

from __future__ import annotations

import io
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from _clients import Clients
from _uploads import ended, upload
from PIL import Image as Pil
from starlette.testclient import TestClient
from typer.testing import CliRunner

from _patience import until
from vesalius.cli import app
from vesalius.core.errors import OutputError, UnsafeError, VesaliusError
from vesalius.serve.http.catalogue import Catalogue
from vesalius.serve.http.keys import LOCAL
from vesalius.serve.http.service import Service
from vesalius.serve.http.shared import claims
from vesalius.serve.http.shared.queue import SharedQueue
from vesalius.serve.http.shared.sharing import Shared


def serving(client: TestClient) -> Service:
    found: Service = client.app.state.service  # type: ignore[attr-defined]
    return found


@pytest.fixture
def shared(tmp_path: Path) -> Shared:
    return Shared(tmp_path / "queue.db", tmp_path / "shared", lease_s=3.0)


@pytest.fixture
def two(clients: Clients, shared: Shared) -> tuple[TestClient, TestClient]:
    """Two services that share a queue and a folder."""
    return clients(shared=shared), clients(shared=shared)


def idle(client: TestClient) -> None:
    """Let a service answer nothing: it still takes, tells, and says that it lives."""
    jobs = serving(client).jobs
    jobs._stopping = True  # type: ignore[attr-defined]
    until(lambda: not serving(client).workers.alive, "it still answers")
    jobs._stopping = False  # type: ignore[attr-defined]


def test_one_receives_another_answers_and_both_tell(
    two: tuple[TestClient, TestClient], clients: Clients, picture: bytes
) -> None:
    one, other = two
    idle(one)
    study = upload(one, ("a.png", picture)).json()
    assert other.get(f"/api/studies/{study['study']}").json() == study
    job = one.post("/api/jobs", json={"model": "plaque", "study": study["study"]}).json()
    told = ended(one, job)
    assert told["status"] == "done" and told == other.get(f"/api/jobs/{job['job']}").json()
    assert [j["job"] for j in other.get("/api/jobs").json()] == [job["job"]]
    alone = clients()
    same = upload(alone, ("a.png", picture)).json()["study"]
    expected = ended(alone, alone.post("/api/jobs", json={"model": "plaque", "study": same}).json())
    (got,), (wanted,) = told["answers"], expected["answers"]
    assert got["answer"] == wanted["answer"] and got["summary"] == wanted["summary"]
    for name in got["files"]:
        if name.endswith((".png", ".nii.gz", ".json")):
            first = one.get(got["files"][name])
            assert first.status_code == 200 and first.content == other.get(got["files"][name]).content
            assert first.content == alone.get(wanted["files"][name]).content
    assert {m["worker"] for m in _samples(one)} != {m["worker"] for m in _samples(other)}


def _samples(client: TestClient) -> list[dict[str, str]]:
    lines = client.get("/metrics").text.splitlines()
    found = [line.split("}")[0].split("{")[1] for line in lines if "vesalius_cases_total{" in line]
    return [dict(pair.split("=", 1) for pair in line.split(",")) for line in found or ['worker="none"']]


def test_what_lies_beside_a_study_is_seen_by_all(two: tuple[TestClient, TestClient], picture: bytes) -> None:
    one, other = two
    study = upload(one, ("a.png", picture)).json()["study"]
    place = f"/api/studies/{study}/cases/c1"
    drawn = io.BytesIO()
    Pil.fromarray(np.eye(40, 48, dtype=np.uint8)).save(drawn, "PNG")
    given = one.put(f"{place}/truth", files=[("truth", ("t.png", drawn.getvalue()))])
    assert given.json() == one.get(f"{place}/truth").json() == other.get(f"{place}/truth").json()
    masks = [client.get(f"{place}/truth/mask.nii.gz") for client in two]
    assert masks[0].content == masks[1].content and masks[0].status_code == 200
    assert other.delete(f"{place}/truth").status_code == 204
    assert one.get(f"{place}/truth").status_code == 204
    one.put("/datastore/image", params={"image": "mine"}, files=[("file", ("m.png", picture))])
    label = other.get("/datastore/image", params={"image": "mine"}).content
    kept = one.put("/datastore/label", params={"image": "mine"}, files=[("label", ("l.nii.gz", label))])
    assert kept.status_code == 200, kept.text
    assert other.get("/datastore/label", params={"label": "mine"}).content == label
    assert other.get("/datastore/").json()["completed"] == 1
    assert one.get(f"{place}/preview.png").content == other.get(f"{place}/preview.png").content
    assert other.delete(f"/api/studies/{study}").status_code == 204
    assert one.get(f"/api/studies/{study}").status_code == 404
    assert not (serving(one).root / "studies" / study).exists()


def test_a_cancelled_job_is_cancelled_everywhere(two: tuple[TestClient, TestClient], picture: bytes) -> None:
    one, other = two
    idle(one), idle(other)
    study = upload(one, ("a.png", picture)).json()["study"]
    job = one.post("/api/jobs", json={"model": "plaque", "study": study}).json()["job"]
    held = serving(one).jobs.get(job, LOCAL)
    assert other.delete(f"/api/jobs/{job}").status_code == 204
    until(lambda: held.status == "cancelled", "the first has not heard of it")
    assert not serving(one).jobs._claim()  # type: ignore[attr-defined]


def test_the_dead_ones_case_is_another_s_and_what_it_says_then_counts_no_more(
    two: tuple[TestClient, TestClient], picture: bytes
) -> None:
    one, other = (serving(client) for client in two)
    idle(two[0]), idle(two[1])
    study = upload(two[0], ("a.png", picture)).json()["study"]
    job = two[0].post("/api/jobs", json={"model": "plaque", "study": study}).json()["job"]
    (unit,) = one.jobs._claim()  # type: ignore[attr-defined]
    assert not other.jobs._claim()  # type: ignore[attr-defined]
    assert one.sharing is not None and other.sharing is not None
    _kill(one)
    _bury(other, one)
    (again,) = other.jobs._claim()  # type: ignore[attr-defined]
    assert (unit.attempt, again.attempt) == (1, 2) and unit.folder != again.folder
    for service, mine, name in ((one, unit, "late"), (other, again, "right")):
        mine.folder.mkdir()
        (mine.folder / "answer.json").write_text(name)
        row = {"case": "c1", "kind": "Mask", "said": name}
        service.jobs.add_answer(mine, row, {"answer.json": mine.folder / "answer.json"})
    assert not unit.folder.exists()
    told = other.jobs.get(job, LOCAL)
    assert told.status == "done" and told.answers["c1"]["said"] == "right"
    assert told.files["c1"]["answer.json"].read_text() == "right"


def _kill(service: Service) -> None:
    """Let a service say no more that it lives, as one that was killed."""
    assert service.sharing is not None
    queue = service.sharing.queue
    queue._stopping.set()
    queue._thread.join(30)


def _bury(service: Service, dead: Service) -> None:
    """Let the lease of a dead one be over."""
    assert service.sharing is not None and dead.sharing is not None
    queue = service.sharing.queue
    with queue.transaction() as execute:
        execute("UPDATE workers SET until_s = 0 WHERE id = ?", (dead.sharing.queue.worker,))
    queue.beat()
    service.jobs._take_over()  # type: ignore[attr-defined]


def test_a_case_that_ends_its_processes_is_set_aside_by_name(
    two: tuple[TestClient, TestClient], picture: bytes
) -> None:
    one = serving(two[0])
    idle(two[0]), idle(two[1])
    study = upload(two[0], ("a.png", picture), ("b.png", picture)).json()["study"]
    job = two[0].post("/api/jobs", json={"model": "chest", "study": study}).json()["job"]
    assert one.sharing is not None
    queue = one.sharing.queue
    served = [f"{name} {model.bundle.hash}" for name, model in one.models.by_name.items()]
    sizes = []
    for k in range(3):
        with queue.transaction() as execute:  # a process that takes it and is killed, three times
            taken = claims.claim(execute, queue.now, f"killed-{k}", served)
        sizes.append([one.case for one in taken])
        one.jobs._take_over()  # type: ignore[attr-defined]
    assert sizes == [["c1", "c2"], ["c1"], ["c1"]]  # together once, and alone from then on
    told = one.jobs.get(job, LOCAL)
    assert told.failures["c1"]["error"] == (
        "3 service processes ended while this case was being answered, so it is set aside"
    )
    (unit,) = one.jobs._claim()  # type: ignore[attr-defined]
    assert unit.case.id == "c2" and not told.ended


def test_a_full_queue_is_told_with_when_to_ask_again(
    clients: Clients, shared: Shared, picture: bytes
) -> None:
    client = clients(shared=shared, waiting=2)
    idle(client)
    study = upload(client, ("a.png", picture), ("b.png", picture)).json()["study"]
    assert client.post("/api/jobs", json={"model": "plaque", "study": study}).status_code == 202
    serving(client).sharing.queue.look()  # type: ignore[union-attr]
    for got in (
        client.post("/api/jobs", json={"model": "plaque", "study": study}),
        client.post("/api/predict", files=[("files", ("a.png", picture))]),
    ):
        assert got.status_code == 503 and got.json()["error"] == "too many cases wait"
        assert int(got.headers["Retry-After"]) >= 1
    assert len(client.get("/api/studies").json()) == 1  # the second upload was not read


def test_quotas_count_what_all_have(clients: Clients, shared: Shared, picture: bytes) -> None:
    one, other = (clients(shared=shared, studies=2, stored_bytes=1 << 20) for _ in range(2))
    for client in (one, other):
        assert upload(client, ("a.png", picture)).status_code == 201
    got = upload(one, ("b.png", picture))
    assert got.status_code == 429 and got.json()["error"] == "too many studies are kept"
    full = clients(shared=shared, stored_bytes=2 * len(picture))
    got = upload(full, ("c.png", picture))
    assert got.status_code == 429 and got.json()["error"] == "the store is full"
    assert len(list((serving(one).root / "studies").iterdir())) == 2


def test_while_the_queue_is_away_nothing_is_lost(
    two: tuple[TestClient, TestClient], picture: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, other = two
    idle(one), idle(other)
    service = serving(one)
    study = upload(one, ("a.png", picture)).json()["study"]
    job = one.post("/api/jobs", json={"model": "plaque", "study": study}).json()["job"]
    (unit,) = service.jobs._claim()  # type: ignore[attr-defined]
    assert service.sharing is not None
    queue = service.sharing.queue
    real = queue._base.transaction, queue._own.transaction

    def gone() -> Any:
        raise OutputError("the queue cannot be used", found="gone")

    for base in (queue._base, queue._own):
        monkeypatch.setattr(base, "transaction", gone)
    for got in (
        one.post("/api/jobs", json={"model": "plaque", "study": study}),
        upload(one, ("b.png", picture)),
        one.post("/api/jobs", json={"model": "plaque", "study": study}),
    ):
        assert got.status_code == 503 and got.headers["Retry-After"] == "5", got.text
    assert one.get("/health").status_code == 200
    assert one.get("/ready").json()["why"] in ("the queue cannot be reached", "a device is not worked on")
    assert service.unready is not None and queue.away
    unit.folder.mkdir()
    (unit.folder / "answer.json").write_text("kept")
    telling = threading.Thread(
        target=service.jobs.add_answer,
        args=(unit, {"case": "c1"}, {"answer.json": unit.folder / "answer.json"}),
    )
    telling.start()
    time.sleep(0.3)
    assert telling.is_alive() and other.get(f"/api/jobs/{job}").json()["status"] == "running"
    monkeypatch.setattr(queue._base, "transaction", real[0])
    monkeypatch.setattr(queue._own, "transaction", real[1])
    telling.join(60)
    told = serving(other).jobs.get(job, LOCAL)
    assert told.status == "done" and told.files["c1"]["answer.json"].read_text() == "kept" and not queue.away


def test_a_killed_one_leaves_nothing_of_half_an_upload(two: tuple[TestClient, TestClient]) -> None:
    one, other = (serving(client) for client in two)
    held = one.studies.folder(LOCAL)
    _, folder = held.__enter__()
    (folder / "half").write_bytes(b"PLANTED")
    apart = one.apart
    _kill(one)
    _bury(other, one)
    other.studies.sweep()
    assert not folder.exists() and not apart.exists() and other.apart.exists()


def test_all_go_on_where_one_stops(
    clients: Clients, models: Catalogue, shared: Shared, picture: bytes
) -> None:
    one = clients(shared=shared)
    idle(one)
    study = upload(one, ("a.png", picture)).json()["study"]
    job = one.post("/api/jobs", json={"model": "plaque", "study": study}).json()["job"]
    serving(one).jobs._claim()  # type: ignore[attr-defined]
    clients.close()
    after = clients(shared=shared)
    told = ended(after, after.get(f"/api/jobs/{job}").json())
    assert told["status"] == "done" and len(told["answers"]) == 1


def test_what_is_old_goes_once(two: tuple[TestClient, TestClient], picture: bytes) -> None:
    one, other = (serving(client) for client in two)
    upload(two[0], ("a.png", picture))
    for service in (one, other):
        with service.sharing.queue.transaction() as execute:  # type: ignore[union-attr]
            execute("UPDATE studies SET created_s = 0")
        service.sharing.queue.beat()  # type: ignore[union-attr]
    gone = [service.studies.expire(time.time()) for service in (one, other)]
    assert sorted(map(len, gone)) == [0, 1]


def test_what_does_not_belong_together_is_refused(tmp_path: Path, shared: Shared, models: Catalogue) -> None:
    first = Service(models, audit=tmp_path / "one.jsonl", shared=shared)
    elsewhere = Shared(shared.where, tmp_path / "elsewhere")
    with pytest.raises(OutputError, match="the folder that its other processes share"):
        Service(models, audit=tmp_path / "two.jsonl", shared=elsewhere)
    with pytest.raises(OutputError, match="files of another queue"):
        Service(models, audit=tmp_path / "three.jsonl", shared=Shared(tmp_path / "new.db", shared.folder))
    with pytest.raises(UnsafeError, match="--edits is kept by one process"):
        Service(models, audit=tmp_path / "four.jsonl", shared=shared, edits=tmp_path / "edits")
    first.stop()


def test_a_node_s_queue_is_none_of_a_service(tmp_path: Path) -> None:
    from vesalius.serve.node.queue import Queue

    Queue(tmp_path / "queue.db").close()
    with pytest.raises(OutputError, match="a queue of another sort"):
        SharedQueue(tmp_path / "queue.db", {})


def test_a_job_that_nobody_can_answer_any_more_fails_with_that_reason(
    clients: Clients, shared: Shared, picture: bytes
) -> None:
    client = clients(shared=shared)
    idle(client)
    service = serving(client)
    study = upload(client, ("a.png", picture)).json()["study"]
    jobs = [
        client.post("/api/jobs", json={"model": "plaque", "study": study}).json()["job"] for _ in range(2)
    ]
    assert service.sharing is not None
    queue = service.sharing.queue
    with queue.transaction() as execute:  # the other one is of a bundle that was served once
        execute("UPDATE jobs SET served = 'plaque 0000' WHERE id = ?", (jobs[0],))
        assert claims.forsaken(execute, queue.now, 60.0) == []
        assert claims.forsaken(execute, queue.now, 0.0) == [jobs[0]]
    told = client.get(f"/api/jobs/{jobs[0]}").json()
    assert told["status"] == "failed" and "no service process serves" in told["error"]["error"]
    assert client.get(f"/api/jobs/{jobs[1]}").json()["status"] == "queued"
    (unit,) = service.jobs._claim()  # type: ignore[attr-defined]
    assert unit.job.id == jobs[1]


def test_the_oldest_ended_job_makes_room(clients: Clients, shared: Shared, picture: bytes) -> None:
    client = clients(shared=shared, jobs=1)
    idle(client)
    study = upload(client, ("a.png", picture)).json()["study"]
    asked = {"model": "plaque", "study": study}
    first = client.post("/api/jobs", json=asked).json()["job"]
    got = client.post("/api/jobs", json=asked)
    assert got.status_code == 503 and got.json()["error"] == "too many jobs"
    client.delete(f"/api/jobs/{first}")
    second = client.post("/api/jobs", json=asked).json()["job"]
    assert [j["job"] for j in client.get("/api/jobs").json()] == [second]
    assert [p.name for p in (serving(client).root / "jobs").iterdir()] == [second]


def test_queue_and_folder_are_named_together(tmp_path: Path) -> None:
    said = CliRunner().invoke(app, ["serve", "bundle", "--queue", str(tmp_path / "queue.db")])
    assert isinstance(said.exception, VesaliusError) and "--workdir FOLDER is missing" in str(said.exception)
    words = ["--queue", "x.db", "--workdir", str(tmp_path / "w"), "--annotate", str(tmp_path)]
    said = CliRunner().invoke(app, ["serve", "bundle", *words])
    assert isinstance(said.exception, UnsafeError) and not (tmp_path / "w").exists()
