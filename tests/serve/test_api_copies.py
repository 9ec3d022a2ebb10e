"""A file that comes twice is one; what only looks like it is not."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
from _uploads import upload
from PIL import Image as Pil
from starlette.testclient import TestClient


def png(seed: int) -> bytes:
    buffer = io.BytesIO()
    Pil.fromarray(np.random.default_rng(seed).integers(0, 255, (40, 48), np.uint8)).save(buffer, "PNG")
    return buffer.getvalue()


def once(client: TestClient, *files: tuple[str, bytes]) -> Any:
    return client.post("/api/studies?once=true", files=[("files", f) for f in files])


def test_one_file_twice_in_an_upload_is_one_case(clients: Any) -> None:
    """Of one name, other bytes are another image; under another name, equal bytes are another file."""
    study = upload(
        clients(), ("a.png", png(1)), ("a.png", png(1)), ("a.png", png(2)), ("b.png", png(1))
    ).json()
    assert [c["name"] for c in study["cases"]] == ["a", "a (2)", "b"]
    assert study["set_aside"] == [{"name": "a.png", "reason": "came twice, byte for byte; it is used once"}]


def test_many_that_come_twice_are_said_in_one_line(clients: Any) -> None:
    files = [(f"{k}.png", png(k)) for k in range(5)]
    study = upload(clients(), *files, *files).json()
    assert len(study["cases"]) == 5 and len(study["set_aside"]) == 1
    assert study["set_aside"][0]["name"] == "0.png and 4 more"


def test_an_upload_that_is_here_already_is_found_where_that_is_asked_for(clients: Any) -> None:
    client = clients()
    first = once(client, ("a.png", png(1)), ("b.png", png(2)))
    assert first.status_code == 201
    turned = once(client, ("b.png", png(2)), ("a.png", png(1)))
    assert turned.status_code == 200 and turned.json() == first.json()
    assert len(client.get("/api/studies").json()) == 1
    for others in (
        [("a.png", png(1))],
        [("a.png", png(1)), ("b.png", png(3))],  # another image of the same name
        [("a.png", png(2)), ("b.png", png(1))],  # names exchanged: what is called a is another image
        [("a.png", png(1)), ("c.png", png(2))],
    ):
        made = once(client, *others)
        assert made.status_code == 201 and made.json()["study"] != first.json()["study"]
    plain = upload(
        client, ("a.png", png(1)), ("b.png", png(2))
    )  # a program that uploads twice has two studies
    assert plain.status_code == 201 and plain.json()["study"] != first.json()["study"]
    client.delete(f"/api/studies/{plain.json()['study']}")
    assert client.get(f"/api/studies/{first.json()['study']}").status_code == 200


def test_another_callers_study_is_never_found(clients: Any, tmp_path: Any) -> None:
    from vesalius.serve.http.keys import make

    keys = tmp_path / "keys"
    heads = [{"Authorization": f"Bearer {make(keys, name, 'user')}"} for name in ("alice", "bob")]
    client = clients(keys=keys)
    made = [
        client.post("/api/studies?once=true", files={"files": ("a.png", png(1))}, headers=h) for h in heads
    ]
    assert [m.status_code for m in made] == [201, 201]
    assert made[0].json()["study"] != made[1].json()["study"]
