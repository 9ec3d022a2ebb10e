"""Cases like an uploaded one over HTTP: who sees of the indexed cases what, and what is opened."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image as Picture
from starlette.testclient import TestClient

import vesalius as vs
from vesalius.serve.http.keys import make
from vesalius.serve.http.service import Service
from vesalius.serve.http.similar import SimilarCases

NAMES = [f"PATIENT-{k}" for k in range(6)]


@pytest.fixture(scope="module")
def films(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("films")
    rng = np.random.default_rng(0)
    rows = ["case,patient,image,sex,class"]
    for k, name in enumerate(NAMES):
        Picture.fromarray(rng.integers(0, 255, (40, 48), dtype=np.uint8)).save(root / f"{name}.png")
        rows.append(f"{name},{name},{name}.png,{'FM'[k % 2]},{('healthy', 'lesion')[k % 2]}")
    (root / "cohort.csv").write_text("\n".join(rows) + "\n")
    return root


@pytest.fixture(scope="module")
def index(bundles: dict[str, Path], films: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("indexes") / "index"
    vs.index(bundles["chest"], films / "cohort.csv", out, progress=False)
    return out


def asked(client: TestClient, films: Path, headers: dict[str, str], **params: Any) -> Any:
    """What the service says of the first film, uploaded."""
    file = (films / "PATIENT-0.png").read_bytes()
    study = client.post("/api/studies", files={"files": ("x.png", file)}, headers=headers).json()
    case = study["cases"][0]["case"]
    path = f"/api/studies/{study['study']}/cases/{case}/similar"
    return client.get(path, params=params, headers=headers)


@pytest.fixture
def serve(clients: Any, index: Path, films: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    def started(**told: Any) -> TestClient:
        keys = told.pop("keys", None)
        held = SimilarCases(index, device="cpu", **{"images": films, **told})
        real = Service.__init__
        monkeypatch.setattr(Service, "__init__", lambda self, *a, **k: real(self, *a, **k, similar=held))
        found: TestClient = clients(keys=keys)
        monkeypatch.undo()
        return found

    return started


def test_cases_come_with_pictures_and_open_as_studies(serve: Any, films: Path) -> None:
    client = serve()
    assert client.get("/api/similar").json()["index"]["cases"] == 6
    body = asked(client, films, {}).json()
    assert [r["rank"] for r in body["found"]] == [1, 2, 3, 4, 5] and body["left_out"] == 1  # itself
    assert {r["case"] for r in body["found"]} == set(NAMES[1:]) and body["search"]["way"] == "exact"
    first = body["found"][0]
    picture = client.get(first["picture"])
    assert picture.headers["content-type"] == "image/png"
    wide, high = Picture.open(io.BytesIO(picture.content)).size
    assert wide * 40 == high * 48
    opened = client.post(first["open"])
    assert opened.status_code == 201 and opened.json()["cases"][0]["name"] == first["case"]
    own = asked(client, films, {}, where=["sex=F"], count=10).json()
    assert {r["case"] for r in own["found"]} == {"PATIENT-2", "PATIENT-4"} and own["left_out"] == 1
    for where in ("weight=3", "sex", "sex=X"):
        assert asked(client, films, {}, where=[where]).status_code == 422


def test_a_job_finds_the_same_and_its_files_are_still_there(serve: Any, films: Path) -> None:
    client = serve()
    file = (films / "PATIENT-0.png").read_bytes()
    job = client.post("/api/predict", files={"files": ("x.png", file)}, data={"model": "chest"}).json()
    case = job["answers"][0]["case"]
    body = client.get(f"/api/jobs/{job['job']}/cases/{case}/similar", params={"count": 2}).json()
    assert len(body["found"]) == 2
    assert client.get(f"/api/jobs/{job['job']}/cases/{case}/answer.json").status_code == 200
    assert client.get(f"/api/jobs/{job['job']}/cases/nobody/similar").status_code == 404


def test_others_patients_are_seen_by_the_key_that_may(serve: Any, films: Path, tmp_path: Path) -> None:
    file = tmp_path / "keys.yaml"
    keys = {name: {"authorization": f"Bearer {make(file, name, name)}"} for name in ("user", "admin")}  # type: ignore[arg-type]
    client = serve(keys=file)
    assert client.get("/api/similar").status_code == 401
    body = asked(client, films, keys["user"])
    assert "PATIENT-1" not in body.text and body.json()["hidden"]
    rows = body.json()["found"]
    assert len(rows) == 5 and all(r["case"] is r["picture"] is r["open"] is None for r in rows)
    assert {r["target"] for r in rows} == {"healthy", "lesion"}
    few = asked(
        client, films, keys["user"], where=["sex=F"]
    )  # three cases: narrower ones pick out one patient
    assert few.status_code == 403 and "fewer than 5" in few.json()["error"]
    strange = asked(client, films, keys["user"], where=["sex=X"])
    assert strange.status_code == 422 and strange.json()["found"] is None, "values are other patients'"
    assert asked(client, films, keys["user"], where=["sex=F,M"]).status_code == 200
    assert asked(client, films, keys["admin"], where=["sex=F"]).status_code == 200
    for path in ("/api/similar/1/picture.png", "/api/similar/1/study"):
        call = client.post if path.endswith("study") else client.get
        assert call(path, headers=keys["user"]).status_code == 403
        assert call(path, headers=keys["admin"]).status_code in (200, 201)
    lines = client.app.state.service.audit.path.read_text().splitlines()  # type: ignore[attr-defined]
    opened = [line for line in map(json.loads, lines) if line["what"] == "open-similar"]
    assert [(line["who"], line["place"]) for line in opened] == [("admin", 1)]
    assert serve(keys=file, role="user").get("/api/similar", headers=keys["user"]).json()["hidden"] is None


def test_images_outside_of_the_folder_are_not_read(serve: Any, films: Path, tmp_path: Path) -> None:
    bare = serve(images=None)
    body = asked(bare, films, {}).json()
    assert "no folder" in body["hidden"] and body["found"][0]["case"] and body["found"][0]["picture"] is None
    assert bare.get("/api/similar/1/picture.png").status_code == 403
    elsewhere = serve(images=tmp_path)
    assert asked(elsewhere, films, {}).json()["found"][0]["picture"] is None
    assert elsewhere.get("/api/similar/1/picture.png").status_code == 404
    assert elsewhere.post("/api/similar/1/study").status_code == 404
    assert serve().get("/api/similar/6/picture.png").status_code == 404


def test_a_file_that_shows_another_patient_by_now_is_not_shown(serve: Any, films: Path) -> None:
    client = serve()
    path = films / "PATIENT-5.png"
    before = path.read_bytes()
    try:
        path.write_bytes((films / "PATIENT-4.png").read_bytes())
        assert client.get("/api/similar/5/picture.png").status_code == 404
        assert client.post("/api/similar/5/study").status_code == 404
    finally:
        path.write_bytes(before)
    assert client.get("/api/similar/5/picture.png").status_code == 200


def test_a_service_without_an_index_says_so(client: TestClient, films: Path) -> None:
    assert client.get("/api/similar").json() == {"index": None, "hidden": None}
    assert asked(client, films, {}).status_code == 403
