"""Refused calls stand in the audit log, without keys, paths or anybody's data, and a flood of them stays small."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient
from starlette.websockets import WebSocketDisconnect

from vesalius.serve.http import refusals
from vesalius.serve.http.audit import Audit, verify
from vesalius.serve.http.keys import make
from vesalius.serve.http.refusals import CLIENTS, Refusals


def lines(path: Path, what: str = "refused") -> list[dict[str, Any]]:
    return [x for x in map(json.loads, path.read_text().splitlines()) if x["what"] == what]


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    now = [1000.0]
    monkeypatch.setattr(refusals.time, "monotonic", lambda: now[0])
    return now


def test_the_first_is_written_at_once_and_the_rest_are_counted(tmp_path: Path, clock: list[float]) -> None:
    path = tmp_path / "a.jsonl"
    log = Audit(path)
    told = Refusals(log)
    for _ in range(5000):
        told.add("peer 10.0.0.9", 401, "/api/models")
    told.add("ward-3", 403, "/api/audit")
    assert [(x["who"], x["status"], x["route"]) for x in lines(path)] == [
        ("peer 10.0.0.9", 401, "/api/models"),
        ("ward-3", 403, "/api/audit"),
    ]
    clock[0] += 60
    told.flush()
    assert [(x["who"], x["times"]) for x in lines(path)[2:]] == [("peer 10.0.0.9", 4999)]
    told.add("peer 10.0.0.9", 401, "/api/models")
    told.flush()
    assert len(lines(path)) == 4, "a new minute begins with a line"
    told.add("peer 10.0.0.9", 401, "/api/models")
    told.flush(last=True)
    assert lines(path)[-1]["times"] == 1
    log.close()
    assert verify(path).count == 5


def test_however_many_clients_there_are_the_log_stays_small(tmp_path: Path, clock: list[float]) -> None:
    path = tmp_path / "a.jsonl"
    log = Audit(path)
    told = Refusals(log)
    for minute in range(3):
        for k in range(300):
            for _ in range(2):
                told.add(f"peer 2001:db8::{k:x}", 401, "other")
        clock[0] += 60
    told.flush()
    found = lines(path)
    assert len(found) == 3 * (2 * CLIENTS + 1)
    assert [x["others"] for x in found if "others" in x] == [2 * (300 - CLIENTS)] * 3
    assert path.stat().st_size < 3 * 41 * 400
    counted = sum(x.get("times", x.get("others", 1)) for x in found)
    assert counted == 3 * 600, "none is lost"


def test_a_log_that_cannot_be_written_refuses_all_the_same(tmp_path: Path) -> None:
    log = Audit(tmp_path / "a.jsonl")
    told = Refusals(log)
    log.close()
    told.add("ward-3", 403, "/api/audit")
    told.flush(last=True)


@pytest.fixture
def served(clients: Any, tmp_path: Path) -> tuple[TestClient, Path, dict[str, str]]:
    file = tmp_path / "keys.yaml"
    held = {"alice": make(file, "alice", "user"), "watch": make(file, "watch", "monitor")}
    client: TestClient = clients(keys=file, per_minute=40)
    service: Any = client.app
    return client, service.state.service.audit.path, held


def test_401_403_and_429_are_written_with_who_and_where_and_nothing_else(
    served: tuple[TestClient, Path, dict[str, str]],
) -> None:
    client, path, held = served
    secret = "PLANTED-KEY-OF-DOE-JOHN"
    assert client.get("/api/models", headers={"authorization": f"Bearer {secret}"}).status_code == 401
    assert client.get("/api/studies/PLANTED-DOE?name=PLANTED").status_code == 401
    form = {"files": ("PLANTED-DOE.png", b"x")}
    assert client.post("/api/studies", files=form).status_code == 401
    watch = {"authorization": f"Bearer {held['watch']}"}
    assert client.get("/api/jobs", headers=watch).status_code == 403
    alice = {"authorization": f"Bearer {held['alice']}"}
    codes = [client.get("/api/models", headers=alice).status_code for _ in range(60)]
    assert codes[0] == 200 and codes[-1] == 429
    found = lines(path)
    assert [(x["who"], x["status"], x["route"]) for x in found] == [
        ("peer testclient", 401, "/api/models"),
        ("watch", 403, "/api/jobs"),
        ("alice", 429, "/api/models"),
    ]
    allowed = {"n", "at", "who", "what", "previous", "hash", "status", "route", "times", "others"}
    assert all(set(x) <= allowed for x in found)
    text = path.read_text()
    assert "PLANTED" not in text and not any(key in text for key in held.values())


def test_a_path_that_no_route_has_is_not_written(served: tuple[TestClient, Path, dict[str, str]]) -> None:
    client, path, held = served
    client.post(
        "/api/PLANTED-DOE", content=b"x"
    )  # a body of a stranger is refused before any route is looked for
    assert [x["route"] for x in lines(path)] == ["other"] and "PLANTED" not in path.read_text()


def test_a_cine_that_is_refused_is_written_too(served: tuple[TestClient, Path, dict[str, str]]) -> None:
    client, path, held = served
    with pytest.raises(WebSocketDisconnect), client.websocket_connect("/api/cine") as socket:
        assert "a key is needed" in socket.receive_text()
        socket.receive_text()
    headers = {"authorization": f"Bearer {held['watch']}"}
    with pytest.raises(WebSocketDisconnect), client.websocket_connect("/api/cine", headers=headers) as socket:
        socket.receive_text()
        socket.receive_text()
    assert [(x["who"], x["status"]) for x in lines(path)] == [("peer testclient", 401), ("watch", 403)]


def test_another_sites_request_is_written(clients: Any) -> None:
    client = clients()
    path = client.app.state.service.audit.path
    assert client.get("/api/models", headers={"host": "evil.example"}).status_code == 403
    assert [(x["who"], x["status"]) for x in lines(path)] == [("peer testclient", 403)]
    assert "evil" not in path.read_text()
