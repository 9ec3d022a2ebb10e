"""What is known of a patient beside the images comes with a request; a model that needs more says what."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from _bundles import NAMES, sealed
from _clients import Clients

from vesalius.core.bundle import State
from vesalius.infer.predictor import Predictor
from vesalius.serve.http.catalogue import Catalogue


@pytest.fixture
def client(tmp_path: Path) -> Iterator[Any]:
    """A service of one model that needs an age."""
    values = {
        "target": "class",
        "kind": "exclusive",
        "share": [0.5, 0.5],
        "labels": [{"value": k, "name": n} for k, n in enumerate(NAMES)],
        "covariates": {"age": {"mean": 60.0, "sd": 10.0}},
    }
    sealed(tmp_path / "aged", "classify", "resnet-10", State(values), {}, dims=2, size=(1, 32, 32))
    clients = Clients(Catalogue([tmp_path / "aged"], ["cpu"]), tmp_path)
    yield clients()
    clients.close()


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    own = Predictor.__call__

    def call(self: Predictor, case: Any, **more: Any) -> Any:
        found.append(dict(case.covariates))
        return own(self, case, **more)

    monkeypatch.setattr(Predictor, "__call__", call)
    return found


def test_a_job_brings_covariates_and_without_one_that_is_needed_it_is_refused(
    client: Any, picture: bytes, seen: list[dict[str, Any]]
) -> None:
    assert client.get("/api/models").json()[0]["covariates"] == ["age"]
    study = client.post("/api/studies", files={"files": ("x.png", picture)}).json()["study"]
    refused = client.post("/api/jobs", json={"study": study, "covariates": {"sex": "F"}})
    assert refused.status_code == 422
    assert refused.json()["error"] == "the model 'aged' needs the covariate 'age'"
    assert refused.json()["found"] == "sex" and '"age"' in refused.json()["hint"]
    job = client.post("/api/jobs", json={"study": study, "covariates": {"age": 61, "sex": "F"}}).json()
    while (job := client.get(f"/api/jobs/{job['job']}").json())["status"] not in ("done", "failed"):
        pass
    assert job["status"] == "done" and seen == [{"age": 61, "sex": "F"}]


@pytest.mark.parametrize("wrong", [{"age": [61]}, {"age": None}, {"age": "x" * 65}, ["age"]])
def test_what_is_no_covariate_is_refused(client: Any, picture: bytes, wrong: Any) -> None:
    study = client.post("/api/studies", files={"files": ("x.png", picture)}).json()["study"]
    assert client.post("/api/jobs", json={"study": study, "covariates": wrong}).status_code == 422
    form = {"covariates": json.dumps(wrong)}
    said = client.post("/api/predict", files={"files": ("x.png", picture)}, data=form)
    assert said.status_code == 422 and "JSON object" in said.json()["error"]


def test_in_one_call_they_come_as_a_field(client: Any, picture: bytes, seen: list[dict[str, Any]]) -> None:
    form = {"covariates": '{"age": 61.5}'}
    job = client.post("/api/predict", files={"files": ("x.png", picture)}, data=form).json()
    assert job["status"] == "done" and seen == [{"age": 61.5}]
    assert client.post("/api/predict", files={"files": ("x.png", picture)}).status_code == 422


def test_monai_labels_parameters_bring_covariates(
    client: Any, picture: bytes, seen: list[dict[str, Any]]
) -> None:
    file = {"file": ("x.png", picture)}
    lacking = client.post("/infer/aged?output=json", files=file)
    assert lacking.status_code == 422 and "needs the covariate 'age'" in lacking.text
    form = {"params": json.dumps({"covariates": {"age": 61}, "device": "cuda"})}
    assert client.post("/infer/aged?output=json", files=file, data=form).status_code == 200
    assert seen == [{"age": 61}]
    wrong = {"params": json.dumps({"covariates": [61]})}
    assert client.post("/infer/aged?output=json", files=file, data=wrong).status_code == 422


@pytest.fixture
def table(tmp_path: Path) -> Iterator[Any]:
    """A service of one model of a table and of one that looks at pictures."""
    age = {
        "age": {"mean": 60.0, "sd": 10.0, "low": 40.0, "high": 80.0, "missing": 0},
        "sex": {"values": ["F", "M"], "missing": 3},
    }
    values = {
        "target": "mmse",
        "unit": "",
        "mean": 20.0,
        "sd": 4.0,
        "low": 1.0,
        "high": 30.0,
        "covariates": age,
    }
    numbers = State({**values, "bare": True})
    sealed(tmp_path / "rows", "regress", "mlp", numbers, {}, dims=2, size=(1, 1, 1), imageless=True)
    clients = Clients(Catalogue([tmp_path / "rows"], ["cpu"]), tmp_path)
    yield clients()
    clients.close()


def test_a_model_of_a_table_is_asked_without_a_file_and_refuses_an_image(table: Any, picture: bytes) -> None:
    about = table.get("/api/models").json()[0]
    assert about["imageless"] and about["explainers"] == ["columns"]
    assert about["columns"] == [
        {"name": "age", "needed": True, "values": None, "low": 40.0, "high": 80.0},
        {"name": "sex", "needed": False, "values": ["F", "M"], "low": None, "high": None},
    ]
    job = table.post("/api/predict", files={"covariates": (None, '{"age": 91, "sex": "F"}')})
    said = job.json()
    assert (
        job.status_code == 200 and said["status"] == "done" and said["covariates"] == {"age": 91, "sex": "F"}
    )
    (answer,) = said["answers"]
    assert answer["kind"] == "Value" and set(answer["files"]) == {"answer.json"}
    assert answer["outside"] == ["age 91, learned from 40 to 80"]
    case = f"/api/studies/{said['study']}/cases/c1"
    assert (
        table.get(f"{case}/image.nii.gz").status_code == table.get(f"{case}/preview.png").status_code == 404
    )
    why = table.post(
        "/api/jobs", json={"study": said["study"], "kind": "explain", "covariates": {"age": 75, "sex": "M"}}
    )
    while (done := table.get(f"/api/jobs/{why.json()['job']}").json())["status"] not in ("done", "failed"):
        pass
    assert done["status"] == "done" or "is not shown" in done["error"]["error"]
    refused = table.post("/api/predict", files={"covariates": (None, '{"sex": "F"}')})
    assert refused.status_code == 422 and "'age'" in refused.json()["error"]
    seen = table.post(
        "/api/predict", files={"files": ("x.png", picture), "covariates": (None, '{"age": 61}')}
    )
    assert seen.status_code == 422 and "looks at no image" in seen.json()["error"]


def test_a_model_of_images_is_not_asked_without_one(client: Any) -> None:
    refused = client.post("/api/predict", files={"covariates": (None, '{"age": 61}')})
    assert refused.status_code == 422 and refused.json()["error"] == "no file in the field 'files'"
    columns = client.get("/api/models").json()[0]["columns"]
    assert columns == [{"name": "age", "needed": True, "values": None, "low": None, "high": None}]
