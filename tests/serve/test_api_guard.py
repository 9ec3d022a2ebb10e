"""A service with a guard, and a node: what it calls is marked in answers, refused where that is asked for, and told."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from _bundles import classifier, segmenter
from _clients import Clients
from _hooks import Ear, hearing
from starlette.testclient import TestClient
from test_api_unlike import pixels, png

from _normality import normality
from _patience import until
from vesalius.core.bundle import open_bundle
from vesalius.core.errors import PlanError, VesaliusError
from vesalius.core.learned import UNLIKE
from vesalius.serve.http.catalogue import Catalogue
from vesalius.serve.models import open_guards, open_models
from vesalius.serve.node.settings import load
from vesalius.serve.webhook import Address


def answered(client: TestClient, seed: int, **words: str) -> dict[str, Any]:
    job: dict[str, Any] = client.post(
        "/api/predict", files=[("files", ("x.png", png(seed)))], data=words
    ).json()
    until = time.monotonic() + 60
    while job["status"] not in ("done", "failed") and time.monotonic() < until:
        time.sleep(0.02)
        job = client.get(f"/api/jobs/{job['job']}").json()
    return job


def test_what_the_guard_calls_is_marked_or_refused_and_told_of(tmp_path: Path) -> None:
    classifier(tmp_path / "chest")
    normal = normality(tmp_path / "normal", [pixels(k) for k in range(30)])
    threads = torch.get_num_threads()
    models = Catalogue([tmp_path / "chest"], ["cpu"], selftest=False, runtime="torch", guard=normal)
    torch.set_num_threads(threads)
    made = Clients(models, tmp_path / "service")
    with hearing(Ear()) as ear:
        client = made(alarm=Address(ear.url))
        service = client.app.state.service  # type: ignore[attr-defined]
        (usual,) = answered(client, 3)["answers"]
        (strange,) = answered(client, -1)["answers"]
        until(lambda: ear.events() == ["started", "anomaly"])
    assert ear.bodies[1]["facts"]["model"] == "chest"
    assert not usual["outside"] and strange["answer"]["outside"] == strange["outside"]
    assert strange["outside"][0].startswith(f"{UNLIKE}the guard 'normal': score ")
    refused = answered(client, -1, refuse_unlike="true")
    assert refused["status"] == "failed" and "the guard 'normal' learned from" in refused["error"]["error"]
    start = json.loads(service.audit.path.read_text(encoding="utf-8").splitlines()[0])
    assert open_bundle(normal).hash[:16] in json.dumps(start)
    made.close()


def test_a_guard_that_cannot_look_at_what_is_served_ends_the_start(tmp_path: Path) -> None:
    classifier(tmp_path / "chest")
    with pytest.raises(PlanError, match="guards no other one"):
        open_guards(tmp_path / "chest", ["cpu"], selftest=False, runtime="torch")
    segmenter(tmp_path / "organs")
    normal = normality(tmp_path / "normal", [np.asarray(pixels(k)) for k in range(6)], image="view")
    threads = torch.get_num_threads()
    with pytest.raises(VesaliusError, match="is not asked about"):
        open_models(
            {"organs": tmp_path / "organs"},
            devices=["cpu"],
            selftest=False,
            runtime="torch",
            guards=open_guards(normal, ["cpu"], selftest=False, runtime="torch"),
        )
    torch.set_num_threads(threads)


def test_a_nodes_guard_is_a_path_beside_its_settings(tmp_path: Path) -> None:
    path = tmp_path / "node.yaml"
    there = "destinations: {out: {host: 127.0.0.1, port: 11113, aet: PACS}}"
    path.write_text(f"port: 0\nguard: runs/normal\n{there}\nrules: [{{bundle: chest, destination: out}}]\n")
    assert load(path).guard == tmp_path / "runs" / "normal"
