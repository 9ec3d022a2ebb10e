"""Doubt over HTTP: asked for with a job, said in its summary; what cannot be is refused at once."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from _bundles import classifier, segmenter
from _clients import Clients
from safetensors.numpy import load_file, save_file

from vesalius.core.bundle import save_bundle
from vesalius.core.plan import override
from vesalius.serve.http.catalogue import Catalogue
from vesalius.serve.http.job import Doubts
from vesalius.serve.http.keys import LOCAL
from vesalius.serve.http.service import Service


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """Two services' models: an ensemble of two with dropout, and a segmenter of pictures that may be mirrored."""
    tmp_path = tmp_path_factory.mktemp("doubted")
    one = classifier(tmp_path / "pair")
    weights = load_file(one.path / "weights-0-0.safetensors")
    save_file(
        {name: np.asarray(array * 1.1) for name, array in weights.items()},
        one.path / "weights-0-1.safetensors",
    )
    (stage,) = one.stages
    plan = override(stage.plan, {"net.dropout": 0.5})
    names = (*stage.members, "weights-0-1.safetensors")
    save_bundle(
        one.path, (replace(stage, plan=plan, members=names),), data_hash=one.data_hash, made_by="a test"
    )
    flat = segmenter(tmp_path / "flat", dims=2)
    (stage,) = flat.stages
    mirrored = replace(stage, plan=override(stage.plan, {"augment.flip_axes": ["x"]}))
    save_bundle(flat.path, (mirrored,), data_hash=flat.data_hash, made_by="a test")
    clients = Clients(Catalogue([tmp_path / "pair", tmp_path / "flat"], ["cpu"]), tmp_path)
    yield clients()
    clients.close()


def answered(client: Any, **asked: Any) -> Any:
    return ended(client, client.post("/api/jobs", json=asked).json()["job"])["answers"][0]


def ended(client: Any, job_id: str) -> Any:
    while (job := client.get(f"/api/jobs/{job_id}").json())["status"] not in ("done", "failed"):
        pass
    assert job["status"] == "done", job
    return job


def test_a_job_asks_for_doubt_and_the_same_picture_has_the_same(client: Any, picture: bytes) -> None:
    assert [m["doubts"] for m in client.get("/api/models").json()] == [["dropout", "members"], ["mirror"]]
    studies = [
        client.post("/api/studies", files={"files": (n, picture)}).json()["study"] for n in ("a.png", "b.png")
    ]
    plain = answered(client, model="pair", study=studies[0])
    assert "doubt" not in plain["summary"] and "doubt" not in plain["answer"]
    asked = {"model": "pair", "doubt": "dropout", "samples": 5}
    one, two = (answered(client, study=study, **asked) for study in studies)
    assert one["summary"]["labels"] == plain["summary"]["labels"]
    assert one["summary"]["doubt"]["samples"] == 5 and one["summary"]["doubt"] == two["summary"]["doubt"]


def test_a_plain_question_that_waits_beside_it_does_not_take_the_doubt_away(
    client: Any, picture: bytes
) -> None:
    study = client.post("/api/studies", files={"files": ("a.png", picture)}).json()["study"]
    service: Service = client.app.state.service
    model, held = service.models.get("pair"), service.studies.get(study, LOCAL)
    ways: list[Doubts | None] = [None, ("members", None), None, ("dropout", 5)] * 2
    with service.jobs.lock:  # all of them wait, so that those that are alike go together
        jobs = [service.ask(LOCAL, model, held, doubt=way) for way in ways]
    for job, way in zip(jobs, ways, strict=True):
        (answer,) = ended(client, job.id)["answers"]
        assert ("doubt" in answer["summary"]) == (way is not None)


def test_maps_of_a_mask_are_files(client: Any, picture: bytes) -> None:
    study = client.post("/api/studies", files={"files": ("a.png", picture)}).json()["study"]
    found = answered(client, model="flat", study=study, doubt="mirror")
    assert {"entropy.map.nii.gz", "mutual_information.map.nii.gz"} < found["files"].keys()
    assert found["answer"]["parts"]["entropy"]["image"]["array"]["shape"][0] == 1, (
        "voxels are not in the JSON"
    )
    assert len(client.get(found["files"]["entropy.map.nii.gz"]).content) > 348


@pytest.mark.parametrize(
    ("asked", "says"),
    [
        ({"model": "flat", "doubt": "members"}, "one member"),
        ({"model": "pair", "doubt": "guess"}, "guess"),
        ({"model": "pair", "samples": 5}, "samples"),
        ({"model": "pair", "doubt": "members", "samples": 7}, "as many samples"),
        ({"model": "pair", "kind": "explain", "doubt": "members"}, "explanation"),
        ({"model": "pair", "explainer": "lime"}, "explainer is of an explanation alone"),
        ({"model": "pair", "ask": "lesion"}, "ask is of an explanation alone"),
    ],
)
def test_what_cannot_be_is_refused_at_once(
    client: Any, picture: bytes, asked: dict[str, Any], says: str
) -> None:
    study = client.post("/api/studies", files={"files": ("a.png", picture)}).json()["study"]
    said = client.post("/api/jobs", json={"study": study, **asked})
    assert said.status_code in (404, 422) and says in said.json()["error"], said.text
