"""Keys and roles: who may do what, and that another's things are not there."""

from __future__ import annotations

import stat
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient
from typer.testing import CliRunner

from vesalius.cli import app
from vesalius.core.errors import FormatError, PlanError, UnsafeError, VesaliusError
from vesalius.serve.http import keys
from vesalius.serve.http.keys import Keys, make
from vesalius.serve.http.server import check_exposure


@pytest.fixture
def held(tmp_path: Path) -> dict[str, str]:
    """A key of each kind, by its owner's name."""
    file = tmp_path / "keys.yaml"
    roles: dict[str, keys.Role] = {"alice": "user", "bob": "user", "prometheus": "monitor", "chief": "admin"}
    return {name: make(file, name, role) for name, role in roles.items()}


@pytest.fixture
def client(clients: Any, held: dict[str, str], tmp_path: Path) -> TestClient:
    found: TestClient = clients(keys=tmp_path / "keys.yaml")
    return found


def as_(key: str) -> dict[str, str]:
    return {"authorization": f"Bearer {key}"}


def test_no_key_is_kept(held: dict[str, str], tmp_path: Path) -> None:
    file = tmp_path / "keys.yaml"
    text = file.read_text()
    assert not any(key in text for key in held.values())
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert len({len(k) for k in held.values()}) == 1 and len(set(held.values())) == 4


def test_without_a_known_key_nothing_but_health_is_answered(client: TestClient, held: dict[str, str]) -> None:
    assert client.get("/health").status_code == 200 and client.get("/ready").status_code == 200
    for headers in (
        {},
        as_("wrong"),
        as_(held["alice"][:-1]),
        as_(""),
        {"authorization": f"Basic {held['alice']}"},
    ):
        for path in (
            "/api/models",
            "/api/studies",
            "/api/jobs",
            "/api/audit",
            "/metrics",
            "/info/",
            "/datastore/",
        ):
            got = client.get(path, headers=headers)
            assert got.status_code == 401 and got.headers["www-authenticate"] == "Bearer", path
    assert client.get("/api/models", headers=as_(held["alice"])).status_code == 200


def test_a_role_is_what_it_may_do(client: TestClient, held: dict[str, str]) -> None:
    paths = ("/metrics", "/api/models", "/api/audit")
    expected = {"prometheus": (200, 403, 403), "alice": (200, 200, 403), "chief": (200, 200, 200)}
    for name, codes in expected.items():
        found = tuple(client.get(p, headers=as_(held[name])).status_code for p in paths)
        assert found == codes, name
    assert client.post("/train/x", headers=as_(held["alice"])).status_code == 403


def test_anothers_things_are_not_there(client: TestClient, held: dict[str, str], picture: bytes) -> None:
    alice, bob, chief = (as_(held[n]) for n in ("alice", "bob", "chief"))
    form = {"files": ("x.png", picture)}
    job = client.post("/api/predict", files=form, data={"model": "chest"}, headers=alice).json()
    study, url = job["study"], job["answers"][0]["files"]["answer.json"]
    image = f"/api/studies/{study}/cases/c1"
    own = (
        f"/api/studies/{study}",
        f"{image}/image.nii.gz",
        f"{image}/preview.png",
        f"/api/jobs/{job['job']}",
        f"/api/jobs/{job['job']}/events",
        url,
        f"/session/{study}",
        f"/datastore/image?image={study}-c1",
    )
    for path in own:
        assert client.get(path, headers=alice).status_code == 200, path
        assert client.get(path, headers=bob).status_code == 404, path
        nowhere = client.get(path.replace(study, "nothing").replace(job["job"], "nothing"), headers=bob)
        assert client.get(path, headers=bob).json() == nowhere.json(), "nobody learns that it is there"
    for path in (f"/api/studies/{study}", f"/api/jobs/{job['job']}", f"/session/{study}"):
        assert client.delete(path, headers=bob).status_code == 404, path
    asked = {"model": "chest", "study": study}
    assert client.post("/api/jobs", json=asked, headers=bob).status_code == 404
    assert client.post(f"/infer/chest?session_id={study}", headers=bob).status_code == 404
    assert client.post(f"/infer/chest?image={study}-c1", headers=bob).status_code == 404
    assert client.get("/api/studies", headers=bob).json() == [] == client.get("/api/jobs", headers=bob).json()
    assert client.get("/datastore/?output=all", headers=bob).json()["objects"] == {}
    assert [s["study"] for s in client.get("/api/studies", headers=chief).json()] == [study]
    assert client.get(url, headers=chief).status_code == 200
    lines = client.get("/api/audit", headers=chief).json()["lines"]
    assert {"alice", "chief", "service"} == {line["who"] for line in lines}


def test_a_removed_key_is_out_at_the_next_request(
    client: TestClient, held: dict[str, str], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    file = tmp_path / "keys.yaml"
    assert client.get("/api/models", headers=as_(held["bob"])).status_code == 200
    kept = [e for e in keys.load(file) if e.name != "bob"]
    file.write_text(
        "keys:\n" + "".join(f"- {{name: {e.name}, role: {e.role}, sha256: '{e.sha256}'}}\n" for e in kept)
    )
    assert client.get("/api/models", headers=as_(held["bob"])).status_code == 401
    assert client.get("/api/models", headers=as_(held["alice"])).status_code == 200
    good = file.read_text()
    changes: list[Any] = [lambda t=t: file.write_text(t) for t in ("keys: [oops", "", "keys: []\n")]
    for change in (*changes, file.unlink):
        change()
        ready = client.get("/ready")
        assert ready.status_code == 503 and ready.json()["why"] == "no key can be checked at the moment"
        for name in ("alice", "alice", "bob"):
            got = client.get("/api/models", headers=as_(held[name]))
            assert got.status_code == 503 and got.headers["retry-after"], "nobody is let in"
            assert str(tmp_path) not in got.text, "nor told why"
        assert client.get("/api/models").status_code == 401 and client.get("/health").status_code == 200
    file.write_text(good)
    file.chmod(0o600)
    assert client.get("/ready").json() == {"ready": True, "why": None}
    assert client.get("/api/models", headers=as_(held["alice"])).status_code == 200
    said = [r.message for r in caplog.records if r.name.endswith(".keys")]
    assert len(said) == 2 and "nobody is let in" in said[0] and "again" in said[1]


@pytest.mark.parametrize("mode", [0o620, 0o602, 0o666])
def test_a_keys_file_that_others_can_write_is_refused(
    mode: int, client: TestClient, held: dict[str, str], tmp_path: Path
) -> None:
    file = tmp_path / "keys.yaml"
    file.chmod(mode)
    with pytest.raises(UnsafeError, match="chmod 600"):
        Keys(file)
    file.write_text(file.read_text() + "\n")
    assert client.get("/api/models", headers=as_(held["alice"])).status_code == 503, "while it runs, too"


def test_a_keys_file_that_others_can_read_is_warned_of(tmp_path: Path) -> None:
    make(tmp_path / "k.yaml", "a", "user")
    for mode, warned in ((0o600, False), (0o400, False), (0o640, True), (0o604, True)):
        (tmp_path / "k.yaml").chmod(mode)
        Keys(tmp_path / "k.yaml")
        said = keys.check_mode(tmp_path / "k.yaml", mode)
        assert (said is not None and "chmod 600" in said) == warned


@pytest.mark.parametrize(
    "text",
    ["", "keys: []", "keys: {}", "keys: [{name: a}]", "[1]", "keys: [{name: a, role: king, sha256: x}]", "\x00", "a: [",
     "keys: [{name: a, role: user, sha256: '" + "0" * 63 + "'}]"],
)  # fmt: skip
def test_a_bad_keys_file_is_refused(text: str, tmp_path: Path) -> None:
    (tmp_path / "k.yaml").write_text(text)
    with pytest.raises((FormatError, PlanError)):
        Keys(tmp_path / "k.yaml")


def test_guessing_is_slowed(clients: Any, held: dict[str, str], tmp_path: Path) -> None:
    client = clients(keys=tmp_path / "keys.yaml", per_minute=5)
    codes = [client.get("/api/models", headers=as_(f"guess-{k}")).status_code for k in range(8)]
    assert codes == [401] * 5 + [429] * 3
    assert client.get("/api/models", headers=as_(held["alice"])).status_code == 200, (
        "who has a key is not slowed by it"
    )


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.5", "example.org", "8.8.8.8"])
def test_beyond_loopback_only_with_keys(host: str, tmp_path: Path) -> None:
    with pytest.raises(UnsafeError):
        check_exposure(host, keys=None)
    check_exposure(host, keys=tmp_path)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "::1", "127.8.8.8"])
def test_loopback_needs_none(host: str) -> None:
    check_exposure(host, keys=None)


def test_the_command_makes_a_key(tmp_path: Path) -> None:
    file = tmp_path / "k.yaml"
    done = CliRunner().invoke(app, ["serve", "--make-key", "ward-3", "--role", "admin", "--keys", str(file)])
    assert done.exit_code == 0, done.output
    key = done.stdout.strip().splitlines()[-1]
    caller = Keys(file).caller(key)
    assert caller is not None and (caller.name, caller.role) == ("ward-3", "admin")
    to = ["--keys", str(file)]
    for words in (
        [],
        ["--make-key", "ward-3", *to],
        ["--make-key", "x"],
        ["--make-key", "a b", *to],
        ["--make-key", "x", "--role", "king", *to],
    ):
        again = CliRunner().invoke(app, ["serve", *words])
        assert isinstance(again.exception, VesaliusError), words
