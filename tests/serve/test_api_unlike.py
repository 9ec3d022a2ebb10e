"""Strange images in what listens: marked, refused where a request, the service or a rule says so; never mixed up."""

from __future__ import annotations

import io
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from _bundles import classifier
from _clients import Clients
from PIL import Image as Pictures
from starlette.testclient import TestClient

from vesalius.core.bundle import save_bundle
from vesalius.core.case import Case
from vesalius.core.errors import MismatchError
from vesalius.core.image import Image
from vesalius.infer.alarm import RECORD, UNLIKE, fitted, gathered
from vesalius.infer.drift import DRIFT, referenced
from vesalius.infer.predictor import Predictor
from vesalius.infer.runs.contract import Members
from vesalius.serve.http.catalogue import Catalogue
from vesalius.serve.http.cine_frames import Frame, Told
from vesalius.serve.http.cine_session import CineSession
from vesalius.serve.models import open_model
from vesalius.serve.node.answering import SeriesAnswers, SeriesModel
from vesalius.serve.node.faults import message_of
from vesalius.serve.node.routing import Rule


def pixels(seed: int) -> np.ndarray:
    if seed < 0:  # strange: stripes
        return np.repeat(np.where(np.arange(32) % 2, 255, 0).astype(np.uint8)[:, None], 32, axis=1)
    return np.random.default_rng(seed).integers(60, 190, (32, 32), dtype=np.uint8)


def png(seed: int) -> bytes:
    file = io.BytesIO()
    Pictures.fromarray(pixels(seed)).save(file, "png")
    return file.getvalue()


@pytest.fixture(scope="module")
def chest(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A classifier with an alarm that follows from noise."""
    path = tmp_path_factory.mktemp("unlike") / "chest"
    bundle = classifier(path)
    predictor = Predictor(bundle, device="cpu")
    (loaded,) = predictor.stages
    made = [Case(f"c{k}", {"image": Image(pixels(k)[None, None])}) for k in range(45)]
    members = Members(loaded.task, loaded.models, loaded.stage.plan, predictor.device)
    seen = gathered(members, [predictor.encoded(c).example for c in made])
    alarm = fitted("mahalanobis", seen[:25], seen[25:], member=bundle.stages[0].members[0])
    drift = referenced(alarm, seen[:25], seen[25:])
    alarm = replace(alarm, threshold=alarm.threshold + 20)  # so few cases make it low
    stage = replace(bundle.stages[0], extras={RECORD: alarm.state(), DRIFT: drift.state()})
    save_bundle(path, (stage,), data_hash=bundle.data_hash, made_by=bundle.made_by)
    return path


@pytest.fixture(scope="module")
def asked(chest: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    threads = torch.get_num_threads()
    models = Catalogue([chest], ["cpu"])
    torch.set_num_threads(threads)
    made = Clients(models, tmp_path_factory.mktemp("service"))
    yield made()
    made.close()


def answered(client: TestClient, seed: int, **words: str) -> dict[str, Any]:
    files = [("files", ("x.png", png(seed)))]
    job: dict[str, Any] = client.post("/api/predict", files=files, data=words).json()
    until = time.monotonic() + 60
    while job["status"] not in ("done", "failed") and time.monotonic() < until:
        time.sleep(0.02)
        job = client.get(f"/api/jobs/{job['job']}").json()
    return job


def test_a_strange_picture_is_marked_and_refused_where_a_request_says_so(asked: TestClient) -> None:
    (row,) = answered(asked, -1)["answers"]
    assert [t.startswith(UNLIKE) for t in row["outside"]] == [True] and row["outside"] == row["answer"][
        "outside"
    ]
    refused = answered(asked, -1, refuse_unlike="true")
    assert refused["status"] == "failed" and "unlike the cases that the bundle" in refused["error"]["error"]
    assert "which 4.8 % of such cases exceed" in refused["error"]["found"]
    usual = answered(asked, 900, refuse_unlike="true")
    assert usual["status"] == "done" and not usual["answers"][0]["outside"]
    study = asked.post("/api/studies", files=[("files", ("x.png", png(-1)))]).json()["study"]
    job = asked.post("/api/jobs", json={"study": study, "refuse_unlike": True}).json()
    until = time.monotonic() + 60
    while job["status"] not in ("done", "failed") and time.monotonic() < until:
        time.sleep(0.02)
        job = asked.get(f"/api/jobs/{job['job']}").json()
    assert job["status"] == "failed" and "above the" in job["error"]["found"]


def test_a_service_that_refuses_does_so_whatever_a_request_says(
    chest: Path, tmp_path: Path, asked: TestClient
) -> None:
    threads = torch.get_num_threads()
    made = Clients(Catalogue([chest], ["cpu"], refuse_unlike=True), tmp_path)
    torch.set_num_threads(threads)
    assert answered(made(), -1)["status"] == "failed"
    made.close()


def test_two_threads_that_ask_one_model_at_a_time_do_not_mix_features(chest: Path) -> None:
    predictor = open_model("chest", chest, devices=["cpu"]).predictor()
    alarm = predictor.alarm
    assert alarm is not None
    made = [Case(f"c{k}", {"image": Image(pixels(k)[None, None])}) for k in (-1, *range(500, 507))]
    loud = replace(alarm, threshold=-1.0)  # every case is marked, with its score
    predictor.stages = (replace(predictor.stages[0], alarm=loud),)
    alone = [predictor(c).outside for c in made]
    assert all(a is not None and a[0].startswith(UNLIKE) for a in alone) and len(set(alone)) == len(made)
    with ThreadPoolExecutor(4) as pool:
        for _ in range(3):
            assert [a.outside for a in pool.map(predictor, made)] == alone


def test_a_node_refuses_by_its_rule_and_says_why_in_its_words(chest: Path) -> None:
    predictor = open_model("chest", chest, devices=["cpu"]).predictor(refuse_unlike=True)
    with pytest.raises(MismatchError) as refused:
        predictor(Case("odd", {"image": Image(pixels(-1)[None, None])}))
    said = message_of(refused.value)
    assert said.endswith("; try: no refuse_unlike in the rule") and "unlike the cases that" in said
    asked_how: list[str] = []

    def told(how: str) -> SeriesAnswers:
        asked_how.append(how)
        return SeriesAnswers(())

    model = SeriesModel(
        "h",
        lambda _: told("plain"),
        lambda _: told("accepting"),
        lambda _, accept: told(f"refusing, {accept}"),
    )
    for accept, refuse in ((False, False), (True, False), (False, True), (True, True)):
        rule = Rule(bundle="b", destination="d", accept_mismatch=accept, refuse_unlike=refuse)
        model.answer_by(rule)(Path("nowhere"))
    assert asked_how == ["plain", "accepting", "refusing, False", "refusing, True"]


def test_studies_that_drift_are_told_by_the_service_and_its_figures(chest: Path, tmp_path: Path) -> None:
    threads = torch.get_num_threads()
    made = Clients(Catalogue([chest], ["cpu"]), tmp_path)
    torch.set_num_threads(threads)
    client = made()
    (before,) = client.get("/api/models").json()
    assert before["drift"]["known"] and before["drift"]["cases"] == 0 and before["banners"] == []
    assert before["drift"]["reference"] == 20 and "no case was held" in before["drift"]["sentence"]
    following = made.models.get("chest").drifting
    predictor = made.models.get("chest").predictor()
    predictor.together([Case(f"s{k}", {"image": Image(pixels(-1)[None, None])}) for k in range(40)])
    assert answered(client, 901)["status"] == "done"
    (after,) = client.get("/api/models").json()
    assert after["drift"]["cases"] == 41 == following.report().cases and after["drift"]["drifted"]
    (banner,) = after["banners"]
    assert banner["kind"] == "drift" and "41 cases differ from what the bundle learned from" in banner["text"]
    text = client.get("/metrics").text
    assert 'vesalius_drift_known{model="chest"} 1.0' in text
    told = {f["name"]: f["drifted"] for f in after["drift"]["features"]}
    assert any(told.values())
    for name, drifted in told.items():
        assert f'vesalius_drift{{feature="{name}",model="chest"}} {float(drifted)}' in text
    made.close()


def test_each_upload_counts_as_a_case_of_drift(chest: Path, tmp_path: Path) -> None:
    threads = torch.get_num_threads()
    made = Clients(Catalogue([chest], ["cpu"]), tmp_path)
    torch.set_num_threads(threads)
    client = made()
    found = [answered(client, 910 + k) for k in range(3)]
    assert [job["answers"][0]["case"] for job in found] == ["c1"] * 3
    assert made.models.get("chest").drifting.report().cases == 3
    files = [("files", (f"{k}.png", png(920 + k))) for k in range(3)]
    study = client.post("/api/studies", files=files).json()["study"]  # cases that are answered together
    job = client.post("/api/jobs", json={"study": study}).json()
    until = time.monotonic() + 60
    while job["status"] not in ("done", "failed") and time.monotonic() < until:
        time.sleep(0.02)
        job = client.get(f"/api/jobs/{job['job']}").json()
    assert job["status"] == "done" and sorted(one["case"] for one in job["answers"]) == ["c1", "c2", "c3"]
    assert made.models.get("chest").drifting.report().cases == 6
    made.close()


def test_frames_of_a_live_cine_count_in_no_drift(chest: Path) -> None:
    model = open_model("chest", chest, devices=["cpu"], selftest=False)
    cine = CineSession(model.predictor())
    for k in range(3):
        cine.step(Frame(k, b"", 0.1 * k, Told(time_s=0.1 * k), None), Image(pixels(930 + k)[None, None]))
    assert model.drifting.report().cases == 0
