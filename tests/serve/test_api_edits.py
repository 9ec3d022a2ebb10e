"""Reports that people change, over HTTP: history, conflicts, what is on the disk, DICOM, the table to learn from."""

from __future__ import annotations

import io
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
import torch
from _clients import Clients
from _reports import SECTIONS, WHY, reporter
from PIL import Image as Pil
from starlette.testclient import TestClient

from vesalius import cohorts
from vesalius.core.errors import DataError, FormatError, OutputError
from vesalius.serve.edits.store import EditStore, edits_in
from vesalius.serve.edits.table import export_edits
from vesalius.serve.http.catalogue import Catalogue
from vesalius.texts.sections import parted

CHANGED = {**SECTIONS, "findings": "There is a 7 mm nodule in the left lung. A small effusion on the right."}


@pytest.fixture(scope="module")
def writes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Catalogue]:
    """A service's models: one that writes reports of volumes and pictures."""
    with pytest.MonkeyPatch.context() as patch:
        threads = torch.get_num_threads()
        with reporter(tmp_path_factory.mktemp("reporter"), patch, dims=3) as bundle:
            yield Catalogue([bundle], ["cpu"])
        torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def open_clients(writes: Catalogue, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Clients]:
    made = Clients(writes, tmp_path_factory.mktemp("services"))
    yield made
    made.close()


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of edits; each test has images of its own."""
    return tmp_path_factory.mktemp("kept") / "edits"


@pytest.fixture(scope="module")
def client(open_clients: Clients, kept: Path) -> TestClient:
    return open_clients(edits=kept)


@pytest.fixture(scope="module")
def scan(client: TestClient, series: list[Path]) -> Any:
    """The job about a DICOM series."""
    return asked(client, *((p.name, p.read_bytes()) for p in series))


def picture(seed: int = 3) -> bytes:
    buffer = io.BytesIO()
    values = np.random.default_rng(seed).integers(0, 255, (24, 24), dtype=np.uint8)
    Pil.fromarray(values).save(buffer, "PNG")
    return buffer.getvalue()


def asked(client: TestClient, *files: tuple[str, bytes], headers: dict[str, str] | None = None) -> Any:
    """The job that has answered about an upload."""
    study = client.post("/api/studies", files=[("files", f) for f in files], headers=headers).json()["study"]
    job = client.post("/api/jobs", json={"study": study}, headers=headers).json()
    while job["status"] in ("queued", "running"):
        time.sleep(0.02)  # who asks without a pause is sent away
        job = client.get(f"/api/jobs/{job['job']}", headers=headers).json()
    assert job["status"] == "done", job
    return job


def put(client: TestClient, job: Any, version: int = 0, sections: Any = None, **more: Any) -> Any:
    body = {"version": version, "sections": sections or CHANGED, "author": "Ada Lovelace", **more}
    headers = body.pop("headers", None)
    return client.put(f"/api/jobs/{job['job']}/reports/c1", json=body, headers=headers)


def test_an_edit_is_kept_with_who_and_when_and_the_next_one_too(
    client: TestClient, kept: Path, scan: Any
) -> None:
    job = scan
    url = f"/api/jobs/{job['job']}/reports/c1"
    before = client.get(url).json()
    assert before == {
        "kept": True, "version": 0, "shown": 0, "written": SECTIONS, "sections": SECTIONS, "edits": [], "sr": None,
    }  # fmt: skip
    assert client.get(f"{url}/sr.dcm").status_code == 404
    one = put(client, job)
    assert one.status_code == 200, one.text
    two = put(client, job, 1, SECTIONS, author="Hopper^Grace", verified=True, organisation="Harbour").json()
    assert two["version"] == 2 and two["sections"] == SECTIONS
    assert [(e["version"], e["author"], e["caller"], e["verified"]) for e in two["edits"]] == [
        (1, "Ada Lovelace", "local", False),
        (2, "Hopper^Grace", "local", True),
    ]
    assert two["edits"][0]["at"] < two["edits"][1]["at"]
    for version, sections in enumerate((SECTIONS, CHANGED, SECTIONS)):
        found = client.get(url, params={"version": version}).json()
        assert found == {**two, "shown": version, "sections": sections}
        assert not any("sections" in e for e in found["edits"])  # each text is fetched by itself
    assert client.get(url, params={"version": 3}).status_code == 404
    draft, first, second = (
        pydicom.dcmread(io.BytesIO(client.get(u).content))
        for u in (f"/api/jobs/{job['job']}/cases/c1/sr.dcm", f"{url}/sr.dcm?version=1", two["sr"])
    )
    replaced = [
        d.PredecessorDocumentsSequence[0].ReferencedSeriesSequence[0].ReferencedSOPSequence[0]
        for d in (first, second)
    ]
    assert [r.ReferencedSOPInstanceUID for r in replaced] == [draft.SOPInstanceUID, first.SOPInstanceUID]
    assert second.VerificationFlag == "VERIFIED" and first.VerificationFlag == "UNVERIFIED"
    said = first.to_json()
    assert "A small effusion on the right" in said and WHY not in said  # the doubted sentence has gone
    assert '"There is a 7 mm nodule in the left lung."' in said and "RID3875" in said
    assert WHY in draft.to_json()
    audit = [x for x in client.get("/api/audit").json()["lines"] if x["what"] == "edit"]
    ids = [e.edit.id for e in edits_in(kept)]
    assert [x["edit"] for x in audit] == ids and "nodule" not in json.dumps(audit)


def test_of_two_editors_the_second_is_told_and_loses_nothing(client: TestClient) -> None:
    job = asked(client, ("film.png", picture(21)))
    assert put(client, job, author="First").status_code == 200
    late = put(client, job, author="Second", sections={"findings": "Something else."})
    assert late.status_code == 409 and "version 1" in late.json()["error"] and "First" in late.json()["found"]
    assert client.get(f"/api/jobs/{job['job']}/reports/c1").json()["version"] == 1
    assert put(client, job, 1, {"findings": "Something else."}, author="Second").json()["version"] == 2
    assert client.get("/api/audit").json()["lines"][-2]["what"] == "edit"


def test_edits_are_there_again_when_image_and_model_come_again(open_clients: Clients, tmp_path: Path) -> None:
    first = open_clients(edits=tmp_path / "edits")
    put(first, asked(first, ("film.png", picture())))
    first.__exit__(None, None, None)  # the service has gone, and with it all uploads
    again = open_clients(edits=tmp_path / "edits")
    job = asked(again, ("another name.png", picture()))
    found = again.get(f"/api/jobs/{job['job']}/reports/c1").json()
    assert found["sections"] == CHANGED and found["edits"][0]["author"] == "Ada Lovelace"
    other = asked(again, ("film.png", picture(4)))
    assert again.get(f"/api/jobs/{other['job']}/reports/c1").json()["version"] == 0


def test_what_is_no_edit_is_refused_and_leaves_nothing(client: TestClient, kept: Path) -> None:
    job = asked(client, ("film.png", picture(22)))
    before = (kept / "edits.jsonl").read_bytes()
    for words, more in (
        ("no such section", {"sections": {"secrets": "x"}}),
        ("an empty report", {"sections": {"findings": " \n"}}),
        ("control characters", {"sections": {"findings": "a\x00b"}}),
        ("not a person's name", {"author": "a\\b"}),
        ("names the organisation", {"verified": True}),
        ("no such version", {"version": 7}),
        ("more than 64,000 bytes", {"sections": dict.fromkeys(SECTIONS, "é" * 19_000)}),
    ):
        got = put(client, job, **more)
        assert got.status_code == 422 and words in got.json()["error"], (words, got.text)
    assert client.get("/api/jobs/none/reports/c1").status_code == 404
    assert client.get(f"/api/jobs/{job['job']}/reports/c2").status_code == 404
    assert (kept / "edits.jsonl").read_bytes() == before


def test_a_service_that_keeps_no_edits_says_so(open_clients: Clients) -> None:
    client = open_clients()
    job = asked(client, ("film.png", picture()))
    assert client.get(f"/api/jobs/{job['job']}/reports/c1").json()["kept"] is False
    refused = put(client, job)
    assert refused.status_code == 403 and "keeps no edits" in refused.json()["error"]


def test_a_strangers_job_is_not_there(open_clients: Clients, tmp_path: Path) -> None:
    from vesalius.serve.http.keys import make

    keys = tmp_path / "keys"
    mine, other = ({"Authorization": f"Bearer {make(keys, n, 'user')}"} for n in ("alice", "bob"))
    client = open_clients(keys=keys, edits=tmp_path / "edits")
    job = asked(client, ("film.png", picture()), headers=mine)
    assert put(client, job, headers=other).status_code == 404
    saved = put(client, job, headers=mine).json()
    assert saved["edits"][0]["caller"] == "alice"


def test_a_line_that_was_never_finished_is_set_aside_and_one_that_was_changed_is_found(
    tmp_path: Path,
) -> None:
    folder = tmp_path / "edits"
    store = EditStore(folder)
    with pytest.raises(OutputError, match="in use"):
        EditStore(folder)
    report = ("image", "bundle")
    said: dict[str, Any] = {"author": "A", "written": SECTIONS, "model": "m", "caller": "local"}
    for seen in range(3):
        store.save(report, {"findings": f"{seen}"}, seen=seen, **said)

    def refuse(edit: Any) -> None:
        raise OutputError("no audit")

    with pytest.raises(OutputError, match="no audit"):
        store.save(report, {"findings": "x"}, seen=3, before=refuse, **said)
    store.close()
    path = folder / "edits.jsonl"
    whole = path.read_bytes()
    path.write_bytes(whole + b'{"edit": {"id"')  # killed as it wrote
    again = EditStore(folder)
    assert again.mended is not None and path.read_bytes() == whole
    assert [e.sections["findings"] for e in again.of(report)] == ["0", "1", "2"]
    again.close()
    lines = whole.splitlines(keepends=True)
    path.write_bytes(lines[0] + lines[2])
    with pytest.raises(FormatError, match="line 2: an edit before it is missing"):
        EditStore(folder)
    path.write_bytes(b"[]\n")
    with pytest.raises(FormatError, match="no edit of a report"):
        EditStore(folder)


def test_versions_are_few_and_what_the_model_wrote_is_held_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("vesalius.serve.edits.store.MOST_VERSIONS", 3)
    store = EditStore(tmp_path)
    said: dict[str, Any] = {"author": "A", "model": "m", "caller": "local"}
    for seen in range(3):
        store.save(("i", "b"), {"findings": f"{seen}"}, seen=seen, written=dict(SECTIONS), **said)
    with pytest.raises(OutputError, match="too many versions"):
        store.save(("i", "b"), {"findings": "3"}, seen=3, written=dict(SECTIONS), **said)
    store.close()
    again = EditStore(tmp_path)
    for held in (store, again):
        assert len({id(e.written) for e in held.of(("i", "b"))}) == 1
        assert [e.sections["findings"] for e in held.of(("i", "b"))] == ["0", "1", "2"]
    again.close()


def test_what_is_said_to_be_saved_outlives_a_process_that_is_killed(tmp_path: Path) -> None:
    code = """if True:
        import sys, time
        from pathlib import Path
        from vesalius.serve.edits.store import EditStore
        store = EditStore(Path(sys.argv[1]))
        store.save(("i", "b"), {"findings": "Kept."}, seen=0, author="A", written={}, model="m", caller="local")
        print("saved", flush=True)
        time.sleep(600)
    """
    with subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path)], stdout=subprocess.PIPE, text=True
    ) as running:
        assert running.stdout is not None and running.stdout.readline() == "saved\n"
        running.kill()
    store = EditStore(tmp_path)  # nobody holds it any more
    assert [e.sections["findings"] for e in store.of(("i", "b"))] == ["Kept."]
    store.close()


def test_changed_reports_are_a_cohort_to_learn_from(client: TestClient, kept: Path, tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    for k in range(3):
        (data / f"film-{k}.png").write_bytes(picture(k))
        if k < 2:
            job = asked(client, ("x.png", picture(k)))
            put(
                client,
                job,
                verified=k == 1,
                organisation="Harbour",
                sections={**CHANGED, "impression": f"No {k}."},
            )
    cohort = cohorts.read(data)
    made = export_edits(kept, cohort, data / "edits.csv")
    assert (made.cases, made.left_out) == (2, ())
    assert made.elsewhere == len({e.image for e in edits_in(kept)}) - 2
    back = cohorts.read(made.path)
    assert len(back) == 2
    for case, k in zip(sorted(back, key=lambda c: c.id), range(2), strict=True):
        assert case.report is not None
        assert parted(case.report) == {**CHANGED, "impression": f"No {k}."}
    only = export_edits(kept, cohort, tmp_path / "verified.csv", verified_only=True)
    assert only.cases == 1 and "Ada Lovelace" in only.path.read_text()
    (data / "other").mkdir()
    (data / "other" / "film.png").write_bytes(picture(5))
    with pytest.raises(DataError, match="no case has an edited report"):
        export_edits(kept, cohorts.read(data / "other"), tmp_path / "none.csv")
    assert not (tmp_path / "none.csv").exists()


def test_a_report_that_names_its_patient_stays_out(
    client: TestClient, kept: Path, scan: Any, tmp_path: Path, series: list[Path]
) -> None:
    data = tmp_path / "data"
    data.mkdir()
    for path in series:
        (data / path.name).write_bytes(path.read_bytes())
    head = pydicom.dcmread(series[0], stop_before_pixels=True)
    family = str(head.PatientName).split("^")[0]
    seen = client.get(f"/api/jobs/{scan['job']}/reports/c1").json()["version"]
    put(client, scan, seen, sections={"findings": f"Mrs {family.title()} has a nodule."})
    cohort = cohorts.read(data)
    with pytest.raises(DataError, match="no case has") as refused:
        export_edits(kept, cohort, data / "edits.csv")
    assert "names the patient" in str(refused.value)
    put(client, scan, seen + 1, {"findings": "She has a nodule, which is as large as it was."})
    made = export_edits(kept, cohort, data / "edits.csv")
    (case,) = cohorts.read(made.path)
    assert case.report == "FINDINGS: She has a nodule, which is as large as it was." and len(
        case.image.paths
    ) == len(series)
