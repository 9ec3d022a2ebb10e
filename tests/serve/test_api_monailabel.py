"""MONAI Label's endpoints: what 3D Slicer's module calls, tried with MONAI Label's own client where it is installed."""

from __future__ import annotations

import hashlib
import importlib
import json
import sys
import warnings
from dataclasses import replace
from email.parser import BytesParser
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from starlette.testclient import TestClient

from vesalius import formats
from vesalius.core.answers.mask import Mask
from vesalius.core.case import Case, Ref
from vesalius.core.registry import names
from vesalius.explain import verdict
from vesalius.run.pool import Measuring
from vesalius.serve.http.catalogue import Catalogue
from vesalius.serve.http.keys import make
from vesalius.serve.http.monailabel.explaining import in_bands


@pytest.fixture(scope="module")
def scan(tmp_path_factory: pytest.TempPathFactory, series: list[Path]) -> Path:
    """A CT volume as NIfTI."""
    folder = tmp_path_factory.mktemp("scan")
    return formats.write(formats.read(Ref(tuple(series))), folder / "scan.nii.gz")


def put(client: TestClient, path: Path, name: str, **more: Any) -> Any:
    form = {"file": (path.name, path.read_bytes())}
    return client.put(f"/datastore/?image={name}", files=form, data={"params": "{}"}, **more)


def test_info_is_what_the_module_reads(client: TestClient) -> None:
    info = client.get("/info/").json()
    assert info["models"]["organs"]["type"] == "segmentation" and info["models"]["organs"]["dimension"] == 3
    assert info["models"]["organs"]["labels"] == {"liver": 1, "spleen": 7}
    assert info["models"]["chest"]["type"] == "classification"
    assert info["labels"][:2] == ["healthy", "lesion"] and info["trainers"] == {}
    assert set(info["strategies"]) == {"first", *names("run.strategies")} and "total" in info["datastore"]


def test_an_image_is_kept_labelled_and_removed(clients: Any, scan: Path, tmp_path: Path) -> None:
    client = clients()
    assert put(client, scan, "patient 7").json() == {"image": "patient 7"}
    assert client.post("/activelearning/first", json={}).json()["id"] == "patient 7"
    assert client.post("/activelearning/magic").status_code == 404
    digest = hashlib.sha256(scan.read_bytes()).hexdigest()
    for said, status in (
        (f"SHA256:{digest}", 200),
        (digest, 200),
        ("SHA256:" + "0" * 64, 404),
        (f"MD5:{digest}", 404),
    ):
        got = client.head("/datastore/image", params={"image": "patient 7", "check_sum": said})
        assert got.status_code == status, said
    (tmp_path / "i.nii.gz").write_bytes(client.get("/datastore/image?image=patient 7").content)
    assert np.array_equal(formats.read(tmp_path / "i.nii.gz").array, formats.read(scan).array)
    form = {"label": (scan.name, scan.read_bytes())}
    assert client.put("/datastore/label?image=nobody", files=form).status_code == 404
    got = client.put(
        "/datastore/label?image=patient 7&tag=final", files=form, data={"params": '{"who": "x"}'}
    )
    assert got.json() == {"image": "patient 7", "label": "patient 7"}
    assert client.get("/datastore/label?label=patient 7&tag=final").content == scan.read_bytes()
    assert client.get("/datastore/label/info?label=patient 7&tag=final").json() == {"who": "x"}
    assert client.post("/activelearning/first", json={}).json() == {}
    every = client.get("/datastore/?output=all").json()["objects"]
    assert list(every) == ["patient 7"] and every["patient 7"]["labels"]["final"]["ext"] == ".nii.gz"
    stats = client.get("/datastore/").json()
    assert (stats["total"], stats["completed"], stats["label_tags"]) == (1, 1, {"final": 1})
    assert client.delete("/datastore/label?id=patient 7&tag=final").status_code == 200
    assert client.get("/datastore/label?label=patient 7&tag=final").status_code == 404
    assert client.delete("/datastore/?id=patient 7").status_code == 200
    assert client.get("/datastore/?output=all").json()["objects"] == {}
    root: Path = client.app.state.service.root
    assert [
        p for p in root.rglob("*") if p.is_file()
    ] == [] and client.app.state.service.studies.stored() == 0


def test_a_label_that_is_none_is_refused(clients: Any, scan: Path) -> None:
    client = clients()
    put(client, scan, "a")
    for name, data in (("l.nii.gz", b"nonsense"), ("l.exe", b"MZ"), ("../l.nhdr", b"NRRD0004\n")):
        got = client.put("/datastore/label?image=a", files={"label": (name, data)})
        assert got.status_code == 422, got.text
        assert "/tmp" not in got.text and "0000" not in got.text, "it is called what the client calls it"
    assert client.put("/datastore/label?image=a", files={"other": ("x.png", b"")}).status_code == 422
    got = client.put(
        "/datastore/label?image=a", files={"label": (scan.name, scan.read_bytes())}, data={"params": "[1]"}
    )
    assert got.status_code == 422
    assert client.get("/datastore/").json()["label_tags"] == {}


def test_inference_answers_a_form_with_the_mask(
    client: TestClient, scan: Path, models: Catalogue, tmp_path: Path
) -> None:
    put(client, scan, "scan")
    got = client.post("/infer/organs?image=scan", files={"params": (None, "{}")})
    assert got.status_code == 200, got.text
    head = b"Content-Type: " + got.headers["content-type"].encode() + b"\r\n\r\n"
    parts = {
        p.get_param("name", header="content-disposition"): p
        for p in BytesParser().parsebytes(head + got.content).get_payload()
    }  # type: ignore[union-attr, misc]
    params = json.loads(parts["params"].get_payload(decode=True))
    assert params["label_names"] == {"liver": 1, "spleen": 7}
    (tmp_path / "m.nii.gz").write_bytes(parts["image"].get_payload(decode=True))
    direct = models.get("organs").predictors[0](Case("c1", {"image": Ref((scan,))}))
    assert isinstance(direct, Mask)
    assert np.array_equal(formats.read(tmp_path / "m.nii.gz").array, direct.image.array)
    only = client.post("/infer/organs?image=scan&output=image")
    assert only.headers["content-type"] == "application/gzip"
    assert client.post("/infer/organs?image=scan&output=json").json() == params
    assert client.post("/infer/organs?image=scan&output=dicom_seg").status_code == 422
    assert client.post("/infer/organs").status_code == 422
    assert client.post("/infer/nothing?image=scan").status_code == 404


def test_bands_are_the_parts_that_speak_most() -> None:
    field = np.arange(-50, 50, dtype=np.float32).reshape(1, 1, 10, 10)
    found = in_bands(field)
    assert [int((found >= k).sum()) for k in (1, 2, 3)] == [20, 10, 5]
    assert (found[field > 44] == 3).all() and (found[field <= 29] == 0).all()
    assert not in_bands(-np.abs(field) - 1).any() and not in_bands(np.zeros((1, 1, 4, 4), np.float32)).any()
    hollow = np.where(field < 0, np.nan, field)  # where nothing is said nothing counts
    assert int((in_bands(hollow) == 3).sum()) == 3 and not in_bands(hollow * np.nan).any()


def test_an_explanation_is_a_model_whose_labels_are_bands(
    client: TestClient, scan: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        verdict, "fault", lambda figures, field=None: None
    )  # of an untrained model no map holds
    info = client.get("/info/").json()["models"]
    model = info["organs+occlusion"]
    assert model["type"] == "segmentation" and list(model["labels"].values()) == [1, 2, 3]
    assert "organs+rollout" not in info and model["config"] == {"ask": ""}
    put(client, scan, "scan")
    label = "spleen"  # what that model answers

    def asked(name: str, **params: Any) -> Any:
        form = {"params": (None, json.dumps(params))}
        return client.post("/infer/organs%2Bocclusion?image=scan&output=image", files=form), tmp_path / name

    got, path = asked("bands.nii.gz", ask=label)
    assert got.status_code == 200, got.text
    path.write_bytes(got.content)
    bands = formats.read(path)
    got, path = asked("values.nii.gz", ask=label, values=True)
    path.write_bytes(got.content)
    values, image = formats.read(path), formats.read(scan)
    assert bands.array.dtype == np.uint8 and bands.shape == values.shape == image.shape
    assert np.allclose(bands.affine, image.affine) and np.allclose(values.affine, image.affine)
    assert np.array_equal(bands.array, in_bands(values.array)) and 0 < (bands.array == 3).mean() <= 0.06
    said = client.post("/infer/organs+occlusion?image=scan&output=json").json()
    assert said["label_names"] == model["labels"] and "gain" in said["summary"]["figures"]
    nobody = asked("x", ask="nobody")[0]
    assert nobody.status_code == 404 and "unknown label 'nobody'" in nobody.text
    wrong = client.post("/infer/organs+rollout?image=scan")
    assert wrong.status_code == 404 and "occlusion" in wrong.json()["hint"]
    monkeypatch.setattr(verdict, "fault", lambda figures, field=None: "it is the same everywhere")
    withheld = client.post("/infer/organs+occlusion?image=scan")
    assert withheld.status_code == 422 and withheld.json()["found"] == "it is the same everywhere"


def test_nothing_is_trained(client: TestClient) -> None:
    assert client.get("/train/?check_if_running=true").status_code == 404
    assert client.post("/train/organs", json={}).status_code == 404
    assert client.delete("/train/").json() == {}
    assert client.get("/logs/").status_code == 200


def test_a_key_is_the_password(clients: Any, tmp_path: Path) -> None:
    key = make(tmp_path / "k.yaml", "alice", "user")
    client = clients(keys=tmp_path / "k.yaml")
    assert client.get("/auth/").json() == {"enabled": True}
    form = {"username": "anyone", "password": "wrong"}
    assert client.post("/auth/token", data=form).status_code == 401
    got = client.post("/auth/token", data=form | {"password": key}).json()
    assert got == {"access_token": key, "token_type": "bearer"}
    assert client.get("/auth/token/valid", headers={"authorization": f"bearer {key}"}).json() == {
        "username": "alice"
    }
    assert client.post("/auth/token", content=b"x" * 9000).status_code == 413


@pytest.fixture(scope="module")
def real() -> Any:
    """MONAI Label's client module, which `make install` puts beside the environment, without the package's needs."""
    apart = Path(sys.prefix) / "monailabel"
    sys.path.append(str(apart))
    try:
        with warnings.catch_warnings(action="ignore"):
            client = importlib.import_module("monailabel.client.client")
    except ImportError as error:
        pytest.skip(
            f"MONAI Label's client cannot be used ({error}): make install; it wants Python before 3.13"
        )
    finally:
        sys.path.remove(str(apart))
    return client


def test_monai_labels_own_client(
    real: Any, served: Any, scan: Path, models: Catalogue, tmp_path: Path
) -> None:
    for study in httpx.get(f"{served.url}/api/studies", timeout=60).json():  # what other tests left
        httpx.delete(f"{served.url}/api/studies/{study['study']}", timeout=60)
    label = real.MONAILabelClient(served.url, tmpdir=str(tmp_path))
    assert label.auth_enabled() is False and label.auth_valid_token()
    info = label.info()
    assert {n.partition("+")[0] for n in info["models"]} == {"chest", "organs", "plaque"}
    assert label.upload_image(str(scan), "case-1") == {"image": "case-1"}
    assert label.next_sample("first", {})["id"] == "case-1"
    file, params = label.infer("organs", "case-1", {"largest_cc": True})
    direct = models.get("organs").predictors[0](Case("c1", {"image": Ref((scan,))}))
    assert isinstance(direct, Mask)
    assert np.array_equal(formats.read(Path(file)).array, direct.image.array)
    assert params["label_names"] == {"liver": 1, "spleen": 7}
    assert label.save_label("case-1", file, params={"label_info": []}) == {
        "image": "case-1",
        "label": "case-1",
    }
    assert Path(label.download_label("case-1", "final")).read_bytes() == Path(file).read_bytes()
    assert label.datastore()["objects"]["case-1"]["labels"]["final"]
    assert label.next_sample("random", {}) == {}
    file, params = label.infer("chest", "", {}, file=_flat(tmp_path))
    assert file is None and json.loads(params)["kind"] == "Scores"
    session = label.create_session(str(scan))["session_id"]
    assert label.get_session(session)["cases"][0]["shape"] == [12, 32, 32]
    assert label.infer("organs", "", {}, session_id=session)[0]
    label.remove_session(session)
    assert label.train_status(check_if_running=True) is False and label.train_stop() == {}
    for call in (lambda: label.train_start("organs", {}), lambda: label.infer("organs", "nobody", {}),
                 lambda: label.get_session(session)):  # fmt: skip
        with pytest.raises(real.MONAILabelClientException):
            call()


def _flat(folder: Path) -> str:
    from PIL import Image as Pil

    Pil.fromarray(np.zeros((20, 20), np.uint8)).save(folder / "flat.png")
    return str(folder / "flat.png")


def test_what_to_label_next_is_what_the_model_is_least_sure_of(
    clients: Any, scan: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Three images; measured once; what has a label, or is no image for the model, is not suggested."""
    measure, measured = Measuring.measure, list[str]()
    monkeypatch.setattr(
        Measuring, "measure", lambda self, case: measured.append(case.id) or measure(self, case)
    )
    client, image = clients(), formats.read(scan)
    for k, name in enumerate(("plain", "dark", "half")):
        array = np.where(np.arange(image.array.shape[-1]) % 4 < k, image.array.min(), image.array)
        put(client, formats.write(replace(image, array=array), tmp_path / f"{name}.nii.gz"), name)
    asked = {"model": "organs", "seed": 3}
    found = client.post("/activelearning/uncertainty", json=asked).json()
    said = {}
    for name in ("plain", "dark", "half"):
        for other in {"plain", "dark", "half"} - {name}:
            label(client, scan, other)
        said[name] = client.post("/activelearning/uncertainty", json=asked).json()["unsure"]["entropy"]
        for other in {"plain", "dark", "half"} - {name}:
            client.delete(f"/datastore/label?id={other}&tag=final")
    assert said[found["id"]] == max(said.values()) == found["unsure"]["entropy"] and len(measured) == 3
    assert found["plane"] is None or 0 <= found["plane"] < image.array.shape[1]
    for strategy in ("coreset", "both", "foreground"):
        label(client, scan, found["id"])
        next_one = client.post(f"/activelearning/{strategy}", json=asked).json()
        assert next_one["id"] in {"plain", "dark", "half"} - {found["id"]}
        assert next_one == client.post(f"/activelearning/{strategy}", json=asked).json(), (
            "the same, asked again"
        )
    refused = [
        ({"model": "organs", "seed": -1}, 422),
        ({"model": 7}, 422),
        ({"model": "none"}, 404),
        ({}, 422),
    ]
    for words, status in refused:
        assert client.post("/activelearning/uncertainty", json=words).status_code == status
    service = client.app.state.service
    client.delete("/datastore/?id=plain")
    assert len(service.next_case._seen) == 2, "what is gone is forgotten"


def label(client: TestClient, path: Path, image: str) -> None:
    form = {"label": (path.name, path.read_bytes())}
    done = client.put(f"/datastore/label?image={image}&tag=final", files=form, data={"params": "{}"})
    assert done.status_code == 200
