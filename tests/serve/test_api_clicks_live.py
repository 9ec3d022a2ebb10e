"""Clicks over a WebSocket: sessions on stored images outlive it, pictures are clicked on, an error ends nothing."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from _clients import Clients
from _growing import Growing, bits_of, blob, clickable
from _uploads import upload
from PIL import Image as Pil
from starlette.testclient import TestClient
from starlette.websockets import WebSocketDisconnect

from vesalius import formats
from vesalius.core.image import Image
from vesalius.serve.http.catalogue import Catalogue
from vesalius.serve.http.clicks import sessions
from vesalius.serve.http.keys import make

MIDDLE, OTHER = (2, 9, 21), (6, 3, 4)  # (z, y, x)
SHAPE = (8, 14, 27)
AFFINE = np.array([[0, 0, -3.0, 0], [0.3, -1.0, 0, 9], [1.0, 0.3, 0, 4], [0, 0, 0, 1.0]])


@pytest.fixture
def ask(models: Catalogue, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Clients]:
    monkeypatch.setattr(sessions, "Clicking", Growing)
    made = Clients(clickable(models, "organs", "plaque"), tmp_path)
    yield made
    made.close()


def live(client: TestClient, model: str = "organs", **more: Any) -> Any:
    return client.websocket_connect(f"ws://127.0.0.1/api/clicks/live?model={model}", **more)


def said(socket: Any, **message: Any) -> Any:
    socket.send_text(json.dumps(message))
    return json.loads(socket.receive_text())


def point(*place: float, adds: bool = True) -> dict[str, Any]:
    return {"kind": "point", "adds": adds, "places": [place]}


def test_strokes_are_answered_and_the_session_outlives_the_socket(ask: Clients, tmp_path: Path) -> None:
    client = ask()
    path = formats.write(Image(blob(SHAPE, MIDDLE, OTHER)[None], affine=AFFINE), tmp_path / "v.nii.gz")
    study = upload(client, (path.name, path.read_bytes())).json()["study"]
    with live(client) as socket:
        assert "no image to click on" in said(socket, add=[point(0, 0, 0)])["error"]
        begun = said(socket, begin={"study": study, "case": "c1"})
        one = said(socket, add=[point(*MIDDLE)], version=begun["version"])
        first = bits_of(one)
        assert first[1:4, 8:11, 20:23].all() and one["took_ms"] >= one["ms"] > 0
        for wrong in ({"add": [point(0, 0, 99)]}, {"add": [{"kind": "point", "places": [[1]]}]}, {"x": 1}, {},
                      {"add": [], "strokes": []}, {"session": "nothing"}):  # fmt: skip
            told = said(socket, **wrong)
            assert set(told) == {"error", "found", "hint"}, wrong
        socket.send_text("nonsense")
        assert "JSON" in json.loads(socket.receive_text())["error"]
        again = said(socket, session=begun["session"])
        assert np.array_equal(bits_of(again), first), "what was refused changed nothing"
        both = said(socket, strokes=[point(*MIDDLE), point(*OTHER)], version=again["version"])
        assert both["against"] == again["version"] and bits_of(both, first).sum() == 54
    with live(client) as socket:
        back = said(socket, session=begun["session"])
        assert back["strokes"] == 2 and back["voxels"] == 54
        assert said(socket, strokes=[], version=back["version"])["voxels"] == 0
    assert client.app.state.service.sessions == 0  # type: ignore[attr-defined]


def test_a_picture_that_comes_is_clicked_on_by_row_and_column(ask: Clients) -> None:
    array, buffer = (blob((1, 30, 44), (0, 7, 33))[0] / 4).astype(np.uint8), io.BytesIO()
    Pil.fromarray(array).save(buffer, "PNG")
    client = ask()
    with live(client, "plaque") as socket:
        socket.send_bytes(buffer.getvalue())
        begun = json.loads(socket.receive_text())
        assert begun["study"] is None and begun["shape"] == [1, 30, 44]
        assert bits_of(said(socket, add=[point(0, 7, 33)]))[0, 6:9, 32:35].all()
        socket.send_text(json.dumps({"height": 30, "width": 44, "spacing_mm": [0.5, 0.25]}))
        socket.send_bytes(array.tobytes())
        assert json.loads(socket.receive_text())["voxels"] == 0, "another picture begins anew"
        bare = said(socket, add=[point(0, 7, 33)])
        assert bits_of(bare).sum() == 9 and bare["summary"]["labels"][0]["area_mm2"] == pytest.approx(
            9 * 0.125
        )
        socket.send_bytes(b"no picture")
        assert "another size than declared" in json.loads(socket.receive_text())["error"]
        assert len(client.app.state.service.clicks) == 0, "what cannot be seen is not clicked on"  # type: ignore[attr-defined]
    assert len(client.app.state.service.clicks) == 0  # type: ignore[attr-defined]


def test_keys_and_bounds_hold(ask: Clients, tmp_path: Path) -> None:
    keys = tmp_path / "keys"
    key = make(keys, "ann", "user")
    client = ask(keys=keys, sessions=1)
    for more in ({}, {"subprotocols": ["vesalius", "key.wrong"]}):
        with live(client, **more) as socket:
            assert "key" in json.loads(socket.receive_text())["error"]
            with pytest.raises(WebSocketDisconnect):
                socket.receive_text()
    with (
        live(client, subprotocols=["vesalius", f"key.{key}"]),
        live(client, subprotocols=["vesalius", f"key.{key}"]) as second,
    ):
        assert "too many" in json.loads(second.receive_text())["error"]
    with live(client, "chest", subprotocols=["vesalius", f"key.{key}"]) as socket:
        assert "takes no clicks" in json.loads(socket.receive_text())["error"]
