"""Advice over HTTP: a page and a summary beside the answer, and a job that fails where nothing can be said."""

from __future__ import annotations

import io
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from _bundles import classifier
from _clients import Clients
from PIL import Image as Pil
from tests.benefit._treated import person
from tests.run._advised import about, predictor

from vesalius.serve.http.catalogue import Catalogue


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A service of one classifier of pictures, which nobody trained."""
    folder = tmp_path_factory.mktemp("advised")
    classifier(folder / "lesions")
    clients = Clients(Catalogue([folder / "lesions"], ["cpu"]), folder)
    yield clients()
    clients.close()


@pytest.fixture(scope="module")
def study(client: Any) -> dict[str, str]:
    data = io.BytesIO()
    Pil.new("L", (32, 32), 90).save(data, "png")
    made = client.post("/api/studies", files=[("files", ("one.png", data.getvalue()))]).json()
    return {"study": made["study"], "case": made["cases"][0]["case"]}


def ended(client: Any, study: dict[str, str]) -> Any:
    made = client.post("/api/jobs", json={**study, "kind": "advise"})
    assert made.status_code == 202, made.text
    while (job := client.get(f"/api/jobs/{made.json()['job']}").json())["status"] in ("queued", "running"):
        time.sleep(0.02)
    return job


def test_a_model_without_treatments_is_refused_with_the_reason(client: Any, study: dict[str, str]) -> None:
    job = ended(client, study)
    assert job["status"] == "failed" and job["kind"] == "advise"
    assert "one treatment alone" in str(job["error"])


def test_a_page_and_what_it_says_lie_beside_the_answer(
    client: Any, study: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = about(predictor(tmp_path), person(60))
    monkeypatch.setattr("vesalius.serve.http.advising.about", lambda *_: known)
    job = ended(client, study)
    assert job["status"] == "done", job
    (answer,) = job["answers"]
    assert answer["summary"]["advice"]["gains"][0]["arm"] == "drug"
    text = client.get(answer["files"]["advice.html"]).text
    assert "For research" in text and "What argues against believing it" in text


def test_advice_is_about_one_case_and_has_no_doubt(client: Any, study: dict[str, str]) -> None:
    whole = {"study": study["study"], "kind": "advise"}
    assert client.post("/api/jobs", json=whole).status_code == 422
    doubt = {**study, "kind": "advise", "doubt": "members"}
    assert client.post("/api/jobs", json=doubt).status_code == 422
