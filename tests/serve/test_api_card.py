"""A served model's card: one page under a policy that lets it ask for nothing; for those alone who may call."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from _bundles import scored, segmenter
from fastapi.testclient import TestClient
from test_api_measured import CARD

from vesalius.core import page
from vesalius.serve.http.api import create_app
from vesalius.serve.http.catalogue import Catalogue
from vesalius.serve.http.keys import make
from vesalius.serve.http.service import Service


def client(tmp_path: Path, **how: Any) -> TestClient:
    threads = torch.get_num_threads()
    bundle = scored(segmenter(tmp_path / "organs"), CARD)
    catalogue = Catalogue([bundle.path], ["cpu"])
    torch.set_num_threads(threads)
    service = Service(catalogue, audit=tmp_path / "audit.jsonl", temporary=tmp_path, **how)
    return TestClient(create_app(service), base_url="http://127.0.0.1")


def test_the_card_is_a_page_that_may_ask_for_nothing(tmp_path: Path) -> None:
    with client(tmp_path) as service:
        answer = service.get("/api/models/organs/card")
        assert answer.status_code == 200 and answer.headers["content-type"].startswith("text/html")
        assert "Model details" in answer.text and "0.900" in answer.text and "TRIPOD+AI" in answer.text
        policy = answer.headers["content-security-policy"]
        assert policy.startswith(page.policy()) and "sandbox allow-scripts" in policy
        assert "'self'" not in policy and "connect-src" not in policy
        missing = service.get("/api/models/nothing/card")
        assert missing.status_code == 404 and missing.json()["error"]


def test_the_card_is_for_those_who_have_a_key(tmp_path: Path) -> None:
    key = make(tmp_path / "keys.yaml", "ward", "user")
    with client(tmp_path, keys=tmp_path / "keys.yaml") as service:
        assert service.get("/api/models/organs/card").status_code == 401
        told = {"authorization": f"Bearer {key}"}
        assert service.get("/api/models/organs/card", headers=told).status_code == 200
