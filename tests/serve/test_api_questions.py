"""Questions over HTTP: answered from what an answer states; a language model is asked where the service has one."""

from __future__ import annotations

import io
import json
import time
from collections.abc import Iterator
from typing import Any

import pytest
from _bundles import classifier
from _clients import Clients
from PIL import Image as Pil
from tests.adjunct.test_chat_server import completion, says, serving

from vesalius.adjunct.server import ChatServer
from vesalius.serve.http.catalogue import Catalogue


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    folder = tmp_path_factory.mktemp("asked")
    classifier(folder / "lesions")
    clients = Clients(Catalogue([folder / "lesions"], ["cpu"]), folder)
    yield clients()
    clients.close()


@pytest.fixture(scope="module")
def place(client: Any) -> str:
    """Where the questions about an answer are asked."""
    data = io.BytesIO()
    Pil.new("L", (32, 32), 90).save(data, "png")
    made = client.post("/api/studies", files=[("files", ("one.png", data.getvalue()))]).json()
    job = client.post("/api/jobs", json={"study": made["study"], "kind": "predict"}).json()["job"]
    while client.get(f"/api/jobs/{job}").json()["status"] in ("queued", "running"):
        time.sleep(0.02)
    return f"/api/jobs/{job}/cases/{made['cases'][0]['case']}/questions"


def test_a_question_is_answered_and_what_is_not_stated_cannot_be_told(client: Any, place: str) -> None:
    found = client.post(place, json={"question": "What do you see?"}).json()
    assert found["adjunct"] is None and found["replies"][0]["kind"] == "all"
    (reply,) = client.post(place, json={"question": "Is there a fracture?"}).json()["replies"]
    assert reply["says"] == "cannot tell" and reply["told"] is False
    assert client.post(place, json={"question": ""}).status_code == 422
    assert client.post(place, json={"question": "x?", "sure": 2}).status_code == 422
    assert client.post(place.replace("/cases/", "/cases/x"), json={"question": "x?"}).status_code == 404


def test_a_language_model_is_asked_where_the_service_has_one(client: Any, place: str) -> None:
    asked = {"question": "What do you see?", "adjunct": True}
    refused = client.post(place, json=asked)
    assert refused.status_code == 422 and "--llm" in refused.text
    service = client.app.state.service
    try:
        with serving(says(completion("Eat well."))) as (url, seen):
            assert client.get("/api/adjunct").json() == {"server": None}
            service.llm = ChatServer(url)
            assert client.get("/api/adjunct").json()["server"] in url
            found = client.post(place, json=asked).json()["adjunct"]
        assert found["text"] == "Eat well." and found["sentences"][0]["supported"] is None
        assert "one.png" not in json.dumps(seen) and found["sent"].startswith("Findings: ")
        with serving(says("no", status=500)) as (url, _):
            service.llm = ChatServer(url)
            failed = client.post(place, json=asked)
        assert failed.status_code == 200 and failed.json()["adjunct"] is None and failed.json()["replies"]
        assert "stands without it" in failed.json()["silent"]
    finally:
        service.llm = None
    assert any('"adjunct"' in line for line in service.audit.path.read_text().splitlines())
