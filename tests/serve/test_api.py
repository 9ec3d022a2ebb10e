"""The service: what is uploaded is answered as the Predictor answers it, in files that other readers read."""

from __future__ import annotations

import functools
import io
import json
import threading
import time
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from _bundles import NAMES, ORGANS
from _clients import Clients
from _uploads import ended
from PIL import Image as Pil
from starlette.testclient import TestClient

import vesalius as vs
from _patience import until
from vesalius import formats
from vesalius.core.answers.mask import Mask
from vesalius.core.answers.scores import Scores
from vesalius.core.case import Case, Ref
from vesalius.core.image import Image
from vesalius.dicom.identity import read_identity
from vesalius.explain import faithful, methods
from vesalius.explain.contract import Attribution, Method, Setting
from vesalius.explain.question import Question
from vesalius.serve.http import results
from vesalius.serve.http.catalogue import Catalogue, name_and_path
from vesalius.serve.http.keys import LOCAL
from vesalius.serve.http.service import Service


def upload(client: TestClient, *files: tuple[str, bytes], **headers: str) -> Any:
    return client.post("/api/studies", files=[("files", f) for f in files], headers=headers)


def serving(client: TestClient) -> Service:
    found: Service = client.app.state.service  # type: ignore[attr-defined]
    return found


def ask(client: TestClient, model: str, study: str, **more: Any) -> dict[str, Any]:
    made = client.post("/api/jobs", json={"model": model, "study": study, **more})
    assert made.status_code == 202, made.text
    return ended(client, made.json())


@pytest.fixture(scope="module")
def study(client: TestClient, series: list[Path]) -> dict[str, Any]:
    """A CT series, uploaded file by file."""
    made = upload(client, *((p.name, p.read_bytes()) for p in series))
    assert made.status_code == 201, made.text
    found: dict[str, Any] = made.json()
    return found


def test_models_say_what_they_are(client: TestClient, models: Catalogue) -> None:
    found = {m["name"]: m for m in client.get("/api/models").json()}
    assert set(found) == {"chest", "organs", "plaque"}
    chest, organs = found["chest"], found["organs"]
    assert (chest["answer"], chest["dims"], chest["calibrated"]) == ("Scores", 2, True)
    assert chest["operating_point"] == {"label": "lesion", "threshold": 0.25}
    assert (organs["answer"], organs["dims"], organs["operating_point"]) == ("Mask", 3, None)
    assert [x["value"] for x in organs["labels"]] == [v for v, _, _ in ORGANS]
    assert organs["labels"][0]["colour"] == "#aa4411"
    assert organs["hash"] == models.get("organs").bundle.hash
    assert all("shap-kernel" in m["explainers"] and m["research_use"] for m in found.values())


def test_a_series_is_one_case_with_what_its_headers_say(study: dict[str, Any]) -> None:
    (case,) = study["cases"]
    assert study["set_aside"] == []
    assert case["shape"] == [12, 32, 32] and case["modality"] == "CT"
    assert len(case["spacing_mm"]) == 3 and case["description"]


def test_a_case_says_whose_it_is_and_no_log_does(
    clients: Clients, series: list[Path], picture: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    client = clients()
    made = upload(client, *((p.name, p.read_bytes()) for p in series), ("x.png", picture)).json()
    dicom, other = sorted(made["cases"], key=lambda c: c["source"])
    named = str(pydicom.dcmread(series[0]).PatientID)
    said = [[c[k] for k in ("patient", "study_date", "series_number")] for c in (dicom, other)]
    assert said == [[named, "2020-01-01", 1], [None, None, None]]
    ask(client, "organs", made["study"], case=dicom["case"])
    audit = serving(client).audit.path.read_text()
    assert made["study"] in audit
    assert not any(named in text for text in (audit, client.get("/metrics").text, caplog.text))


@pytest.mark.parametrize(
    ("date", "number", "said"),
    [("2020.01.31", "-7", ("2020-01-31", -7)), ("20201341", "", (None, None)), ("", "3.5", (None, None))],
)
def test_what_dicom_says_badly_of_whose_it_is_is_not_said(
    series: list[Path], tmp_path: Path, date: str, number: str, said: tuple[Any, Any]
) -> None:
    raw = series[0].read_bytes()
    for tag, vr, text in ((b"\x08\x00\x20\x00", b"DA", date), (b"\x20\x00\x11\x00", b"IS", number)):
        at = raw.index(tag + vr)
        size = int.from_bytes(raw[at + 6 : at + 8], "little")
        value = text.encode() + b" " * (len(text) % 2)
        raw = raw[: at + 6] + len(value).to_bytes(2, "little") + value + raw[at + 8 + size :]
    (tmp_path / "x").write_bytes(raw)
    found = read_identity(tmp_path / "x")
    assert (found["study_date"], found["series_number"]) == said


def test_a_mask_is_the_predictors_and_other_readers_find_it_in_every_file(
    client: TestClient, study: dict[str, Any], series: list[Path], models: Catalogue, tmp_path: Path
) -> None:
    job = ask(client, "organs", study["study"])
    assert job["status"] == "done" and job["progress"] == 1.0 and job["error"] is None
    (row,) = job["answers"]
    source = formats.read(Ref(tuple(series)))
    direct = models.get("organs").predictors[0](Case("c1", {"image": source}))
    assert isinstance(direct, Mask)
    assert set(row["files"]) == {"mask.nii.gz", "seg.dcm", "sr.dcm", "overlay.png", "answer.json"}
    for name, url in row["files"].items():
        got = client.get(url)
        assert got.status_code == 200 and got.headers["x-content-type-options"] == "nosniff"
        (tmp_path / f"a.{name}").write_bytes(got.content)
    volume = formats.read(tmp_path / "a.mask.nii.gz")
    assert np.array_equal(volume.array, direct.image.array) and np.allclose(
        volume.affine, source.affine, atol=1e-4
    )
    drawn = formats.read_mask(Ref((tmp_path / "a.seg.dcm", *series)))
    names = {n for _, n, _ in ORGANS}
    assert drawn.shape == source.shape and (drawn.array != 0).sum() == (direct.image.array != 0).sum()
    again = formats.read_answer(tmp_path / "a.answer.json")
    assert isinstance(again, Mask) and np.array_equal(again.image.array, direct.image.array)
    said = {x["name"]: x for x in row["summary"]["labels"]}
    assert set(said) == names
    x, y, z = source.spacing_mm or (0, 0, 0)
    count = int((direct.image.array == 1).sum())
    assert said["liver"]["volume_ml"] == pytest.approx(count * x * y * z / 1000, abs=1e-3)
    assert row["answer"]["image"]["array"] == {"array": "|u1", "shape": [1, 12, 32, 32]}
    assert "zlib" not in json.dumps(row["answer"]["image"]["array"])


def test_the_image_for_the_viewer_keeps_values_and_place(
    client: TestClient, study: dict[str, Any], series: list[Path], tmp_path: Path
) -> None:
    base = f"/api/studies/{study['study']}/cases/c1"
    got = client.get(f"{base}/image.nii.gz")
    (tmp_path / "i.nii.gz").write_bytes(got.content)
    shown, source = formats.read(tmp_path / "i.nii.gz"), formats.read(Ref(tuple(series)))
    assert np.array_equal(shown.array, source.array) and np.allclose(shown.affine, source.affine, atol=1e-4)
    with Pil.open(io.BytesIO(client.get(f"{base}/preview.png").content)) as preview:
        assert preview.format == "PNG" and preview.size[0] == 32


def test_colours_are_shown_as_colours(client: TestClient, tmp_path: Path) -> None:
    pixels = np.random.default_rng(1).integers(0, 255, (20, 30, 3), dtype=np.uint8)
    buffer = io.BytesIO()
    Pil.fromarray(pixels).save(buffer, "PNG")
    made = upload(client, ("rgb.png", buffer.getvalue())).json()
    got = client.get(f"/api/studies/{made['study']}/cases/c1/image.nii.gz").content
    (tmp_path / "rgb.nii.gz").write_bytes(got)
    shown = formats.read(tmp_path / "rgb.nii.gz")
    assert shown.channels == ("red", "green", "blue") and shown.affine is None
    assert np.array_equal(np.moveaxis(shown.array[:, 0], 0, -1), pixels)


def test_predict_in_one_call_says_the_calibrated_answer(
    client: TestClient, picture: bytes, models: Catalogue, tmp_path: Path
) -> None:
    got = client.post("/api/predict", files={"files": ("x.png", picture)}, data={"model": "chest"})
    assert got.status_code == 200, got.text
    (row,) = got.json()["answers"]
    (tmp_path / "x.png").write_bytes(picture)
    direct = models.get("chest").predictors[0](Case("c1", {"image": Ref((tmp_path / "x.png",))}))
    assert isinstance(direct, Scores)
    assert [x["name"] for x in row["summary"]["labels"]] == list(NAMES)
    assert [x["p"] for x in row["summary"]["labels"]] == pytest.approx(direct.p.tolist(), abs=1e-5)
    assert row["summary"]["positive"] == (direct.p[1] >= 0.25)
    assert set(row["files"]) == {"overlay.png", "answer.json"}, "there is no study to write DICOM into"


def test_python_and_the_service_answer_alike(
    bundles: dict[str, Path], client: TestClient, picture: bytes, tmp_path: Path
) -> None:
    (tmp_path / "x.png").write_bytes(picture)
    answer = vs.predict(bundles["plaque"], tmp_path / "x.png", device="cpu")
    got = client.post("/api/predict", files={"files": ("x.png", picture)}, data={"model": "plaque"}).json()
    url = got["answers"][0]["files"]["answer.json"]
    (tmp_path / "served.json").write_bytes(client.get(url).content)
    served = formats.read_answer(tmp_path / "served.json")
    assert isinstance(answer, Mask) and isinstance(served, Mask)
    assert np.array_equal(answer.image.array, served.image.array)


def test_zips_are_opened_and_the_rest_is_named(
    client: TestClient, series: list[Path], picture: bytes
) -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as made:
        for path in series:
            made.write(path, f"disc/{path.name}")
        made.writestr("a/photo.png", picture)
        made.writestr("readme.txt", "hello")
        made.writestr("broken.png", picture[:60])
    got = upload(
        client, ("study.zip", buffer.getvalue()), ("note.csv", b"image,label\n/etc/passwd,1\n")
    ).json()
    assert sorted(c["name"] for c in got["cases"])[0] == "Axial" and len(got["cases"]) == 2
    aside = {a["name"]: a["reason"] for a in got["set_aside"]}
    assert set(aside) == {"readme.txt", "broken.png", "note.csv"}
    assert "not a format" in aside["readme.txt"]
    assert not any("/tmp" in r or "studies/" in r for r in aside.values()), aside


def test_one_bad_case_does_not_stop_the_others(client: TestClient, picture: bytes, tmp_path: Path) -> None:
    path = formats.write(Image(np.full((1, 1, 20, 20), np.nan, np.float32)), tmp_path / "i.nii.gz")
    made = upload(client, ("good.png", picture), ("bad.nii.gz", path.read_bytes())).json()
    assert len(made["cases"]) == 2
    job = ask(client, "chest", made["study"])
    assert job["status"] == "done" and len(job["answers"]) == 1
    assert "NaN" in job["error"]["error"] and "/" not in job["error"]["error"]
    alone = ask(client, "chest", made["study"], case=job["error"]["case"])
    assert alone["status"] == "failed" and alone["answers"] == []


def test_events_tell_every_change_until_the_end(client: TestClient, study: dict[str, Any]) -> None:
    made = client.post("/api/jobs", json={"model": "organs", "study": study["study"]}).json()
    with client.stream("GET", f"/api/jobs/{made['job']}/events") as stream:
        assert stream.headers["content-type"].startswith("text/event-stream")
        told = [json.loads(line.removeprefix("data: ")) for line in stream.iter_lines() if line]
    assert told[-1]["status"] == "done" and told[-1]["progress"] == 1.0
    shares = [t["progress"] for t in told]
    assert shares == sorted(shares)


def test_a_job_that_waits_is_cancelled_and_ends_there(client: TestClient, study: dict[str, Any]) -> None:
    service = serving(client)
    jobs = service.jobs
    with jobs.lock:  # nothing is taken from the queue meanwhile
        made = service.ask(LOCAL, service.models.get("organs"), service.studies.get(study["study"], LOCAL))
        jobs.cancel(made)
        assert jobs.waiting() == 0
    assert client.delete(f"/api/jobs/{made.id}").status_code == 204
    found = client.get(f"/api/jobs/{made.id}").json()
    assert (found["status"], found["answers"]) == ("cancelled", [])


def test_a_running_job_stops_at_its_next_step(
    clients: Any, series: list[Path], models: Catalogue, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = clients()
    made = upload(client, *((p.name, p.read_bytes()) for p in series)).json()
    predictor = models.get("organs").predictors[0]
    steps: list[float] = []

    def slow(case: Case, *, watch: Any) -> Any:
        for k in range(60_000):
            steps.append(0.1 + 0.7 * k / 60_000)
            watch(steps[-1])
            time.sleep(0.005)
        raise AssertionError("it was not stopped")

    model = replace(models.get("organs"), predictors=(_Callable(slow),))
    monkeypatch.setitem(models.by_name, "organs", model)
    job = client.post("/api/jobs", json={"model": "organs", "study": made["study"]}).json()
    until(lambda: len(steps) >= 3)
    assert 0 < client.get(f"/api/jobs/{job['job']}").json()["progress"] < 0.9
    client.delete(f"/api/jobs/{job['job']}")
    reached = len(steps)
    time.sleep(0.1)
    assert len(steps) <= reached + 2
    monkeypatch.setitem(models.by_name, "organs", replace(model, predictors=(predictor,)))
    assert ask(client, "organs", made["study"])["status"] == "done", "the thread goes on with the next job"


class _Callable:
    """A predictor that is a function."""

    joins = False
    listen = None

    def __init__(self, work: Any) -> None:
        self.work = work

    def __call__(self, case: Case, *, watch: Any = None) -> Any:
        return self.work(case, watch=watch)


def test_what_nobody_foresaw_fails_the_job_and_not_the_service(
    clients: Any, picture: bytes, models: Catalogue, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = clients()

    def broken(case: Case, *, watch: Any) -> Any:
        raise RuntimeError("PLANTED secret")

    monkeypatch.setitem(
        models.by_name, "plaque", replace(models.get("plaque"), predictors=(_Callable(broken),))
    )
    got = client.post("/api/predict", files={"files": ("x.png", picture)}, data={"model": "plaque"}).json()
    assert got["status"] == "failed" and "PLANTED" not in json.dumps(got)
    assert client.get("/ready").status_code == 200
    got = client.post("/api/predict", files={"files": ("x.png", picture)}, data={"model": "chest"}).json()
    assert got["status"] == "done"


def test_pictures_that_wait_go_through_together(clients: Any, picture: bytes, models: Catalogue) -> None:
    client = clients()
    made = upload(client, *((f"{k}.png", picture) for k in range(5))).json()
    assert len(made["cases"]) == 5
    service = serving(client)
    jobs = service.jobs
    passes: list[int] = []
    original = jobs._next

    def counted() -> Any:
        found = original()
        passes.append(len(found))
        return found

    jobs._next = counted  # type: ignore[method-assign]
    with jobs.lock:
        study = service.studies.get(made["study"], LOCAL)
        first, second = (service.ask(LOCAL, models.get("chest"), study) for _ in range(2))
    rows = [ended(client, client.get(f"/api/jobs/{j.id}").json())["answers"] for j in (first, second)]
    assert passes == [8, 2]
    ps = [[x["p"] for x in r["summary"]["labels"]] for row in rows for r in row]
    assert len(ps) == 10 and all(p == pytest.approx(ps[0], abs=1e-5) for p in ps)


def test_every_device_has_a_thread_that_works(
    bundles: dict[str, Path], tmp_path: Path, picture: bytes
) -> None:
    models = Catalogue([bundles["plaque"]], ["cpu", "cpu"])
    both = threading.Barrier(2, timeout=120)
    first = models.get("plaque")

    def wait(case: Case, *, watch: Any, device: int) -> Any:
        both.wait()  # neither goes on before the other has begun
        return first.predictors[device](case, watch=watch)

    predictors = tuple(_Callable(functools.partial(wait, device=k)) for k in range(2))
    models.by_name["plaque"] = replace(first, predictors=predictors)  # type: ignore[arg-type]
    clients = Clients(models, tmp_path)
    client = clients()
    made = upload(client, ("a.png", picture), ("b.png", picture)).json()
    assert len(ask(client, "plaque", made["study"])["answers"]) == 2
    clients.close()


def test_an_answer_is_explained_by_the_methods_that_suit_its_model(
    client: TestClient, picture: bytes
) -> None:
    methods = {m["name"]: set(m["explainers"]) for m in client.get("/api/models").json()}
    assert {"gradcam", "shap-kernel"} <= methods["chest"] and "rollout" not in methods["chest"]
    made = upload(client, ("x.png", picture)).json()
    asked = {"model": "chest", "study": made["study"], "kind": "explain"}
    job = ended(client, client.post("/api/jobs", json=asked | {"explainer": "occlusion"}).json())
    if job["status"] == "done":
        (answer,) = job["answers"]
        assert answer["kind"] == "Map" and "map.nii.gz" in answer["files"]
        assert answer["summary"]["facts"]["method"] == "occlusion" and answer["summary"]["figures"]["gain"]
    else:  # of a model that hardly learned a map may not hold, and then is named and not shown
        assert job["error"]["error"] == "the map of occlusion is not shown" and not job["answers"]
    other = client.post("/api/jobs", json=asked | {"explainer": "rollout"})
    assert other.status_code == 422 and "gradcam" in other.json()["hint"]
    wrong = ended(client, client.post("/api/jobs", json=asked | {"ask": "nothing such"}).json())
    assert wrong["status"] == "failed" and "unknown label" in wrong["error"]["error"]


def test_a_map_that_does_not_hold_is_named_and_no_file_of_it_is_written(
    client: TestClient, picture: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Pointing(Method):
        """Points at the middle, whatever the model says."""

        def attribute(self, question: Question, setting: Setting) -> Attribution:
            return Attribution(faithful.middle(question.image.shape[1:]))

    monkeypatch.setattr(methods, "get", lambda name: Pointing())
    made = upload(client, ("x.png", picture)).json()
    asked = {"model": "chest", "study": made["study"], "kind": "explain", "explainer": "occlusion"}
    job = ended(client, client.post("/api/jobs", json=asked).json())
    assert job["status"] == "failed" and not job["answers"]
    assert job["error"]["error"] == "the map of occlusion is not shown"
    assert "gives nearly the same map" in job["error"]["found"]
    assert not list(serving(client).root.rglob("map.*"))


def test_studies_are_listed_and_removed_with_their_jobs(clients: Any, picture: bytes) -> None:
    client = clients()
    made = upload(client, ("x.png", picture)).json()
    job = ask(client, "chest", made["study"])
    assert [s["study"] for s in client.get("/api/studies").json()] == [made["study"]]
    assert client.get(f"/api/studies/{made['study']}").json() == made
    assert client.delete(f"/api/studies/{made['study']}").status_code == 204
    assert client.get(f"/api/studies/{made['study']}").status_code == 404
    assert client.get(f"/api/jobs/{job['job']}").status_code == 404
    assert client.get(job["answers"][0]["files"]["answer.json"]).status_code == 404
    root: Path = serving(client).root
    assert [p for p in root.rglob("*") if p.is_file()] == []


def test_what_is_old_goes(clients: Any, picture: bytes) -> None:
    client = clients(keep_s=3600)
    made = upload(client, ("x.png", picture)).json()
    job = ask(client, "chest", made["study"])
    service = serving(client)
    assert service.studies.expire(time.time() + 3000) == []
    service.jobs.expire(time.time() + 3700)
    assert [s.id for s in service.studies.expire(time.time() + 3700)] == [made["study"]]
    assert client.get(f"/api/jobs/{job['job']}").status_code == 404
    assert [p for p in service.root.rglob("*") if p.is_file()] == []


def test_figures_for_prometheus_name_no_one(client: TestClient, picture: bytes) -> None:
    client.post("/api/predict", files={"files": ("DOE^PLANTED.png", picture)}, data={"model": "chest"})
    text = client.get("/metrics").text
    assert 'vesalius_cases_total{model="chest",outcome="answered"}' in text
    assert 'vesalius_requests_total{method="POST",route="/api/predict",status="200"}' in text
    assert "PLANTED" not in text
    hash_ = client.get("/api/audit").json()["hash"]
    assert f'vesalius_audit_lines{{hash="{hash_}"}}' in client.get("/metrics").text


def test_names_of_models() -> None:
    assert name_and_path("lung=/data/run-3")[0] == "lung"
    assert name_and_path("/data/my run/bundle")[0] == "my-run"
    assert name_and_path("/data/run-3")[0] == "run-3"


def test_every_kind_of_answer_has_a_summary() -> None:
    from vesalius.core.answers.text import Text
    from vesalius.core.answers.value import Value

    assert results.summary(Value(x=3.5, unit="mm")) == {"fields": {"value": 3.5, "unit": "mm"}}
    assert results.summary(Text(sections={"findings": "none"})) == {"fields": {"findings": "none"}}


def test_what_goes_wrong_for_one_caller_is_not_anothers(
    clients: Any, picture: bytes, models: Catalogue, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = clients()
    service = serving(client)
    studies = [upload(client, (f"{k}.png", picture)).json()["study"] for k in range(3)]
    write = results.files

    def full(answer: Any, source: Any, folder: Path, **more: Any) -> Any:
        if folder.parent.name == jobs[1].id:
            raise RuntimeError("a fault of this one's alone")
        return write(answer, source, folder, **more)

    monkeypatch.setattr(results, "files", full)
    for together in (models.get("chest").predictors[0].together, None):
        predictor = models.get("chest").predictors[0]
        monkeypatch.setattr(
            type(predictor), "together", _raise if together is None else type(predictor).together
        )
        with service.jobs.lock:  # they go through the model together
            jobs = [service.ask(LOCAL, models.get("chest"), service.studies.get(s, LOCAL)) for s in studies]
        said = [ended(client, client.get(f"/api/jobs/{j.id}").json()) for j in jobs]
        assert [j["status"] for j in said] == ["done", "failed", "done"]
        assert [len(j["answers"]) for j in said] == [1, 0, 1] and said[0]["error"] is None
        assert service.unready is None


def _raise(*_: Any, **__: Any) -> Any:
    raise MemoryError
