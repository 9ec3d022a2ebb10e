"""Sessions of clicks over HTTP: what is clicked on is found, whatever the image's geometry; limits, owners, replays."""

from __future__ import annotations

import io
import json
import re
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import numpy as np
import pydicom
import pytest
from _bundles import clicker
from _clients import Clients
from _growing import Growing, bits_of, blob, clickable
from _uploads import upload
from PIL import Image as Pil
from starlette.testclient import TestClient

from vesalius import formats
from vesalius.core.errors import DataError
from vesalius.core.image import Image
from vesalius.serve.http.catalogue import Catalogue
from vesalius.serve.http.clicks import sessions
from vesalius.serve.http.keys import make
from vesalius.serve.node.answering import series_model

MIDDLE, OTHER = (2, 9, 21), (6, 3, 4)  # (z, y, x)
SHAPE = (8, 14, 27)
SLANT = np.array([[0.7, 0.1, 0, 3], [-0.1, 0.7, 0, -20], [0, 0, 2.5, 40], [0, 0, 0, 1.0]])
AFFINES = {
    "plain": np.diag([1.0, 1.0, 3.0, 1.0]),
    "negative": np.diag([-1.0, 1.0, -3.0, 1.0]),
    "oblique": SLANT,
    "turned": np.array([[0, 0, 3.0, 0], [0, -1.0, 0, 9], [1.0, 0, 0, 4], [0, 0, 0, 1.0]]),
}


@pytest.fixture
def ask(models: Catalogue, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Clients]:
    monkeypatch.setattr(sessions, "Clicking", Growing)
    made = Clients(clickable(models, "organs", "plaque"), tmp_path)
    yield made
    made.close()


def volume(folder: Path, affine: Any, *middles: Any) -> tuple[str, bytes]:
    path = formats.write(Image(blob(SHAPE, *middles)[None], affine=affine), folder / "v.nii.gz")
    return path.name, path.read_bytes()


def point(*place: float, adds: bool = True) -> dict[str, Any]:
    return {"kind": "point", "adds": adds, "places": [place]}


def begun(client: TestClient, file: tuple[str, bytes], model: str = "organs", **more: Any) -> Any:
    study = upload(client, file).json()["study"]
    got = client.post("/api/clicks", json={"model": model, "study": study, "case": "c1", **more})
    assert got.status_code == 201, got.text
    return got.json()


@pytest.mark.parametrize("name", AFFINES)
def test_a_click_on_a_blob_finds_it_whatever_the_geometry(name: str, ask: Clients, tmp_path: Path) -> None:
    client = ask()
    said = begun(client, volume(tmp_path, AFFINES[name], MIDDLE, OTHER))
    assert said["shape"] == list(SHAPE) and said["flips"] == [] and said["voxels"] == 0
    one = client.post(f"/api/clicks/{said['session']}/strokes", json={"strokes": [point(*MIDDLE)]}).json()
    wanted = np.zeros(SHAPE, bool)
    wanted[1:4, 8:11, 20:23] = True
    assert np.array_equal(bits_of(one), wanted) and one["against"] == 0
    size = abs(float(np.linalg.det(AFFINES[name][:3, :3]))) * 27 / 1000
    assert one["summary"]["labels"][0]["volume_ml"] == pytest.approx(size, abs=1e-4)
    (tmp_path / "m.nii.gz").write_bytes(client.get(f"/api/clicks/{said['session']}/mask.nii.gz").content)
    kept = formats.read(tmp_path / "m.nii.gz")
    assert np.array_equal(kept.array[0] != 0, wanted)
    assert kept.affine is not None and np.allclose(kept.affine, AFFINES[name], atol=1e-5)


def test_a_click_on_a_picture_is_row_and_column(ask: Clients) -> None:
    array, buffer = blob((1, 30, 44), (0, 7, 33))[0], io.BytesIO()
    Pil.fromarray((array / 4).astype(np.uint8)).save(buffer, "PNG")
    client = ask()
    said = begun(client, ("p.png", buffer.getvalue()), "plaque", strokes=[point(0, 7, 33)])
    found = bits_of(said)
    assert found[0, 6:9, 32:35].all() and found.sum() == 9
    assert said["summary"]["labels"][0]["pixels"] == 9 and "area_mm2" not in said["summary"]["labels"][0]
    got = client.post(f"/api/clicks/{said['session']}/strokes", json={"strokes": [point(0, 33, 7)]})
    assert got.status_code == 422 and "outside of the image" in got.json()["error"]


def test_a_model_that_was_never_trained_has_the_voxel_that_is_pointed_at(tmp_path: Path) -> None:
    clicker(tmp_path / "clicks")
    made = Clients(Catalogue([tmp_path / "clicks"], ["cpu"], selftest=False, runtime="torch"), tmp_path)
    client = made()
    said = begun(client, volume(tmp_path, AFFINES["oblique"], MIDDLE), "clicks", strokes=[point(*MIDDLE)])
    assert bits_of(said)[MIDDLE]
    at = f"/api/clicks/{said['session']}/strokes"
    two = {"strokes": [point(*MIDDLE), point(2, 9, 20, adds=False)], "version": said["version"]}
    less = client.put(at, json=two).json()
    found = bits_of(less, bits_of(said))
    assert found[MIDDLE] and not found[2, 9, 20]
    back = client.put(at, json={"strokes": two["strokes"][:1]}).json()
    assert back["flips"] == said["flips"], "undone, to the bit"
    alone = client.put(at, json={"strokes": [point(2, 9, 20, adds=False)], "version": back["version"]})
    assert alone.status_code == 422 and "nothing to remove" in alone.json()["error"]
    kept = client.get(at.removesuffix("/strokes")).json()
    assert (kept["strokes"], kept["flips"]) == (1, said["flips"]), "what was refused has changed nothing"
    about = {"model": "clicks", "study": said["study"], "kind": "predict"}
    got = client.post("/api/jobs", json=about)
    assert got.status_code == 422 and got.json()["hint"] == "POST /api/clicks with strokes"
    with pytest.raises(DataError, match="nobody does at a node"):
        series_model(client.app.state.service.models.get("clicks"))  # type: ignore[attr-defined]
    made.close()


def test_what_the_page_shows_works_word_for_word(
    ask: Clients, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = (Path(__file__).parents[2] / "docs" / "clicks.md").read_text(encoding="utf-8")
    (block,) = re.findall(r"^```python\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    name, data = volume(tmp_path, AFFINES["oblique"], MIDDLE, OTHER)
    (tmp_path / "scan.nii.gz").write_bytes(data)
    monkeypatch.chdir(tmp_path)
    client = ask()
    monkeypatch.setattr(httpx, "Client", lambda base_url, timeout: client)
    space: dict[str, Any] = {}
    exec(compile(block, "docs/clicks.md", "exec"), space)
    assert space["mask"][1:4, 8:11, 20:23].all() and space["mask"].sum() == 27
    assert space["undone"]["voxels"] == 0


def test_what_changed_is_little_and_adds_up(ask: Clients, tmp_path: Path) -> None:
    client = ask()
    said = begun(client, volume(tmp_path, AFFINES["plain"], MIDDLE, OTHER), strokes=[point(*MIDDLE)])
    at, first = f"/api/clicks/{said['session']}/strokes", bits_of(said)
    two = client.post(at, json={"strokes": [point(*OTHER)], "version": said["version"]}).json()
    assert two["against"] == said["version"] and len(two["flips"]) == 18  # nine rows of the second alone
    both = bits_of(two, first)
    assert both.sum() == 54
    gone = client.post(at, json={"strokes": [point(*MIDDLE, adds=False)], "version": two["version"]}).json()
    assert bits_of(gone, both).sum() == 27 and gone["strokes"] == 3
    stale = client.post(at, json={"strokes": [point(*OTHER)], "version": two["version"]})
    assert stale.status_code == 409 and "all strokes" in stale.json()["hint"]
    back = client.put(
        at, json={"strokes": [point(*MIDDLE), point(*OTHER)], "version": gone["version"]}
    ).json()
    assert np.array_equal(bits_of(back, bits_of(gone, both)), both), (
        "an undone stroke leaves the mask before it"
    )
    assert back["version"] > gone["version"] and back["strokes"] == 2
    whole = client.get(at.removesuffix("/strokes")).json()
    assert whole["against"] == 0 and np.array_equal(bits_of(whole), both)


def test_a_session_is_replayed_from_its_strokes(ask: Clients, tmp_path: Path) -> None:
    client, file = ask(), volume(tmp_path, AFFINES["oblique"], MIDDLE, OTHER)
    strokes = [point(*MIDDLE), point(*OTHER), point(*MIDDLE, adds=False)]
    said = begun(client, file, strokes=strokes)
    assert client.delete(f"/api/clicks/{said['session']}").status_code == 204
    lost = client.get(f"/api/clicks/{said['session']}")
    assert lost.status_code == 404 and "strokes, which the client keeps" in lost.json()["hint"]
    other = ask()  # a service that was started anew
    again = begun(other, file, strokes=strokes)
    assert again["session"] != said["session"] and again["flips"] == said["flips"]
    start = begun(other, file, start=said["flips"], strokes=[point(*MIDDLE)])
    assert bits_of(start).sum() == 54, "a mask to start from is kept, and added to"
    bad = {"model": "organs", "study": start["study"], "case": "c1", "start": [1, 10**9]}
    assert other.post("/api/clicks", json=bad).status_code == 422
    lines = [json.loads(x) for x in other.app.state.service.audit.path.read_text().splitlines()]  # type: ignore[attr-defined]
    assert [x["what"] for x in lines if "click" in x["what"]] == [
        "clicks",
        "clicks",
        "clicks",
        "clicks ended",
    ]


def test_a_box_and_a_scribble_are_strokes_too(ask: Clients, tmp_path: Path) -> None:
    client = ask()
    box = {"kind": "box", "places": [(1, 8, 20), (3, 10, 22)]}
    line = {"kind": "scribble", "places": [(6, 3, 4), (6, 9, 12)]}
    said = begun(client, volume(tmp_path, AFFINES["plain"], MIDDLE, OTHER), strokes=[box, line])
    assert said["voxels"] == 54
    for wrong in (
        {"kind": "box", "places": [(1, 8, 20)]},
        {"kind": "circle", "places": [(1, 8, 20)]},
        {"kind": "point", "places": [(1, 8)]},
        {"kind": "point", "places": [(1, 8, "x")]},
        {"kind": "point", "places": []},
        {"kind": "point", "places": [(-1, 0, 0)]},
    ):
        got = client.post(f"/api/clicks/{said['session']}/strokes", json={"strokes": [wrong]})
        assert got.status_code == 422 and set(got.json()) == {"error", "found", "hint"}, wrong
    assert client.get(f"/api/clicks/{said['session']}").json()["version"] == said["version"]


def test_a_cine_is_clicked_on_frame_by_frame(ask: Clients, tmp_path: Path) -> None:
    frames = np.stack([blob((1, 20, 30), (0, 5, 5 + 10 * k))[None] for k in range(3)])
    path = formats.write(
        Image(frames, spacing_mm=(0.5, 0.5, 1.0), times_s=(0.0, 0.1, 0.2)), tmp_path / "c.nii.gz"
    )
    client, file = ask(), (path.name, path.read_bytes())
    said = begun(client, file, "plaque", frame=2, strokes=[point(0, 5, 25)])
    assert said["shape"] == [1, 20, 30] and bits_of(said)[0, 4:7, 24:27].all() and said["voxels"] == 9
    assert said["summary"]["labels"][0]["area_mm2"] == pytest.approx(9 * 0.25)
    late = {"model": "plaque", "study": said["study"], "case": "c1", "frame": 3}
    got = client.post("/api/clicks", json=late)
    assert got.status_code == 422 and got.json()["hint"] == "0 to 2"


def test_a_dicom_image_gives_a_seg(ask: Clients, series: list[Path], tmp_path: Path) -> None:
    client, places = ask(), []
    files = [("files", (p.name, p.read_bytes())) for p in series]
    study = client.post("/api/studies", files=files).json()["study"]
    image = formats.read(
        client.app.state.service.studies.get(study, SimpleNamespace(name="local", may=lambda r: True))
        .cases[0]
        .case.image
    )  # type: ignore[attr-defined]
    z, y, x = (int(i) for i in np.unravel_index(int(image.array[0].argmax()), image.array.shape[1:]))
    said = client.post(
        "/api/clicks", json={"model": "organs", "study": study, "case": "c1", "strokes": [point(z, y, x)]}
    ).json()
    got = client.get(f"/api/clicks/{said['session']}/seg.dcm?label=left kidney")
    assert got.status_code == 200, got.text
    (tmp_path / "s.seg.dcm").write_bytes(got.content)
    assert pydicom.dcmread(tmp_path / "s.seg.dcm").SegmentSequence[0].SegmentLabel == "left kidney"
    kept = formats.read(tmp_path / "s.seg.dcm")
    found, lies = np.argwhere(kept.array[0] != 0).mean(axis=0), np.argwhere(bits_of(said)).mean(axis=0)
    assert kept.affine is not None and image.affine is not None
    for affine, middle in ((kept.affine, found), (image.affine, lies)):
        places.append(affine @ [*middle[::-1], 1])
    assert np.allclose(*places, atol=1e-3) and (kept.array != 0).sum() == said["voxels"]
    assert client.get(f"/api/clicks/{said['session']}/x.exe").status_code == 404


def test_sessions_are_their_owners_and_bounded(ask: Clients, tmp_path: Path) -> None:
    keys = tmp_path / "keys"
    held = {n: {"Authorization": f"Bearer {make(keys, n, 'user')}"} for n in ("ann", "bob")}
    client = ask(keys=keys, clicks=3, clicks_each=2, click_strokes=3)
    file = volume(tmp_path, AFFINES["plain"], MIDDLE)
    made = []
    for who in ("ann", "ann", "ann", "bob"):
        study = client.post("/api/studies", files=[("files", file)], headers=held[who]).json()["study"]
        about = {"model": "organs", "study": study, "case": "c1"}
        got = client.post("/api/clicks", json=about, headers=held[who])
        made.append(got.json()["session"])
    assert client.get(f"/api/clicks/{made[0]}", headers=held["ann"]).status_code == 404, "the longest rested"
    assert client.get(f"/api/clicks/{made[1]}", headers=held["ann"]).status_code == 200
    assert client.get(f"/api/clicks/{made[1]}", headers=held["bob"]).status_code == 404
    assert client.get(f"/api/clicks/{made[1]}").status_code == 401
    assert client.post("/api/clicks", json=about).status_code == 401
    many = {"strokes": [point(*MIDDLE)] * 4}
    got = client.post(f"/api/clicks/{made[3]}/strokes", json=many, headers=held["bob"])
    assert got.status_code == 413 and got.json()["hint"] == "at most 3"
    service: Any = client.app.state.service  # type: ignore[attr-defined]
    assert len(service.clicks) == 3
    for session in service.clicks._sessions.values():
        session.touched = time.monotonic() - 1000
    service.clicks.expire()
    assert len(service.clicks) == 0 and service.clicks.stored() == 0


def test_all_places_taken_is_said(ask: Clients, tmp_path: Path) -> None:
    keys = tmp_path / "keys"
    held = {n: {"Authorization": f"Bearer {make(keys, n, 'user')}"} for n in ("ann", "bob")}
    client, file = ask(keys=keys, clicks=1), volume(tmp_path, AFFINES["plain"], MIDDLE)

    def begin(who: str) -> Any:
        study = client.post("/api/studies", files=[("files", file)], headers=held[who]).json()["study"]
        about = {"model": "organs", "study": study, "case": "c1"}
        return client.post("/api/clicks", json=about, headers=held[who])

    mine = begin("ann").json()["session"]
    full = begin("bob")
    assert full.status_code == 429 and full.headers["retry-after"] == "60"
    client.app.state.service.clicks.get(mine, "ann").touched -= 61  # type: ignore[attr-defined]
    assert begin("bob").status_code == 201
    small = ask(click_bytes=100)
    study = upload(small, file).json()["study"]
    got = small.post("/api/clicks", json={"model": "organs", "study": study, "case": "c1"})
    assert got.status_code == 413 and "too large to click on" in got.json()["error"]


def test_a_model_without_clicks_says_so_and_a_study_takes_its_sessions_along(
    ask: Clients, tmp_path: Path
) -> None:
    client = ask()
    said = begun(client, volume(tmp_path, AFFINES["plain"], MIDDLE), strokes=[point(*MIDDLE)])
    about = {"model": "chest", "study": said["study"], "case": "c1"}
    got = client.post("/api/clicks", json=about)
    assert got.status_code == 422 and "takes no clicks" in got.json()["error"]
    assert {m["name"]: m["clicks"] for m in client.get("/api/models").json()} == {
        "chest": False, "organs": True, "plaque": True
    }  # fmt: skip
    figures = client.get("/metrics").text
    assert 'vesalius_clicks_total{model="organs",outcome="answered"} 1.0' in figures
    assert 'vesalius_click_seconds_count{model="organs"} 1.0' in figures
    assert "vesalius_click_sessions 1.0" in figures
    client.delete(f"/api/studies/{said['study']}")
    assert client.get(f"/api/clicks/{said['session']}").status_code == 404


def test_each_answer_to_strokes_counts_once_in_the_latency_and_what_was_refused_or_nothing_new_does_not(
    ask: Clients, tmp_path: Path
) -> None:
    client = ask()

    def counted() -> float:
        found = re.search(
            r'vesalius_latency_seconds_count\{model="organs",sort="click"\} (\S+)',
            client.get("/metrics").text,
        )
        return float(found[1]) if found else 0.0

    said = begun(client, volume(tmp_path, AFFINES["plain"], MIDDLE, OTHER))
    at = f"/api/clicks/{said['session']}/strokes"
    assert counted() == 0, "a session without a stroke has answered nothing"
    client.post(at, json={"strokes": [point(*MIDDLE), point(*OTHER)]})
    assert counted() == 1, "two strokes that came together are one answer"
    client.put(at, json={"strokes": [point(*MIDDLE), point(*OTHER)]})
    assert client.post(at, json={"strokes": [point(99, 0, 0)]}).status_code == 422
    assert counted() == 1
    client.put(at, json={"strokes": [point(*MIDDLE)]})
    assert counted() == 2, "an undone stroke is waited for, too"
    held = client.app.state.service.metrics.latency.quantiles("click", "organs")  # type: ignore[attr-defined]
    assert 0 < held[0.5] <= held[0.95]
