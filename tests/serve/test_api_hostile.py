"""With hostile eyes: every route's door, headers, names that are none, and many at one time."""

from __future__ import annotations

import itertools
import re
import threading
from pathlib import Path
from typing import Any

import pytest
from _clients import Clients
from fastapi.routing import APIRoute
from starlette.testclient import TestClient

from _patience import until
from vesalius.core.errors import FormatError, PlanError
from vesalius.serve.http import keys, problems, uploads
from vesalius.serve.http.keys import make
from vesalius.serve.http.service import Service

PUBLIC = {  # nothing of a patient, a caller or a model is in them
    ("GET", "/"), ("GET", "/health"), ("GET", "/ready"), ("GET", "/openapi.json"), ("GET", "/auth/"),
    ("POST", "/auth/token"),
}  # fmt: skip
MONITOR = {("GET", "/metrics")}
ADMIN = {
    ("GET", "/api/audit"), ("POST", "/train/"), ("POST", "/train/{model}"), ("DELETE", "/train/"), ("GET", "/logs/"),
}  # fmt: skip
NEEDED = {"image": "x", "label": "x", "id": "x"}  # parameters without which a request is 422


def routes(app: Any) -> list[tuple[str, str]]:
    """Every method and path that an app answers, those of the routers in it too."""
    found = []
    for route in app.routes:
        inner = getattr(route, "original_router", None) or getattr(route, "router", None)
        if isinstance(route, APIRoute) or (inner is None and hasattr(route, "methods")):
            found += [
                (m, route.path)
                for m in sorted(route.methods or ())
                if m != "HEAD" or "/datastore" in route.path
            ]
        elif inner is not None:
            prefix = getattr(getattr(route, "include_context", None), "prefix", "")
            found += [(m, prefix + p) for m, p in routes(inner)]
    return found


@pytest.fixture(scope="module")
def doors(models: Any, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A service with a key of each role, and its keys by role."""
    folder = tmp_path_factory.mktemp("doors")
    known = {role: make(folder / "k.yaml", f"a-{role}", role) for role in keys.ROLES}
    made = Clients(models, folder)
    yield made(keys=folder / "k.yaml"), known
    made.close()


def every(client: TestClient) -> list[tuple[str, str]]:
    """From the schema, as clients know them, and from the application itself."""
    said = [
        (method.upper(), path)
        for path, ways in client.get("/openapi.json").json()["paths"].items()
        for method in ways
    ]
    return sorted({*said, *routes(client.app)})


def test_every_route_refuses_who_may_not(doors: Any) -> None:
    client, known = doors
    found = every(client)
    assert len(found) > 40 and {*PUBLIC, *MONITOR, *ADMIN} <= {*found}, (
        "the lists are of routes that there are"
    )
    static = {
        ("GET", f"/{p.name}") for p in (Path(problems.__file__).parents[1] / "viewer" / "static").glob("*")
    }
    for method, path in found:
        at = re.sub(r"\{\w+\}", "x", path)

        def call(role: str | None, method: str = method, at: str = at) -> int:
            headers = {"authorization": f"Bearer {known[role]}"} if role else {}
            got: int = client.request(method, at, params=NEEDED, headers=headers).status_code
            return got

        if (method, path) in PUBLIC | static:
            assert call(None) == 200 or path == "/auth/token", path
            continue
        assert call(None) == 401, (method, path)
        assert (call("monitor") != 403) == ((method, path) in MONITOR), (method, path)
        assert (call("user") != 403) == ((method, path) not in ADMIN), (method, path)
        assert call("admin") not in (401, 403), (method, path)


def test_a_body_does_not_open_a_door(doors: Any) -> None:
    client, known = doors
    for method, path in every(client):
        if method in ("POST", "PUT") and (method, path) not in PUBLIC:
            at = re.sub(r"\{\w+\}", "x", path)
            for body, kind in ((b"{", "application/json"), (b"--b", "multipart/form-data; boundary=b")):
                got = client.request(method, at, params=NEEDED, content=body, headers={"content-type": kind})
                assert got.status_code == 401, (method, path)


def test_every_answer_says_what_a_browser_may_do_with_it(doors: Any, picture: bytes) -> None:
    client, known = doors
    own = {"authorization": f"Bearer {known['user']}"}
    form = {"files": ("x.png", picture)}
    job = client.post("/api/predict", files=form, data={"model": "chest"}, headers=own).json()
    preview = f"/api/studies/{job['study']}/cases/c1/preview.png"
    for got in (
        client.get("/"),
        client.get("/health"),
        client.get("/nowhere"),
        client.get("/api/models"),
        client.get(preview, headers=own),
        client.get(f"/datastore/image?image={job['study']}-c1", headers=own),
        client.get(job["answers"][0]["files"]["answer.json"], headers=own),
        client.post("/api/jobs", content=b"{", headers=own),
        client.post("/api/jobs", content=b" " * (2 << 20), headers=own),
    ):
        said = got.headers
        assert said["x-content-type-options"] == "nosniff" and said["x-frame-options"] == "DENY", got.url
        assert "default-src 'none'" in said["content-security-policy"] or got.url.path == "/"
        assert "no-store" in said["cache-control"] or got.url.path == "/"
        assert said["cross-origin-resource-policy"] == "same-origin"
        assert len(said.get_list("content-security-policy")) <= 1
    for method in ("OPTIONS", "GET"):  # no other site's page may read an answer
        asked = {"origin": "https://evil.example", "access-control-request-method": "GET"}
        got = client.request(method, preview, headers=asked | own)
        assert not any(h.startswith("access-control-") for h in got.headers)
    part = client.get(preview, headers=own | {"range": "bytes=0-3"})
    assert part.status_code == 206 and part.content == b"\x89PNG"
    assert client.get(preview, headers=own | {"range": "bytes=9999999-"}).status_code == 416
    many = client.get(preview, headers=own | {"range": "bytes=" + ",".join(["0-0"] * 5000)})
    assert many.status_code < 500 and len(many.content) < 1_000_000
    assert client.head(preview, headers=own).status_code == 405


@pytest.mark.parametrize(
    "text", ['{"a": NaN}', '{"a": 1e999}', '{"a": "\\ud800"}', '{"\\udfff": 1}', "[" * 60_000]
)
def test_what_is_said_of_an_image_can_be_said_again(text: str, clients: Any, picture: bytes) -> None:
    client = clients()
    form = {"file": ("x.png", picture), "label": ("x.png", picture)}
    got = client.put("/datastore/?image=a", files={"file": form["file"]}, data={"params": text})
    assert got.status_code == 422
    assert client.put("/datastore/?image=a", files={"file": form["file"]}).status_code == 200
    got = client.put("/datastore/label?image=a", files={"label": form["label"]}, data={"params": text})
    assert got.status_code == 422
    assert client.get("/datastore/?output=all").json()["objects"]["a"]["labels"] == {}


@pytest.mark.parametrize(
    "name", ["患者 山田太郎.png", "ü" * 1000 + ".png", "a\r\nX-Evil: 1.png", '"; x="y.png', "%2e%2e%2fx.png"]
)
def test_any_name_of_a_file_is_taken_and_shown(name: str, clients: Any, picture: bytes) -> None:
    client = clients()
    got = client.post("/api/studies", files=[("files", (name, picture))])
    assert got.status_code == 201 and "x-evil" not in got.headers
    (case,) = got.json()["cases"]
    assert case["name"].isprintable() and len(case["name"]) <= 120
    assert uploads.label(name).endswith(".png"), "what kind of file it is stays to be seen"


TRAPS = (
    b"[" * 900_000,
    b'{"a":' * 100_000,
    b'{"a":' + b"9" * 5000 + b"}",
    b"\xff\xfe{}",
    b'{"model":"\\ud800","study":"abc"}',
)


@pytest.mark.parametrize("body", TRAPS, ids=len)
def test_json_that_is_a_trap_is_refused(body: bytes, client: TestClient) -> None:
    for path in ("/api/jobs", "/activelearning/first"):
        got = client.post(path, content=body, headers={"content-type": "application/json"})
        assert got.status_code in (400, 422) or path != "/api/jobs", got.text
        assert got.status_code < 500


def test_deleting_from_many_sides_at_once_is_204_or_404(
    clients: Any, series: list[Path], picture: bytes
) -> None:
    client = clients()
    service: Service = client.app.state.service
    files = [("files", (p.name, p.read_bytes())) for p in series]
    for _ in range(3):
        study = client.post("/api/studies", files=files).json()["study"]
        job = client.post("/api/jobs", json={"model": "organs", "study": study}).json()["job"]
        client.put(f"/datastore/label?image={study}-c1", files={"label": ("l.png", picture)})
        ways = [
            ("GET", f"/api/studies/{study}/cases/c1/image.nii.gz"), ("GET", f"/api/jobs/{job}"),
            ("DELETE", f"/datastore/label?id={study}-c1"), ("GET", f"/datastore/label?label={study}-c1"),
            ("DELETE", f"/api/jobs/{job}"), ("DELETE", f"/api/studies/{study}"), ("DELETE", f"/session/{study}"),
        ]  # fmt: skip
        codes: list[int] = []
        threads = [
            threading.Thread(target=lambda w=w: codes.append(client.request(*w).status_code))
            for w in itertools.chain(*[ways] * 4)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        assert len(codes) == len(threads) and set(codes) <= {200, 204, 404}, codes
        assert client.get(f"/api/studies/{study}").status_code == 404
    until(lambda: not any(p.is_file() for p in service.root.rglob("*")))  # as soon as it is not read any more
    assert service.studies.stored() == 0


def test_pictures_of_any_size_go_through_together(clients: Any) -> None:
    import io

    import numpy as np
    from PIL import Image as Pil

    client, rng = clients(), np.random.default_rng(4)
    files = []
    for k in range(7):
        shape = (10 + 17 * k, 100 - 11 * k, 3)[: 3 if k % 3 == 0 else 2]
        buffer = io.BytesIO()
        Pil.fromarray(rng.integers(0, 255, shape, dtype=np.uint8)).save(buffer, "PNG")
        files.append(("files", (f"{k}.png", buffer.getvalue())))
    together = client.post("/api/predict", files=files, data={"model": "chest"}).json()
    assert together["status"] == "done" and len(together["answers"]) == 7 and together["error"] is None
    alone = client.post("/api/predict", files=[files[5]], data={"model": "chest"}).json()
    p = [[x["p"] for x in job["answers"][k]["summary"]["labels"]] for job, k in ((together, 5), (alone, 0))]
    assert p[0] == pytest.approx(p[1], abs=1e-5)


def test_methods_that_nobody_knows_do_not_fill_the_figures(client: TestClient) -> None:
    for k in range(5):
        assert client.request(f"PLANTED{k}", "/api/models").status_code == 405
    text = client.get("/metrics").text
    assert "PLANTED" not in text and 'method="other"' in text


@pytest.mark.parametrize("name", ["service", "local", "Service"])
def test_a_key_is_not_called_as_the_service_calls_itself(name: str, tmp_path: Path) -> None:
    with pytest.raises(FormatError, match="own"):
        make(tmp_path / "k.yaml", name, "user")
    (tmp_path / "k.yaml").write_text(f"keys: [{{name: {name}, role: user, sha256: '{'0' * 64}'}}]")
    with pytest.raises(PlanError, match="own"):
        keys.load(tmp_path / "k.yaml")


def test_what_nobody_foresaw_is_logged_without_its_words(
    clients: Any, picture: bytes, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    client = clients()
    study = client.post("/api/studies", files={"files": ("x.png", picture)}).json()["study"]

    def broken(*_: Any, **__: Any) -> Any:
        raise RuntimeError("PLAN" + "TED^JANE")

    service: Service = client.app.state.service
    monkeypatch.setattr(service.studies, "image", broken)
    strict = TestClient(client.app, base_url="http://127.0.0.1")  # which raises what reaches the server
    got = strict.get(f"/api/studies/{study}/cases/c1/image.nii.gz")
    assert got.status_code == 500 and "PLANTED" not in got.text and got.headers["x-frame-options"] == "DENY"
    assert 'status="500"' in client.get("/metrics").text
    monkeypatch.setattr(service.jobs, "expire", broken)
    monkeypatch.setattr("vesalius.serve.http.service._SWEEP_S", 0.01)
    with monkeypatch.context() as patch:
        stopping = threading.Event()
        patch.setattr(service, "stopping", stopping)
        sweeper = threading.Thread(target=service._sweep)
        sweeper.start()
        for _ in range(500):
            if sum("what is old" in r.message for r in caplog.records) > 1:
                break
            stopping.wait(0.01)
        stopping.set()
        sweeper.join(10)
    text = caplog.text
    assert "RuntimeError" in text and "test_api_hostile" in text and "PLANTED" not in text
    assert text.count("what is old could not be removed") > 1, "the sweeper goes on"
