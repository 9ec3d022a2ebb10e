"""Change over HTTP: two visits of one patient in one job, with what grew, a page, and the earlier visit to look at."""

from __future__ import annotations

import gzip
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest
from _bundles import segmenter
from _clients import Clients

from vesalius.phantom.abdomen.dicom import dicom_files
from vesalius.phantom.abdomen.patient import AbdomenPatient
from vesalius.phantom.ct import later, patient
from vesalius.serve.http.catalogue import Catalogue

SIZE = (16, 32, 32)


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A service of one segmenter of volumes, which nobody trained."""
    folder = tmp_path_factory.mktemp("changed")
    segmenter(folder / "organs")
    clients = Clients(Catalogue([folder / "organs"], ["cpu"]), folder)
    yield clients()
    clients.close()


def uploaded(client: Any, study: AbdomenPatient) -> dict[str, str]:
    files = [("files", (name, data)) for name, data in dicom_files(study)]
    made = client.post("/api/studies", files=files).json()
    return {"study": made["study"], "case": made["cases"][0]["case"]}


@pytest.fixture(scope="module")
def visits(client: Any) -> tuple[dict[str, str], dict[str, str]]:
    """Two visits of one patient, 120 days apart."""
    moved = {"shift_mm": (6.0, -4.0, 8.0), "turned_deg": (2.0, -3.0, 4.0)}
    return uploaded(client, patient(3, size=SIZE)), uploaded(
        client, later(3, growth=2.0, days=120, size=SIZE, **moved)
    )  # type: ignore[arg-type]


def ended(client: Any, job_id: str) -> Any:
    while (job := client.get(f"/api/jobs/{job_id}").json())["status"] in ("queued", "running"):
        time.sleep(0.02)
    return job


def asked(client: Any, after: dict[str, str], before: dict[str, Any] | None, **more: Any) -> Any:
    return client.post("/api/jobs", json={**after, "kind": "change", "earlier": before, **more})


def test_a_job_compares_two_visits(client: Any, visits: Any) -> None:
    before, after = visits
    job = ended(client, asked(client, after, before).json()["job"])
    assert job["status"] == "done" and job["kind"] == "change", job
    (answer,) = job["answers"]
    change = answer["summary"]["change"]
    assert change["days"] == 120 and change["days_by"] == "StudyDate"
    assert (
        change["registration"]["fits"]
        and change["registration"]["similarity"]["after"] > change["registration"]["similarity"]["before"]
    )
    assert {g["name"] for g in change["growth"]} == {x["name"] for x in answer["summary"]["labels"]}
    assert change["earlier"]["kind"] == answer["kind"] == "Mask"
    got = {name: client.get(path) for name, path in answer["files"].items()}
    assert {
        "change.html",
        "change.json",
        "earlier.image.nii.gz",
        "earlier.mask.nii.gz",
        "mask.nii.gz",
    } <= set(got)
    assert all(one.status_code == 200 for one in got.values())
    assert "sandbox" in got["change.html"].headers["Content-Security-Policy"]
    shown = [
        nib.Nifti1Image.from_bytes(gzip.decompress(got[f"{n}.nii.gz"].content))
        for n in ("earlier.image", "earlier.mask", "mask")
    ]
    assert len({one.shape[:3] for one in shown}) == 1  # the earlier visit lies on the later one's grid
    assert all(np.allclose(one.affine, shown[0].affine, atol=1e-3) for one in shown)
    page = got["change.html"].text
    assert "P0003" not in page and "default-src 'none'" in page


def test_what_cannot_be_compared_is_refused_with_the_reason(client: Any, visits: Any) -> None:
    before, after = visits
    assert asked(client, after, None).status_code == 422
    assert asked(client, after, after).json()["error"] == "both visits are the same case"
    assert client.post("/api/jobs", json={**after, "earlier": before}).status_code == 422
    assert asked(client, after, {**before, "registration": "elastix"}).status_code == 404
    assert asked(client, after, {"study": "nobodys", "case": "0"}).status_code == 404
    wrong = ended(client, asked(client, before, after).json()["job"])
    assert wrong["status"] == "failed" and "dated after" in wrong["error"]["error"]
    other = ended(client, asked(client, after, uploaded(client, patient(4, size=SIZE))).json()["job"])
    assert other["status"] == "failed" and "two patients" in other["error"]["error"]
    assert "P0003" not in str(other) and "P0004" not in str(other)


def test_a_study_that_goes_takes_the_changes_since_it_along(client: Any, visits: Any, tmp_path: Path) -> None:
    before, after = (
        uploaded(client, patient(3, seed=1, size=SIZE)),
        uploaded(client, later(3, seed=1, size=SIZE)),
    )
    job = ended(client, asked(client, after, {**before, "registration": "none"}).json()["job"])
    assert job["status"] == "done" and not job["answers"][0]["summary"]["change"]["registration"]["fits"]
    assert client.delete(f"/api/studies/{before['study']}").status_code == 204
    assert client.get(f"/api/jobs/{job['job']}").status_code == 404
