"""A causal model over the WebSocket: answers are those of the file, times and drops are told, and cines begin anew."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from _cines import cine as ultrasound
from _clients import Clients
from _uploads import ended, upload
from starlette.testclient import TestClient
from starlette.websockets import WebSocketDisconnect

from _patience import until
from _streamed import CALIBRATION, SIZE, cine, streamed
from vesalius.core.case import Case
from vesalius.core.image import Image
from vesalius.explain.methods import frames
from vesalius.serve.http import cine as cines
from vesalius.serve.http.catalogue import Catalogue

LAYOUT = json.dumps({"height": SIZE[0], "width": SIZE[1], "spacing_mm": [0.5, 0.5]})


@pytest.fixture(scope="module")
def causal(tmp_path_factory: pytest.TempPathFactory) -> Catalogue:
    folder = tmp_path_factory.mktemp("causal")
    mirrored = {"infer.mirror": ("x",), "augment.flip_axes": ("x",)}
    streamed(folder / "beat", calibration=CALIBRATION, settings=mirrored)
    streamed(folder / "all", members=1, settings={"sources.causal": False})
    threads = torch.get_num_threads()
    made = Catalogue([folder / "beat", folder / "all"], ["cpu"])
    torch.set_num_threads(threads)
    return made


@pytest.fixture
def ask(causal: Catalogue, tmp_path: Path) -> Iterator[Clients]:
    made = Clients(causal, tmp_path)
    yield made
    made.close()


def opened(client: TestClient, more: str = "") -> Any:
    socket = client.websocket_connect(f"ws://127.0.0.1/api/cine?model=beat{more}")
    return socket


def sent(socket: Any, image: Image, k: int, *, time_s: float | None = None, **told: Any) -> Any:
    """Send a frame and return what is said of it."""
    if time_s is not None or told:
        socket.send_text(json.dumps({"time_s": time_s, **told}))
    socket.send_bytes(image.array[k].tobytes())
    return json.loads(socket.receive_text())


def p_of(catalogue: Catalogue, image: Image, frames: list[int], times_s: list[float]) -> Any:
    """What the predictor says of the file of some frames at these times."""
    some = replace(image, array=image.array[frames], times_s=tuple(times_s))
    return catalogue.get("beat").predictors[0](Case("x", {"image": some})).p  # type: ignore[attr-defined]


def test_frames_are_answered_as_in_the_file(ask: Clients, causal: Catalogue) -> None:
    image, client = cine(6), ask()
    assert image.times_s is not None
    began = 1_700_000_000.0  # any clock: what counts is the time since the first frame
    with opened(client) as socket:
        socket.send_text(LAYOUT)
        for k, at in enumerate(image.times_s):
            said = sent(socket, image, k, time_s=began + at)
            assert (said["sees"], said["since"], said["seen"], said["dropped"]) == ("frames", 0, k + 1, [])
            assert said["time_s"] == pytest.approx(at - image.times_s[0], abs=1e-6)
            wanted = p_of(causal, image, list(range(k + 1)), list(image.times_s[: k + 1]))
            assert said["answer"]["p"] == pytest.approx(wanted.tolist(), abs=1e-5)
            assert said["answer"]["promise"] is not None
    frames = {m["name"]: m["frames"] for m in client.get("/api/models").json()}
    assert frames == {"beat": "stream", "all": "whole"}


def test_without_told_times_frames_came_when_they_arrived(ask: Clients, causal: Catalogue) -> None:
    image, times = cine(3), []
    with opened(ask()) as socket:
        socket.send_text(LAYOUT)
        for k in range(3):
            said = sent(socket, image, k)
            times.append(said["time_s"])
    assert times[0] == 0 and 0 < times[1] < times[2]
    wanted = p_of(causal, image, [0, 1, 2], times)
    assert said["answer"]["p"] == pytest.approx(wanted.tolist(), abs=1e-5)


def test_another_cine_begins_where_it_is_told_and_after_a_pause(ask: Clients, causal: Catalogue) -> None:
    image, client = cine(6), ask()
    with opened(client) as socket:
        socket.send_text(LAYOUT)
        sent(socket, image, 0, time_s=0.0)
        back = sent(socket, image, 1, time_s=-1.0)
        assert "goes back in time" in back["error"]["error"]
        assert sent(socket, image, 1, time_s=0.5)["seen"] == 2  # the frame that failed is not seen
        anew = sent(socket, image, 2, time_s=-1.0, reset=True)
        assert (anew["since"], anew["seen"], anew["time_s"]) == (3, 1, 0)
        assert anew["answer"]["p"] == pytest.approx(p_of(causal, image, [2], [0.0]).tolist(), abs=1e-5)
        later = sent(socket, image, 3, time_s=18.0)  # 19 s; a hundred of the intervals learned from are 20 s
        assert (later["since"], later["seen"]) == (3, 2)
        assert sent(socket, image, 4, time_s=39.0)["since"] == 5
    with opened(client, "&gap_s=0") as socket:
        socket.send_text(LAYOUT)
        sent(socket, image, 0, time_s=0.0)
        assert sent(socket, image, 1, time_s=1e6)["seen"] == 2
    with opened(client, "&gap_s=0.25") as socket:
        socket.send_text(LAYOUT)
        sent(socket, image, 0, time_s=0.0)
        assert sent(socket, image, 1, time_s=0.5)["seen"] == 1


def test_what_was_dropped_is_told_and_the_state_knows_the_real_times(
    ask: Clients, causal: Catalogue, monkeypatch: pytest.MonkeyPatch
) -> None:
    client, image, taken = ask(), cine(7), []
    put = cines.Slot.put
    monkeypatch.setattr(cines.Slot, "put", lambda slot, data: taken.append(put(slot, data)))
    predictor, begin, go = causal.get("beat").predictors[0], threading.Event(), threading.Event()

    class Slow:
        def __init__(self, case: Case) -> None:
            self.session = predictor.open(case)

        def step(self, more: Case | None = None) -> Any:
            begin.set()
            assert go.wait(60)
            return self.session.step(more)

    slow: Any = SimpleNamespace(open=Slow, over_frames=predictor.over_frames, stages=predictor.stages)
    slow.listening = lambda listen: slow
    monkeypatch.setitem(causal.by_name, "beat", replace(causal.get("beat"), predictors=(slow,)))
    with opened(client) as socket:
        socket.send_text(LAYOUT)
        for k in range(4):
            socket.send_text(json.dumps({"time_s": 0.25 * k, "reset": k == 2}))
            socket.send_bytes(image.array[k].tobytes())
            if k == 0:
                assert begin.wait(60)
        until(lambda: len(taken) == 4)
        go.set()
        first, second = json.loads(socket.receive_text()), json.loads(socket.receive_text())
        third = sent(socket, image, 4, time_s=1.5)
    monkeypatch.undo()
    assert (first["frame"], first["dropped"]) == (0, [])
    # the cine that the dropped third frame began is begun by the fourth
    assert (second["frame"], second["dropped"], second["since"], second["seen"]) == (3, [1, 2], 3, 1)
    assert (third["seen"], third["time_s"]) == (2, 0.75)
    assert third["answer"]["p"] == pytest.approx(p_of(causal, image, [3, 4], [0.75, 1.5]).tolist(), abs=1e-5)


def test_another_cine_knows_nothing_of_a_patient_whose_frame_was_dropped() -> None:
    slot = cines.Slot()
    slot.hear('{"covariates": {"age": 61}}')
    slot.put(b"of one patient")
    slot.hear('{"reset": true, "covariates": {"sex": "F"}}')
    slot.put(b"of the next")
    slot.put(b"and another one")
    assert slot.frame is not None and slot.dropped == [0, 1]
    assert slot.frame.told.reset and slot.frame.told.covariates == {"sex": "F"}


def test_a_model_that_must_see_the_whole_cine_is_refused(ask: Clients) -> None:
    with ask().websocket_connect("ws://127.0.0.1/api/cine?model=all") as socket:
        said = json.loads(socket.receive_text())
        assert "must see all of a cine" in said["error"] and "POST /api/predict" in said["hint"]
        with pytest.raises(WebSocketDisconnect):
            socket.receive_text()


@pytest.mark.parametrize("text", ['{"time_s": "soon"}', '{"time_s": NaN}', '{"reset": true, "height": 4}'])
def test_what_is_told_wrongly_closes_it(text: str, ask: Clients) -> None:
    with opened(ask()) as socket:
        socket.send_text(text)
        assert json.loads(socket.receive_text())["error"]
        with pytest.raises(WebSocketDisconnect) as closed:
            socket.receive_text()
    assert closed.value.code == 1003


def test_a_picture_model_says_that_it_sees_single_frames(client: TestClient, picture: bytes) -> None:
    with client.websocket_connect("ws://127.0.0.1/api/cine?model=chest") as socket:
        socket.send_bytes(picture)
        said = json.loads(socket.receive_text())
    assert said["sees"] == "frame" and "since" not in said
    assert np.isclose(sum(said["answer"]["p"]), 1)


def test_frames_that_counted_are_numbers_of_an_explanation_and_no_measurement(
    ask: Clients, causal: Catalogue, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(frames, "fault", lambda *given: None)  # a model that learned nothing explains nothing
    client = ask()
    told = {m["name"]: m["explainers"] for m in client.get("/api/models").json()}["all"]
    assert {"frames", "sources"} <= set(told) and told[0] not in ("frames", "sources")
    data, _ = ultrasound()
    made = upload(client, ("cine.dcm", data)).json()
    asked = {"model": "all", "study": made["study"], "kind": "explain", "explainer": "frames"}
    job = ended(client, client.post("/api/jobs", json=asked | {"accept_mismatch": True}).json())
    assert job["status"] == "done", job["error"]
    (answer,) = job["answers"]
    assert answer["kind"] == "Numbers" and "sr.dcm" not in answer["files"]
    assert "explanation.html" in answer["files"]
    names = [name.partition(",")[0] for name in answer["answer"]["parts"]]
    assert names == [f"frame {k + 1}" for k in range(4)], "those that are looked at"
    one = client.post("/api/jobs", json=asked | {"explainer": "sources", "accept_mismatch": True}).json()
    alone = ended(client, one)
    assert alone["status"] == "failed" and "one source alone" in json.dumps(alone["error"])
