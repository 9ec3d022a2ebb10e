"""A cine over a WebSocket: each frame the predictor's answer, or said to be dropped; nothing ends it but the client."""

from __future__ import annotations

import io
import json
import threading
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from PIL import Image as Pil
from starlette.testclient import TestClient
from starlette.websockets import WebSocketDisconnect

from _patience import until
from vesalius import formats
from vesalius.core.answers.mask import Mask
from vesalius.core.answers.scores import Scores
from vesalius.core.case import Case
from vesalius.core.channels import COLOURS
from vesalius.core.image import Image
from vesalius.infer.session import Anew
from vesalius.serve.http import cine as cines
from vesalius.serve.http.catalogue import Catalogue
from vesalius.serve.http.keys import make

LOCAL = {"host": "127.0.0.1"}


def open_(client: TestClient, model: str, **more: Any) -> Any:
    return client.websocket_connect(f"ws://127.0.0.1/api/cine?model={model}", **more)


def pixels(seed: int, *shape: int, dtype: Any = np.uint8) -> Any:
    return np.random.default_rng(seed).integers(0, np.iinfo(dtype).max, shape, dtype=dtype)


@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
def test_bare_frames_are_answered_as_the_predictor_answers_them(
    dtype: str, client: TestClient, models: Catalogue, tmp_path: Path
) -> None:
    predictor = models.get("plaque").predictors[0]
    with open_(client, "plaque") as cine:
        cine.send_text(json.dumps({"height": 24, "width": 36, "dtype": dtype, "spacing_mm": [0.5, 0.25]}))
        for n in range(3):
            frame = pixels(n, 24, 36, dtype=np.dtype(dtype))
            cine.send_bytes(frame.astype(f"<{np.dtype(dtype).str[1:]}").tobytes())
            said = json.loads(cine.receive_text())
            assert (said["frame"], said["dropped"]) == (n, []) and said["ms"] > 0
            (tmp_path / "a.json").write_text(json.dumps(said["answer"]))
            found = formats.read_answer(tmp_path / "a.json")
            direct = predictor(Case("x", {"image": Image(frame[None, None], spacing_mm=(0.5, 0.25, 1.0))}))
            assert isinstance(found, Mask) and isinstance(direct, Mask)
            assert np.array_equal(found.image.array, direct.image.array)
            assert "area_mm2" in said["summary"]["labels"][0]


def test_pictures_and_colours_too(client: TestClient, models: Catalogue, picture: bytes) -> None:
    colours = pixels(3, 30, 20, 3)
    with open_(client, "chest") as cine:
        cine.send_bytes(picture)
        first = json.loads(cine.receive_text())
        cine.send_text(json.dumps({"height": 30, "width": 20, "channels": 3}))
        cine.send_bytes(colours.tobytes())
        second = json.loads(cine.receive_text())
        buffer = io.BytesIO()
        Pil.fromarray(colours).save(buffer, "PNG")
        cine.send_bytes(buffer.getvalue())
        third = json.loads(cine.receive_text())
    predictor = models.get("chest").predictors[0]
    direct = predictor(Case("x", {"image": Image(np.moveaxis(colours, -1, 0)[:, None], channels=COLOURS)}))
    assert isinstance(direct, Scores)
    assert [first["frame"], second["frame"], third["frame"]] == [0, 1, 2]
    assert second["answer"]["p"] == third["answer"]["p"] == pytest.approx(direct.p.tolist(), abs=1e-6)
    assert second["answer"]["p"] != first["answer"]["p"]


def test_a_frame_that_cannot_be_answered_does_not_end_it(client: TestClient, picture: bytes) -> None:
    root: Path = client.app.state.service.root  # type: ignore[attr-defined]
    with open_(client, "chest") as cine:
        for bad in (b"", b"nonsense", picture[:50], b"\xff\xd8\xff" + bytes(30)):
            cine.send_bytes(bad)
            said = json.loads(cine.receive_text())
            assert "error" in said and str(root) not in json.dumps(said) and "/tmp" not in json.dumps(said)
        cine.send_text(json.dumps({"height": 4, "width": 4}))
        cine.send_bytes(bytes(15))
        assert "15 of 16" in json.loads(cine.receive_text())["error"]["found"]
        cine.send_bytes(picture)
        assert json.loads(cine.receive_text())["answer"]["kind"] == "Scores"
    assert list(root.glob("cine-*")) == []


def test_old_frames_are_dropped_and_named(
    clients: Any, models: Catalogue, monkeypatch: pytest.MonkeyPatch
) -> None:
    client, taken = clients(), []
    put = cines.Slot.put
    monkeypatch.setattr(cines.Slot, "put", lambda slot, data: taken.append(put(slot, data)))
    predictor, begin, go = models.get("chest").predictors[0], threading.Event(), threading.Event()

    def held(case: Case) -> Any:
        begin.set()
        assert go.wait(60)
        return predictor(case)

    slow: Any = SimpleNamespace(open=lambda case: Anew(held, case), over_frames="each")
    slow.listening = lambda listen: slow
    monkeypatch.setitem(models.by_name, "chest", replace(models.get("chest"), predictors=(slow,)))
    with open_(client, "chest") as cine:
        cine.send_text(json.dumps({"height": 8, "width": 8}))
        cine.send_bytes(bytes(64))
        assert begin.wait(60)
        for n in range(1, 6):
            cine.send_bytes(bytes([n]) * 64)
        until(lambda: len(taken) == 6)
        go.set()
        first, second = json.loads(cine.receive_text()), json.loads(cine.receive_text())
    assert (first["frame"], first["dropped"]) == (0, [])
    assert (second["frame"], second["dropped"]) == (5, [1, 2, 3, 4])
    until(lambda: "cine ended" in client.get("/api/audit").text)
    ended = next(x for x in client.get("/api/audit").json()["lines"] if x["what"] == "cine ended")
    assert (ended["frames"], ended["answered"]) == (6, 2)
    assert 'vesalius_cine_frames_total{model="chest",outcome="dropped"} 4.0' in client.get("/metrics").text


@pytest.mark.parametrize(
    ("model", "why"), [("organs", "volumes"), ("nothing", "unknown model"), ("", "no model is named")]
)
def test_what_cannot_be_a_cine_is_told_why(model: str, why: str, client: TestClient) -> None:
    with open_(client, model) as cine:
        assert why in json.loads(cine.receive_text())["error"]
        with pytest.raises(WebSocketDisconnect) as closed:
            cine.receive_text()
    assert closed.value.code == 1008


BAD_HEADERS = (
    "",
    "{",
    "[]",
    '{"height": 0, "width": 4}',
    '{"height": 4, "width": 4, "dtype": "f8"}',
    '{"height": 4, "width": 4, "x": 1}',
    '{"height": 1e9, "width": 4}',
)


@pytest.mark.parametrize("text", BAD_HEADERS)
def test_a_bad_header_closes_it(text: str, client: TestClient) -> None:
    with open_(client, "chest") as cine:
        cine.send_text(text)
        assert json.loads(cine.receive_text())["error"]
        with pytest.raises(WebSocketDisconnect) as closed:
            cine.receive_text()
    assert closed.value.code == 1003


def test_only_so_many_at_one_time(clients: Any, picture: bytes) -> None:
    client = clients(sessions=1)
    with open_(client, "chest") as first:
        first.send_bytes(picture)
        first.receive_text()
        with open_(client, "chest") as second:
            assert "too many" in json.loads(second.receive_text())["error"]
    with open_(client, "chest") as third:
        third.send_bytes(picture)
        assert json.loads(third.receive_text())["frame"] == 0


def test_keys_and_other_pages(clients: Any, tmp_path: Path, picture: bytes) -> None:
    key = make(tmp_path / "k.yaml", "alice", "user")
    client = clients(keys=tmp_path / "k.yaml")
    with open_(client, "chest") as cine:
        assert json.loads(cine.receive_text())["error"] == "a key is needed"
    for how in (
        {"subprotocols": ["vesalius", f"key.{key}"]},
        {"headers": {"authorization": f"Bearer {key}"}},
    ):
        with open_(client, "chest", **how) as cine:
            assert cine.accepted_subprotocol == ("vesalius" if "subprotocols" in how else None)
            cine.send_bytes(picture)
            assert json.loads(cine.receive_text())["frame"] == 0
    free = clients()
    with pytest.raises(WebSocketDisconnect), open_(free, "chest", headers={"origin": "https://evil.example"}):
        raise AssertionError("it was let in")
